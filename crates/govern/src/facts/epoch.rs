//! What the controls did while one configuration was in force.

use std::collections::BTreeMap;

use terms::{
    Action, Admitted, Closed, Control, ControlRun, Direction, FindingNote, Inspected, Mode,
    Outcome, PolicyVersion, Refused, Verdict,
};

use super::{Labels, Span};

/// What one control did in one direction.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Exchanges that it saw whole, with its decisions carried out.
    pub(crate) proven: Span,
    /// Exchanges that went on without it.
    pub(crate) absent: Span,
    /// Exchanges in which it was in shadow or off, or was not obeyed.
    pub(crate) idle: Span,
    /// Exchanges in which it saw nothing, or less than there was.
    pub(crate) blind: Span,
    /// Findings that were only flagged: exchanges, not matches.
    pub(crate) flagged: u64,
    /// Exchanges in which it replaced something.
    pub(crate) redacted: u64,
    /// Exchanges that it ended.
    pub(crate) blocked: u64,
    /// Kinds that it found and that the policy allows.
    pub(crate) allowed: Labels,
}

impl Runs {
    /// Something was found, and all of it was passed on.
    pub(crate) const fn only_flagged(&self) -> bool {
        self.flagged > 0 && self.redacted == 0 && self.blocked == 0
    }

    /// Enters one exchange that the control should have seen. `whole` means
    /// that all of it went on to the other side.
    fn enter(
        &mut self,
        sequence: u64,
        control: Control,
        runs: &[ControlRun],
        there_bytes: u64,
        whole: bool,
    ) {
        let mut own = runs.iter().filter(|run| run.control == control).peekable();
        if own.peek().is_none() {
            self.absent.note(sequence);
            return;
        }
        let (mut idle, mut blind, mut verdict) = (false, false, Verdict::Pass);
        for run in own {
            // A decision that was not carried out is no better than shadow.
            idle |= run.mode != Mode::Enforce || run.verdict < run.would;
            blind |= run.bytes == 0 || run.bytes < there_bytes;
            verdict = verdict.max(run.verdict);
        }
        idle |= whole && verdict == Verdict::Block;
        match (idle, blind) {
            (true, _) => self.idle.note(sequence),
            (false, true) => self.blind.note(sequence),
            (false, false) => {
                self.proven.note(sequence);
                self.decided(verdict);
            }
        }
    }

    fn decided(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Pass => return,
            Verdict::Flag => &mut self.flagged,
            Verdict::Redact => &mut self.redacted,
            Verdict::Block => &mut self.blocked,
        };
        *count = count.saturating_add(1);
    }
}

/// Exchanges under one configuration.
#[derive(Debug)]
pub(crate) struct Epoch {
    pub(crate) number: u64,
    pub(crate) version: Option<PolicyVersion>,
    pub(crate) admitted: Span,
    /// Replies that ended early before any control's line was written: whether
    /// a part of them was delivered, the record does not say.
    pub(crate) cut_replies: u64,
    /// Kinds that were replaced in requests that were sent.
    pub(crate) kinds_redacted: Labels,
    /// Kinds that were found and passed on.
    pub(crate) kinds_flagged: Labels,
    /// Kinds that were found and that the policy allows.
    pub(crate) kinds_allowed: Labels,
    /// Findings that the records count and do not name.
    pub(crate) unnamed: u64,
    /// Kinds in requests that were refused.
    pub(crate) kinds_refused: Labels,
    pub(crate) dialects: Labels,
    runs: BTreeMap<(Direction, Control), Runs>,
    inspected: BTreeMap<Direction, (u64, u64)>,
}

impl Epoch {
    pub(crate) fn new(number: u64, version: Option<PolicyVersion>) -> Self {
        Self {
            number,
            version,
            admitted: Span::default(),
            cut_replies: 0,
            kinds_redacted: Labels::default(),
            kinds_flagged: Labels::default(),
            kinds_allowed: Labels::default(),
            unnamed: 0,
            kinds_refused: Labels::default(),
            dialects: Labels::default(),
            runs: BTreeMap::new(),
            inspected: BTreeMap::new(),
        }
    }

    /// What a control did in a direction; `None` if there was nothing yet.
    pub(crate) fn runs(&self, direction: Direction, control: Control) -> Option<&Runs> {
        self.runs.get(&(direction, control))
    }

