//! Any bytes as HTTP/2 frames, whole and split: as many begin, and the count
//! ends at the same place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::Frames;

fuzz_target!(|data: &[u8]| {
    let Some((split, data)) = data.split_first() else { return };
    let at = usize::from(*split) % (data.len() + 1);
    let (mut whole, mut parts) = (Frames::of_client(), Frames::of_client());
    let begun = whole.push(data);
    let first = parts.push(&data[..at]);
    let then = parts.push(&data[at..]);
    match begun {
        Ok(begun) => {
            assert_eq!(first.map(|first| first + then.unwrap_or(u32::MAX)), Ok(begun));
            assert!(usize::try_from(begun).is_ok_and(|begun| begun <= data.len() / 9));
            assert_eq!(whole, parts);
        }
        Err(_) => assert!(first.is_err() || then.is_err()),
    }
});
