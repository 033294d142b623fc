//! Whatever else a ledger says, a row is not enforced without its control.

use proptest::prelude::*;
use terms::{Control, ControlRun, Mode, PolicyVersion, Slot, Verdict};

use super::{ROWS, rests_on};
use crate::{
    Matrix, State,
    sample::{Sample, run, version},
};

fn any_run() -> impl Strategy<Value = ControlRun> {
    let control = prop::sample::select(Control::ALL);
    let mode = prop::sample::select(Mode::ALL);
    let verdict = prop::sample::select(Verdict::ALL);
    (control, mode, 0..2_000_u64, verdict).prop_map(|(control, mode, bytes, verdict)| {
        let mut run = run(control, mode, verdict);
        run.bytes = bytes;
        run
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However much good traffic there is, and whatever else the record says:
    /// an exchange without the control's line is enough.
    #[test]
    fn an_exchange_without_the_control_never_leaves_its_row_enforced(
        row in prop::sample::select(ROWS),
        good_before in 0..4_usize,
        good_after in 0..4_usize,
        others in prop::collection::vec(any_run(), 0..6),
        pick in any::<prop::sample::Index>(),
    ) {
        let mut sample = Sample::started();
        for _ in 0..good_before {
            sample.exchange();
        }
        let all: Vec<(bool, Control)> =
            row.1.iter().map(|c| (true, *c)).chain(row.2.iter().map(|c| (false, *c))).collect();
        let (request, control) = all[pick.index(all.len())];
        let mut runs = others;
        runs.retain(|run| run.control != control);
        sample.exchange_with(
            |leaf| if request { leaf.controls.clone_from(&runs) },
            |leaf| if !request { leaf.controls.clone_from(&runs) },
        );
        for _ in 0..good_after {
            sample.exchange();
        }
        prop_assert_eq!(sample.row(row.0).state(), State::Gap);
    }

    /// Whatever the modes of the newest configuration: a row is enforced only
    /// if all its controls are, whether or not traffic follows.
    #[test]
    fn the_newest_configuration_has_the_last_word(
        modes in prop::collection::vec(prop::sample::select(Mode::ALL), 4),
        traffic in any::<bool>(),
        same_version in any::<bool>(),
    ) {
        let mut sample = Sample::running();
        if !same_version {
            sample.version = PolicyVersion { policy: version(3).policy, ..sample.version };
        }
        let modes: Vec<(Control, Mode)> = Control::ALL.iter().copied().zip(modes).collect();
        sample.config(&modes);
        for control in Control::ALL {
            sample.canary(*control, true);
        }
        if traffic {
            sample.exchange();
        }
        for row in ROWS {
            let enforcing = modes.iter().all(|(control, mode)| !rests_on(*row, *control) || *mode == Mode::Enforce);
            let expected = if enforcing && (traffic || same_version) { State::Enforced } else { State::Gap };
            prop_assert_eq!(sample.row(row.0).state(), expected);
        }
    }

    /// Numbers at their limit neither panic nor wrap.
    #[test]
    fn numbers_at_their_limit_do_no_harm(bytes in prop::sample::select(&[0, 1, u64::MAX - 1, u64::MAX][..])) {
        let mut sample = Sample::running();
        sample.exchange_with(
            |leaf| {
                leaf.inspected.bytes = [(Slot::Turn, bytes), (Slot::System, bytes)].into();
                leaf.inspected.media_bytes = bytes;
                leaf.inspected.opaque_bytes = bytes;
            },
            |leaf| leaf.inspected.bytes = [(Slot::Turn, bytes), (Slot::System, bytes)].into(),
        );
        let mut facts = sample.facts();
        facts.add(u64::MAX, &sample.leaves[0]);
        prop_assert_eq!(Matrix::embedded().unwrap().compute(&facts).len(), 83);
    }
}
