//! Log probabilities spell the text again, token by token and byte by byte:
//! they are looked at as texts of their own and leave with the text or not at all.

use std::collections::VecDeque;

use detect::{Segment, StreamScan};
use terms::{Action, Code, Place, Refusal, Slot};
use wire::{LogprobEntry, Logprobs};

use super::Context;

/// LIMIT: alternatives of one token that are looked at; vendors give at most 20.
const RANKS_MAX: usize = 32;

/// Looks at one whole list; true when it must be taken out.
pub(super) fn refuses(context: &mut Context, list: &Logprobs) -> Result<bool, Refusal> {
    let mut guard = LogprobGuard::default();
    for entry in &list.entries {
        guard.push(context, entry, Vec::new())?;
    }
    guard.finish(context)?;
    Ok(guard.removed)
}

/// The state of one list in a stream.
#[derive(Debug, Default)]
pub(super) struct LogprobGuard {
    /// Tokens, their bytes, and the same of each rank of alternatives.
    scans: Vec<Respelling>,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// Entries that came, and that were let go.
    came: usize,
    gone: usize,
    removed: bool,
    /// Whether all that came was looked at to its end.
    finished: bool,
    /// Whether what still comes is left out unseen.
    given_up: bool,
}

#[derive(Debug)]
struct Respelling {
    scan: StreamScan,
    /// End of each entry that is not yet cleared, in bytes of this spelling.
    ends: VecDeque<u64>,
    fed: u64,
    cleared: usize,
}

impl LogprobGuard {
    /// Takes one entry and the JSON that it stands in.
    pub(super) fn push(
        &mut self,
        context: &mut Context,
        entry: &LogprobEntry,
        raw: Vec<u8>,
    ) -> Result<(), Refusal> {
        if self.given_up {
            return Ok(());
        }
        self.came += 1;
        self.finished = false;
        if !self.removed {
            self.waiting_bytes = self.waiting_bytes.saturating_add(raw.len());
            self.waiting.push_back(raw);
        }
        let mut spellings = vec![
            entry.token.clone(),
            spelled(entry.bytes.as_deref(), &entry.token),
        ];
        if entry.top.len() > RANKS_MAX {
            return Err(Refusal::new(Code::ReplyLimit).at(place()));
        }
        for (token, bytes) in &entry.top {
            spellings.push(token.clone());
            spellings.push(spelled(bytes.as_deref(), token));
        }
        for (index, text) in spellings.iter().enumerate() {
            if self.scans.len() == index {
                self.scans.push(Respelling {
                    scan: context.scan(),
                    ends: VecDeque::new(),
                    fed: 0,
                    cleared: self.came - 1,
                });
            }
            self.feed(context, index, text)?;
        }
        // A rank that has no alternative here is cleared here.
        for respelling in self.scans.iter_mut().skip(spellings.len()) {
            if !self.removed {
                respelling.ends.push_back(respelling.fed);
            }
        }
        Ok(())
    }

    fn feed(&mut self, context: &mut Context, index: usize, text: &str) -> Result<(), Refusal> {
        let Some(respelling) = self.scans.get_mut(index) else {
            return Ok(());
        };
        respelling.fed = respelling.fed.saturating_add(text.len() as u64);
        if !self.removed {
            respelling.ends.push_back(respelling.fed);
        }
        context.expect(text.len());
        let segments = respelling
            .scan
            .push(text)
            .map_err(|_| Refusal::new(Code::ReplyLimit).at(place()))?;
        looked_at(&respelling.scan)?;
        self.judge(context, segments)
    }

    fn judge(&mut self, context: &mut Context, segments: Vec<Segment>) -> Result<(), Refusal> {
        for segment in segments {
            match segment {
                Segment::Plain(_) => {}
                // A token in the text will be restored there, so that the two
                // would differ.
                Segment::Token(_) => self.remove(),
                Segment::Found { text, findings } => {
                    match context.judge(&findings, text.as_str(), Slot::Turn, &place(), true) {
                        Action::Allow | Action::Flag => {}
                        Action::Redact => self.remove(),
                        Action::Block => return Err(Refusal::new(Code::ReplyBlocked).at(place())),
                    }
                }
            }
        }
        Ok(())
    }

    /// The list ended.
    pub(super) fn finish(&mut self, context: &mut Context) -> Result<(), Refusal> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        for index in 0..self.scans.len() {
            let segments = match self.scans.get_mut(index) {
                Some(respelling) => {
                    let segments = respelling.scan.finish();
                    looked_at(&respelling.scan)?;
                    segments
                }
                None => Vec::new(),
            };
            self.judge(context, segments)?;
            if let Some(respelling) = self.scans.get_mut(index) {
                respelling.ends.clear();
                respelling.cleared = self.came;
                context.tally.looked(Slot::Turn, respelling.scan.bytes());
            }
        }
        Ok(())
    }

    /// The entries that every spelling has cleared.
    pub(super) fn cleared(&mut self) -> Vec<Vec<u8>> {
        for respelling in &mut self.scans {
            let held = respelling.scan.held_bytes() as u64;
            let released = respelling.fed.saturating_sub(held);
            while respelling.ends.front().is_some_and(|end| *end <= released) {
                respelling.ends.pop_front();
                respelling.cleared += 1;
            }
        }
        let upto = self
            .scans
            .iter()
            .map(|respelling| respelling.cleared)
            .min()
            .unwrap_or(self.came);
        let count = upto.saturating_sub(self.gone).min(self.waiting.len());
        self.gone += count;
        let cleared: Vec<Vec<u8>> = self.waiting.drain(..count).collect();
        let bytes: usize = cleared.iter().map(Vec::len).sum();
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        cleared
    }

    /// Bytes that wait here, the JSON of the entries included.
    pub(super) fn held_bytes(&self) -> usize {
        let scans = self.scans.iter();
        let texts: usize = scans.map(|respelling| respelling.scan.held_bytes()).sum();
        texts.saturating_add(self.waiting_bytes)
    }

    /// Leaves out all that waits and all that is still to come: then it does
    /// not have to be looked at.
    ///
    /// # Errors
    /// When what came may not pass.
    pub(super) fn give_up(&mut self, context: &mut Context) -> Result<(), Refusal> {
        self.remove();
        self.finish(context)?;
        self.scans.clear();
        self.given_up = true;
        Ok(())
    }

    /// Whether the list has to go.
    pub(super) const fn removed(&self) -> bool {
        self.removed
    }

    /// The text was edited: the list has to go from here on.
    pub(super) fn remove(&mut self) {
        self.removed = true;
        self.waiting.clear();
        self.waiting_bytes = 0;
        for respelling in &mut self.scans {
            respelling.ends.clear();
        }
    }

    /// Whether entries wait here.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// What the bytes of an entry spell; the token itself where there are none.
fn spelled(bytes: Option<&[u8]>, token: &str) -> String {
    bytes.map_or_else(
        || token.to_owned(),
        |bytes| String::from_utf8_lossy(bytes).into_owned(),
    )
}

/// Whether all of a text was looked at; otherwise it must not pass.
fn looked_at(scan: &StreamScan) -> Result<(), Refusal> {
    if scan.work_exceeded() {
        return Err(Refusal::new(Code::ReplyLimit).at(place()));
    }
    Ok(())
}

fn place() -> Place {
    Place::new("logprobs".to_owned())
}
