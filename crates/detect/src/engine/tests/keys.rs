//! Values that are told by the keys before them.

use terms::Direction;

use super::{LIMITS, Segment, engine};
use crate::template::Filler;

/// Keys as they stand before a value, and what may not pass behind them.
const NAMED: &[(&str, &str)] = &[
    ("\"password\": \"", "{alnum:5}7!{alnum:5}"),
    ("\"db_password\": \"", "{alnum:6}9{alnum:5}"),
    ("\"pwd\": \"", "{alnum:6}9x{alnum:5}"),
    ("\"passphrase\": \"", "{alnum:6}9x{alnum:5}"),
    ("\"api_key\": \"", "{base64:40}"),
    ("\"apiKey\": \"", "{base64:40}"),
    ("\"client_secret\": \"", "{base64:40}"),
    ("\"access_token\": \"", "{base64:40}"),
    ("\"secret_key\": \"", "{base64:40}"),
    ("\"prod\": {\"token\": \"", "{base64:40}"),
    ("\"card\": {\"cvv\": \"", "{digits:2}7"),
    ("\"birthday\": \"", "1984-03-1{digits:1}"),
    ("\"date_of_birth\": \"", "1984-03-1{digits:1}"),
    ("\"phone\": \"", "782 265{digits:1}"),
    ("\"user\": {\"ssn\": \"", "219099{digits:2}3"),
    ("\"aws_secret_access_key\": \"", "{base64:40}"),
];

#[test]
fn a_value_is_told_by_its_key_whole_and_at_every_cut() {
    let engine = engine();
    let mut filler = Filler::new(5);
    let mut missed = Vec::new();
    for (keys, template) in NAMED {
        let value = filler.fill(template);
        for direction in Direction::ALL {
            let scan = engine.scan_after(keys, &value, *direction);
            assert_eq!(scan.bytes, value.len() as u64);
            let covers = |spans: &[std::ops::Range<usize>]| {
                spans
                    .iter()
                    .any(|span| span.start == 0 && span.end == value.len())
            };
            let spans: Vec<_> = scan
                .findings
                .iter()
                .map(|found| found.span.clone())
                .collect();
            if !covers(&spans) {
                missed.push(format!("{keys}{template} in a {direction:?}: {spans:?}"));
                continue;
            }
            for at in 0..value.len() {
                let mut stream = engine.stream(*direction, LIMITS);
                stream.follows(keys);
                let mut segments = stream.push(&value[..at]).unwrap();
                segments.extend(stream.push(&value[at..]).unwrap());
                segments.extend(stream.finish());
                let all = matches!(&segments[..], [Segment::Found { text, .. }] if text.as_str() == value);
                assert!(all, "{keys}{template} at {at}: {segments:?}");
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_key_is_no_part_of_what_it_names() {
    let engine = engine();
    let mut filler = Filler::new(6);
    let card = filler.fill("{card:visa}");
    for (keys, text) in [
        (format!("\"{card}\": \""), "and"),
        (format!("\"{}\": \"", &card[..8]), &card[8..]),
        ("\"password\": \"".to_owned(), "true"),
        ("\"max_tokens\": \"".to_owned(), "4096"),
        ("\"token_type\": \"".to_owned(), "bearer"),
        ("\"description\": \"".to_owned(), "what the password is for"),
    ] {
        for direction in Direction::ALL {
            let scan = engine.scan_after(&keys, text, *direction);
            assert!(scan.findings.is_empty(), "{text}: {:?}", scan.findings);
        }
    }
}
