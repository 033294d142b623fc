//! What all guards of one reply share.

use std::{collections::BTreeMap, sync::Arc};

use detect::{Scan, Segment, StreamLimits, StreamScan, names, redact::Tokens};
use ledger::commit::CommitmentKey;
use memchr::memmem;
use policy::{Tallied, Tally};
use terms::{
    Action, Code, Direction, ExchangeId, Finding, Place, Refusal, RestoreCounts, Secret, Slot,
};
use wire::{Dialect, Leaf, ReplyFacts};

use crate::{
    Gate, Ruling, capture::Matches, replace, rooms::Ending, running::Cut, seams, vault::Recall,
};

/// LIMIT: bytes that values put back may make one reply longer: a value may be
/// two hundred times as long as its token.
const RESTORED_BYTES_MAX: usize = 4 << 20;
/// LIMIT: calls of tools in one reply.
const CALLS_MAX: usize = 4_096;

/// The state of one reply's inspection.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) ruling: Arc<Ruling>,
    pub(crate) dialect: Dialect,
    pub(crate) id: ExchangeId,
    pub(crate) exchange: String,
    pub(crate) tokens: Tokens,
    pub(crate) tally: Tally,
    pub(crate) facts: ReplyFacts,
    pub(crate) restored: RestoreCounts,
    /// Bytes that the reply grew by values that were put back.
    grown_bytes: usize,
    pub(crate) edited: bool,
    pub(crate) logprobs_removed: bool,
    pub(crate) signature_removed: bool,
    /// The key of the record's commitments.
    pub(crate) commitments: CommitmentKey,
    /// What was found, with its texts, if that is to be sealed.
    matches: Option<Matches>,
    /// Tokens of other exchanges, if there is a vault.
    recall: Option<Recall>,
    pub(crate) json: wire::Limits,
    held_bytes_max: usize,
    expected_bytes: u64,
    /// The tool that each call names, and where it names it.
    calls: BTreeMap<String, (&'static str, String)>,
}

impl Context {
    pub(crate) fn new(
        gate: &Gate,
        ruling: Arc<Ruling>,
        dialect: Dialect,
        exchange: ExchangeId,
        tokens: Tokens,
        person: Option<Secret<String>>,
    ) -> Self {
        let limits = gate.limits();
        let recall = gate.vault().zip(tokens.scope().parse().ok());
        let tally = Tally::new(ruling.policy(), Direction::Reply, gate.clock().now_ms());
        Self {
            tally,
            ruling,
            dialect,
            id: exchange,
            exchange: exchange.to_string(),
            tokens,
            facts: ReplyFacts::default(),
            restored: RestoreCounts::default(),
            grown_bytes: 0,
            edited: false,
            logprobs_removed: false,
            signature_removed: false,
            commitments: gate.commitments().clone(),
            matches: None,
            recall: recall.map(|(vault, scope)| {
                Recall::new(Arc::clone(vault), gate.metrics_shared(), scope, person)
            }),
            json: wire::Limits {
                document_bytes_max: limits.reply_bytes_max,
                depth_max: limits.json_depth_max,
                values_max: limits.json_values_max,
            },
            held_bytes_max: limits.held_bytes_max,
            expected_bytes: 0,
            calls: BTreeMap::new(),
        }
    }

    /// The same, of an exchange that may have a sealed part.
    pub(crate) fn sealing(mut self, commitments: &CommitmentKey, sealed: bool) -> Self {
        self.commitments = commitments.clone();
        self.matches = sealed.then(Matches::default);
        self
    }

    /// Whether tokens of other exchanges may come back.
    pub(crate) const fn recalls(&self) -> bool {
        self.recall.is_some()
    }

    /// Notes the tokens of other exchanges in a text into which values may be
    /// put back.
    pub(crate) fn spot(&mut self, text: &str) {
        if let Some(recall) = &mut self.recall {
            recall.spot(&self.tokens, text);
        }
    }

