//! The head: a small file that says how far the log is on the disk for
//! certain, so that a log that was cut back or exchanged is not taken for a
//! sound one.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use terms::Digest;
use thiserror::Error;

use crate::{
    files::{self, Files, says},
    merkle::Tree,
    note::Checkpoint,
    open::MARKER,
    publish::{Anchor, CheckpointFault, Unanchored},
    reader::{ReadFault, Rest},
    segment,
};

/// Name of the head's file.
pub const NAME: &str = "head";
/// The next head in the making.
const DRAFT: &str = "head.tmp";
/// First bytes of a head.
const MAGIC: &[u8; 8] = b"mstnhed1";
/// Bytes of a head: magic, entries, state, root, checksum.
pub const HEAD_BYTES: usize = 56;

/// How far a log is on the disk for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Entries that it covers. While the log is open there may be more.
    pub entries: u64,
    /// Root of the Merkle tree (RFC 6962) over them.
    pub root: Digest,
    /// Whether the log was closed with these entries and no others.
    pub closed: bool,
}

impl Head {
    /// The head of a log that has no entry yet.
    pub(crate) fn first() -> Self {
        Self {
            entries: 0,
            root: Tree::default().root(),
            closed: true,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.entries.to_le_bytes());
        bytes.extend_from_slice(&u32::from(self.closed).to_le_bytes());
        bytes.extend_from_slice(&self.root.0);
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a head; `None` if these bytes are not as one was written.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, sum) = bytes.split_last_chunk::<4>()?;
        if bytes.len() != HEAD_BYTES || crc32c::crc32c(covered) != u32::from_le_bytes(*sum) {
            return None;
        }
        let rest = covered.strip_prefix(MAGIC.as_slice())?;
        let (entries, rest) = rest.split_first_chunk::<8>()?;
        let (state, rest) = rest.split_first_chunk::<4>()?;
        let closed = match u32::from_le_bytes(*state) {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self {
            entries: u64::from_le_bytes(*entries),
            root: Digest(rest.try_into().ok()?),
            closed,
        })
    }

    /// Brings it to the disk in place of the one before: after a crash the
    /// old one is there or the new one, never a mix.
    pub(crate) fn write(&self, files: &dyn Files, folder: &Path) -> io::Result<()> {
        let draft = folder.join(DRAFT);
        let mut file = files::fresh(files, &draft, 0)?;
        file.append(&self.encode())?;
        file.sync()?;
        drop(file);
        files.rename(&draft, &folder.join(NAME))?;
        files.sync_folder(folder)
    }
}

/// Why a log and its head do not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadFault {
    /// The folder or the head cannot be read.
    #[error("the folder or its file `head` cannot be read: {}", says(*.0))]
    Unreadable(ErrorKind),
    /// There are segments, or the mark of a running gate, and no head.
    #[error("the file `head` is missing: it is there as soon as there is a log")]
    Missing,
    /// The head is not as it was written.
    #[error("the file `head` is not as it was written")]
    Damaged,
    /// Entries are missing at the end.
    #[error(
        "the log has {found} entries, but {expected} were on the disk for certain: the last ones are missing"
    )]
    Short {
        /// Entries that the head covers.
        expected: u64,
        /// Entries that are there.
        found: u64,
    },
    /// Another log stands there.
    #[error("the first {0} entries are not those that were written: a part was exchanged")]
    Other(u64),
    /// Something was added while nobody had the log.
    #[error("the log was closed with {expected} entries and has {found} now: some were added")]
    Longer {
        /// Entries that the head covers.
        expected: u64,
        /// Entries that are there.
        found: u64,
    },
}

/// The first thing that is wrong with a log, seen from its head.
#[derive(Debug)]
pub(crate) enum Misfit {
    Read(ReadFault),
    Head(HeadFault),
    Checkpoint(CheckpointFault),
}

