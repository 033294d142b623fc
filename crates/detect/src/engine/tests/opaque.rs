//! Values that only their issuer can read.

use terms::Direction;

use super::{base64, engine, needle};
use crate::{Catalogue, template::Filler};

#[test]
fn chance_finds_nothing_in_an_opaque_value() {
    let engine = engine();
    // As random bytes may hold it.
    let address = Filler::new(6).fill("{lower:1}@{lower:1}.de");
    let text = base64(&format!("xxxxxx{address}\u{7f}\u{7f}"));
    for direction in Direction::ALL {
        assert!(!engine.scan(&text, *direction).findings.is_empty());
        let scan = engine.scan_opaque(&text, *direction);
        assert!(scan.findings.is_empty(), "{:?}", scan.findings);
        assert_eq!(scan.bytes, text.len() as u64);
        // In the text itself it is found, and so it is in what is no such run.
        let plain = format!("{address} is mine");
        assert!(!engine.scan_opaque(&plain, *direction).findings.is_empty());
        let apart = format!("{text} {text}");
        assert!(!engine.scan_opaque(&apart, *direction).findings.is_empty());
    }
}

#[test]
fn what_is_no_chance_is_found_in_an_opaque_value() {
    let engine = engine();
    for which in [0, 1, 2] {
        let needle = needle(which, 9);
        for text in [needle.clone(), base64(&format!("note {needle} end"))] {
            let scan = engine.scan_opaque(&text, Direction::Request);
            assert!(!scan.findings.is_empty(), "needle {which}");
        }
    }
}

#[test]
fn every_key_and_every_number_with_a_check_is_sure() {
    let engine = engine();
    let unsure: Vec<String> = Catalogue::embedded()
        .unwrap()
        .detectors()
        .iter()
        .filter(|detector| !engine.is_sure(&detector.id))
        .map(|detector| detector.id.as_str().to_owned())
        .collect();
    assert!(unsure.contains(&"email".to_owned()));
    for id in [
        "card",
        "iban",
        "ssn",
        "jwt",
        "private-key",
        "github-token",
        "openai-key",
    ] {
        assert!(!unsure.contains(&id.to_owned()), "{unsure:?}");
    }
}