    /// Bytes looked at, and bytes passed on uninspected.
    pub(crate) fn inspected(&self, direction: Direction) -> (u64, u64) {
        self.inspected.get(&direction).copied().unwrap_or((0, 0))
    }

    pub(crate) fn admitted(&mut self, sequence: u64, leaf: &Admitted) {
        self.admitted.note(sequence);
        self.dialects.count(&leaf.request.dialect, 1);
        self.enter(
            sequence,
            Direction::Request,
            &leaf.controls,
            &leaf.inspected,
        );
        self.allowed(Direction::Request, &leaf.findings);
        self.unnamed = self.unnamed.saturating_add(u64::from(leaf.findings_more));
        for note in &leaf.findings {
            // Blocked in a request that was sent all the same: in shadow.
            let kinds = match note.action {
                Action::Redact if enforced(&leaf.controls, note.control) => {
                    &mut self.kinds_redacted
                }
                Action::Allow => &mut self.kinds_allowed,
                Action::Flag | Action::Redact | Action::Block => &mut self.kinds_flagged,
            };
            kinds.count(note.kind.as_str(), u64::from(note.count));
        }
    }

    /// What a control found and was told to let be.
    fn allowed(&mut self, direction: Direction, findings: &[FindingNote]) {
        for note in findings.iter().filter(|note| note.action == Action::Allow) {
            let runs = self.runs.entry((direction, note.control)).or_default();
            runs.allowed
                .count(note.kind.as_str(), u64::from(note.count));
        }
    }

    /// A refused request is no part of the population, since nothing was sent;
    /// what a control blocked is counted all the same.
    pub(crate) fn refused(&mut self, leaf: &Refused) {
        for run in leaf
            .controls
            .iter()
            .filter(|run| run.mode == Mode::Enforce && run.verdict == Verdict::Block)
        {
            self.runs
                .entry((Direction::Request, run.control))
                .or_default()
                .decided(Verdict::Block);
        }
        for FindingNote { kind, count, .. } in &leaf.findings {
            self.kinds_refused.count(kind.as_str(), u64::from(*count));
        }
        self.unnamed = self.unnamed.saturating_add(u64::from(leaf.findings_more));
    }

    pub(crate) fn closed(&mut self, sequence: u64, leaf: &Closed) {
        self.allowed(Direction::Reply, &leaf.findings);
        if leaf.reply_bytes == 0 {
            // Nothing came, so there was nothing to look at.
            return;
        }
        if matches!(leaf.outcome, Outcome::Complete | Outcome::VendorError) {
            self.enter(sequence, Direction::Reply, &leaf.controls, &leaf.inspected);
        } else if leaf.controls.is_empty() {
            self.cut_replies = self.cut_replies.saturating_add(1);
        } else {
            self.enter_part(sequence, leaf);
        }
    }

    /// A reply that ended early counts where a control looked at something; a
    /// control that is missing beside others, or idle, counts against the row.
    fn enter_part(&mut self, sequence: u64, leaf: &Closed) {
        for control in Control::ALL {
            let waited = leaf
                .controls
                .iter()
                .any(|run| run.control == *control && run.mode == Mode::Enforce && run.bytes == 0);
            if !waited {
                let runs = self.runs.entry((Direction::Reply, *control)).or_default();
                runs.enter(sequence, *control, &leaf.controls, 0, false);
            }
        }
        self.add_inspected(Direction::Reply, &leaf.inspected);
    }

    fn enter(
        &mut self,
        sequence: u64,
        direction: Direction,
        controls: &[ControlRun],
        inspected: &Inspected,
    ) {
        let there_bytes = inspected
            .bytes
            .values()
            .fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
        for control in Control::ALL {
            let runs = self.runs.entry((direction, *control)).or_default();
            runs.enter(sequence, *control, controls, there_bytes, true);
        }
        self.add_inspected(direction, inspected);
    }

    fn add_inspected(&mut self, direction: Direction, inspected: &Inspected) {
        let (seen, unseen) = self.inspected.entry(direction).or_default();
        for bytes in inspected.bytes.values() {
            *seen = seen.saturating_add(*bytes);
        }
        *unseen = unseen
            .saturating_add(inspected.media_bytes)
            .saturating_add(inspected.opaque_bytes);
    }
}

fn enforced(controls: &[ControlRun], control: Control) -> bool {
    controls
        .iter()
        .any(|run| run.control == control && run.mode == Mode::Enforce)
}
