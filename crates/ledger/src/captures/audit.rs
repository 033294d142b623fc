//! Holds the log and what is kept against each other: whether what the log
//! says was sealed is there, unchanged, or was erased; and what is there
//! without a word in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use terms::{Act, Digest, ExchangeId, Leaf};

use super::{CaptureFault, Found, Pending, Table, pending, table::Stands};
use crate::{files::Files, reader::Reader, seal::content};

/// LIMIT: exchanges with sealed content that are looked at.
const NAMED_MAX: usize = 4_000_000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audited {
    /// Exchanges whose content is there as the log names it, key and all.
    pub sealed: u64,
    /// Exchanges whose key was destroyed, as the log tells.
    pub erased: u64,
    /// Exchanges whose content the log names and nothing is kept of.
    pub missing: Vec<ExchangeId>,
    /// Exchanges whose sealed bytes are not there, or not those that the log
    /// names.
    pub changed: Vec<ExchangeId>,
    /// Exchanges whose key was destroyed without a word in the log.
    pub untold: Vec<ExchangeId>,
    /// Exchanges whose key is there although the log says that it was
    /// destroyed: a copy was put back.
    pub back: Vec<ExchangeId>,
    /// Keys of exchanges that no entry names: a crash came before the entry,
    /// or the entry was pruned.
    pub unnamed: u64,
    /// Places in the table that hold something else than a slot: a write that
    /// was cut off, or damage.
    pub damaged: u64,
    /// Exchanges beyond the limit, which were not looked at.
    pub beyond: u64,
}

impl Audited {
    /// Whether all that the log names is there or was erased, and nothing that
    /// was erased is back.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.missing.is_empty()
            && self.changed.is_empty()
            && self.untold.is_empty()
            && self.back.is_empty()
    }
}

/// What the log says of sealed content.
#[derive(Debug, Default)]
struct Said {
    named: BTreeMap<ExchangeId, Digest>,
    erased: BTreeSet<ExchangeId>,
    beyond: u64,
}

impl Said {
    fn read(&mut self, reader: &mut Reader) -> Result<(), CaptureFault> {
        while let Some(entry) = reader.read_next()? {
            let (exchange, captured) = match entry.leaf {
                Leaf::Closed(leaf) => (leaf.exchange, leaf.captured),
                Leaf::Refused(leaf) => (leaf.exchange, leaf.captured),
                Leaf::Event(event) if event.act == Act::Erased => {
                    self.erased.extend(event.subject.parse::<ExchangeId>());
                    continue;
                }
                Leaf::Admitted(_)
                | Leaf::RefusedSummary(_)
                | Leaf::Event(_)
                | Leaf::UncleanStart(_)
                | Leaf::HeadCount(_) => continue,
            };
            let Some(captured) = captured else { continue };
            if self.named.len() < NAMED_MAX {
                self.named.insert(exchange, captured.sealed);
            } else {
                self.beyond = self.beyond.saturating_add(1);
            }
        }
        Ok(())
    }
}

/// What the table holds, by what the log says of it.
#[derive(Debug, Default)]
struct Kept {
    /// Named, and there as named.
    live: BTreeSet<ExchangeId>,
    changed: BTreeSet<ExchangeId>,
    back: BTreeSet<ExchangeId>,
    unnamed: BTreeSet<ExchangeId>,
    /// Without a key.
    gone: BTreeSet<ExchangeId>,
    damaged: u64,
}

impl Kept {
    fn read(table: &Table, said: &Said) -> Result<Self, CaptureFault> {
        let mut kept = Self::default();
        for name in table.names()? {
            table.each(&name, (0, u64::MAX), &mut |place, stands| {
                match stands {
                    Stands::Torn(_) => kept.damaged = kept.damaged.saturating_add(1),
                    Stands::Whole(slot) if slot.held.is_none() => {
                        kept.gone.insert(slot.exchange);
                    }
                    Stands::Whole(slot) => kept.slot(table, said, &Found { slot, place }),
                }
                true
            })?;
        }
        Ok(kept)
    }

    fn slot(&mut self, table: &Table, said: &Said, found: &Found) {
        let exchange = found.slot.exchange;
        if said.erased.contains(&exchange) {
            self.back.insert(exchange);
            return;
        }
        let Some(named) = said.named.get(&exchange) else {
            self.unnamed.insert(exchange);
            return;
        };
        let sealed = table.sealed(found);
        let set = if sealed.is_ok_and(|sealed| content::digest(&sealed) == *named) {
            &mut self.live
        } else {
            &mut self.changed
        };
        set.insert(exchange);
    }
}

/// Holds the log in a folder against a table. A gate may run meanwhile.
///
/// # Errors
/// When one of them cannot be read.
pub fn audit(files: Arc<dyn Files>, ledger: &Path, table: &Table) -> Result<Audited, CaptureFault> {
    let mut reader = Reader::new(files, ledger);
    // INVARIANT: content and key are there before the entry that names them,
    // and a key is gone before the entry that tells so. So the log is read
    // first, then the table, then what came into the log meanwhile.
    let mut said = Said::default();
    said.read(&mut reader)?;
    let kept = Kept::read(table, &said)?;
    let erasing = pending(table)?;
    let erasing: BTreeSet<ExchangeId> = erasing.iter().flat_map(Pending::exchanges).collect();
    let mut later = Said::default();
    later.read(&mut reader)?;
    let mut audited = Audited {
        damaged: kept.damaged,
        beyond: said.beyond,
        ..Audited::default()
    };
    for exchange in said.named.keys() {
        let is_told = said.erased.contains(exchange) || later.erased.contains(exchange);
        if kept.back.contains(exchange) {
            // Named below.
        } else if kept.live.contains(exchange) {
            audited.sealed = audited.sealed.saturating_add(1);
        } else if kept.changed.contains(exchange) {
            audited.changed.push(*exchange);
        } else if is_told || erasing.contains(exchange) {
            audited.erased = audited.erased.saturating_add(1);
        } else if kept.gone.contains(exchange) {
            audited.untold.push(*exchange);
        } else {
            audited.missing.push(*exchange);
        }
    }
    let is_unnamed = |exchange: &&ExchangeId| !later.named.contains_key(*exchange);
    audited.unnamed = kept.unnamed.iter().filter(is_unnamed).count() as u64;
    audited.back = kept.back.into_iter().collect();
    Ok(audited)
}
