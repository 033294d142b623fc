//! What the records say, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use terms::{ExchangeId, Leaf};

use super::{Verified, VerifyFault};
use crate::{canonical, merkle::Tree, prune};

/// LIMIT: exchanges open at once in a log that can be verified.
pub(super) const OPEN_MAX: usize = 1_000_000;

/// The records so far.
pub(super) struct Judge {
    open: BTreeMap<ExchangeId, u64>,
    seen: BTreeSet<ExchangeId>,
    verified: Verified,
    /// Up to which entry the log itself says that it was pruned.
    told: u64,
}

impl Judge {
    /// Nothing yet; the first record will be entry `first`.
    pub(super) fn new(first: u64) -> Self {
        Self {
            open: BTreeMap::new(),
            seen: BTreeSet::new(),
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
            },
            told: 0,
        }
    }

    pub(super) const fn entries(&self) -> u64 {
        self.verified.entries
    }

    /// Takes the next record.
    pub(super) fn entry(&mut self, at: u64, leaf: &Leaf, bytes: &[u8]) -> Result<(), VerifyFault> {
        if canonical::to_bytes(leaf).ok().as_deref() != Some(bytes) {
            return Err(VerifyFault::Canonical(at));
        }
        self.verified.entries = self.verified.entries.saturating_add(1);
        let time = leaf.at_ms();
        let first = self.verified.span_ms.map_or(time, |(first, _)| first);
        self.verified.span_ms = Some((first, time));
        self.told = self.told.max(prune::told(leaf));
        match leaf {
            Leaf::Admitted(leaf) => {
                if !self.seen.insert(leaf.exchange) || self.open.insert(leaf.exchange, at).is_some()
                {
                    let exchange = leaf.exchange;
                    return Err(VerifyFault::AdmittedTwice {
                        entry: at,
                        exchange,
                    });
                }
                if self.open.len() > OPEN_MAX {
                    return Err(VerifyFault::TooManyOpen(at));
                }
                self.verified.admitted += 1;
            }
            Leaf::Closed(leaf) => self.closed(at, leaf.exchange)?,
            Leaf::Refused(_) => self.verified.refused = self.verified.refused.saturating_add(1),
            Leaf::RefusedSummary(leaf) => {
                self.verified.refused = self.verified.refused.saturating_add(leaf.count);
            }
            Leaf::UncleanStart(_) => self.verified.unclean_starts += 1,
            Leaf::Event(_) | Leaf::HeadCount(_) => {}
        }
        Ok(())
    }

    fn closed(&mut self, at: u64, exchange: ExchangeId) -> Result<(), VerifyFault> {
        if self.open.remove(&exchange).is_none() {
            if !self.seen.insert(exchange) {
                return Err(VerifyFault::ClosedTwice {
                    entry: at,
                    exchange,
                });
            }
            // It may have been admitted before the first entry that is kept.
            if self.verified.first == 0 {
                return Err(VerifyFault::NeverAdmitted {
                    entry: at,
                    exchange,
                });
            }
            self.verified.closed_of_pruned += 1;
        }
        self.verified.closed += 1;
        Ok(())
    }

    /// What was found.
    pub(super) fn end(mut self) -> Result<Verified, VerifyFault> {
        prune::is_told(self.verified.first, self.told)?;
        self.verified.open = self.open.into_keys().collect();
        Ok(self.verified)
    }
}
