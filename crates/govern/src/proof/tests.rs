//! Each computed row, moved from gap to enforced and back.

mod kinds;
mod properties;
mod seen;

use terms::{Act, Code, Control, Mode, Outcome, Verdict};

use crate::{
    Facts, Matrix, State, Window,
    sample::{NOW_MS, Sample, run, version},
};

/// Rows that rest on controls, with the controls of requests and of replies.
const ROWS: &[(u16, &[Control], &[Control])] = &[
    (
        9,
        &[Control::Screening, Control::Redaction],
        &[Control::Sanitising, Control::Leakage],
    ),
    (22, &[Control::Screening], &[]),
    (23, &[], &[Control::Sanitising]),
    (25, &[Control::Redaction], &[]),
    (41, &[Control::Screening], &[Control::Sanitising]),
    (57, &[Control::Redaction], &[]),
    (58, &[], &[Control::Leakage]),
];
const CONTROL_ROWS: &[u16] = &[9, 22, 23, 25, 41, 57, 58];

fn rests_on(row: (u16, &[Control], &[Control]), control: Control) -> bool {
    row.1.contains(&control) || row.2.contains(&control)
}

#[test]
fn real_traffic_moves_the_rows() {
    Sample::new().expect(CONTROL_ROWS, State::Gap);
    let sample = Sample::started();
    sample.expect(CONTROL_ROWS, State::Gap);
    sample.expect(&[8, 19, 40, 46, 47], State::Gap);
    sample.expect_gap(
        22,
        "no request in the window under the configuration in force",
    );
    let mut sample = Sample::running();
    sample.expect(CONTROL_ROWS, State::Enforced);
    sample.expect(&[47], State::Enforced);
    sample.expect(&[8, 46], State::Observed);
    sample.exchange();
    let row = sample.row(22);
    assert_eq!(row.population(), 2);
    // Entries 0 to 6 are the key, the configuration, four canaries and the start.
    assert_eq!(
        (row.evidence().first, row.evidence().last),
        (Some(7), Some(9))
    );
    assert_eq!(row.evidence().config, Some(1));
    assert_eq!(row.evidence().canaries, [(Control::Screening, 2)]);
    assert_eq!(row.coverage().inspected_bytes, 2_000);
    assert_eq!(sample.row(23).evidence().last, Some(10));
}

#[test]
fn switching_a_control_off_or_to_shadow_brings_its_rows_back_to_gap_at_once() {
    for control in Control::ALL {
        for mode in [Mode::Off, Mode::Shadow] {
            let mut sample = Sample::running();
            sample.version = version(2);
            sample.config(&[(*control, mode)]);
            for other in Control::ALL {
                sample.canary(*other, true);
            }
            let why = if mode == Mode::Off {
                "is switched off"
            } else {
                "is only tried out"
            };
            for row in ROWS.iter().filter(|row| rests_on(**row, *control)) {
                sample.expect_gap(row.0, why);
            }
            // With traffic under the new configuration, the others are proved again.
            sample.exchange_with(
                |leaf| leaf.controls.retain(|run| run.control != *control),
                |leaf| leaf.controls.retain(|run| run.control != *control),
            );
            for row in ROWS {
                let expected = if rests_on(*row, *control) {
                    State::Gap
                } else {
                    State::Enforced
                };
                sample.expect(&[row.0], expected);
            }
            sample.version = version(1);
            sample.config(&[]);
            sample.expect(CONTROL_ROWS, State::Gap);
            sample.exchange();
            sample.expect(CONTROL_ROWS, State::Enforced);
        }
    }
}

#[test]
fn one_exchange_that_a_control_did_not_see_loses_its_rows() {
    type Change = fn(&mut Vec<terms::ControlRun>, Control);
    let changes: &[(Change, &str)] = &[
        (
            |runs, control| runs.retain(|run| run.control != control),
            "went on without it",
        ),
        (
            |runs, control| edit(runs, control, |run| run.mode = Mode::Shadow),
            "shadow or off",
        ),
        (
            |runs, control| edit(runs, control, |run| run.mode = Mode::Off),
            "shadow or off",
        ),
        (
            |runs, control| edit(runs, control, |run| run.bytes = 0),
            "looked at none",
        ),
        (
            |runs, control| edit(runs, control, |run| run.bytes -= 1),
            "a part of them",
        ),
        (
            |runs, control| edit(runs, control, |run| run.verdict = Verdict::Block),
            "against its decision",
        ),
        (
            |runs, control| edit(runs, control, |run| run.would = Verdict::Redact),
            "against its decision",
        ),
    ];
    for row in ROWS {
        for (change, why) in changes {
            for control in row.1 {
                let mut sample = Sample::running();
                sample.exchange_with(|leaf| change(&mut leaf.controls, *control), |_| {});
                sample.exchange();
                sample.expect_gap(row.0, why);
            }
            for control in row.2 {
                let mut sample = Sample::running();
                sample.exchange_with(|_| {}, |leaf| change(&mut leaf.controls, *control));
                sample.exchange();
                sample.expect_gap(row.0, why);
            }
        }
    }
}

