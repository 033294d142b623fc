//! The right edge of a growing tree: the tiles that are not full yet. Full ones
//! leave it.

use terms::Digest;

use super::{Row, TILE_WIDTH, Tile, encode_entry, encode_hashes};
use crate::merkle::{self, Tree};

/// The edge of a tree of some size.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    /// For each level the hashes of its last tile, if that is not full.
    levels: Vec<Vec<Digest>>,
    /// The last bundle, if it is not full.
    bundle: Vec<u8>,
    tree: Tree,
}

/// A tile and its bytes.
pub(crate) type Filled = (Tile, Vec<u8>);

impl Edge {
    /// The edge as it stands in the partial tiles of a tree of this size:
    /// `levels` from 0 up, each as long as its tile is wide.
    pub(crate) fn resume(size: u64, levels: Vec<Vec<Digest>>, bundle: Vec<u8>) -> Self {
        let mut tree = Tree::default();
        for (level, hashes) in levels.iter().enumerate().rev() {
            let height = u32::try_from(8 * level).unwrap_or(u32::MAX);
            for hash in hashes {
                tree.push_subtree(height, *hash);
            }
        }
        Self {
            size,
            levels,
            bundle,
            tree,
        }
    }

    /// Entries of the tree.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The tree itself.
    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Its root.
    pub(crate) fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Adds an entry; the tiles that it fills go to `full`.
    pub(crate) fn push(&mut self, entry: &[u8], full: &mut Vec<Filled>) {
        self.push_known(entry, merkle::leaf_hash(entry), full);
    }

    /// Likewise, with the hash that it was acknowledged with.
    pub(crate) fn push_known(&mut self, entry: &[u8], leaf: Digest, full: &mut Vec<Filled>) {
        encode_entry(entry, &mut self.bundle);
        self.push_leaf(leaf, full);
    }

    /// Adds an entry of which only the hash is known. Its bundle is then not
    /// to be asked for.
    pub(crate) fn push_leaf(&mut self, leaf: Digest, full: &mut Vec<Filled>) {
        self.tree.push_subtree(0, leaf);
        self.size = self.size.saturating_add(1);
        if self.size.is_multiple_of(u64::from(TILE_WIDTH)) {
            let index = self.size / u64::from(TILE_WIDTH) - 1;
            let bytes = std::mem::take(&mut self.bundle);
            full.push((tile(Row::Entries, index), bytes));
        }
        let mut hash = leaf;
        for level in 0..super::LEVELS_MAX {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(at) else {
                return;
            };
            row.push(hash);
            if row.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let hashes = std::mem::take(row);
            let index = (self.size >> (8 * (u32::from(level) + 1))) - 1;
            full.push((tile(Row::Level(level), index), encode_hashes(&hashes)));
            let Some(above) = merkle::subtree(&hashes) else {
                return;
            };
            hash = above;
        }
    }

    /// The newest full tile of each row.
    pub(crate) fn newest_full(&self) -> Vec<Tile> {
        let levels = (0..super::LEVELS_MAX).map(Row::Level);
        let rows = levels.zip(0_u8..).chain([(Row::Entries, 0)]);
        rows.filter_map(|(row, level)| {
            let full = self.size.checked_shr(8 * (u32::from(level) + 1))?;
            Some(tile(row, full.checked_sub(1)?))
        })
        .collect()
    }

    /// The tiles that are not full.
    pub(crate) fn partials(&self) -> Vec<Filled> {
        let mut partials = Vec::new();
        let last = |level: u8| self.size.checked_shr(8 * (u32::from(level) + 1));
        let part = |row, index: Option<u64>, width: usize| Tile {
            row,
            index: index.unwrap_or(0),
            width: u16::try_from(width).unwrap_or(TILE_WIDTH),
        };
        if let Some(leaves) = self.levels.first().filter(|leaves| !leaves.is_empty()) {
            let bundle = part(Row::Entries, last(0), leaves.len());
            partials.push((bundle, self.bundle.clone()));
        }
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            if !hashes.is_empty() {
                let tile = part(Row::Level(level), last(level), hashes.len());
                partials.push((tile, encode_hashes(hashes)));
            }
        }
        partials
    }
}

const fn tile(row: Row, index: u64) -> Tile {
    Tile {
        row,
        index,
        width: TILE_WIDTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::{self, decode_entries, decode_hashes};

    #[test]
    fn tiles_hold_what_the_specification_says_at_every_size() {
        let mut edge = Edge::default();
        let mut tree = Tree::default();
        let mut full = Vec::new();
        for number in 0..70_000_u32 {
            edge.push(&number.to_be_bytes(), &mut full);
            tree.push(&number.to_be_bytes());
            if number % 977 > 1 && number < 69_000 {
                continue;
            }
            let size = edge.size();
            assert_eq!((size, edge.root()), (u64::from(number) + 1, tree.root()));
            for (tile, bytes) in edge.partials() {
                let level = match tile.row {
                    Row::Level(level) => level,
                    Row::Entries => 0,
                };
                assert_eq!(tile::width(size, level, tile.index), Some(tile.width));
                match tile.row {
                    Row::Level(_) => drop(decode_hashes(&bytes, tile.width).unwrap()),
                    Row::Entries => drop(decode_entries(&bytes, tile.width).unwrap()),
                }
            }
        }
        let count = |row| full.iter().filter(|(tile, _)| tile.row == row).count();
        assert_eq!(count(Row::Entries), 273);
        assert_eq!(count(Row::Level(0)), 273);
        assert_eq!(count(Row::Level(1)), 1);
        assert_eq!(count(Row::Level(2)), 0);
        let last = full
            .iter()
            .rfind(|(tile, _)| tile.row == Row::Entries)
            .unwrap();
        assert_eq!(last.0.index, 272);
        let entries = decode_entries(&last.1, 256).unwrap();
        assert_eq!(entries[3], (272 * 256 + 3_u32).to_be_bytes());
    }

    #[test]
    fn an_edge_resumes_from_its_partial_tiles() {
        let mut edge = Edge::default();
        for number in 0..66_000_u32 {
            edge.push(&number.to_be_bytes(), &mut Vec::new());
        }
        let mut again = Edge::resume(edge.size, edge.levels.clone(), edge.bundle.clone());
        assert_eq!(again.root(), edge.root());
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for number in 66_000..66_600_u32 {
            edge.push(&number.to_be_bytes(), &mut one);
            again.push(&number.to_be_bytes(), &mut other);
        }
        assert_eq!(one, other);
        assert_eq!(edge.partials(), again.partials());
        assert_eq!(edge.root(), again.root());
    }
}
