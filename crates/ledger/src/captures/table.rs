//! The table of keys as it lies in its files: searched, and its slots
//! overwritten.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::{ExchangeId, KeyId};

use super::{CaptureFault, SEALED_BYTES_MAX, SLOT_BYTES, Slot, slot::Held};
use crate::files::{Files, is_absent};

/// How a file of slots ends.
pub(super) const SLOTS: &str = "keys";
/// How the file with their sealed bytes ends.
pub(super) const SEALED: &str = "sealed";
/// LIMIT: slots that are read at once.
const READ_SLOTS: usize = 2_048;

/// Which slots are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// That of one exchange.
    Exchange(ExchangeId),
    /// Those of a virtual key.
    Key(KeyId),
    /// Those of a person, by the mark.
    Person([u8; 32]),
}

/// A slot and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The slot.
    pub slot: Slot,
    file: PathBuf,
    at: u64,
}

/// What is kept in a folder.
#[derive(Debug, Clone)]
pub struct Table {
    files: Arc<dyn Files>,
    folder: PathBuf,
}

impl Table {
    /// The table of a folder, which need not be there.
    #[must_use]
    pub fn new(files: Arc<dyn Files>, folder: PathBuf) -> Self {
        Self { files, folder }
    }

    pub(super) fn files(&self) -> &dyn Files {
        &*self.files
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Free space where it is.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn free_bytes(&self) -> Result<u64, CaptureFault> {
        Ok(self.files.free_bytes(&self.folder)?)
    }

    /// The slot of an exchange; also one whose key is erased.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn find(&self, exchange: ExchangeId) -> Result<Option<Found>, CaptureFault> {
        let mut found = None;
        let names = self.names()?;
        // Kept when it ended, so hardly in a file that was full before it
        // arrived; but clocks are put back now and then.
        let first = names
            .iter()
            .rposition(|name| made_ms(name) <= exchange.at_ms())
            .unwrap_or_default();
        let (before, after) = names.split_at_checked(first).unwrap_or_default();
        for name in after.iter().chain(before) {
            self.each(name, &mut |slot| {
                if slot.slot.exchange == exchange {
                    found = Some(slot);
                }
                found.is_none()
            })?;
            if found.is_some() {
                break;
            }
        }
        Ok(found)
    }

    /// At most so many slots whose keys are still there.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn held(&self, which: &Which, most: usize) -> Result<Vec<Found>, CaptureFault> {
        if let Which::Exchange(exchange) = which {
            let found = self.find(*exchange)?;
            return Ok(found
                .into_iter()
                .filter(|found| found.slot.held.is_some())
                .collect());
        }
        let fits = |held: &Held| match which {
            Which::Exchange(_) => false,
            Which::Key(key) => held.key == *key,
            Which::Person(person) => held.person == *person,
        };
        let mut all = Vec::new();
        for name in self.names()? {
            self.each(&name, &mut |found| {
                if found.slot.held.as_ref().is_some_and(fits) {
                    all.push(found);
                }
                all.len() < most
            })?;
            if all.len() >= most {
                break;
            }
        }
        Ok(all)
    }

    /// The sealed bytes that a slot points to.
    ///
    /// # Errors
    /// When they are not there.
    pub fn sealed(&self, found: &Found) -> Result<Vec<u8>, CaptureFault> {
        let length = usize::try_from(found.slot.length).unwrap_or(usize::MAX);
        if length > SEALED_BYTES_MAX {
            return Err(CaptureFault::Missing);
        }
        let path = found.file.with_extension(SEALED);
        let bytes = self.files.read_from(&path, found.slot.offset, length)?;
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(CaptureFault::Missing)
        }
    }

    /// Overwrites a slot's key; gone from the disk when it returns.
    ///
    /// # Errors
    /// When it may still be there.
    pub(super) fn destroy(&self, found: &Found) -> Result<(), CaptureFault> {
        let erased = Slot {
            held: None,
            ..found.slot.clone()
        };
        self.files
            .overwrite(&found.file, found.at, &erased.to_bytes())?;
        Ok(())
    }

    /// Files of slots, the oldest first.
    fn names(&self) -> Result<Vec<String>, CaptureFault> {
        let names = match self.files.list(&self.folder) {
            Ok(names) => names,
            Err(error) if is_absent(&error) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(names
            .into_iter()
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == SLOTS))
            .collect())
    }

    /// Shows the slots of a file until it is told to stop. A slot that cannot
    /// be read holds nothing that could be opened: its write was cut off
    /// before it was acknowledged, or it is damaged.
    fn each(&self, name: &str, show: &mut dyn FnMut(Found) -> bool) -> Result<(), CaptureFault> {
        let file = self.folder.join(name);
        let mut at = 0;
        loop {
            let bytes = self.files.read_from(&file, at, READ_SLOTS * SLOT_BYTES)?;
            let (slots, _) = bytes.as_chunks::<SLOT_BYTES>();
            for bytes in slots {
                let place = at;
                at += SLOT_BYTES as u64;
                let Ok(slot) = Slot::read(bytes) else {
                    continue;
                };
                let found = Found {
                    slot,
                    file: file.clone(),
                    at: place,
                };
                if !show(found) {
                    return Ok(());
                }
            }
            if slots.len() < READ_SLOTS {
                return Ok(());
            }
        }
    }
}

/// When a file was made, as its name says.
fn made_ms(name: &str) -> u64 {
    let digits = name.split(['-', '.']).next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}
