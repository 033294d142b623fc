//! Erasing: keys are destroyed, and the log is told. A crash between the two
//! is made good at the next start, from a list that is written first.

use std::path::PathBuf;

use terms::ExchangeId;

use super::{CaptureFault, Table, Which};
use crate::{
    files::{self, is_absent},
    prune,
};

/// Name of the list of what is being erased.
const LIST: &str = "erasing";
/// LIMIT: exchanges that are erased in one step.
const STEP_MAX: usize = 1_024;

/// One step of an erasure: these keys are destroyed, and the log must be told
/// of each before the step is done.
#[derive(Debug)]
#[must_use = "the log has to be told"]
pub struct Erasing {
    table: Table,
    /// Whose keys are gone.
    pub gone: Vec<ExchangeId>,
}

/// What an earlier process was erasing when it ended.
#[derive(Debug)]
pub struct Pending {
    table: Table,
    listed: Vec<ExchangeId>,
}

impl Erasing {
    /// The log was told of all of them.
    ///
    /// # Errors
    /// When the list cannot be removed; it is told again at the next start.
    pub fn told(self) -> Result<(), CaptureFault> {
        let (files, folder) = (self.table.files(), self.table.folder());
        files.remove(&folder.join(LIST))?;
        files.sync_folder(folder)?;
        Ok(())
    }
}

impl Table {
    /// Destroys the keys of at most a thousand exchanges; `None` when there
    /// are none any more. `ledger` is the folder in which a hold would be set.
    ///
    /// # Errors
    /// When a hold is set, or a key may still be there.
    pub fn erase(
        &self,
        ledger: &std::path::Path,
        which: &Which,
    ) -> Result<Option<Erasing>, CaptureFault> {
        if prune::is_held(self.files(), ledger) {
            return Err(CaptureFault::Held);
        }
        let found = self.held(which, STEP_MAX)?;
        if found.is_empty() {
            return Ok(None);
        }
        let lines: String = found
            .iter()
            .map(|found| format!("{}\n", found.slot.exchange))
            .collect();
        let list = (PathBuf::from(LIST), lines.into_bytes());
        files::put(self.files(), self.folder(), &[list])?;
        for found in &found {
            self.destroy(found)?;
        }
        Ok(Some(Erasing {
            table: self.clone(),
            gone: found.iter().map(|found| found.slot.exchange).collect(),
        }))
    }
}

/// What was being erased when the last process ended.
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
        listed: text.lines().filter_map(|line| line.parse().ok()).collect(),
    }))
}

impl Pending {
    /// Goes on with it, unless a hold was set since: then only what is
    /// destroyed already counts.
    ///
    /// # Errors
    /// When a key may still be there.
    pub fn resume(self, ledger: &std::path::Path) -> Result<Erasing, CaptureFault> {
        let held = prune::is_held(self.table.files(), ledger);
        let mut gone = Vec::new();
        for exchange in self.listed {
            let Some(found) = self.table.find(exchange)? else {
                continue;
            };
            if found.slot.held.is_some() {
                if held {
                    continue;
                }
                self.table.destroy(&found)?;
            }
            gone.push(exchange);
        }
        Ok(Erasing {
            table: self.table,
            gone,
        })
    }
}
