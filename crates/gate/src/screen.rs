//! Shows a request's texts to the detectors and carries out what the policy says.

use std::borrow::Cow;

use bytes::Bytes;
use detect::{
    Scan,
    redact::{Reading, Spelled, Tokens},
};
use http::HeaderName;
use policy::Tally;
use terms::{Action, Code, Direction, Finding, Place, Refusal, Slot};
use wire::{Document, Leaf, LeafEdits, LeafKind, Walk};

use crate::{
    Ruling,
    capture::Matches,
    names::Named,
    replace,
    running::Cut,
    seams::{self, Cluster, Part},
    vault::Keeping,
};

/// One request's screening.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    pub(crate) ruling: &'a Ruling,
    pub(crate) tally: &'a mut Tally,
    pub(crate) tokens: &'a mut Tokens,
    /// Whether texts pass that no control can look through.
    pub(crate) open: bool,
    /// How many did.
    pub(crate) unseen: u32,
    /// The word that the exchange must end, also in the middle of the work.
    pub(crate) cut: &'a Cut,
    /// What was found, with its texts, if that is to be sealed.
    pub(crate) matches: Option<Matches>,
    /// The tokens that are to be kept beyond the exchange, if any are.
    pub(crate) keeping: Option<Keeping>,
    /// What the operator's service for names found.
    pub(crate) named: Named,
}

impl Screen<'_> {
    /// Looks at every leaf, and at neighbouring parts as one text; returns the
    /// body to send: the same bytes when nothing was rewritten.
    pub(crate) fn document(&mut self, document: &Document, walk: &Walk) -> Result<Bytes, Refusal> {
        let mut edits = LeafEdits::default();
        for (number, unit) in seams::units(&walk.leaves).into_iter().enumerate() {
            self.cut.check()?;
            let named = self.named.take(number);
            self.unit(&unit, &walk.leaves, named, &mut edits)?;
        }
        Ok(wire::apply(document, edits))
    }

    /// Looks at the header values that are passed on; none can be rewritten.
    pub(crate) fn headers(&mut self, passed: &[(HeaderName, String)]) -> Result<(), Refusal> {
        for (name, value) in passed {
            let place = Place::new(format!("header {name}"));
            let findings = self.look("", value, Slot::Parameter)?;
            for cluster in seams::clusters(findings) {
                let action = self.judge(&cluster, Slot::Parameter, &place, false);
                self.keep(&cluster, value, (Slot::Parameter, &place, action));
                refuse(action, false, &place)?;
            }
        }
        Ok(())
    }

    /// One leaf, or the neighbouring text parts of one message: each alone,
    /// and all of them joined. `findings` are those that others made of it.
    fn unit(
        &mut self,
        run: &[Part<'_>],
        leaves: &[Leaf],
        mut findings: Vec<Finding>,
        edits: &mut LeafEdits,
    ) -> Result<(), Refusal> {
        for part in run {
            let keys = part.leaf.keys.as_deref().unwrap_or_default();
            let found = self.look(keys, &part.leaf.text, part.leaf.slot)?;
            findings.extend(
                found
                    .into_iter()
                    .map(|finding| seams::shifted(finding, part.start)),
            );
        }
        let joined: Cow<'_, str> = match run {
            [alone] => Cow::Borrowed(&alone.leaf.text),
            _ => run.iter().map(|part| part.leaf.text.as_str()).collect(),
        };
        if run.len() > 1 {
            let scan = self.whole(self.ruling.looking().scan(&joined, Direction::Request))?;
            findings.extend(
                scan.findings
                    .into_iter()
                    .filter(|finding| seams::crosses(&finding.span, run)),
            );
        }
        let mut replaced = Vec::new();
        let (mut reading, mut read) = (Reading::new(), 0);
        for cluster in seams::clusters(findings) {
            let Some(first) = seams::touched(run, &cluster.span).next() else {
                continue;
            };
            let rewritable = seams::touched(run, &cluster.span)
                .all(|part| part.leaf.editable && part.leaf.kind == LeafKind::Text);
            let (slot, place) = (first.leaf.slot, &first.leaf.place);
            let action = self.judge(&cluster, slot, place, rewritable);
            self.keep(&cluster, &joined, (slot, place, action));
            match action {
                Action::Allow | Action::Flag => {}
                Action::Block => return Err(refusal(rewritable, place)),
                Action::Redact => {
                    let value = joined.get(cluster.span.clone()).unwrap_or_default();
                    let value = if value.contains('\\') {
                        let before = joined.get(read..cluster.span.start);
                        reading.pass(before.unwrap_or_default());
                        read = cluster.span.end;
                        reading.value(value)
                    } else {
                        Spelled::plain(value)
                    };
                    let with = replace::issue(self.ruling, self.tokens, &cluster.findings, value)?;
                    if let Some(keeping) = &mut self.keeping {
                        keeping.issued(self.ruling, &with, &cluster.findings);
                    }
                    replaced.push((cluster.span, with));
                }
            }
        }
        for (index, text) in seams::rewritten(run, &replaced) {
            if let Some(leaf) = leaves.get(index) {
                edits.set(&leaf.at, text);
            }
        }
        Ok(())
    }

    fn look(&mut self, keys: &str, text: &str, slot: Slot) -> Result<Vec<Finding>, Refusal> {
        let scan = self.whole(self.ruling.look(
            self.tokens.scope(),
            (keys, text),
            slot,
            Direction::Request,
        ))?;
        self.tally.looked(slot, scan.bytes);
        Ok(scan.findings)
    }

    /// A scan that saw everything, or none; or, where the operator lets texts
    /// pass that no control can look through, what it saw.
    fn whole(&mut self, scan: Scan) -> Result<Scan, Refusal> {
        if !scan.work_exceeded {
            return Ok(scan);
        }
        if !self.open {
            return Err(Refusal::new(Code::ScanLimit));
        }
        self.unseen = self.unseen.saturating_add(1);
        Ok(scan)
    }

    /// Takes what was found for the sealed part of the record.
    fn keep(&mut self, cluster: &Cluster, text: &str, at: (Slot, &Place, Action)) {
        if let Some(matches) = &mut self.matches {
            let text = text.get(cluster.span.clone()).unwrap_or_default();
            matches.take(self.ruling, Direction::Request, &cluster.findings, text, at);
        }
    }

    fn judge(&mut self, cluster: &Cluster, slot: Slot, place: &Place, rewritable: bool) -> Action {
        let policy = self.ruling.policy();
        let actions = cluster.findings.iter().map(|finding| {
            self.tally
                .found(policy, finding, slot, place.as_str(), rewritable)
        });
        actions.max().unwrap_or(Action::Block)
    }
}

fn refuse(action: Action, rewritable: bool, place: &Place) -> Result<(), Refusal> {
    match action {
        Action::Allow | Action::Flag => Ok(()),
        // What would be redacted but cannot be rewritten goes nowhere.
        Action::Redact | Action::Block => Err(refusal(rewritable, place)),
    }
}

fn refusal(rewritable: bool, place: &Place) -> Refusal {
    let code = if rewritable {
        Code::Blocked
    } else {
        Code::NumberBlocked
    };
    Refusal::new(code).at(place.clone())
}
