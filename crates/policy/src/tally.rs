//! Adds up what the controls saw and decided in one direction of an exchange.

use std::collections::BTreeMap;

use terms::{
    Action, Control, ControlRun, Direction, Finding, FindingNote, Inspected, Mode, Slot, Verdict,
};
use thiserror::Error;

use crate::Policy;

/// Controls that must look at every request.
pub const CONTROLS_REQUEST: &[Control] = &[Control::Screening, Control::Redaction];
/// Controls that must look at every reply.
pub const CONTROLS_REPLY: &[Control] = &[Control::Redaction, Control::Sanitising, Control::Leakage];
/// LIMIT: different findings that a record lists; the rest are counted.
pub const FINDINGS_MAX: usize = 64;
/// LIMIT: unknown places that a record lists.
const UNKNOWN_PLACES_MAX: usize = 16;

/// A control that should have looked and did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("control {0} gave no verdict")]
pub struct Silent(pub Control);

/// The result: what a record says of the controls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallied {
    /// One line for each control of the direction that is not off.
    pub controls: Vec<ControlRun>,
    /// How much was looked at.
    pub inspected: Inspected,
    /// What was found.
    pub findings: Vec<FindingNote>,
    /// Findings beyond those listed.
    pub findings_more: u32,
}

#[derive(Debug)]
struct Line {
    mode: Mode,
    bytes: u64,
    verdict: Verdict,
    would: Verdict,
    findings: u32,
}

/// The running sum. Every text that the detectors looked at is entered with
/// its bytes; a control passes only if it saw all of them.
#[derive(Debug)]
pub struct Tally {
    lines: BTreeMap<Control, Line>,
    now_ms: u64,
    inspected: Inspected,
    notes: BTreeMap<FindingNote, u32>,
    findings_more: u32,
}

impl Tally {
    /// An empty sum for one direction, with the modes as they are now.
    #[must_use]
    pub fn new(policy: &Policy, direction: Direction, now_ms: u64) -> Self {
        let controls = match direction {
            Direction::Request => CONTROLS_REQUEST,
            Direction::Reply => CONTROLS_REPLY,
        };
        let lines = controls
            .iter()
            .map(|control| (*control, policy.mode(*control, now_ms)))
            .filter(|(_, mode)| *mode != Mode::Off)
            .map(|(control, mode)| {
                let line = Line {
                    mode,
                    bytes: 0,
                    verdict: Verdict::Pass,
                    would: Verdict::Pass,
                    findings: 0,
                };
                (control, line)
            })
            .collect();
        Self {
            lines,
            now_ms,
            inspected: Inspected::default(),
            notes: BTreeMap::new(),
            findings_more: 0,
        }
    }

    /// Enters that the detectors looked at this many bytes of a slot.
    pub fn looked(&mut self, slot: Slot, bytes: u64) {
        let sum = self.inspected.bytes.entry(slot).or_insert(0);
        *sum = sum.saturating_add(bytes);
        for line in self.lines.values_mut() {
            line.bytes = line.bytes.saturating_add(bytes);
        }
    }

    /// Enters bytes that were passed on uninspected.
    pub fn not_inspected(&mut self, media_bytes: u64, opaque_bytes: u64) {
        self.inspected.media_bytes = self.inspected.media_bytes.saturating_add(media_bytes);
        self.inspected.opaque_bytes = self.inspected.opaque_bytes.saturating_add(opaque_bytes);
    }

    /// Enters values at places that the dialect does not know.
    pub fn unknown(&mut self, values: u32, places: &[String]) {
        self.inspected.unknown_values = self.inspected.unknown_values.saturating_add(values);
        for place in places {
            let known = self.inspected.unknown_places.contains(place);
            if !known && self.inspected.unknown_places.len() < UNKNOWN_PLACES_MAX {
                self.inspected.unknown_places.push(place.clone());
            }
        }
    }

    /// Enters a finding and says what to do about it. `rewritable` is false
    /// for numbers, keys and names: what should be redacted there is blocked.
    /// What the policy allows is noted with that action and changes nothing else.
    pub fn found(
        &mut self,
        policy: &Policy,
        finding: &Finding,
        slot: Slot,
        place: &str,
        rewritable: bool,
    ) -> Action {
        let Some(line) = self.lines.get_mut(&finding.control) else {
            // Off, or not a control of this direction.
            return Action::Allow;
        };
        let mut decision = policy.decide(finding.control, &finding.detector, slot, self.now_ms);
        if !rewritable && decision.would == Action::Redact {
            decision.would = Action::Block;
            if decision.action == Action::Redact {
                decision.action = Action::Block;
            }
        }
        // What the policy allows is no finding that the control minds, and the
        // verdict stays; that it was there is noted all the same.
        if decision.would != Action::Allow {
            line.findings = line.findings.saturating_add(1);
        }
        line.verdict = line.verdict.max(decision.action.into());
        line.would = line.would.max(decision.would.into());
        self.note(finding, slot, place, decision.would);
        decision.action
    }

    fn note(&mut self, finding: &Finding, slot: Slot, place: &str, action: Action) {
        let note = FindingNote {
            detector: finding.detector.clone(),
            kind: finding.kind.clone(),
            control: finding.control,
            slot,
            place: place.to_owned(),
            view: finding.view,
            action,
            count: 0,
        };
        if let Some(count) = self.notes.get_mut(&note) {
            *count = count.saturating_add(1);
            return;
        }
        if self.notes.len() >= FINDINGS_MAX && action != Action::Allow {
            self.make_room();
        }
        if self.notes.len() < FINDINGS_MAX {
            self.notes.insert(note, 1);
        } else {
            self.findings_more = self.findings_more.saturating_add(1);
        }
    }

    /// What is allowed must not push out of the list what is not: one such
    /// note becomes a part of the count.
    fn make_room(&mut self) {
        let allowed = self
            .notes
            .keys()
            .find(|note| note.action == Action::Allow)
            .cloned();
        if let Some(count) = allowed.and_then(|note| self.notes.remove(&note)) {
            self.findings_more = self.findings_more.saturating_add(count);
        }
    }

    /// Bytes looked at so far.
    #[must_use]
    pub fn inspected_bytes(&self) -> u64 {
        self.inspected.total_bytes()
    }

    /// The sum, without the check that every control saw everything: for the
    /// record of an exchange that ended early.
    #[must_use]
    pub fn so_far(&self) -> Tallied {
        let controls = self.lines.iter().map(|(control, line)| ControlRun {
            control: *control,
            mode: line.mode,
            bytes: line.bytes,
            verdict: line.verdict,
            would: line.would,
            findings: line.findings,
        });
        let findings = self.notes.iter().map(|(note, count)| FindingNote {
            count: *count,
            ..note.clone()
        });
        Tallied {
            controls: controls.collect(),
            inspected: self.inspected.clone(),
            findings: findings.collect(),
            findings_more: self.findings_more,
        }
    }

    /// The sum at the end of the direction: `expected_bytes` is what the
    /// walker found to look at, counted apart from the detectors.
    ///
    /// # Errors
    /// When a control saw fewer bytes than there were.
    pub fn settle(&self, expected_bytes: u64) -> Result<Tallied, Silent> {
        match self
            .lines
            .iter()
            .find(|(_, line)| line.bytes < expected_bytes)
        {
            Some((control, _)) => Err(Silent(*control)),
            None => Ok(self.so_far()),
        }
    }
}

#[cfg(test)]
mod tests;