fn edit(runs: &mut [terms::ControlRun], control: Control, change: impl Fn(&mut terms::ControlRun)) {
    runs.iter_mut()
        .filter(|run| run.control == control)
        .for_each(change);
}

#[test]
fn a_canary_must_be_shown_and_caught_for_this_policy() {
    for control in Control::ALL {
        let mut sample = Sample::running();
        sample.canary(*control, false);
        for row in ROWS {
            let expected = if rests_on(*row, *control) {
                State::Gap
            } else {
                State::Enforced
            };
            sample.expect(&[row.0], expected);
        }
        sample.canary(*control, true);
        sample.expect(CONTROL_ROWS, State::Enforced);
        // A canary that is missed under a configuration that is then refused
        // says nothing about the one that stays in force.
        sample.version = version(2);
        sample.canary(*control, false);
        sample.event(Act::ConfigRefused, "config", &[]);
        sample.expect(CONTROL_ROWS, State::Enforced);
    }
    let mut sample = Sample::new();
    sample.config(&[]);
    sample.event(Act::CanaryShown, "screening", &[("caught", "true")]);
    sample.exchange();
    sample.expect_gap(22, "has caught no canary");
}

#[test]
fn a_new_policy_begins_at_zero_and_an_old_one_proves_nothing() {
    let mut sample = Sample::running();
    sample.version = version(2);
    for control in Control::ALL {
        sample.canary(*control, true);
    }
    sample.config(&[]);
    sample.expect(CONTROL_ROWS, State::Gap);
    // An exchange that was under way keeps the old policy and changes nothing.
    let old = version(1);
    sample.exchange_with(|leaf| leaf.policy = old, |_| {});
    sample.expect_gap(22, "no request in the window");
    sample.exchange();
    sample.expect(CONTROL_ROWS, State::Enforced);
    let row = sample.row(22);
    assert_eq!(row.population(), 1);
    assert!(
        row.coverage()
            .notes
            .iter()
            .any(|note| note.starts_with("2 exchanges of the window ran under earlier")),
        "{row:?}"
    );
}

#[test]
fn a_restart_under_the_same_policy_goes_on_counting() {
    let mut sample = Sample::running();
    sample.event(Act::GateStopped, "gate", &[]);
    sample.config(&[]);
    sample.event(Act::GateReady, "gate", &[]);
    sample.expect(CONTROL_ROWS, State::Enforced);
    sample.exchange();
    assert_eq!(sample.row(22).population(), 2);
}

#[test]
fn traffic_under_a_policy_that_nobody_announced_proves_nothing() {
    let mut sample = Sample::running();
    let strange = version(9);
    sample.exchange_with(|leaf| leaf.policy = strange, |_| {});
    sample.expect_gap(22, "no `config-loaded` event announced");
    // Its announcement came a moment later: its exchanges count then.
    sample.version = strange;
    for control in Control::ALL {
        sample.canary(*control, true);
    }
    sample.config(&[]);
    sample.expect(CONTROL_ROWS, State::Enforced);
    assert_eq!(sample.row(22).population(), 1);
    // A former policy may be kept for a moment after a reload, not for good.
    sample.at_ms += 59_000;
    let old = version(1);
    sample.exchange_with(|leaf| leaf.policy = old, |_| {});
    sample.expect(&[22], State::Enforced);
    sample.at_ms += 2_000;
    sample.exchange_with(|leaf| leaf.policy = old, |_| {});
    sample.expect_gap(22, "announced");
    let mut sample = Sample::new();
    sample.canary(Control::Screening, true);
    sample.exchange();
    sample.expect_gap(22, "no `config-loaded` event tells");
    sample.event(
        Act::ConfigLoaded,
        "config",
        &[("control.screening", "enforce")],
    );
    sample.expect_gap(22, "names no policy and rules");
}

