//! Tiles: the parts of a published log, by c2sp.org/tlog-tiles. Each tile is a
//! file of up to 256 hashes or entries.

pub(crate) mod edge;
mod shelf;

use std::path::PathBuf;

use terms::Digest;
use thiserror::Error;

use crate::canonical::LEAF_BYTES_MAX;

pub use shelf::{Shelf, ShelfFault};

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Levels that a tree below 2^64 entries can have.
pub const LEVELS_MAX: u8 = 8;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// Which row of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// Hashes; each stands for 256^level entries.
    Level(u8),
    /// The entries themselves.
    Entries,
}

/// One tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// Its row.
    pub row: Row,
    /// Its place in the row, from 0.
    pub index: u64,
    /// How many hashes or entries it holds, 1 to 256; below 256 it is partial.
    pub width: u16,
}

impl Tile {
    /// Where it stands below the log's folder.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let mut path = self.stem();
        if self.width < TILE_WIDTH {
            path.push_str(&format!(".p/{}", self.width));
        }
        PathBuf::from(path)
    }

    /// The folder of the partial tiles of this place.
    #[must_use]
    pub fn partials(&self) -> PathBuf {
        PathBuf::from(format!("{}.p", self.stem()))
    }

    fn stem(&self) -> String {
        let mut path = match self.row {
            Row::Level(level) => format!("tile/{level}/"),
            Row::Entries => "tile/entries/".to_owned(),
        };
        let mut groups = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        let last = groups.len() - 1;
        for (at, group) in groups.iter().rev().enumerate() {
            let mark = if at < last { "x" } else { "" };
            let slash = if at < last { "/" } else { "" };
            path.push_str(&format!("{mark}{group:03}{slash}"));
        }
        path
    }

    /// Whether it is a bundle whose entries all lie before the minimum index.
    pub(crate) fn is_given_up(&self, minimum: u64) -> bool {
        let end = self.first_entry().saturating_add(u64::from(TILE_WIDTH));
        self.row == Row::Entries && end <= minimum
    }

    /// The first entry that it stands for.
    #[must_use]
    pub const fn first_entry(&self) -> u64 {
        let height = match self.row {
            Row::Level(level) => 8 * (level as u32 + 1),
            Row::Entries => 8,
        };
        match self.index.checked_shl(height) {
            Some(first) => first,
            None => u64::MAX,
        }
    }
}

/// How many hashes the tile at a place holds in a tree of this size; `None` if
/// there is no such tile.
#[must_use]
pub fn width(size: u64, level: u8, index: u64) -> Option<u16> {
    let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    let full = hashes / u64::from(TILE_WIDTH);
    let part = u16::try_from(hashes % u64::from(TILE_WIDTH)).unwrap_or(0);
    if index < full {
        Some(TILE_WIDTH)
    } else if index == full && part > 0 {
        Some(part)
    } else {
        None
    }
}

/// Why bytes are not the tile that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileFault {
    /// Too few or too many bytes.
    #[error("it has another length than it must have")]
    Length,
    /// An entry's length is 0 or above the limit.
    #[error("the length of entry {0} in it cannot be")]
    EntryLength(u16),
}

/// The bytes of a tile of hashes.
#[must_use]
pub fn encode_hashes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads the first `width` hashes of a tile that has exactly these, or of a
/// full one.
///
/// # Errors
/// When it has another length.
pub fn decode_hashes(bytes: &[u8], width: u16) -> Result<Vec<Digest>, TileFault> {
    let wanted = usize::from(width) * HASH_BYTES;
    if bytes.len() != wanted && bytes.len() != usize::from(TILE_WIDTH) * HASH_BYTES {
        return Err(TileFault::Length);
    }
    let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
    let hashes: Vec<Digest> = hashes
        .iter()
        .take(usize::from(width))
        .copied()
        .map(Digest)
        .collect();
    if hashes.len() == usize::from(width) {
        Ok(hashes)
    } else {
        Err(TileFault::Length)
    }
}