    /// Whether there are any that were not looked up.
    pub(crate) fn lacks(&self) -> bool {
        self.recall.as_ref().is_some_and(Recall::lacks)
    }

    /// Looks them up.
    ///
    /// # Errors
    /// When the exchange must end meanwhile.
    pub(crate) async fn fetch(&mut self, cut: &Cut) -> Result<(), Refusal> {
        let Some(recall) = self.recall.as_mut().filter(|recall| recall.lacks()) else {
            return Ok(());
        };
        tokio::select! {
            biased;
            code = cut.wait() => Err(Refusal::new(code)),
            () = recall.fetch(&mut self.tokens) => Ok(()),
        }
    }

    /// A scan for one channel.
    pub(crate) fn scan(&self) -> StreamScan {
        self.ruling.looking().stream(
            Direction::Reply,
            StreamLimits {
                held_bytes_max: self.held_bytes_max,
            },
        )
    }

    /// The most text that this reply may hold back.
    pub(crate) const fn held_bytes_max(&self) -> usize {
        self.held_bytes_max
    }

    /// Enters that this much text came that the controls must look at.
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.expected_bytes = self.expected_bytes.saturating_add(bytes as u64);
    }

    /// What to do about findings that overlap: the strictest of their actions.
    /// `text` is what they cover together.
    pub(crate) fn judge(
        &mut self,
        findings: &[Finding],
        text: &str,
        slot: Slot,
        place: &Place,
        rewritable: bool,
    ) -> Action {
        let Self { tally, ruling, .. } = self;
        let policy = ruling.policy();
        let action = findings
            .iter()
            .map(|finding| tally.found(policy, finding, slot, place.as_str(), rewritable))
            .max()
            .unwrap_or(Action::Block);
        if let Some(matches) = &mut self.matches {
            let at = (slot, place, action);
            matches.take(&self.ruling, Direction::Reply, findings, text, at);
        }
        action
    }

    /// Remembers the tool that a call names.
    ///
    /// # Errors
    /// When a call names two, as a function and as a custom tool: it would be
    /// judged by one and might be run as the other.
    pub(crate) fn named(&mut self, leaf: &Leaf) -> Result<(), Refusal> {
        if leaf.slot != Slot::ToolCall || leaf.text.is_empty() {
            return Ok(());
        }
        let place = leaf.place.as_str();
        let named = [".function.name", ".custom.name"]
            .into_iter()
            .find_map(|end| Some((place.strip_suffix(end)?, end)));
        let Some((call, end)) = named else {
            return Ok(());
        };
        match self.calls.get(call) {
            Some((known, name)) if *known != end && *name != leaf.text => {
                Err(Refusal::new(Code::VendorGarbage).at(leaf.place.clone()))
            }
            Some(_) => Ok(()),
            None if self.calls.len() < CALLS_MAX => {
                self.calls.insert(call.to_owned(), (end, leaf.text.clone()));
                Ok(())
            }
            None => Err(Refusal::new(Code::ReplyLimit).at(leaf.place.clone())),
        }
    }

    /// Looks at a text that stands alone and may not be rewritten.
    ///
    /// # Errors
    /// When something in it may not pass.
    pub(crate) fn fixed(&mut self, text: &str, slot: Slot, place: &Place) -> Result<(), Refusal> {
        self.word("", text, slot, place, false).map(|_| ())
    }

    /// Looks at the text of a leaf that may not be rewritten.
    ///
    /// # Errors
    /// When something in it may not pass.
    pub(crate) fn unedited(&mut self, leaf: &Leaf, text: &str) -> Result<(), Refusal> {
        let keys = leaf.keys.as_deref().unwrap_or_default();
        self.word(keys, text, leaf.slot, &leaf.place, false)
            .map(|_| ())
    }

    /// Looks at a text that may be left out and may not be rewritten; says
    /// whether it passes.
    ///
    /// # Errors
    /// When something in it is blocked.
    pub(crate) fn optional(
        &mut self,
        text: &str,
        slot: Slot,
        place: &Place,
    ) -> Result<bool, Refusal> {
        let action = self.word("", text, slot, place, true)?;
        Ok(action != Action::Redact)
    }

    /// What is found in a text, unless it was looked at before.
    fn remembered(&self, keys: &str, text: &str, slot: Slot) -> Scan {
        let caller = self.tokens.scope();
        self.ruling
            .look(caller, (keys, text), slot, Direction::Reply)
    }

    /// What to do about a short text; never to block it.
    fn word(
        &mut self,
        keys: &str,
        text: &str,
        slot: Slot,
        place: &Place,
        rewritable: bool,
    ) -> Result<Action, Refusal> {
        self.expect(text.len());
        let scan = self.remembered(keys, text, slot);
        if scan.work_exceeded {
            return Err(Refusal::new(Code::ReplyLimit).at(place.clone()));
        }
        self.tally.looked(slot, scan.bytes);
        if scan.findings.is_empty() {
            return Ok(Action::Allow);
        }
        match self.judge(
            &scan.findings,
            covered(&scan.findings, text),
            slot,
            place,
            rewritable,
        ) {
            Action::Block => Err(Refusal::new(Code::NumberBlocked).at(place.clone())),
            action => Ok(action),
        }
    }

    /// Looks at a text that stands alone and may be rewritten; nothing is put
    /// back into it. `found` is what others found in it.
    ///
    /// # Errors
    /// When something in it is blocked.
    pub(crate) fn alone(
        &mut self,
        leaf: &Leaf,
        text: &str,
        found: &[Finding],
    ) -> Result<String, Refusal> {
        self.expect(text.len());
        // Most of them stand in every reply, or in every event of a stream.
        let keys = leaf.keys.as_deref().unwrap_or_default();
        let scan = self.remembered(keys, text, leaf.slot);
        if found.is_empty()
            && scan.findings.is_empty()
            && !scan.work_exceeded
            && leaf.slot != Slot::Opaque
            && !self.ruling.looking().has_token(text)
        {
            self.tally.looked(leaf.slot, scan.bytes);
            return Ok(text.to_owned());
        }
        let mut scan = self.scan();
        if let Some(keys) = leaf.keys.as_deref() {
            scan.follows(keys);
        }
        let segments = names::merge(scan.whole(text), found);
        if scan.work_exceeded() {
            return Err(Refusal::new(Code::ReplyLimit).at(leaf.place.clone()));
        }
        self.tally.looked(leaf.slot, scan.bytes());
        let mut out = String::new();
        for segment in segments {
            match segment {
                Segment::Plain(text) => out.push_str(&text),
                Segment::Token(token) => {
                    self.restored.withheld = self.restored.withheld.saturating_add(1);
                    out.push_str(&token);
                }
                Segment::Found { text, findings } => {
                    match self.judge(&findings, text.as_str(), leaf.slot, &leaf.place, true) {
                        Action::Allow | Action::Flag => out.push_str(text.as_str()),
                        Action::Redact => out.push_str(&replace::mask(
                            &self.ruling,
                            &self.tokens,
                            &findings,
                            text.as_str(),
                        )),
                        Action::Block => {
                            return Err(Refusal::new(Code::ReplyBlocked).at(leaf.place.clone()));
                        }
                    }
                }
            }
        }
        Ok(out)
    }

    /// Looks at neighbouring text parts of one message as one text. Answers
    /// the new texts, by index, of the parts over whose seam something was
    /// found that is to be redacted.
    ///
    /// # Errors
    /// When something over a seam is blocked.
    pub(crate) fn crossing(&mut self, leaves: &[Leaf]) -> Result<BTreeMap<usize, String>, Refusal> {
        let mut texts = BTreeMap::new();
        for run in seams::runs(leaves) {
            let joined: String = run.iter().map(|part| part.leaf.text.as_str()).collect();
            let scan = self.ruling.looking().scan(&joined, Direction::Reply);
            if scan.work_exceeded {
                return Err(Refusal::new(Code::ReplyLimit));
            }
            let crossing = scan
                .findings
                .into_iter()
                .filter(|finding| seams::crosses(&finding.span, &run))
                .collect();
            let mut replaced = Vec::new();
            for cluster in seams::clusters(crossing) {
                let Some(part) = seams::touched(&run, &cluster.span).next() else {
                    continue;
                };
                let value = joined.get(cluster.span.clone()).unwrap_or_default();
                let (slot, place) = (part.leaf.slot, &part.leaf.place);
                match self.judge(&cluster.findings, value, slot, place, true) {
                    Action::Allow | Action::Flag => {}
                    Action::Block => {
                        return Err(Refusal::new(Code::ReplyBlocked).at(part.leaf.place.clone()));
                    }
                    Action::Redact => {
                        let with =
                            replace::mask(&self.ruling, &self.tokens, &cluster.findings, value);
                        replaced.push((cluster.span, with));
                    }
                }
            }
            texts.extend(seams::rewritten(&run, &replaced));
        }
        Ok(texts)
    }

    /// Enters what is known of the vendor and of the edits into the record.
    pub(crate) fn write_facts(&mut self, ending: &mut Ending) {
        let facts = std::mem::take(&mut self.facts);
        self.hand_over(ending);
        let ruling = &self.ruling;
        // A vendor can put anything where an identifier belongs.
        let clean = |word: &String| ruling.may_record(self.tokens.scope(), word);
        ending.with(|draft| {
            draft.vendor.model = facts.model.filter(clean);
            draft.vendor.fingerprint = facts.fingerprint.filter(clean);
            draft.vendor.finish = facts.finish.into_iter().filter(clean).collect();
            draft.vendor.error = facts.error.filter(clean);
            draft.usage = facts.usage;
            draft.edited = self.edited;
            draft.logprobs_removed = self.logprobs_removed;
            draft.signature_removed = self.signature_removed;
            draft.restored = self.restored;
        });
    }

    /// Hands over what was found, for the sealed part.
    pub(crate) fn hand_over(&mut self, ending: &mut Ending) {
        if let Some(matches) = self.matches.take() {
            ending.found(matches);
        }
    }

    /// Adds what a guard did with tokens.
    pub(crate) const fn add(&mut self, counts: RestoreCounts) {
        self.restored.restored = self.restored.restored.saturating_add(counts.restored);
        self.restored.withheld = self.restored.withheld.saturating_add(counts.withheld);
        self.restored.foreign = self.restored.foreign.saturating_add(counts.foreign);
    }

    /// Counts by how much a value that was put back is longer than its token;
    /// whether the reply may grow so far.
    pub(crate) const fn grows(&mut self, bytes: usize) -> bool {
        self.grown_bytes = self.grown_bytes.saturating_add(bytes);
        self.grown_bytes <= RESTORED_BYTES_MAX
    }

    /// Whether a reply holds one of the vendors' own keys, as an error about
    /// credentials might.
    pub(crate) fn tells_key(&self, body: &[u8]) -> bool {
        self.ruling
            .vendors()
            .iter()
            .map(|vendor| vendor.key.reveal().as_bytes())
            .any(|key| !key.is_empty() && memmem::find(body, key).is_some())
    }

    /// The controls' verdicts on the whole reply.
    ///
    /// # Errors
    /// When one did not see everything.
    pub(crate) fn settle(&self) -> Result<Tallied, Refusal> {
        self.tally
            .settle(self.expected_bytes)
            .map_err(|_| Refusal::new(Code::ReplySilent))
    }
}

/// The stretch of a text that findings cover together.
fn covered<'a>(findings: &[Finding], text: &'a str) -> &'a str {
    let from = findings.iter().map(|finding| finding.span.start).min();
    let upto = findings.iter().map(|finding| finding.span.end).max();
    text.get(from.unwrap_or_default()..upto.unwrap_or_default())
        .unwrap_or_default()
}
