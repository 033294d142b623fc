//! The table of keys as it lies in its files: searched, and its slots
//! overwritten.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::{ExchangeId, KeyId};

use super::{CaptureFault, SEALED_BYTES_MAX, SLOT_BYTES, Slot, slot::Torn};
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

impl Which {
    /// Whether this is one of them, with its key still there, as far as that
    /// can be told.
    pub(super) fn means(&self, stands: &Stands<'_>) -> bool {
        match (self, stands) {
            (_, Stands::Whole(Slot { held: None, .. })) => false,
            (_, Stands::Torn(torn)) if !torn.may_hold_key() => false,
            (Self::Exchange(exchange), Stands::Whole(slot)) => slot.exchange == *exchange,
            (Self::Exchange(exchange), Stands::Torn(torn)) => torn.exchange() == *exchange,
            (Self::Key(key), Stands::Whole(slot)) => {
                slot.held.as_ref().is_some_and(|held| held.key == *key)
            }
            (Self::Key(key), Stands::Torn(torn)) => torn.is_of_key(key),
            (Self::Person(person), Stands::Whole(slot)) => slot
                .held
                .as_ref()
                .is_some_and(|held| held.person == *person),
            (Self::Person(person), Stands::Torn(torn)) => torn.is_of_person(person),
        }
    }
}

/// A slot and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The slot.
    pub slot: Slot,
    pub(super) place: Place,
}

/// Where a slot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Name of the file.
    pub(super) name: String,
    /// Where in it.
    pub(super) at: u64,
}

/// What stands at a place.
pub(super) enum Stands<'a> {
    /// A slot.
    Whole(Slot),
    /// Bytes that are none: a write that was cut off, or damage.
    Torn(Torn<'a>),
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
            self.each(name, (0, u64::MAX), &mut |place, stands| {
                match stands {
                    Stands::Whole(slot) if slot.exchange == exchange => {
                        found = Some(Found { slot, place });
                    }
                    Stands::Whole(_) | Stands::Torn(_) => {}
                }
                found.is_none()
            })?;
            if found.is_some() {
                break;
            }
        }
        Ok(found)
    }

    /// Whether what was found stands there still, key and all.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn is_held(&self, found: &Found) -> Result<bool, CaptureFault> {
        let path = self.folder.join(&found.place.name);
        let bytes = self.files.read_from(&path, found.place.at, SLOT_BYTES)?;
        let bytes = bytes.as_slice().try_into();
        let now = bytes.ok().and_then(|bytes| Slot::read(bytes).ok());
        Ok(now.is_some_and(|slot| slot.held.is_some() && slot == found.slot))
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
        let path = self.folder.join(&found.place.name);
        let path = path.with_extension(SEALED);
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
    pub(super) fn destroy(&self, slot: &Slot, place: &Place) -> Result<(), CaptureFault> {
        let erased = Slot {
            held: None,
            ..slot.clone()
        };
        let path = self.folder.join(&place.name);
        self.files.overwrite(&path, place.at, &erased.to_bytes())?;
        Ok(())
    }

    /// Files of slots, the oldest first.
    pub(super) fn names(&self) -> Result<Vec<String>, CaptureFault> {
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

    /// Shows what stands in a file, from one byte to another, until it is told
    /// to stop. What is no slot holds nothing that could be opened.
    pub(super) fn each(
        &self,
        name: &str,
        (from, until): (u64, u64),
        show: &mut dyn FnMut(Place, Stands<'_>) -> bool,
    ) -> Result<(), CaptureFault> {
        let file = self.folder.join(name);
        let mut at = from;
        while at < until {
            let bytes = self.files.read_from(&file, at, READ_SLOTS * SLOT_BYTES)?;
            for bytes in bytes.chunks(SLOT_BYTES) {
                let place = Place {
                    name: name.to_owned(),
                    at,
                };
                at += SLOT_BYTES as u64;
                // A write that was cut off may end inside a slot.
                let mut whole = [0; SLOT_BYTES];
                for (to, from) in whole.iter_mut().zip(bytes) {
                    *to = *from;
                }
                let torn = Torn::new(&whole);
                let stands = Slot::read(&whole).map_or(Stands::Torn(torn), Stands::Whole);
                let is_blank = matches!(&stands, Stands::Torn(torn) if torn.is_blank());
                if !is_blank && !show(place, stands) {
                    return Ok(());
                }
                if at >= until {
                    return Ok(());
                }
            }
            if bytes.len() < READ_SLOTS * SLOT_BYTES {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// When a file was made, as its name says.
fn made_ms(name: &str) -> u64 {
    let digits = name.split(['-', '.']).next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}
