//! How far a sink has confirmed. The cursor is the only state of an export; it
//! never runs ahead of what was confirmed or set aside.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use terms::Digest;
use thiserror::Error;

use crate::{
    durable,
    feed::{FeedFault, Log},
};

/// The version that this build writes.
const VERSION: u8 = 1;
/// LIMIT: bytes of a cursor's file.
const FILE_BYTES_MAX: u64 = 4_096;

/// Where a sink that is new begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Begin {
    /// With the oldest entry that is there.
    #[default]
    Oldest,
    /// With what comes after its first start.
    Now,
}

/// How far a sink has confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    v: u8,
    /// Origin of the log.
    pub log: String,
    /// The first entry that is not done.
    pub next: u64,
    /// Hash of the entry before it, as the log has it.
    pub leaf: Option<Digest>,
    /// Events that were confirmed so far.
    pub delivered: u64,
    /// Events that were set aside so far.
    pub set_aside: u64,
    /// Entries that were pruned before they were sent.
    pub pruned: u64,
}

/// Why a cursor cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CursorFault {
    /// Its file cannot be read or written.
    #[error("the cursor's file cannot be used: {0}")]
    Io(io::ErrorKind),
    /// It is not one.
    #[error("the cursor's file is damaged; remove it to begin anew, with the same names of events")]
    Form,
    /// It is one of another log.
    #[error(
        "the cursor is one of another log; remove it to begin anew, or put the right state folder back"
    )]
    OtherLog,
    /// The log has fewer entries, or others, than were delivered.
    #[error(
        "the log does not hold what was already delivered before entry {0}: it was put back or exchanged"
    )]
    OtherEntries(u64),
    /// The log cannot be read.
    #[error("{0}")]
    Feed(#[from] FeedFault),
}

impl From<io::Error> for CursorFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl Cursor {
    /// Where the cursor of a sink stands in the folder of cursors.
    #[must_use]
    pub fn path(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}.cursor"))
    }

    /// The cursor that is there; `None` before the first start.
    ///
    /// # Errors
    /// When the file is there and is no cursor.
    pub fn read(folder: &Path, name: &str) -> Result<Option<Self>, CursorFault> {
        let Some(bytes) = durable::read(&Self::path(folder, name), FILE_BYTES_MAX)? else {
            return Ok(None);
        };
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|_| CursorFault::Form)?;
        if cursor.v == VERSION {
            Ok(Some(cursor))
        } else {
            Err(CursorFault::Form)
        }
    }

    /// A cursor of a sink that is new.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn begin(log: &mut dyn Log, begin: Begin) -> Result<Self, FeedFault> {
        let next = match begin {
            Begin::Oldest => 0,
            Begin::Now => log.size()?,
        };
        let leaf = match next.checked_sub(1) {
            Some(last) => Some(log.leaf_hash(last)?),
            None => None,
        };
        Ok(Self {
            v: VERSION,
            log: log.name().origin().to_owned(),
            next,
            leaf,
            delivered: 0,
            set_aside: 0,
            pruned: 0,
        })
    }

    /// That it is one of this log, and that the log still holds what was
    /// delivered.
    ///
    /// # Errors
    /// When not.
    pub fn check(&self, log: &mut dyn Log) -> Result<(), CursorFault> {
        if self.log != log.name().origin() {
            return Err(CursorFault::OtherLog);
        }
        if log.size()? < self.next {
            return Err(CursorFault::OtherEntries(self.next));
        }
        let leaf = match self.next.checked_sub(1) {
            Some(last) => Some(log.leaf_hash(last)?),
            None => None,
        };
        if leaf == self.leaf {
            Ok(())
        } else {
            Err(CursorFault::OtherEntries(self.next))
        }
    }

    /// Writes it; on the disk when it returns.
    ///
    /// # Errors
    /// When it may not be.
    pub fn write(&self, folder: &Path, name: &str) -> Result<(), CursorFault> {
        let mut bytes = serde_json::to_vec(self).map_err(|_| CursorFault::Form)?;
        bytes.push(b'\n');
        Ok(durable::write(&Self::path(folder, name), &bytes)?)
    }
}