/// Adds an entry to a bundle: its length as 16 bits, big-endian, and its bytes.
pub fn encode_entry(entry: &[u8], bundle: &mut Vec<u8>) {
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Reads the first `width` entries of a bundle, which has exactly these, or is
/// a full one.
///
/// # Errors
/// When it has fewer or more, or an entry cannot be.
pub fn decode_entries(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileFault> {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    let mut count = 0_u16;
    while !rest.is_empty() {
        if count == TILE_WIDTH {
            return Err(TileFault::Length);
        }
        let (length, after) = rest.split_first_chunk::<2>().ok_or(TileFault::Length)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > LEAF_BYTES_MAX {
            return Err(TileFault::EntryLength(count));
        }
        let (entry, after) = after.split_at_checked(length).ok_or(TileFault::Length)?;
        if count < width {
            entries.push(entry);
        }
        rest = after;
        count += 1;
    }
    if count == width || count == TILE_WIDTH {
        Ok(entries)
    } else {
        Err(TileFault::Length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(row: Row, index: u64, width: u16) -> String {
        Tile { row, index, width }.path().display().to_string()
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(path(Row::Level(0), 0, 256), "tile/0/000");
        assert_eq!(path(Row::Level(2), 5, 7), "tile/2/005.p/7");
        assert_eq!(path(Row::Level(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(
            path(Row::Entries, 1_000, 255),
            "tile/entries/x001/000.p/255"
        );
    }

    #[test]
    fn widths_are_those_of_the_specification() {
        // The example of 70,000 entries.
        assert_eq!(width(70_000, 0, 272), Some(256));
        assert_eq!(width(70_000, 0, 273), Some(112));
        assert_eq!(width(70_000, 0, 274), None);
        assert_eq!(width(70_000, 1, 0), Some(256));
        assert_eq!(width(70_000, 1, 1), Some(17));
        assert_eq!(width(70_000, 2, 0), Some(1));
        assert_eq!(width(70_000, 3, 0), None);
        assert_eq!(width(256, 0, 1), None);
        assert_eq!(width(256, 1, 0), Some(1));
        assert_eq!(width(0, 0, 0), None);
        assert_eq!(width(u64::MAX, 9, 0), None);
    }

    #[test]
    fn a_bundle_with_an_entry_too_many_or_too_few_is_refused() {
        let mut bundle = Vec::new();
        for entry in [&b"one"[..], b"two", b"three"] {
            encode_entry(entry, &mut bundle);
        }
        assert_eq!(
            decode_entries(&bundle, 3),
            Ok(vec![&b"one"[..], b"two", b"three"])
        );
        assert_eq!(decode_entries(&bundle, 2), Err(TileFault::Length));
        assert_eq!(decode_entries(&bundle, 4), Err(TileFault::Length));
        assert_eq!(decode_entries(&[0, 0], 1), Err(TileFault::EntryLength(0)));
        assert_eq!(
            decode_entries(&[0xff, 0xff, 1], 1),
            Err(TileFault::EntryLength(0))
        );
        let full = bundle
            .iter()
            .copied()
            .take(5)
            .collect::<Vec<u8>>()
            .repeat(256);
        assert_eq!(decode_entries(&full, 2), Ok(vec![&b"one"[..], b"one"]));
        assert_eq!(decode_hashes(&[0; 64], 2).map(|hashes| hashes.len()), Ok(2));
        assert_eq!(decode_hashes(&[0; 64], 1), Err(TileFault::Length));
        assert_eq!(
            decode_hashes(&[0; 8192], 1).map(|hashes| hashes.len()),
            Ok(1)
        );
    }

    proptest! {
        #[test]
        fn bundles_read_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..90), 1..257)) {
            let mut bundle = Vec::new();
            for entry in &entries {
                encode_entry(entry, &mut bundle);
            }
            let read = decode_entries(&bundle, entries.len() as u16).unwrap();
            prop_assert_eq!(read, entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), width in 0_u16..257) {
            let _ = decode_entries(&bytes, width);
            let _ = decode_hashes(&bytes, width);
        }
    }
}
