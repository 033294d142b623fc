//! Publishing: tiles and a signed checkpoint are built behind the segments, in
//! this order: what was acknowledged, then tiles, then the checkpoint. A
//! checkpoint never covers what is not there.

mod known;
mod leaves;
mod thread;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::{in_turns, worked};
use thiserror::Error;

use crate::{
    files::{self, Files, says},
    merkle,
    note::{Checkpoint, LogKey, Note, NoteFault},
    prune::{self, PruneFault},
    reader::ReadFault,
    segment,
    tail::Tail,
    tile::{
        Row, Shelf, TILE_WIDTH, Tile,
        edge::{Edge, Filled},
    },
};

pub(crate) use known::{Anchor, Unanchored, note_of, shows_checkpoint, witnessed_of};
pub use known::{CheckpointFault, checkpoint_of};
pub(crate) use leaves::Leaves;
pub(crate) use thread::Publisher;
pub use thread::{Publication, Published, Publishing};

/// Name of the folder, beside the segments, that others may have a copy of.
pub const FOLDER: &str = "tlog";
/// Name of the newest checkpoint in it.
pub const CHECKPOINT: &str = "checkpoint";
/// Name of the newest checkpoint that a witness cosigned.
pub const WITNESSED: &str = "checkpoint.witnessed";
/// LIMIT: entries that go into tiles at once.
const ENTRIES_MAX: usize = 32_768;
/// LIMIT: bytes of entries that go into tiles at once, the last group aside.
const ENTRIES_BYTES_MAX: usize = 16 << 20;

