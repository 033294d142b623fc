//! Tiles against entries: beside the segments, or alone, as whoever has only a
//! copy of what was published.

use std::{path::Path, sync::Arc};

use terms::Digest;

use super::{Beside, Judge, Trust, Verified, VerifyFault, judged};
use crate::{
    files::{Files, says},
    merkle,
    note::{Checkpoint, NoteFault},
    prune,
    publish::{Anchor, CheckpointFault, FOLDER},
    tile::{
        Row, Shelf, ShelfFault, TILE_WIDTH, Tile, decode_entries, decode_hashes,
        edge::{Edge, Filled},
    },
};

/// The tiles of a checkpoint, held against entries that come one by one.
pub(super) struct Shown(Option<Tiles>);

struct Tiles {
    shelf: Shelf,
    edge: Edge,
    /// Bundles that end at or before this entry may be gone.
    minimum: u64,
    /// The tiles of the first bundle are not built from their first entry.
    first: u64,
}

impl Shown {
    /// The tiles beside the segments; none if there is no checkpoint.
    pub(super) fn new(
        files: &Arc<dyn Files>,
        ledger: &Path,
        checkpoint: Option<&Checkpoint>,
        first: u64,
    ) -> Result<Self, VerifyFault> {
        let Some(checkpoint) = checkpoint else {
            return Ok(Self(None));
        };
        let folder = ledger.join(FOLDER);
        let mut tiles = Tiles::new(files, &folder, checkpoint);
        for entry in 0..first {
            tiles.hash(entry)?;
        }
        tiles.first = first;
        tiles.end_if_done()?;
        Ok(Self(Some(tiles)))
    }

