//! Any bytes as the answer of a service for names: refused whole, or findings
//! that lie within their texts, at character boundaries.
#![no_main]

use detect::names::{SPOT_BYTES_MAX, read};
use libfuzzer_sys::fuzz_target;

const TEXTS: [&str; 3] = ["Ada Lövelace met 😀 Bob", "", "1 Road"];

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (answer, score_min) = input;
    let Ok(found) = read(&answer, &TEXTS, score_min) else {
        return;
    };
    assert_eq!(found.len(), TEXTS.len());
    for (text, findings) in TEXTS.iter().zip(found) {
        for finding in &findings {
            let part = text.get(finding.span.clone()).expect("within the text");
            assert!((1..=SPOT_BYTES_MAX).contains(&part.len()));
            assert!((1..=100).contains(&finding.score) && finding.score >= score_min);
        }
        assert!(findings.windows(2).all(|two| two[0].span.start <= two[1].span.start));
    }
});
