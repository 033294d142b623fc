//! What the records say, one after the other.

use std::collections::BTreeMap;

use terms::{Act, ExchangeId, Leaf};

use super::{EntryFault, Verified, VerifyFault};
use crate::{
    canonical::{self, LEAF_BYTES_MAX},
    merkle::Tree,
    prune::{self, Index},
    publish::shows_checkpoint,
};

/// LIMIT: exchanges open at once in a log that can be verified.
pub(super) const OPEN_MAX: usize = 1_000_000;

/// Reads an entry: 1 to 32,768 bytes, a record of a version that is known, in
/// its canonical form.
///
/// # Errors
/// When it is something else.
pub(crate) fn record(bytes: &[u8]) -> Result<Leaf, EntryFault> {
    if bytes.is_empty() || bytes.len() > LEAF_BYTES_MAX {
        return Err(EntryFault::Length);
    }
    let leaf: Leaf = serde_json::from_slice(bytes).map_err(|_| EntryFault::Record)?;
    is_canonical(&leaf, bytes)?;
    Ok(leaf)
}

fn is_canonical(leaf: &Leaf, bytes: &[u8]) -> Result<(), EntryFault> {
    if canonical::to_bytes(leaf).ok().as_deref() == Some(bytes) {
        Ok(())
    } else {
        Err(EntryFault::Canonical)
    }
}

/// How far an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Closed,
    Refused,
}

/// The records so far.
pub(super) struct Judge {
    exchanges: BTreeMap<ExchangeId, Stage>,
    open: usize,
    verified: Verified,
    /// Up to which entry the log itself says that it was pruned.
    told: u64,
    /// Whether the log shows that it had a checkpoint.
    had_checkpoint: bool,
}

impl Judge {
    /// Nothing yet; the first record will be entry `first`.
    pub(super) fn new(first: u64) -> Self {
        Self {
            exchanges: BTreeMap::new(),
            open: 0,
            verified: Verified {
                entries: first,
                first,
                admitted: 0,
                closed: 0,
                closed_of_pruned: 0,
                open: Vec::new(),
                refused: 0,
                unclean_starts: 0,
                root: Tree::default().root(),
                span_ms: None,
                tail_bytes: 0,
                checkpoint: None,
                witnessed: None,
                cosigned: Vec::new(),
            },
            told: 0,
            had_checkpoint: false,
        }
    }

    pub(super) const fn entries(&self) -> u64 {
        self.verified.entries
    }

    /// Whether an entry shows that there was a checkpoint when it was written.
    pub(super) const fn had_checkpoint(&self) -> bool {
        self.had_checkpoint
    }

    /// Takes the next entry's bytes.
    pub(super) fn bytes(&mut self, at: u64, bytes: &[u8]) -> Result<(), VerifyFault> {
        let leaf = record(bytes).map_err(|fault| VerifyFault::Entry { entry: at, fault })?;
        self.leaf(at, &leaf)
    }

    /// Takes the next record, and the bytes that it was read from.
    pub(super) fn entry(&mut self, at: u64, leaf: &Leaf, bytes: &[u8]) -> Result<(), VerifyFault> {
        is_canonical(leaf, bytes).map_err(|fault| VerifyFault::Entry { entry: at, fault })?;
        self.leaf(at, leaf)
    }

    fn leaf(&mut self, at: u64, leaf: &Leaf) -> Result<(), VerifyFault> {
        self.verified.entries = self.verified.entries.saturating_add(1);
        let time = leaf.at_ms();
        let first = self.verified.span_ms.map_or(time, |(first, _)| first);
        self.verified.span_ms = Some((first, time));
        self.told = self.told.max(prune::told(leaf));
        self.had_checkpoint |= shows_checkpoint(leaf);
        match leaf {
            Leaf::Admitted(leaf) => self.admitted(at, leaf.exchange)?,
            Leaf::Closed(leaf) => self.closed(at, leaf.exchange)?,
            Leaf::Refused(leaf) => self.refused(at, leaf.exchange)?,
            Leaf::RefusedSummary(leaf) => {
                self.verified.refused = self.verified.refused.saturating_add(leaf.count);
            }
            Leaf::UncleanStart(_) => self.verified.unclean_starts += 1,
            Leaf::Event(event) => self.event(at, event.act)?,
            Leaf::HeadCount(_) => {}
        }
        Ok(())
    }

    fn admitted(&mut self, at: u64, exchange: ExchangeId) -> Result<(), VerifyFault> {
        match self.exchanges.insert(exchange, Stage::Open) {
            None => {}
            Some(Stage::Open | Stage::Closed) => {
                return Err(VerifyFault::AdmittedTwice {
                    entry: at,
                    exchange,
                });
            }
            Some(Stage::Refused) => return Err(second_fate(at, exchange)),
        }
        self.open += 1;
        if self.open > OPEN_MAX {
            return Err(VerifyFault::TooManyOpen(at));
        }
        self.verified.admitted += 1;
        Ok(())
    }

    fn closed(&mut self, at: u64, exchange: ExchangeId) -> Result<(), VerifyFault> {
        match self.exchanges.insert(exchange, Stage::Closed) {
            Some(Stage::Open) => self.open -= 1,
            // It may have been admitted before the first entry that is kept.
            None if self.verified.first > 0 => self.verified.closed_of_pruned += 1,
            None => {
                return Err(VerifyFault::NeverAdmitted {
                    entry: at,
                    exchange,
                });
            }
            Some(Stage::Closed) => {
                return Err(VerifyFault::ClosedTwice {
                    entry: at,
                    exchange,
                });
            }
            Some(Stage::Refused) => return Err(second_fate(at, exchange)),
        }
        self.verified.closed += 1;
        Ok(())
    }

    fn refused(&mut self, at: u64, exchange: ExchangeId) -> Result<(), VerifyFault> {
        if self.exchanges.insert(exchange, Stage::Refused).is_some() {
            return Err(second_fate(at, exchange));
        }
        self.verified.refused = self.verified.refused.saturating_add(1);
        Ok(())
    }

    /// A gate begins and stops with nothing open: what a hard stop left is
    /// closed before the next gate is ready, and one that has something open
    /// does not write that it stopped.
    fn event(&self, at: u64, act: Act) -> Result<(), VerifyFault> {
        if self.open == 0 || !matches!(act, Act::GateReady | Act::GateStopped) {
            return Ok(());
        }
        let open = self.exchanges.iter();
        let exchange = open
            .filter(|(_, stage)| **stage == Stage::Open)
            .map(|(exchange, _)| *exchange)
            .next();
        match exchange {
            Some(exchange) => Err(VerifyFault::OpenAt {
                entry: at,
                act,
                exchange,
            }),
            None => Ok(()),
        }
    }

    /// What was found, if the minimum index is one that the log tells of.
    pub(super) fn end(mut self, index: Index) -> Result<Verified, VerifyFault> {
        prune::is_told(self.verified.first, self.told)?;
        index.is_told(self.told).map_err(prune::PruneFault::from)?;
        let open = self.exchanges.into_iter();
        let open = open.filter(|(_, stage)| *stage == Stage::Open);
        self.verified.open = open.map(|(exchange, _)| exchange).collect();
        Ok(self.verified)
    }
}

const fn second_fate(entry: u64, exchange: ExchangeId) -> VerifyFault {
    VerifyFault::SecondFate { entry, exchange }
}
