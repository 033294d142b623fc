//! Shows each control a sample that it must catch, on the very path that
//! exchanges take, before the gate calls itself ready; and says of each kind
//! of finding what the policy would do about it at the least.

use std::collections::{BTreeMap, BTreeSet};

use policy::{ActionTable, CONTROLS_REPLY, CONTROLS_REQUEST, Tally};
use terms::{Action, Control, DetectorId, Direction, Kind, Mode, Slot, Verdict};
use thiserror::Error;

use crate::{Ruling, capture::masks_work};

/// LIMIT: kinds of one control that are told; with more, the weakest.
const KINDS_MAX: usize = 64;
/// LIMIT: detectors of one control that are told to be mild by default.
const MILD_MAX: usize = 32;

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
    if ruling.captures() {
        // What is never kept is masked whatever the controls do.
        never(ruling)?;
    }
    Ok(shown.into_values().collect())
}

/// Shows the detectors of what is never kept their own examples: a gate that
/// keeps values must know them.
pub(crate) fn never(ruling: &Ruling) -> Result<(), CanaryFault> {
    masks_work(ruling.never()).map_err(|direction| CanaryFault {
        control: Control::Redaction,
        direction,
    })
}

/// Whether at least one detector's own example leads to a decision that the
/// record would show.
fn caught(ruling: &Ruling, control: Control, direction: Direction, now_ms: u64) -> bool {
    let engine = ruling.looking();
    engine.samples(control, direction).any(|sample| {
        let mut tally = Tally::new(ruling.policy(), direction, now_ms);
        let scan = engine.scan(&sample.text, direction);
        tally.looked(Slot::Turn, scan.bytes);
        for finding in scan
            .findings
            .iter()
            .filter(|finding| finding.control == control)
        {
            let _ = tally.found(ruling.policy(), finding, Slot::Turn, "canary", true);
        }
        // In shadow nothing is carried out, but the decision shows.
        let settled = tally.settle(sample.text.len() as u64);
        settled.is_ok_and(|tallied| {
            tallied
                .controls
                .iter()
                .any(|run| run.control == control && run.would != Verdict::Pass)
        })
    })
}

impl Ruling {
    /// What the policy does at the least about each kind of finding, as facts
    /// for the ledger. A kind is named only if the engine found it in a sample
    /// of the control's detectors.
    ///
    /// `weakest.<control>.<kind>` is an action; below `redact` the detector
    /// follows, and the slots if it is not all of them: `allow card@tool-result`.
    /// Detectors that the catalogue itself only flags do not count there: those
    /// that the policy does not raise stand in `mild.<control>`.
    #[must_use]
    pub fn weakest(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        for control in Control::ALL {
            let Some(policy) = self.policy().control(*control) else {
                continue;
            };
            let found = found_in_samples(self, *control, &policy.actions);
            for (kind, does) in weakest_by_kind(&policy.actions, &found) {
                facts.insert(format!("weakest.{control}.{kind}"), does);
            }
            let mild: Vec<String> = found
                .iter()
                .filter(|(_, detector)| !policy.actions.acts_by_default(detector))
                .map(|(_, detector)| (detector, policy.actions.weakest(detector).0))
                .filter(|(_, action)| *action < Action::Redact)
                .map(|(detector, action)| format!("{detector} {action}"))
                .chain(mild_slots(&policy.actions, &found))
                .take(MILD_MAX)
                .collect();
            if !mild.is_empty() {
                facts.insert(format!("mild.{control}"), mild.join(", "));
            }
        }
        facts
    }
}

/// Kinds and detectors of a control that show themselves in its samples, in
/// the direction that the control is first of all there for. Of detectors that
/// are alike, and say nothing of which is meant, one is enough: each that is
/// looked for is made ready, which takes time and memory.
fn found_in_samples(
    ruling: &Ruling,
    control: Control,
    actions: &ActionTable,
) -> BTreeSet<(Kind, DetectorId)> {
    let direction = if CONTROLS_REQUEST.contains(&control) {
        Direction::Request
    } else {
        Direction::Reply
    };
    let engine = ruling.engine();
    let stops = |detector: &DetectorId| {
        let (action, _) = actions.weakest(detector);
        let stops = action >= Action::Redact
            && actions.acts_by_default(detector)
            && actions.mild_slots(detector).is_empty();
        stops.then_some(action)
    };
    let mut told: BTreeSet<(Kind, Action)> = BTreeSet::new();
    let mut all = BTreeSet::new();
    for sample in engine.samples(control, direction) {
        let known = |action| told.contains(&(sample.kind.clone(), action));
        if stops(&sample.detector).is_some_and(known) {
            continue;
        }
        let found = engine.scan(&sample.text, direction).findings;
        for finding in found.into_iter().filter(|found| found.control == control) {
            told.extend(stops(&finding.detector).map(|action| (finding.kind.clone(), action)));
            all.insert((finding.kind, finding.detector));
        }
    }
    all
}

fn mild_slots(actions: &ActionTable, found: &BTreeSet<(Kind, DetectorId)>) -> Vec<String> {
    let detectors: BTreeSet<&DetectorId> = found.iter().map(|(_, detector)| detector).collect();
    let of = |detector: &DetectorId| {
        let slots = actions.mild_slots(detector).into_iter();
        slots
            .map(|(slot, action)| format!("{detector}@{slot} {action}"))
            .collect::<Vec<_>>()
    };
    detectors.into_iter().flat_map(of).collect()
}

fn weakest_by_kind(
    actions: &ActionTable,
    found: &BTreeSet<(Kind, DetectorId)>,
) -> Vec<(Kind, String)> {
    let mut kinds: BTreeMap<&Kind, (Action, String)> = BTreeMap::new();
    for (kind, detector) in found {
        if !actions.acts_by_default(detector) {
            continue;
        }
        let (action, slots) = actions.weakest(detector);
        let known = kinds
            .entry(kind)
            .or_insert_with(|| (action, in_words(action, detector, &slots)));
        if action < known.0 {
            *known = (action, in_words(action, detector, &slots));
        }
    }
    let mut kinds: Vec<(&Kind, (Action, String))> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, (action, _))| *action);
    kinds
        .into_iter()
        .take(KINDS_MAX)
        .map(|(kind, (_, does))| (kind.clone(), does))
        .collect()
}

fn in_words(action: Action, detector: &DetectorId, slots: &[Slot]) -> String {
    if action >= Action::Redact {
        return action.to_string();
    }
    if slots.len() == Slot::ALL.len() {
        return format!("{action} {detector}");
    }
    let slots: Vec<&str> = slots.iter().map(|slot| slot.word()).collect();
    format!("{action} {detector}@{}", slots.join(","))
}

#[cfg(test)]
mod tests;