    pub(super) fn entry(&mut self, entry: &[u8]) -> Result<(), VerifyFault> {
        match &mut self.0 {
            Some(tiles) if tiles.edge.size() < tiles.shelf.size() => {
                tiles.push(entry)?;
                tiles.end_if_done()
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Tiles {
    fn new(files: &Arc<dyn Files>, folder: &Path, checkpoint: &Checkpoint) -> Self {
        Self {
            shelf: Shelf::new(Arc::clone(files), folder, checkpoint.size),
            edge: Edge::default(),
            minimum: prune::minimum(&**files, folder),
            first: 0,
        }
    }

    fn push(&mut self, entry: &[u8]) -> Result<(), VerifyFault> {
        let mut full = Vec::new();
        self.edge.push(entry, &mut full);
        self.compare(&full)
    }

    /// Takes an entry of which only the hash is left.
    fn hash(&mut self, index: u64) -> Result<(), VerifyFault> {
        let leaf = self
            .shelf
            .leaf(index)
            .map_err(|fault| unusable(index, &fault))?;
        let mut full = Vec::new();
        self.edge.push_leaf(leaf, &mut full);
        full.retain(|(tile, _)| tile.row != Row::Entries);
        self.compare(&full)
    }

    fn end_if_done(&self) -> Result<(), VerifyFault> {
        if self.edge.size() == self.shelf.size() {
            self.compare(&self.edge.partials())?;
        }
        Ok(())
    }

    fn compare(&self, expected: &[Filled]) -> Result<(), VerifyFault> {
        for (tile, bytes) in expected {
            match tile.row {
                Row::Entries => self.compare_entries(tile, bytes)?,
                Row::Level(level) => self.compare_hashes(tile, level, bytes)?,
            }
        }
        Ok(())
    }

    fn compare_entries(&self, tile: &Tile, expected: &[u8]) -> Result<(), VerifyFault> {
        let first = tile.first_entry();
        // Not whole: some of its entries were pruned from the segments.
        if first < self.first {
            return Ok(());
        }
        let end = first.saturating_add(u64::from(tile.width));
        let bytes = match self.shelf.bytes(tile) {
            Err(ShelfFault::Unreadable { .. }) if end <= self.minimum => return Ok(()),
            read => read.map_err(|fault| unusable(first, &fault))?,
        };
        let form = |fault: crate::tile::TileFault| wrong(first, tile, fault.to_string());
        let found = decode_entries(&bytes, tile.width).map_err(form)?;
        let wanted = decode_entries(expected, tile.width).map_err(form)?;
        match (first..)
            .zip(found.iter().zip(&wanted))
            .find(|(_, (a, b))| a != b)
        {
            Some((entry, _)) => Err(wrong(entry, tile, "holds another entry".to_owned())),
            None => Ok(()),
        }
    }

    fn compare_hashes(&self, tile: &Tile, level: u8, expected: &[u8]) -> Result<(), VerifyFault> {
        let first = tile.first_entry();
        let found = self
            .shelf
            .hashes(level, tile.index)
            .map_err(|fault| unusable(first, &fault))?;
        let wanted = decode_hashes(expected, tile.width)
            .map_err(|fault| wrong(first, tile, fault.to_string()))?;
        let height = 8 * u32::from(level);
        match (0_u64..)
            .zip(found.iter().zip(&wanted))
            .find(|(_, (a, b))| a != b)
        {
            Some((place, _)) => {
                let entry = first.saturating_add(place << height);
                Err(wrong(entry, tile, "holds another hash".to_owned()))
            }
            None => Ok(()),
        }
    }
}

fn wrong(entry: u64, tile: &Tile, why: String) -> VerifyFault {
    VerifyFault::Tile {
        entry,
        path: tile.path().display().to_string(),
        why,
    }
}

fn unusable(entry: u64, fault: &ShelfFault) -> VerifyFault {
    let (path, why) = match fault {
        ShelfFault::Unreadable { path, kind } => {
            (path.clone(), format!("cannot be read: {}", says(*kind)))
        }
        ShelfFault::Form { path, fault } => {
            (path.clone(), format!("is not as it was written: {fault}"))
        }
        ShelfFault::Beyond { .. } => (FOLDER.to_owned(), fault.to_string()),
    };
    VerifyFault::Tile { entry, path, why }
}

/// Checks a copy of what was published: a folder with `checkpoint` and `tile`,
/// without the segments. `trust` must hold the log's key. Tells `progress` the
/// entries seen so far.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn verify_published(
    files: &Arc<dyn Files>,
    folder: &Path,
    trust: &Trust,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, VerifyFault> {
    if trust.key.is_none() {
        return Err(NoteFault::Unsigned.into());
    }
    let mut beside = Beside::read(&**files, folder, trust)?;
    let absent = CheckpointFault::Unreadable(std::io::ErrorKind::NotFound);
    let checkpoint = beside.checkpoint.take().ok_or(absent)?;
    let mut tiles = Tiles::new(files, folder, &checkpoint);
    let anchored = |from| {
        let mut anchor = Anchor::new(from);
        anchor.look(0, &merkle::Tree::default());
        anchor
    };
    let mut anchors = [
        anchored(trust.since.clone()),
        anchored(beside.witnessed.clone()),
    ];
    let judge = tiles.read(&mut anchors, progress)?;
    tiles.compare(&tiles.edge.partials())?;
    let found = tiles.edge.root();
    if found != checkpoint.root {
        return Err(CheckpointFault::Other(checkpoint.size).into());
    }
    let [since, witnessed] = &anchors;
    judged(since, checkpoint.size).map_err(VerifyFault::Growth)?;
    judged(witnessed, checkpoint.size)
        .map_err(|fault| VerifyFault::Checkpoint(fault.of_witnessed()))?;
    let judge = judge.unwrap_or_else(|| Judge::new(checkpoint.size));
    let mut verified = judge.end(beside.index)?;
    verified.root = found;
    beside.checkpoint = Some(checkpoint);
    verified.beside(beside);
    Ok(verified)
}

impl Tiles {
    /// Takes all entries, and of those that were pruned the hashes.
    fn read(
        &mut self,
        anchors: &mut [Anchor],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Judge>, VerifyFault> {
        let mut judge: Option<Judge> = None;
        let mut at = 0;
        while at < self.shelf.size() {
            let index = at / u64::from(TILE_WIDTH);
            let hashes = self
                .shelf
                .hashes(0, index)
                .map_err(|fault| unusable(at, &fault))?;
            let end = at.saturating_add(hashes.len() as u64);
            match self.shelf.entries(index) {
                Err(ShelfFault::Unreadable { .. }) if end <= self.minimum && judge.is_none() => {
                    for leaf in hashes {
                        let mut full = Vec::new();
                        self.edge.push_leaf(leaf, &mut full);
                        full.retain(|(tile, _)| tile.row != Row::Entries);
                        self.rises(&full)?;
                        self.look(anchors);
                    }
                }
                Err(fault) => return Err(unusable(at, &fault)),
                Ok(entries) => {
                    let judge = judge.get_or_insert_with(|| Judge::new(at));
                    for (entry, leaf) in entries.iter().zip(hashes) {
                        self.judge(entry, leaf, judge)?;
                        self.look(anchors);
                        progress(self.edge.size());
                    }
                }
            }
            at = end;
        }
        Ok(judge)
    }

    fn look(&self, anchors: &mut [Anchor]) {
        for anchor in anchors {
            anchor.look(self.edge.size(), self.edge.tree());
        }
    }

    /// Takes an entry whose leaf hash stands in its tile.
    fn judge(&mut self, entry: &[u8], leaf: Digest, judge: &mut Judge) -> Result<(), VerifyFault> {
        let at = self.edge.size();
        if merkle::leaf_hash(entry) != leaf {
            let tile = self.shelf.tile(Row::Entries, at / u64::from(TILE_WIDTH));
            let path = tile.map_or_else(String::new, |tile| tile.path().display().to_string());
            return Err(VerifyFault::Tile {
                entry: at,
                path,
                why: "holds an entry that has not the hash of its leaf".to_owned(),
            });
        }
        judge.bytes(at, entry)?;
        let mut full = Vec::new();
        self.edge.push(entry, &mut full);
        self.rises(&full)
    }

    /// That the hash of each full tile stands in the level above, and that the
    /// tiles above hold what they must.
    fn rises(&mut self, full: &[Filled]) -> Result<(), VerifyFault> {
        for (tile, bytes) in full {
            let Row::Level(level) = tile.row else {
                continue;
            };
            self.compare_hashes(tile, level, bytes)?;
            let hashes = decode_hashes(bytes, tile.width).unwrap_or_default();
            let above = self
                .shelf
                .full_tile(level, tile.index)
                .map_err(|fault| unusable(tile.first_entry(), &fault))?;
            if merkle::subtree(&hashes) != Some(above) {
                let why = "has not the hash that stands in the level above".to_owned();
                return Err(wrong(tile.first_entry(), tile, why));
            }
        }
        Ok(())
    }
}
