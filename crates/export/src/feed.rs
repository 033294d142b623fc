//! Reads the published log for exports: entries that a signed checkpoint
//! covers, each held against its hash. What is not published yet does not go
//! out, so that nothing is ever told that the log could still lose.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledger::{
    CheckpointFault,
    files::Files,
    merkle::leaf_hash,
    note::VerifierKey,
    prune,
    publish::{FOLDER, checkpoint_of},
    tile::{Shelf, ShelfFault, TILE_WIDTH},
};
use terms::{Digest, Leaf};
use thiserror::Error;

use crate::event::LogName;

/// LIMIT: looks at a bundle of a log that grows meanwhile.
const LOOKS_MAX: usize = 8;

/// Why the log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FeedFault {
    /// The checkpoint cannot be used.
    #[error("the log's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointFault),
    /// A part of the published log cannot be used.
    #[error("the published log: {0}")]
    Shelf(#[from] ShelfFault),
    /// An entry is not the one that the log is committed to.
    #[error("entry {0} of the published log is not as it was written; it is not sent")]
    Damaged(u64),
    /// An entry is none that this build knows.
    #[error("entry {0} is not a record of a version that this merestone knows")]
    Record(u64),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number.
    pub sequence: u64,
    /// The record.
    pub leaf: Arc<Leaf>,
    /// Its length in the log, bytes.
    pub bytes: usize,
}

/// A log that can be read in order.
pub trait Log: Send + Debug {
    /// Its name.
    fn name(&self) -> &Arc<LogName>;
    /// Entries that can be read and will stay.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn size(&mut self) -> Result<u64, FeedFault>;
    /// The first entry that is there; those before were pruned.
    fn first(&self) -> u64;
    /// Hash of an entry; known of pruned ones, too.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn leaf_hash(&mut self, sequence: u64) -> Result<Digest, FeedFault>;
    /// Entries from one on, at least one, at most so many and about so many
    /// bytes, before `until`, which is at most the size.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn read(
        &mut self,
        from: u64,
        until: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Item>, FeedFault>;
}

/// The published log of a node.
#[derive(Debug)]
pub struct Feed {
    files: Arc<dyn Files>,
    ledger: PathBuf,
    key: VerifierKey,
    name: Arc<LogName>,
}

impl Feed {
    /// The log in the ledger's folder, whose checkpoints this key signs.
    #[must_use]
    pub fn new(files: Arc<dyn Files>, ledger: &Path, key: VerifierKey) -> Self {
        Self {
            files,
            ledger: ledger.to_owned(),
            name: Arc::new(LogName::new(key.name())),
            key,
        }
    }

    fn shelf(&self, size: u64) -> Shelf {
        Shelf::new(Arc::clone(&self.files), &self.ledger.join(FOLDER), size)
    }

    /// What is published from an entry on to the end of its bundle. Only the
    /// trees of checkpoints have their tiles, and what is not full goes when
    /// the full one is there: then the log has grown.
    fn published(&mut self, from: u64) -> Result<Vec<Item>, FeedFault> {
        let mut size = self.size()?;
        for _ in 0..LOOKS_MAX {
            let found = self.bundle(from, size);
            if !matches!(found, Err(FeedFault::Shelf(_))) {
                return found;
            }
            let grown = self.size()?;
            if grown == size {
                return found;
            }
            size = grown;
        }
        self.bundle(from, size)
    }

    fn bundle(&self, from: u64, size: u64) -> Result<Vec<Item>, FeedFault> {
        let width = u64::from(TILE_WIDTH);
        let (index, before) = (from / width, from % width);
        let shelf = self.shelf(size);
        let (hashes, entries) = (shelf.hashes(0, index)?, shelf.entries(index)?);
        let skip = usize::try_from(before).unwrap_or(usize::MAX);
        let pairs = entries.iter().zip(&hashes).skip(skip);
        let numbered = (from..).zip(pairs);
        numbered
            .map(|(sequence, (entry, hash))| {
                if leaf_hash(entry) != *hash {
                    return Err(FeedFault::Damaged(sequence));
                }
                let leaf = serde_json::from_slice(entry);
                Ok(Item {
                    sequence,
                    leaf: Arc::new(leaf.map_err(|_| FeedFault::Record(sequence))?),
                    bytes: entry.len(),
                })
            })
            .collect()
    }
}

impl Log for Feed {
    fn name(&self) -> &Arc<LogName> {
        &self.name
    }

    fn size(&mut self) -> Result<u64, FeedFault> {
        let checkpoint = checkpoint_of(&*self.files, &self.ledger, Some(&self.key))?;
        Ok(checkpoint.map_or(0, |checkpoint| checkpoint.size))
    }

    fn first(&self) -> u64 {
        prune::minimum(&*self.files, &self.ledger.join(FOLDER))
    }

    fn leaf_hash(&mut self, sequence: u64) -> Result<Digest, FeedFault> {
        // The tile of a tree that is just large enough may be gone, its full
        // one is not: any size that the log has had will do.
        let size = self.size()?;
        Ok(self.shelf(size).leaf(sequence)?)
    }

    fn read(
        &mut self,
        from: u64,
        until: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Item>, FeedFault> {
        let mut items: Vec<Item> = Vec::new();
        let mut bytes: usize = 0;
        let mut next = from;
        while next < until && items.len() < count_max && bytes < bytes_max {
            for item in self.published(next)? {
                let full = items.len() >= count_max || (bytes >= bytes_max && !items.is_empty());
                if full || item.sequence >= until {
                    break;
                }
                bytes = bytes.saturating_add(item.bytes);
                next = item.sequence + 1;
                items.push(item);
            }
        }
        Ok(items)
    }
}
