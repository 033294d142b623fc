//! Erasing: keys are destroyed, and the log is told. A crash between the two
//! is made good at the next start, from a list that is written first.

use std::path::{Path, PathBuf};

use terms::ExchangeId;

use super::{
    CaptureFault, SLOT_BYTES, Slot, Table, Which,
    table::{Place, Stands},
};
use crate::{
    files::{self, is_absent},
    prune,
};

/// Name of the list of what is being erased.
const LIST: &str = "erasing";
/// LIMIT: exchanges that are erased in one step.
const STEP_MAX: usize = 1_024;

/// An erasure: all that is meant of what the table held when it began. What is
/// kept meanwhile belongs to calls that ran.
#[derive(Debug)]
pub struct Erasure {
    table: Table,
    which: Which,
    /// Files that were not looked at to their ends, the next one last, each
    /// from where on.
    left: Vec<Place>,
    /// How long the newest of them was.
    newest: Option<(String, u64)>,
}

/// One step of an erasure: these keys are destroyed, and the log must be told
/// of each before the step is done.
#[derive(Debug)]
#[must_use = "the log has to be told"]
pub struct Erasing {
    table: Table,
    /// Whose keys are gone.
    pub gone: Vec<ExchangeId>,
}

/// What was being erased when that broke off.
#[derive(Debug)]
pub struct Pending {
    table: Table,
    listed: Vec<(ExchangeId, Place)>,
}

impl Erasing {
    /// The log was told of all of them.
    ///
    /// # Errors
    /// When the list cannot be removed; it is told again later.
    pub fn told(self) -> Result<(), CaptureFault> {
        let (files, folder) = (self.table.files(), self.table.folder());
        files.remove(&folder.join(LIST))?;
        files.sync_folder(folder)?;
        Ok(())
    }
}

/// A slot that is to be destroyed.
struct Meant {
    slot: Slot,
    place: Place,
}

impl Meant {
    fn of(place: Place, stands: Stands<'_>) -> Self {
        let slot = match stands {
            Stands::Whole(slot) => slot,
            Stands::Torn(torn) => placeless(torn.exchange()),
        };
        Self { slot, place }
    }
}

/// What is left of a slot that could not be read.
const fn placeless(exchange: ExchangeId) -> Slot {
    Slot {
        exchange,
        at_ms: 0,
        offset: 0,
        length: 0,
        held: None,
    }
}

impl Table {
    /// Begins to erase, of what is kept by now.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn erasure(&self, which: Which) -> Result<Erasure, CaptureFault> {
        let mut names = self.names()?;
        let newest = match names.last() {
            Some(name) => {
                let path = self.folder().join(name);
                Some((name.clone(), self.files().length(&path)?))
            }
            None => None,
        };
        names.reverse();
        let left = names.into_iter().map(|name| Place { name, at: 0 });
        Ok(Erasure {
            table: self.clone(),
            which,
            left: left.collect(),
            newest,
        })
    }
}

impl Erasure {
    /// Destroys the keys of at most a thousand exchanges; `None` when there
    /// are none any more. `ledger` is the folder in which a hold would be set.
    /// What was being erased before ([`pending`]) must be told by now.
    ///
    /// # Errors
    /// When a hold is set, or a key may still be there.
    pub fn step(&mut self, ledger: &Path) -> Result<Option<Erasing>, CaptureFault> {
        let files = self.table.files();
        if prune::is_held(files, ledger) {
            return Err(CaptureFault::Held);
        }
        let meant = self.next()?;
        if meant.is_empty() {
            return Ok(None);
        }
        let table = self.table.clone();
        let lines: String = meant
            .iter()
            .map(|meant| line(meant.slot.exchange, &meant.place))
            .collect();
        let list = (PathBuf::from(LIST), lines.into_bytes());
        files::put(table.files(), table.folder(), &[list])?;
        let mut gone = Vec::with_capacity(meant.len());
        for meant in &meant {
            // One that is set meanwhile counts from the next key on.
            if prune::is_held(table.files(), ledger) {
                break;
            }
            table.destroy(&meant.slot, &meant.place)?;
            gone.push(meant.slot.exchange);
        }
        Ok(Some(Erasing { table, gone }))
    }

    /// What comes next of those that are meant.
    fn next(&mut self) -> Result<Vec<Meant>, CaptureFault> {
        let mut meant = Vec::new();
        while let Some(place) = self.left.last_mut() {
            let until = self
                .newest
                .as_ref()
                .filter(|(name, _)| *name == place.name)
                .map_or(u64::MAX, |(_, length)| *length);
            let (which, mut reached) = (&self.which, place.at);
            let span = (place.at, until);
            self.table.each(&place.name, span, &mut |place, stands| {
                reached = place.at.saturating_add(SLOT_BYTES as u64);
                if which.means(&stands) {
                    meant.push(Meant::of(place, stands));
                }
                meant.len() < STEP_MAX
            })?;
            if meant.len() >= STEP_MAX {
                place.at = reached;
                break;
            }
            self.left.pop();
        }
        Ok(meant)
    }
}

/// A line of the list: the exchange, and where its key stands.
fn line(exchange: ExchangeId, place: &Place) -> String {
    format!("{exchange} {} {}\n", place.name, place.at)
}

fn listed(line: &str) -> Option<(ExchangeId, Place)> {
    let mut words = line.split(' ');
    let (exchange, name, at) = (words.next()?, words.next()?, words.next()?);
    let place = Place {
        name: name.to_owned(),
        at: at.parse().ok()?,
    };
    Some((exchange.parse().ok()?, place))
}

/// What was being erased when that broke off.
///
/// # Errors
/// When the list is there and cannot be read.
pub fn pending(table: &Table) -> Result<Option<Pending>, CaptureFault> {
    let bytes = match table.files().read(&table.folder().join(LIST)) {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(Pending {
        table: table.clone(),
        listed: text.lines().filter_map(listed).collect(),
    }))
}

impl Pending {
    /// Whose keys.
    pub fn exchanges(&self) -> impl Iterator<Item = ExchangeId> {
        self.listed.iter().map(|(exchange, _)| *exchange)
    }

    /// Goes on with it, unless a hold was set since: then only what is
    /// destroyed already counts.
    ///
    /// # Errors
    /// When a key may still be there.
    pub fn resume(self, ledger: &Path) -> Result<Erasing, CaptureFault> {
        let names = self.table.names()?;
        let mut gone = Vec::new();
        for (exchange, place) in self.listed {
            if !names.contains(&place.name) {
                continue;
            }
            // What stands there now: the key, what is left of it, or nothing.
            let mut meant = None;
            let until = place.at.saturating_add(SLOT_BYTES as u64);
            let span = (place.at, until);
            self.table.each(&place.name, span, &mut |place, stands| {
                meant = match &stands {
                    Stands::Whole(slot) if slot.exchange != exchange => None,
                    Stands::Whole(slot) if slot.held.is_none() => {
                        gone.push(exchange);
                        None
                    }
                    Stands::Whole(_) => Some(Meant::of(place, stands)),
                    Stands::Torn(_) => Some(Meant {
                        slot: placeless(exchange),
                        place,
                    }),
                };
                true
            })?;
            let Some(meant) = meant else { continue };
            if !prune::is_held(self.table.files(), ledger) {
                self.table.destroy(&meant.slot, &meant.place)?;
                gone.push(exchange);
            }
        }
        Ok(Erasing {
            table: self.table,
            gone,
        })
    }
}
