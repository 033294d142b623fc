//! What the configuration lets pass, by kind and slot, and what was let pass.

use std::collections::BTreeMap;

use proptest::prelude::*;
use terms::{Action, Control};

use super::CONTROL_ROWS;
use crate::{
    Matrix, State,
    sample::{Sample, note},
};

/// Rows that lose their proof when a kind may pass, and those that do not.
const CASES: &[(&str, &[u16])] = &[
    ("weakest.screening.injection", &[9, 22, 41]),
    ("weakest.redaction.card", &[9, 25, 57]),
    ("weakest.redaction.ssn", &[9, 25, 57]),
    ("weakest.redaction.key", &[9, 25, 57]),
    ("weakest.redaction.email", &[9, 25]),
    ("weakest.redaction.phone", &[9, 25]),
    ("weakest.redaction.other", &[9, 25]),
    ("weakest.sanitising.link", &[9, 23, 41]),
    ("weakest.leakage.config", &[9, 58]),
];

/// A gate under these facts, with one clean exchange.
fn under(facts: &[(&str, &str)]) -> Sample {
    let mut sample = Sample::started();
    sample.config_with(&[], facts);
    sample.exchange();
    sample
}

/// The rows that rest on controls and are not enforced, with their reasons.
fn lost(sample: &Sample) -> BTreeMap<u16, String> {
    let states = Matrix::embedded().unwrap().compute(&sample.facts());
    states
        .iter()
        .filter(|row| CONTROL_ROWS.contains(&row.id()) && row.state() != State::Enforced)
        .map(|row| {
            assert_eq!(row.state(), State::Gap, "row {}", row.id());
            (row.id(), row.reason().to_owned())
        })
        .collect()
}

#[test]
fn a_kind_that_may_pass_costs_its_rows_although_none_came() {
    for (fact, rows) in CASES {
        let kind = fact.rsplit('.').next().unwrap();
        for does in [
            "allow a-detector",
            "flag a-detector@tool-result,turn",
            "odd",
        ] {
            let lost = lost(&under(&[(*fact, does)]));
            assert_eq!(lost.keys().copied().collect::<Vec<_>>(), *rows, "{fact}");
            let says = format!("lets {kind} pass");
            for (row, reason) in lost {
                assert!(reason.contains(&says), "row {row}: {reason}");
            }
        }
        for does in ["redact", "block"] {
            let lost = lost(&under(&[(*fact, does)]));
            assert!(lost.is_empty(), "{fact}: {lost:?}");
        }
    }
}

#[test]
fn the_reason_names_kind_and_slot() {
    let sample = under(&[(
        "weakest.screening.injection",
        "allow injection-override@tool-result",
    )]);
    sample.expect_gap(
        22,
        "lets injection pass (allow for injection-override@tool-result, entry 7)",
    );
    let sample = under(&[("weakest.redaction.card", "allow \u{1b}[31mcard")]);
    sample.expect_gap(57, "lets card pass (allow for ?[31mcard, entry 7)");
}

#[test]
fn a_kind_of_which_the_event_says_nothing_is_not_assumed_to_be_stopped() {
    for (fact, rows) in CASES {
        // Kinds that no row names need not be there.
        let named = !fact.ends_with(".phone") && !fact.ends_with(".other");
        let rows = if named { *rows } else { &[] };
        let lost = lost(&under(&[(*fact, "")]));
        assert_eq!(lost.keys().copied().collect::<Vec<_>>(), rows, "{fact}");
    }
    let sample = under(&[("weakest.redaction.card", "")]);
    sample.expect_gap(57, "does not say what is done about card");
}

#[test]
fn what_the_policy_allowed_counts_against_its_rows() {
    let allowed = |kind: &str| {
        let mut sample = Sample::started();
        sample.exchange_with(
            |leaf| leaf.findings = vec![note(kind, Action::Allow, 2)],
            |_| {},
        );
        sample.exchange();
        sample
    };
    let sample = allowed("card");
    sample.expect(&[9, 25, 57], State::Gap);
    sample.expect(&[22, 23, 41, 58], State::Enforced);
    sample.expect_gap(57, "found and allowed by the policy: card 2");
    assert!(
        sample.row(63).reason().contains("2 allowed by the policy"),
        "{}",
        sample.row(63).reason()
    );
    // Row 57 names cards, numbers and keys; row 25 is about all of it.
    let sample = allowed("phone");
    sample.expect(&[9, 25], State::Gap);
    sample.expect(&[57], State::Enforced);
    let reason = sample.row(57).reason().to_owned();
    assert!(
        reason.contains("allowed by the policy: phone 2") && !reason.contains("nothing was found"),
        "{reason}"
    );
    let mut sample = Sample::started();
    sample.exchange_with(
        |_| {},
        |leaf| {
            let mut markup = note("markup", Action::Allow, 1);
            markup.control = Control::Sanitising;
            leaf.findings = vec![markup];
        },
    );
    sample.expect(&[9, 23, 41], State::Gap);
    sample.expect(&[22, 25, 57, 58], State::Enforced);
}

#[test]
fn what_is_counted_and_not_named_is_not_nothing() {
    let mut sample = Sample::started();
    sample.exchange_with(|leaf| leaf.findings_more = 9, |_| {});
    let reason = sample.row(57).reason().to_owned();
    assert!(
        reason.contains("counted in the records and not named there: 9")
            && !reason.contains("nothing was found"),
        "{reason}"
    );
}

#[test]
fn detectors_that_only_flag_by_default_are_named() {
    let sample = Sample::running();
    sample.expect(&[22], State::Enforced);
    assert!(
        sample
            .row(22)
            .reason()
            .contains("stop nothing, as in the catalogue: injection-extraction flag"),
        "{}",
        sample.row(22).reason()
    );
    assert!(!sample.row(57).reason().contains("as in the catalogue"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However strong the other kinds are, one that may pass is enough.
    #[test]
    fn no_row_is_enforced_while_one_of_its_kinds_may_pass(
        weak in prop::sample::select(CASES),
        others in prop::collection::vec(prop::sample::select(&["redact", "block"][..]), CASES.len()),
        does in prop::sample::select(&["allow", "flag"][..]),
    ) {
        let mut facts: Vec<(&str, &str)> = CASES.iter().map(|(fact, _)| *fact).zip(others).collect();
        facts.push((weak.0, does));
        let lost = lost(&under(&facts));
        prop_assert_eq!(lost.keys().copied().collect::<Vec<_>>(), weak.1);
    }
}