impl From<Unanchored> for Misfit {
    fn from(fault: Unanchored) -> Self {
        match fault {
            Unanchored::Torn(rest) => Self::Read(rest.fault),
            Unanchored::Checkpoint(fault) => Self::Checkpoint(fault),
        }
    }
}

/// The head of the log in a folder; `None` where no log was begun yet.
pub(crate) fn of(files: &dyn Files, folder: &Path) -> Result<Option<Head>, HeadFault> {
    let unreadable = |error: io::Error| HeadFault::Unreadable(error.kind());
    // Listed first: a log that is just being begun has a head before it has
    // anything else.
    let names = files.list(folder).map_err(unreadable)?;
    match files.read(&folder.join(NAME)) {
        Ok(bytes) => Head::decode(&bytes).map(Some).ok_or(HeadFault::Damaged),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let begun = names
                .iter()
                .any(|name| name == MARKER || segment::is_named_as_one(name));
            if begun {
                return Err(HeadFault::Missing);
            }
            Ok(None)
        }
        Err(error) => Err(unreadable(error)),
    }
}

/// Holds a log, entry by entry, against its head and its checkpoint.
#[derive(Debug)]
pub(crate) struct Against {
    head: Option<Head>,
    anchor: Anchor,
    tree: Tree,
    entries: u64,
    /// The root when there were as many entries as the head covers.
    root: Option<Digest>,
}

impl Against {
    /// `tree` is the one over the entries before `first`, the first that is
    /// still there.
    pub(crate) fn new(
        head: Option<Head>,
        checkpoint: Option<Checkpoint>,
        first: u64,
        tree: Tree,
    ) -> Self {
        let mut against = Self {
            head,
            anchor: Anchor::new(checkpoint),
            tree,
            entries: first,
            root: None,
        };
        against.look();
        against
    }

    pub(crate) fn push(&mut self, payload: &[u8]) {
        self.tree.push(payload);
        self.entries = self.entries.saturating_add(1);
        self.look();
    }

    fn look(&mut self) {
        if self.head.is_some_and(|head| head.entries == self.entries) {
            self.root = Some(self.tree.root());
        }
        self.anchor.look(self.entries, &self.tree);
    }

    /// Entries so far.
    pub(crate) const fn entries(&self) -> u64 {
        self.entries
    }

    /// The tree over all entries so far.
    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Judges the log at its end. `rest` is what stands after the last entry,
    /// `now` the head as it is after the log was read: who reads beside a
    /// running gate may see it change.
    pub(crate) fn judge(&self, rest: Option<&Rest>, now: Option<Head>) -> Result<(), Misfit> {
        self.anchor.judge(self.entries, rest)?;
        let Some(head) = self.head else {
            return Ok(());
        };
        let (expected, found) = (head.entries, self.entries);
        match (self.root, rest) {
            (Some(root), _) if root == head.root => {}
            (Some(_), _) => return Err(Misfit::Head(HeadFault::Other(expected))),
            (None, Some(rest)) => return Err(Misfit::Read(rest.fault.clone())),
            (None, None) => return Err(Misfit::Head(HeadFault::Short { expected, found })),
        }
        if !head.closed || now != self.head {
            return Ok(());
        }
        match rest {
            // Nobody was writing, so no write can have been cut off.
            Some(rest) => Err(Misfit::Read(rest.fault.clone())),
            None if found > expected => Err(Misfit::Head(HeadFault::Longer { expected, found })),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_one_changed_bit_does_not() {
        let head = Head {
            entries: 0x0102_0304,
            root: Digest([7; 32]),
            closed: true,
        };
        let bytes = head.encode();
        assert_eq!(bytes.len(), HEAD_BYTES);
        assert_eq!(Head::decode(&bytes), Some(head));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(Head::decode(&changed), None);
            }
            assert_eq!(Head::decode(&bytes[..at]), None);
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Head::decode(&longer), None);
    }
}
