use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use terms::Act;

use super::{CONTEXT_ENTRIES_MAX, Context, LogName, Severity, Topic, events, samples::*};

#[test]
fn each_entry_gives_its_topics() {
    let cases = [
        (admitted(1, "gpt", &[]), vec![Topic::ApiActivity]),
        (
            admitted(1, "gpt", &[finding("allow")]),
            vec![Topic::ApiActivity],
        ),
        (
            admitted(1, "gpt", &[finding("redact")]),
            vec![Topic::ApiActivity, Topic::DetectionFinding],
        ),
        (closed(1, "complete", 200, &[]), vec![Topic::ApiActivity]),
        (
            refused(1, "MS-SCREEN-001", true),
            vec![Topic::ApiActivity, Topic::DetectionFinding],
        ),
        (
            refused(1, "MS-KNOW-004", false),
            vec![Topic::Authentication, Topic::DetectionFinding],
        ),
        (summary("MS-KNOW-003"), vec![Topic::Authentication]),
        (summary("MS-ARRIVE-001"), vec![Topic::ApiActivity]),
        (
            act(Act::SwitchedOff, "all", &[]),
            vec![Topic::IncidentFinding],
        ),
        (
            act(Act::SourceLocked, "x", &[]),
            vec![Topic::DetectionFinding],
        ),
        (
            act(
                Act::ConfigLoaded,
                "configuration",
                &[("control.redaction", "enforce")],
            ),
            vec![Topic::ApiActivity],
        ),
        (
            act(
                Act::ConfigLoaded,
                "configuration",
                &[("control.redaction", "shadow")],
            ),
            vec![Topic::ApiActivity, Topic::ComplianceFinding],
        ),
        (unclean(), vec![Topic::IncidentFinding]),
    ];
    for (leaf, wanted) in cases {
        let topics: Vec<Topic> = made(std::slice::from_ref(&leaf))
            .iter()
            .map(|event| event.topic)
            .collect();
        assert_eq!(topics, wanted, "{leaf:?}");
    }
}

#[test]
fn what_is_graver_is_graver() {
    let severity = |leaf| made(&[leaf])[0].severity;
    assert_eq!(
        severity(closed(1, "complete", 200, &[])),
        Severity::Informational
    );
    assert_eq!(severity(closed(1, "vendor-error", 500, &[])), Severity::Low);
    assert_eq!(
        severity(closed(1, "vendor-error", 401, &[])),
        Severity::High
    );
    let other_log = act(Act::Degraded, "witness", &[("why", "another log")]);
    assert_eq!(severity(other_log), Severity::Critical);
    assert_eq!(severity(act(Act::Degraded, "export", &[])), Severity::High);
    assert_eq!(
        severity(act(Act::CanaryShown, "redaction", &[("caught", "false")])),
        Severity::High
    );
}

#[test]
fn the_second_half_knows_the_first_within_its_distance() {
    let mut context = Context::default();
    context.take(0, &admitted(1, "gpt", &[]));
    for sequence in 1..CONTEXT_ENTRIES_MAX {
        context.take(sequence, &unclean());
    }
    let close = closed(1, "complete", 200, &[]);
    assert!(context.take(CONTEXT_ENTRIES_MAX, &close).is_some());
    // One further is one too far, however the reader came there.
    let mut context = Context::default();
    context.take(0, &admitted(1, "gpt", &[]));
    assert!(context.take(CONTEXT_ENTRIES_MAX + 1, &close).is_none());
}

#[test]
fn the_halves_meet_only_once() {
    let close = closed(1, "complete", 200, &[]);
    let events = made(&[admitted(1, "gpt", &[]), close.clone(), close]);
    assert!(events[1].admitted.is_some());
    assert!(events[2].admitted.is_none());
}

proptest! {
    #[test]
    fn names_are_their_own_and_for_ever(leaves in prop::collection::vec(any_leaf(), 1..20)) {
        let (first, second) = (made(&leaves), made(&leaves));
        prop_assert_eq!(&first, &second);
        let names: BTreeSet<&str> = first.iter().map(|event| event.id.as_str()).collect();
        prop_assert_eq!(names.len(), first.len());
        let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        prop_assert!(names.iter().all(plain));
        // Names sort as the log does.
        let order: Vec<&str> = first.iter().map(|event| event.id.as_str()).collect();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(order, sorted);
        // Every entry is told of.
        let told: BTreeSet<u64> = first.iter().map(|event| event.sequence).collect();
        prop_assert_eq!(told.len(), leaves.len());
    }

    #[test]
    fn another_log_gives_other_names(leaf in any_leaf()) {
        let leaf = Arc::new(leaf);
        let name = |origin: &str| events(&Arc::new(LogName::new(origin)), 5, &leaf, None)[0].id.clone();
        prop_assert_ne!(name("one.example"), name("two.example"));
    }
}