/// Why tiles or a checkpoint were not written. What was acknowledged is not in
/// danger; it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PublishFault {
    /// A file cannot be written.
    #[error("tiles or the checkpoint cannot be written: {}", says(*.0))]
    Io(io::ErrorKind),
    /// An acknowledged entry cannot be read.
    #[error("an entry cannot be read: {0}")]
    Read(#[from] ReadFault),
    /// The checkpoint that is there cannot be used.
    #[error("the checkpoint cannot be used: {0}")]
    Checkpoint(#[from] CheckpointFault),
}

impl From<io::Error> for PublishFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// Builds tiles and checkpoints, one round after the other.
#[derive(Debug)]
pub struct Builder {
    files: Arc<dyn Files>,
    ledger: PathBuf,
    folder: PathBuf,
    key: LogKey,
    edge: Edge,
    tail: Tail,
    /// Hashes of what was just acknowledged.
    leaves: Arc<Leaves>,
    /// The newest checkpoint that is on the disk.
    signed: Option<Checkpoint>,
}

impl Builder {
    /// Goes on where the checkpoint in the ledger's folder ends. Its last tiles
    /// are checked against it; if one is not as it was, all tiles are built
    /// again from the segments, as far back as these go.
    ///
    /// # Errors
    /// When the checkpoint is not one of this log, or the folder cannot be used.
    pub fn open(files: Arc<dyn Files>, ledger: &Path, key: LogKey) -> Result<Self, PublishFault> {
        let folder = ledger.join(FOLDER);
        files.make_folder(&folder)?;
        let signed = checkpoint_of(&*files, ledger, Some(key.verifier()))?;
        let edge = match &signed {
            None => Edge::default(),
            Some(signed) => match resume(&files, &folder, signed) {
                Some(edge) => edge,
                None => begin_again(&files, ledger, &folder, signed)?,
            },
        };
        let tail = Tail::new(Arc::clone(&files), ledger, edge.size());
        let builder = Self {
            files,
            ledger: ledger.to_owned(),
            folder,
            key,
            edge,
            tail,
            leaves: Arc::default(),
            signed,
        };
        // A crash may have come before the newest full tiles' parts went.
        builder.sweep(&builder.edge.newest_full());
        // The same for what was being pruned; what cannot go now goes later.
        let _ = prune::sweep(&*builder.files, &builder.ledger);
        Ok(builder)
    }

    /// With the hashes that the thread which writes makes anyway.
    pub(crate) fn with_leaves(self, leaves: Arc<Leaves>) -> Self {
        Self { leaves, ..self }
    }

    /// Entries that the newest checkpoint with a witness's line covers.
    pub(crate) fn witnessed_size(&self) -> u64 {
        let bytes = self.files.read(&self.folder.join(WITNESSED));
        let known = bytes.ok().and_then(|bytes| {
            let (checkpoint, _) = Checkpoint::verified(&bytes, self.key.verifier()).ok()?;
            Some(checkpoint.size)
        });
        known.unwrap_or(0)
    }

    /// Entries that the tiles hold.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The newest checkpoint on the disk.
    #[must_use]
    pub const fn signed(&self) -> Option<&Checkpoint> {
        self.signed.as_ref()
    }

    /// Takes what was acknowledged since, up to before entry `durable`, into
    /// tiles and signs a checkpoint. Answers the new checkpoint; `None` if
    /// there is none yet: nothing is new, or what is rebuilt does not reach as
    /// far as the old one.
    ///
    /// # Errors
    /// When something cannot be written or read. It can be tried again, and
    /// nothing was signed that is not there.
    pub fn round(&mut self, durable: u64) -> Result<Option<Note>, PublishFault> {
        let outcome = self.advance(durable);
        if outcome.is_err() {
            self.tail = Tail::new(Arc::clone(&self.files), &self.ledger, self.edge.size());
        }
        outcome
    }

    fn advance(&mut self, durable: u64) -> Result<Option<Note>, PublishFault> {
        let before = self.signed.as_ref().map_or(0, |signed| signed.size);
        let rebuilding = self.edge.size() < before;
        let until = if rebuilding { before } else { durable };
        if self.edge.size() >= until && self.signed.is_some() {
            return Ok(None);
        }
        let mut edge = self.edge.clone();
        let mut filled = Vec::new();
        let payloads = self.tail.read(until, ENTRIES_MAX, ENTRIES_BYTES_MAX)?;
        let known = self.leaves.take(edge.size(), payloads.len());
        in_turns(|| {
            for (payload, leaf) in payloads.iter().zip(known) {
                worked(payload.len());
                let leaf = leaf.unwrap_or_else(|| merkle::leaf_hash(payload));
                edge.push_known(payload, leaf, &mut filled);
            }
        });
        let full: Vec<Tile> = filled.iter().map(|(tile, _)| *tile).collect();
        filled.extend(edge.partials());
        if rebuilding {
            // What was pruned does not come back, though a segment holds it.
            let minimum = prune::minimum(&*self.files, &self.folder);
            filled.retain(|(tile, _)| !tile.is_given_up(minimum));
        }
        self.put(filled)?;
        if edge.size() < before {
            self.edge = edge;
            return Ok(None);
        }
        let checkpoint = Checkpoint {
            origin: self.key.verifier().name().to_owned(),
            size: edge.size(),
            root: edge.root(),
        };
        if let Some(signed) = self.signed.as_ref().filter(|_| rebuilding) {
            // The rebuilt tiles are those of the checkpoint that stands.
            if *signed != checkpoint {
                return Err(CheckpointFault::Other(signed.size).into());
            }
            self.edge = edge;
            return Ok(None);
        }
        let note = checkpoint.sign(&self.key);
        files::put(
            &*self.files,
            &self.folder,
            &[(PathBuf::from(CHECKPOINT), note.encode())],
        )?;
        self.edge = edge;
        self.signed = Some(checkpoint);
        self.sweep(&full);
        Ok(Some(note))
    }

    fn put(&self, filled: Vec<Filled>) -> io::Result<()> {
        if filled.is_empty() {
            return Ok(());
        }
        let contents: Vec<(PathBuf, Vec<u8>)> = filled
            .into_iter()
            .map(|(tile, bytes)| (tile.path(), bytes))
            .collect();
        files::put(&*self.files, &self.folder, &contents)
    }

    /// Throws the partial tiles away in whose places full ones stand. What
    /// cannot be thrown away harms nobody.
    fn sweep(&self, full: &[Tile]) {
        for tile in full {
            let partials = self.folder.join(tile.partials());
            for name in self.files.list(&partials).unwrap_or_default() {
                let _ = self.files.remove(&partials.join(name));
            }
            let _ = self.files.remove_folder(&partials);
        }
    }

    /// How far a wish to prune can be met now: the first entry that stays.
    ///
    /// # Errors
    /// When nothing may be removed, or not so much.
    pub fn agree_to_prune(&self, wanted: u64) -> Result<u64, PruneFault> {
        prune::agree(&*self.files, &self.ledger, self.signed.as_ref(), wanted)
    }

    /// Removes the bundles and segments before `until`, which was agreed to
    /// and which an entry of the log tells.
    ///
    /// # Errors
    /// When a hold was set meanwhile, or something cannot be removed.
    pub fn prune(&self, until: u64) -> Result<(), PruneFault> {
        let until = self.agree_to_prune(until)?;
        prune::prune(&*self.files, &self.ledger, until)
    }

    /// The newest checkpoint as it stands on the disk, with the tiles for its
    /// proofs; `None` if it covers nothing.
    pub(crate) fn snapshot(&self) -> Option<(Note, Checkpoint, Shelf)> {
        let signed = self.signed.as_ref().filter(|signed| signed.size > 0)?;
        let bytes = self.files.read(&self.folder.join(CHECKPOINT)).ok()?;
        let (checkpoint, note) = Checkpoint::verified(&bytes, self.key.verifier()).ok()?;
        if checkpoint != *signed {
            return None;
        }
        let shelf = Shelf::new(Arc::clone(&self.files), &self.folder, checkpoint.size);
        Some((note, checkpoint, shelf))
    }

    /// Keeps a checkpoint with lines of witnesses as the newest witnessed one,
    /// and puts it in the place of the newest if that says the same.
    pub(crate) fn keep_witnessed(&self, cosigned: &Note) -> Result<(), PublishFault> {
        let mut contents = vec![(PathBuf::from(WITNESSED), cosigned.encode())];
        let current = self.signed.as_ref().map(Checkpoint::text);
        if current.as_ref() == Some(&cosigned.text) {
            contents.push((PathBuf::from(CHECKPOINT), cosigned.encode()));
        }
        files::put(&*self.files, &self.folder, &contents)?;
        Ok(())
    }
}

/// The edge of the tree of a checkpoint, from its last tiles; `None` if they
/// are not those of the checkpoint.
fn resume(files: &Arc<dyn Files>, folder: &Path, signed: &Checkpoint) -> Option<Edge> {
    let shelf = Shelf::new(Arc::clone(files), folder, signed.size);
    let mut levels = Vec::new();
    let mut hashes = signed.size;
    while hashes > 0 {
        let level = u8::try_from(levels.len()).ok()?;
        let index = hashes / u64::from(TILE_WIDTH);
        let partial = !hashes.is_multiple_of(u64::from(TILE_WIDTH));
        levels.push(if partial {
            shelf.hashes(level, index).ok()?
        } else {
            Vec::new()
        });
        hashes = index;
    }
    let last = signed.size / u64::from(TILE_WIDTH);
    let mut bundle = Vec::new();
    if shelf.tile(Row::Entries, last).is_some() {
        let leaves = levels.first()?;
        let entries = shelf.entries(last).ok()?;
        for (entry, leaf) in entries.iter().zip(leaves) {
            if crate::merkle::leaf_hash(entry) != *leaf {
                return None;
            }
            crate::tile::encode_entry(entry, &mut bundle);
        }
    }
    let edge = Edge::resume(signed.size, levels, bundle);
    (edge.root() == signed.root).then_some(edge)
}

/// The edge from which all tiles are built again: the beginning, or, where the
/// first segments were pruned, the first entry that is there, with the hashes
/// before it as the tiles have them. Whether these are the right ones shows
/// once the checkpoint is reached.
fn begin_again(
    files: &Arc<dyn Files>,
    ledger: &Path,
    folder: &Path,
    signed: &Checkpoint,
) -> io::Result<Edge> {
    let names = files.list(ledger)?;
    let first = names
        .iter()
        .filter_map(|name| segment::first_of(name))
        .min();
    let first = first.unwrap_or(0).min(signed.size);
    let shelf = Shelf::new(Arc::clone(files), folder, signed.size);
    let mut levels = Vec::new();
    let mut hashes = first;
    while hashes > 0 {
        let width = usize::try_from(hashes % u64::from(TILE_WIDTH)).unwrap_or(0);
        hashes /= u64::from(TILE_WIDTH);
        let level = u8::try_from(levels.len()).unwrap_or(u8::MAX);
        let mut row = Vec::new();
        if width > 0 {
            match shelf.hashes(level, hashes) {
                Ok(found) => row = found,
                // Nothing stands for what was pruned: it cannot be built.
                Err(_) => return Ok(Edge::default()),
            }
        }
        row.truncate(width);
        levels.push(row);
    }
    Ok(Edge::resume(first, levels, Vec::new()))
}

impl From<NoteFault> for PublishFault {
    fn from(fault: NoteFault) -> Self {
        Self::Checkpoint(CheckpointFault::Note(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{files::MemoryFiles, merkle::leaf_hash, segment};

    #[test]
    fn what_is_published_is_what_was_acknowledged() {
        let files = Arc::new(MemoryFiles::default());
        let ledger = Path::new("/ledger");
        files.make_folder(ledger).unwrap();
        // Somebody put another entry in its place, and its checksums right.
        let mut bytes = segment::header(0).to_vec();
        segment::encode_group(0, [b"changed".as_slice()].into_iter(), &mut bytes);
        let name = PathBuf::from(segment::name(0));
        files::put(&*files, ledger, &[(name, bytes)]).unwrap();
        let leaves = Arc::new(Leaves::default());
        leaves.add(0, &[leaf_hash(b"acknowledged")]);
        let key = LogKey::new("log.example/a", terms::Secret::new([1; 32])).unwrap();
        let builder = Builder::open(files, ledger, key).unwrap();
        let mut builder = builder.with_leaves(leaves);
        builder.round(1).unwrap();
        let root = builder.signed().unwrap().root;
        assert_eq!(root, leaf_hash(b"acknowledged"));
    }
}
