//! Shows each control a sample that it must catch, on the very path that
//! exchanges take, before the gate calls itself ready.

use std::collections::BTreeMap;

use policy::{CONTROLS_REPLY, CONTROLS_REQUEST, Tally};
use terms::{Control, Direction, Mode, Slot, Verdict};
use thiserror::Error;

use crate::Ruling;

/// A control that did not catch its sample. The gate does not get ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "control `{control}` did not catch its canary ({direction}): no detector of the catalogue serves it, or the policy allows all it finds"
)]
pub struct CanaryFault {
    /// The control.
    pub control: Control,
    /// The direction in which it was tried.
    pub direction: Direction,
}

/// A control that was tried, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The control.
    pub control: Control,
    /// How far its decisions are carried out.
    pub mode: Mode,
    /// Whether the sample was caught; `false` only for a control that is off
    /// and does not look.
    pub caught: bool,
}

/// Shows every control its samples, in each direction that it serves.
///
/// # Errors
/// When one that is switched on catches none.
pub(crate) fn show(ruling: &Ruling, now_ms: u64) -> Result<Vec<Shown>, CanaryFault> {
    let mut shown: BTreeMap<Control, Shown> = BTreeMap::new();
    let directions = [
        (Direction::Request, CONTROLS_REQUEST),
        (Direction::Reply, CONTROLS_REPLY),
    ];
    for (direction, controls) in directions {
        for control in controls {
            let mode = ruling.policy().mode(*control, now_ms);
            let caught = mode != Mode::Off && caught(ruling, *control, direction, now_ms);
            if mode != Mode::Off && !caught {
                return Err(CanaryFault {
                    control: *control,
                    direction,
                });
            }
            shown.insert(
                *control,
                Shown {
                    control: *control,
                    mode,
                    caught,
                },
            );
        }
    }
    Ok(shown.into_values().collect())
}

/// Whether at least one detector's own example leads to a decision that the
/// record would show.
fn caught(ruling: &Ruling, control: Control, direction: Direction, now_ms: u64) -> bool {
    let engine = ruling.engine();
    engine.samples(control, direction).iter().any(|sample| {
        let mut tally = Tally::new(ruling.policy(), direction, now_ms);
        let scan = engine.scan(sample, direction);
        tally.looked(Slot::Turn, scan.bytes);
        for finding in scan
            .findings
            .iter()
            .filter(|finding| finding.control == control)
        {
            let _ = tally.found(ruling.policy(), finding, Slot::Turn, "canary", true);
        }
        // In shadow nothing is carried out, but the decision shows.
        let settled = tally.settle(sample.len() as u64);
        settled.is_ok_and(|tallied| {
            tallied
                .controls
                .iter()
                .any(|run| run.control == control && run.would != Verdict::Pass)
        })
    })
}
