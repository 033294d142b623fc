//! The published tiles in a folder, read without trust, and the proofs that
//! they give.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::Digest;
use thiserror::Error;

use super::{Row, TILE_WIDTH, Tile, TileFault, decode_entries, decode_hashes, width};
use crate::{
    files::{Files, says},
    merkle::{self, Ranges, Tree},
};

/// LIMIT: tiles that are kept in memory.
const KEPT_MAX: usize = 64;

/// Why a tile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShelfFault {
    /// It is not there or cannot be read.
    #[error("{path} cannot be read: {}", says(*.kind))]
    Unreadable {
        /// The tile.
        path: String,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// It is not as a tile is.
    #[error("{path} is not as it was written: {fault}")]
    Form {
        /// The tile.
        path: String,
        /// Why.
        fault: TileFault,
    },
    /// The tree has no such part.
    #[error("the log of {size} entries has no entry {index}")]
    Beyond {
        /// The tree's size.
        size: u64,
        /// What was asked for.
        index: u64,
    },
}

/// The tiles of a tree of one size.
#[derive(Debug)]
pub struct Shelf {
    files: Arc<dyn Files>,
    folder: PathBuf,
    size: u64,
    kept: BTreeMap<(u8, u64), Vec<Digest>>,
}

impl Shelf {
    /// The tiles below a folder, for a tree of this size.
    #[must_use]
    pub fn new(files: Arc<dyn Files>, folder: &Path, size: u64) -> Self {
        Self {
            files,
            folder: folder.to_owned(),
            size,
            kept: BTreeMap::new(),
        }
    }

    /// The size that it is for.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tile at a place of this tree.
    pub(crate) fn tile(&self, row: Row, index: u64) -> Option<Tile> {
        let level = match row {
            Row::Level(level) => level,
            Row::Entries => 0,
        };
        let width = width(self.size, level, index)?;
        Some(Tile { row, index, width })
    }

    /// The bytes of a tile: of the file that has exactly its width, or, where
    /// the log has grown and thrown that away, of the full one.
    pub(crate) fn bytes(&self, tile: &Tile) -> Result<Vec<u8>, ShelfFault> {
        let unreadable = |error: io::Error| ShelfFault::Unreadable {
            path: tile.path().display().to_string(),
            kind: error.kind(),
        };
        match self.files.read(&self.folder.join(tile.path())) {
            Err(error)
                if tile.width < TILE_WIDTH
                    && matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
            {
                let full = Tile {
                    width: TILE_WIDTH,
                    ..*tile
                };
                self.files
                    .read(&self.folder.join(full.path()))
                    .map_err(|_| unreadable(error))
            }
            read => read.map_err(unreadable),
        }
    }

    fn beyond(&self, index: u64) -> ShelfFault {
        ShelfFault::Beyond {
            size: self.size,
            index,
        }
    }

    /// The hashes of a tile.
    ///
    /// # Errors
    /// When its tile is not there or not as it was written.
    pub fn hashes(&self, level: u8, index: u64) -> Result<Vec<Digest>, ShelfFault> {
        let tile = self
            .tile(Row::Level(level), index)
            .ok_or_else(|| self.beyond(index))?;
        let bytes = self.bytes(&tile)?;
        decode_hashes(&bytes, tile.width).map_err(|fault| form(&tile, fault))
    }

    /// The entries of a bundle.
    ///
    /// # Errors
    /// When its tile is not there or not as it was written.
    pub fn entries(&self, index: u64) -> Result<Vec<Vec<u8>>, ShelfFault> {
        let tile = self
            .tile(Row::Entries, index)
            .ok_or_else(|| self.beyond(index))?;
        let bytes = self.bytes(&tile)?;
        let entries = decode_entries(&bytes, tile.width).map_err(|fault| form(&tile, fault))?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// One entry's bytes.
    ///
    /// # Errors
    /// When its bundle is not there or not as it was written.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, ShelfFault> {
        if index >= self.size {
            return Err(self.beyond(index));
        }
        let width = u64::from(TILE_WIDTH);
        let mut entries = self.entries(index / width)?;
        let at = usize::try_from(index % width).unwrap_or(usize::MAX);
        if at < entries.len() {
            Ok(entries.swap_remove(at))
        } else {
            Err(self.beyond(index))
        }
    }

    /// The root of the tree over the first `size` entries.
    ///
    /// # Errors
    /// When a tile that it is made of cannot be used.
    pub fn root(&mut self, size: u64) -> Result<Digest, ShelfFault> {
        if size == 0 {
            return Ok(Tree::default().root());
        }
        self.range(0, size)
    }

    /// The proof that entry `index` is in this tree.
    ///
    /// # Errors
    /// When a tile that it is made of cannot be used.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Digest>, ShelfFault> {
        if index >= self.size {
            return Err(self.beyond(index));
        }
        let size = self.size;
        merkle::inclusion(self, index, size)
    }

    /// The proof that the tree over the first `old` entries is the beginning
    /// of this one.
    ///
    /// # Errors
    /// When a tile that it is made of cannot be used.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Digest>, ShelfFault> {
        if old > self.size {
            return Err(self.beyond(old));
        }
        let size = self.size;
        merkle::consistency(self, old, size)
    }

    /// Hash of one entry.
    ///
    /// # Errors
    /// When its tile is not there or not as it was written.
    pub fn leaf(&mut self, index: u64) -> Result<Digest, ShelfFault> {
        self.full(0, index)
    }

    /// Hash of a full tile, as it stands in the level above.
    pub(crate) fn full_tile(&mut self, level: u8, index: u64) -> Result<Digest, ShelfFault> {
        self.full(8 * (u32::from(level) + 1), index)
    }

    /// The tree over the first `size` entries.
    pub(crate) fn tree(&mut self, size: u64) -> Result<Tree, ShelfFault> {
        let mut tree = Tree::default();
        let mut at = 0;
        while at < size {
            let height = (size - at).ilog2();
            tree.push_subtree(height, self.full(height, at >> height)?);
            at += 1 << height;
        }
        Ok(tree)
    }

    /// Root of a full subtree of 2^height entries.
    fn full(&mut self, height: u32, index: u64) -> Result<Digest, ShelfFault> {
        // A full tile's own root is a hash of the level above.
        let (level, inside) = (height / 8, height % 8);
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let count = 1_u64 << inside;
        let first = index * count;
        let place = (level, first / u64::from(TILE_WIDTH));
        if !self.kept.contains_key(&place) {
            let hashes = self.hashes(place.0, place.1)?;
            if self.kept.len() >= KEPT_MAX {
                self.kept.pop_first();
            }
            self.kept.insert(place, hashes);
        }
        let from = usize::try_from(first % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        let to = from.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        self.kept
            .get(&place)
            .and_then(|hashes| merkle::subtree(hashes.get(from..to)?))
            .ok_or_else(|| self.beyond(first))
    }
}

fn form(tile: &Tile, fault: TileFault) -> ShelfFault {
    ShelfFault::Form {
        path: tile.path().display().to_string(),
        fault,
    }
}

impl Ranges for Shelf {
    type Fault = ShelfFault;

    fn range(&mut self, start: u64, end: u64) -> Result<Digest, ShelfFault> {
        if end > self.size || start >= end {
            return Err(self.beyond(end));
        }
        // Full subtrees from left to right, each smaller than the one before.
        let mut tree = Tree::default();
        let mut at = start;
        while at < end {
            let height = (end - at).ilog2();
            tree.push_subtree(height, self.full(height, at >> height)?);
            at += 1 << height;
        }
        Ok(tree.root())
    }
}