#[test]
fn only_the_window_counts() {
    let mut sample = Sample::started();
    sample.at_ms = NOW_MS - 31 * 86_400_000;
    sample.exchange();
    sample.expect(CONTROL_ROWS, State::Gap);
    sample.expect(&[8, 46, 47], State::Gap);
    let mut longer = Facts::new(NOW_MS, Window::days(40));
    for (sequence, leaf) in (0..).zip(&sample.leaves) {
        longer.add(sequence, leaf);
    }
    let states = Matrix::embedded().unwrap().compute(&longer);
    assert_eq!(states[21].state(), State::Enforced);
}

#[test]
fn flagging_alone_is_not_enforcing() {
    let mut sample = Sample::started();
    let flag = run(Control::Screening, Mode::Enforce, Verdict::Flag);
    sample.exchange_with(|leaf| leaf.controls[0] = flag, |_| {});
    sample.expect(&[22, 41, 9], State::Observed);
    sample.expect(&[23, 25, 57, 58], State::Enforced);
    sample.refused(Code::Blocked, |leaf| {
        leaf.controls = vec![run(Control::Screening, Mode::Enforce, Verdict::Block)]
    });
    sample.expect(&[22, 41, 9], State::Enforced);
    assert!(
        sample
            .row(22)
            .reason()
            .contains("1 blocked, 0 redacted, 1 flagged"),
        "{}",
        sample.row(22).reason()
    );
}

#[test]
fn a_blocked_request_alone_is_no_population() {
    let mut sample = Sample::started();
    sample.refused(Code::Blocked, |leaf| {
        leaf.controls = vec![run(Control::Screening, Mode::Enforce, Verdict::Block)]
    });
    sample.expect_gap(22, "no request in the window");
}

#[test]
fn replies_that_end_early_are_judged_by_what_is_known() {
    let mut sample = Sample::running();
    // Gone before anything came, and gone while nothing was looked at yet.
    sample.exchange_with(
        |_| {},
        |leaf| {
            (leaf.outcome, leaf.reply_bytes, leaf.controls) = (Outcome::CallerGone, 0, Vec::new())
        },
    );
    sample.exchange_with(
        |_| {},
        |leaf| (leaf.outcome, leaf.controls) = (Outcome::CallerGone, Vec::new()),
    );
    sample.expect(CONTROL_ROWS, State::Enforced);
    assert_eq!(sample.row(23).population(), 1);
    assert!(
        sample
            .row(23)
            .coverage()
            .notes
            .iter()
            .any(|note| note.starts_with("1 reply ended early"))
    );
    // Blocked: the control's best proof.
    sample.exchange_with(
        |_| {},
        |leaf| {
            leaf.outcome = Outcome::Blocked;
            leaf.controls[2] = run(Control::Leakage, Mode::Enforce, Verdict::Block);
        },
    );
    assert_eq!(sample.row(58).population(), 2);
    assert!(
        sample.row(58).reason().contains("1 blocked"),
        "{}",
        sample.row(58).reason()
    );
    // Cut, and one control is missing beside the others.
    sample.exchange_with(
        |_| {},
        |leaf| {
            leaf.outcome = Outcome::VendorFailed;
            leaf.controls
                .retain(|run| run.control != Control::Sanitising);
        },
    );
    sample.expect_gap(23, "went on without it");
    sample.expect(&[58], State::Enforced);
}

#[test]
fn an_empty_reply_needs_no_control_and_a_whole_one_does() {
    let mut sample = Sample::running();
    sample.exchange_with(
        |_| {},
        |leaf| (leaf.outcome, leaf.reply_bytes) = (Outcome::VendorError, 0),
    );
    sample.expect(&[23, 58], State::Enforced);
    sample.exchange_with(
        |_| {},
        |leaf| (leaf.outcome, leaf.controls) = (Outcome::VendorError, Vec::new()),
    );
    sample.expect(&[9, 23, 41, 58], State::Gap);
}

#[test]
fn a_closing_entry_without_an_exchange_costs_the_reply_rows_their_proof() {
    let mut sample = Sample::running();
    let again = sample.leaves.last().unwrap().clone();
    sample.leaves.push(again);
    sample.expect_gap(23, "1 closing entry belong to no admitted exchange");
    sample.expect(&[22], State::Enforced);
}

#[test]
fn entries_out_of_order_prove_nothing() {
    let sample = Sample::running();
    let mut facts = sample.facts();
    facts.add(3, &sample.leaves[7]);
    for state in Matrix::embedded().unwrap().compute(&facts) {
        assert_ne!(state.state(), State::Enforced, "row {}", state.id());
    }
}
