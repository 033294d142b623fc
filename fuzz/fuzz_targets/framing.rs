//! Any bytes as HTTP/1.1 requests, whole and split: the same bytes get through
//! and the same fault is found, and what got through is taken again.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wire::{Framing, HeadLimits};

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 1_024,
    lines_max: 16,
};

fuzz_target!(|data: &[u8]| {
    let Some((split, data)) = data.split_first() else { return };
    let at = usize::from(*split) % (data.len() + 1);
    let (mut whole, mut parts) = (Framing::new(LIMITS), Framing::new(LIMITS));
    let (mut out, mut pieces) = (BytesMut::new(), BytesMut::new());
    let taken = whole.push(data, &mut out);
    let in_parts = parts
        .push(&data[..at], &mut pieces)
        .and_then(|()| parts.push(&data[at..], &mut pieces));
    assert_eq!(taken, in_parts);
    assert_eq!(out, pieces);
    assert_eq!(whole.heads(), parts.heads());
    let mut again = Framing::new(LIMITS);
    let mut same = BytesMut::new();
    assert_eq!(again.push(&out, &mut same), Ok(()));
    assert_eq!(again.heads(), whole.heads());
});
