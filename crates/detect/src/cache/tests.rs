use proptest::prelude::*;

use super::*;
use crate::{Catalogue, template::Filler};

fn engine() -> Engine {
    Engine::new(Catalogue::embedded().unwrap()).unwrap()
}

fn filled(template: &str) -> String {
    Filler::new(7).fill(template)
}

#[test]
fn a_text_is_looked_at_once_for_each_caller_direction_and_key_before_it() {
    let cached = Cached::new(engine(), [7; 32]);
    let text = filled("write to {lower:8}@example.com about it");
    let look =
        |caller: &str, before: &str, direction| cached.scan_after(caller, before, &text, direction);
    let first = look("a", "", Direction::Request);
    assert!(!first.findings.is_empty());
    assert_eq!(look("a", "", Direction::Request), first);
    assert_eq!(cached.counts(), (1, 1));
    look("b", "", Direction::Request);
    look("a", "mail: ", Direction::Request);
    look("a", "", Direction::Reply);
    assert!(!cached.is_clean("a", &text));
    assert_eq!(cached.counts(), (1, 5));
}

#[test]
fn what_stands_before_and_the_caller_are_told_apart() {
    let cached = Cached::new(engine(), [7; 32]);
    let name = |caller, before, text| cached.name(caller, before, text, None);
    let names = [
        name("ab", "c", "d"),
        name("a", "bc", "d"),
        name("a", "b", "cd"),
        name("", "abc", "d"),
        name("", "", "abcd"),
    ];
    for (at, one) in names.iter().enumerate() {
        assert!(names.iter().skip(at + 1).all(|other| other != one));
    }
    let other = Cached::new(engine(), [8; 32]);
    assert_ne!(name("a", "b", "c"), other.name("a", "b", "c", None));
}

#[test]
fn what_was_not_looked_at_whole_is_looked_at_again() {
    let cached = Cached::new(engine(), [7; 32]);
    for _ in 0..2 {
        let scan = cached.once("a", "", "x", None, || Scan {
            findings: Vec::new(),
            bytes: 1,
            work_exceeded: true,
            work: 1,
        });
        assert!(scan.work_exceeded);
    }
    assert_eq!(cached.counts(), (0, 2));
}

#[test]
fn no_more_is_kept_than_may_be() {
    let cached = Cached::new(engine(), [7; 32]);
    for number in 0..CACHED_TEXTS_MAX * 2 {
        let _ = cached.once("a", "", &number.to_string(), None, || Scan {
            findings: Vec::new(),
            bytes: 1,
            work_exceeded: false,
            work: 1,
        });
    }
    assert!(cached.scans.len() <= CACHED_TEXTS_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The second look finds what the first did, and what a plain engine finds.
    #[test]
    fn a_remembered_text_has_the_same_findings(
        before in "[a-z_]{0,12}",
        text in prop_oneof![
            "[ -~]{0,200}",
            Just(filled("key = AKIA{upper:16} and {lower:6}@example.org")),
        ],
    ) {
        let cached = Cached::new(engine(), [1; 32]);
        let plain = cached.engine().scan_after(&before, &text, Direction::Request);
        for _ in 0..2 {
            let scan = cached.scan_after("a", &before, &text, Direction::Request);
            prop_assert_eq!(&scan, &plain);
        }
        prop_assert_eq!(cached.counts(), (1, 1));
    }
}
