use std::collections::BTreeMap;

use proptest::prelude::*;
use terms::{Action, Control, DetectorId, Direction, Finding, Kind, Mode, Slot, Verdict, View};

use super::Tally;
use crate::{ActionTable, ControlPolicy, ControlRule, Policy};

fn policy(rule: ControlRule, action: Action) -> Policy {
    let controls: BTreeMap<_, _> = Control::ALL
        .iter()
        .map(|control| {
            let actions = ActionTable::new([(DetectorId::new("card"), action)]);
            (*control, ControlPolicy { rule, actions })
        })
        .collect();
    Policy::new(controls).unwrap()
}

fn finding() -> Finding {
    Finding {
        detector: DetectorId::new("card"),
        kind: Kind::new("card"),
        control: Control::Redaction,
        span: 0..4,
        score: 90,
        view: View::Plain,
    }
}

#[test]
fn a_control_that_did_not_look_is_silent() {
    let policy = policy(ControlRule::Enforce, Action::Redact);
    let mut tally = Tally::new(&policy, Direction::Request, 0);
    tally.looked(Slot::Turn, 9);
    assert!(tally.settle(9).is_ok());
    assert!(tally.settle(10).is_err());
}

#[test]
fn what_cannot_be_rewritten_is_blocked() {
    let policy = policy(ControlRule::Enforce, Action::Redact);
    let mut tally = Tally::new(&policy, Direction::Reply, 0);
    assert_eq!(
        tally.found(&policy, &finding(), Slot::Turn, "content", true),
        Action::Redact
    );
    assert_eq!(
        tally.found(&policy, &finding(), Slot::Turn, "content", false),
        Action::Block
    );
    let run = tally
        .so_far()
        .controls
        .into_iter()
        .find(|run| run.control == Control::Redaction)
        .unwrap();
    assert_eq!((run.verdict, run.findings), (Verdict::Block, 2));
}

#[test]
fn shadow_records_and_changes_nothing_until_its_end() {
    let policy = policy(ControlRule::Shadow { until_ms: 100 }, Action::Block);
    let mut tally = Tally::new(&policy, Direction::Request, 99);
    assert_eq!(
        tally.found(&policy, &finding(), Slot::Turn, "content", true),
        Action::Allow
    );
    let run = tally
        .so_far()
        .controls
        .into_iter()
        .find(|run| run.control == Control::Redaction)
        .unwrap();
    assert_eq!(
        (run.mode, run.verdict, run.would),
        (Mode::Shadow, Verdict::Pass, Verdict::Block)
    );
    let mut tally = Tally::new(&policy, Direction::Request, 100);
    assert_eq!(
        tally.found(&policy, &finding(), Slot::Turn, "content", true),
        Action::Block
    );
}

#[test]
fn a_control_that_is_off_has_no_line() {
    let policy = policy(ControlRule::Off, Action::Block);
    let mut tally = Tally::new(&policy, Direction::Request, 0);
    assert_eq!(
        tally.found(&policy, &finding(), Slot::Turn, "content", true),
        Action::Allow
    );
    assert!(tally.so_far().controls.is_empty());
}

#[test]
fn findings_beyond_the_limit_are_counted() {
    let policy = policy(ControlRule::Enforce, Action::Flag);
    let mut tally = Tally::new(&policy, Direction::Request, 0);
    for place in 0..100 {
        let _ = tally.found(&policy, &finding(), Slot::Turn, &place.to_string(), true);
    }
    let tallied = tally.so_far();
    assert_eq!(
        (tallied.findings.len(), tallied.findings_more),
        (super::FINDINGS_MAX, 36)
    );
}

#[test]
fn what_the_policy_allows_is_noted_and_passes() {
    let policy = policy(ControlRule::Enforce, Action::Allow);
    let mut tally = Tally::new(&policy, Direction::Request, 0);
    for _ in 0..3 {
        assert_eq!(
            tally.found(&policy, &finding(), Slot::Turn, "content", false),
            Action::Allow
        );
    }
    let tallied = tally.so_far();
    let [note] = tallied.findings.as_slice() else {
        panic!("one note, not {:?}", tallied.findings);
    };
    assert_eq!((note.action, note.count), (Action::Allow, 3));
    assert_eq!(note.kind, Kind::new("card"));
    for run in &tallied.controls {
        assert_eq!(
            (run.verdict, run.would, run.findings),
            (Verdict::Pass, Verdict::Pass, 0)
        );
    }
}

#[test]
fn what_is_allowed_pushes_nothing_out_of_the_list() {
    let allowing = policy(ControlRule::Enforce, Action::Allow);
    let blocking = policy(ControlRule::Enforce, Action::Block);
    let mut tally = Tally::new(&allowing, Direction::Request, 0);
    for place in 0..super::FINDINGS_MAX {
        let _ = tally.found(&allowing, &finding(), Slot::Turn, &place.to_string(), true);
    }
    let _ = tally.found(&blocking, &finding(), Slot::Turn, "last", true);
    let _ = tally.found(&allowing, &finding(), Slot::Turn, "later", true);
    let tallied = tally.so_far();
    assert_eq!(
        (tallied.findings.len(), tallied.findings_more),
        (super::FINDINGS_MAX, 2)
    );
    let blocked: Vec<&str> = tallied
        .findings
        .iter()
        .filter(|note| note.action == Action::Block)
        .map(|note| note.place.as_str())
        .collect();
    assert_eq!(blocked, ["last"]);
}

proptest! {
    #[test]
    fn the_verdict_is_the_strictest_action(actions in prop::collection::vec(0_usize..4, 1..20)) {
        let mut tally = Tally::new(&policy(ControlRule::Enforce, Action::Allow), Direction::Request, 0);
        let mut strictest = Verdict::Pass;
        for action in actions {
            let action = Action::ALL[action];
            let policy = policy(ControlRule::Enforce, action);
            prop_assert_eq!(tally.found(&policy, &finding(), Slot::Turn, "x", true), action);
            strictest = strictest.max(action.into());
        }
        let run = tally.so_far().controls.into_iter().find(|run| run.control == Control::Redaction).unwrap();
        prop_assert_eq!(run.verdict, strictest);
    }
}
