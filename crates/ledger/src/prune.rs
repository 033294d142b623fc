//! Pruning: old entries are removed and their hashes stay, so that every proof
//! still verifies. The log itself tells of it, before it is done; a legal hold
//! stops it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::{Act, Leaf};
use thiserror::Error;

use crate::{
    files::{self, Files, is_absent, says},
    merkle::Tree,
    note::{Checkpoint, decimal},
    publish::FOLDER,
    segment,
    tile::{Row, Shelf, ShelfFault, TILE_WIDTH, Tile},
};

/// Name of the file that says which entry is the first that must be there.
pub const MINIMUM: &str = "minimum-index";
/// Name of the file, beside the segments, that holds removal off.
pub const HOLD: &str = "legal-hold";
/// The fact of the event that tells how far was pruned.
pub const FACT: &str = "minimum";
/// LIMIT: bytes of a hold's reason.
pub const REASON_BYTES_MAX: usize = 1_024;

/// Why entries are missing at the beginning, or are not removed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PruneFault {
    /// A hold is set.
    #[error("a legal hold is set: nothing is removed until it is lifted")]
    Held,
    /// Nothing publishes this log.
    #[error("no checkpoint is being made by which the entries could be proved afterwards")]
    Unpublished,
    /// More than the checkpoint covers.
    #[error("only entries that the checkpoint covers can be removed: those before {0}")]
    Beyond(u64),
    /// The entries before the first that is there are not proved by anything.
    #[error("the entries before {0} are missing, and there is no checkpoint that proves them")]
    Unproved(u64),
    /// The log does not tell that they were pruned.
    #[error(
        "the entries before {0} are missing, and no entry of the log tells that they were pruned"
    )]
    Untold(u64),
    /// The minimum index is not one.
    #[error("the file `{FOLDER}/{MINIMUM}` is not as it was written: {0}")]
    Index(IndexFault),
    /// The tiles that stand for what was removed cannot be used.
    #[error("tiles of what was pruned: {0}")]
    Tiles(ShelfFault),
    /// A file cannot be written or removed.
    #[error("a file cannot be written or removed: {}", says(*.0))]
    Io(io::ErrorKind),
}

/// What is wrong with a minimum index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IndexFault {
    /// It cannot be read.
    #[error("it cannot be read: {}", says(*.0))]
    Unreadable(io::ErrorKind),
    /// It is no number of a whole bundle.
    #[error("it is a multiple of {TILE_WIDTH} in decimal, without leading zeroes, and a line end")]
    Form,
    /// It lies beyond the checkpoint.
    #[error("it says {minimum}, and the checkpoint covers {size} entries")]
    Beyond {
        /// What it says.
        minimum: u64,
        /// Entries that the checkpoint covers.
        size: u64,
    },
    /// The log does not tell of it.
    #[error("it says {minimum}, and the log tells that it was pruned up to {told}")]
    Untold {
        /// What it says.
        minimum: u64,
        /// Up to where the log tells that it was pruned.
        told: u64,
    },
}

impl From<IndexFault> for PruneFault {
    fn from(fault: IndexFault) -> Self {
        Self::Index(fault)
    }
}

impl From<io::Error> for PruneFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// The first entry that must be there; 0 unless the log was pruned. A file that
/// cannot be read allows nothing to be missing.
#[must_use]
pub fn minimum(files: &dyn Files, tlog: &Path) -> u64 {
    let bytes = files.read(&tlog.join(MINIMUM)).unwrap_or_default();
    let text = std::str::from_utf8(&bytes).ok();
    let line = text.and_then(|text| text.strip_suffix('\n'));
    line.and_then(decimal).unwrap_or(0)
}

/// How many entries before `minimum` the segments still hold: the oldest one
/// goes as a whole, once none of its entries is to stay.
///
/// # Errors
/// When the folder cannot be read.
pub fn kept(files: &dyn Files, ledger: &Path, minimum: u64) -> io::Result<u64> {
    let names = files.list(ledger)?;
    let first = names
        .iter()
        .filter_map(|name| segment::first_of(name))
        .min();
    Ok(first.map_or(0, |first| minimum.saturating_sub(first)))
}

/// A minimum index as a verifier takes it: it is not signed, so it has to be
/// within what the checkpoint and the log's own entries say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Index(u64);

impl Index {
    /// That of a published log; 0 if there is none. To be read before the
    /// checkpoint: while a gate runs, both grow.
    pub(crate) fn read(files: &dyn Files, tlog: &Path) -> Result<Self, IndexFault> {
        let bytes = match files.read(&tlog.join(MINIMUM)) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return Ok(Self(0)),
            Err(error) => return Err(IndexFault::Unreadable(error.kind())),
        };
        let text = std::str::from_utf8(&bytes).ok();
        let line = text.and_then(|text| text.strip_suffix('\n'));
        let minimum = line.and_then(decimal);
        let whole = minimum.filter(|minimum| minimum.is_multiple_of(u64::from(TILE_WIDTH)));
        whole.map(Self).ok_or(IndexFault::Form)
    }

    /// That the checkpoint covers what it gives up.
    pub(crate) fn within(self, checkpoint: Option<&Checkpoint>) -> Result<(), IndexFault> {
        let size = checkpoint.map_or(0, |checkpoint| checkpoint.size);
        if self.0 <= size {
            Ok(())
        } else {
            let minimum = self.0;
            Err(IndexFault::Beyond { minimum, size })
        }
    }

    /// That the log tells of it.
    pub(crate) const fn is_told(self, told: u64) -> Result<(), IndexFault> {
        if self.0 <= told {
            Ok(())
        } else {
            let minimum = self.0;
            Err(IndexFault::Untold { minimum, told })
        }
    }
}

/// How far an entry tells that the log was pruned.
pub(crate) fn told(leaf: &Leaf) -> u64 {
    match leaf {
        Leaf::Event(event) if event.act == Act::Pruned => {
            let fact = event.facts.get(FACT);
            fact.and_then(|fact| decimal(fact)).unwrap_or(0)
        }
        Leaf::Event(_)
        | Leaf::Admitted(_)
        | Leaf::Closed(_)
        | Leaf::Refused(_)
        | Leaf::RefusedSummary(_)
        | Leaf::UncleanStart(_)
        | Leaf::HeadCount(_) => 0,
    }
}

/// That a log whose first entry is `first` tells why.
pub(crate) const fn is_told(first: u64, told: u64) -> Result<(), PruneFault> {
    if first <= told {
        Ok(())
    } else {
        Err(PruneFault::Untold(first))
    }
}

/// The tree over the entries before `first`, from the tiles of a checkpoint.
/// Whether it is the right one shows once the checkpoint's root is reached.
pub(crate) fn tree_before(
    files: &Arc<dyn Files>,
    ledger: &Path,
    checkpoint: Option<&Checkpoint>,
    first: u64,
) -> Result<Tree, PruneFault> {
    if first == 0 {
        return Ok(Tree::default());
    }
    let checkpoint = checkpoint.filter(|checkpoint| checkpoint.size >= first);
    let checkpoint = checkpoint.ok_or(PruneFault::Unproved(first))?;
    let tlog = ledger.join(FOLDER);
    let mut shelf = Shelf::new(Arc::clone(files), &tlog, checkpoint.size);
    shelf.tree(first).map_err(PruneFault::Tiles)
}

/// Whether a legal hold is set; if the folder cannot be read, one is.
#[must_use]
pub fn is_held(files: &dyn Files, ledger: &Path) -> bool {
    match files.read(&ledger.join(HOLD)) {
        Ok(_) => true,
        Err(error) => !is_absent(&error),
    }
}

/// Sets a hold. That it was set belongs into the log as well.
///
/// # Errors
/// When its file cannot be written.
pub fn hold(files: &dyn Files, ledger: &Path, reason: &str) -> io::Result<()> {
    let end = reason.floor_char_boundary(REASON_BYTES_MAX);
    let reason = reason.get(..end).unwrap_or_default();
    let content = format!("{reason}\n").into_bytes();
    files::put(files, ledger, &[(PathBuf::from(HOLD), content)])
}

/// Lifts a hold. That it was lifted belongs into the log first.
///
/// # Errors
/// When its file cannot be removed.
pub fn lift(files: &dyn Files, ledger: &Path) -> io::Result<()> {
    match files.remove(&ledger.join(HOLD)) {
        Err(error) if !is_absent(&error) => Err(error),
        Ok(()) | Err(_) => files.sync_folder(ledger),
    }
}

/// What of a wish to prune can be done: whole bundles below the checkpoint.
pub(crate) fn agree(
    files: &dyn Files,
    ledger: &Path,
    signed: Option<&Checkpoint>,
    wanted: u64,
) -> Result<u64, PruneFault> {
    if is_held(files, ledger) {
        return Err(PruneFault::Held);
    }
    let signed = signed.ok_or(PruneFault::Unpublished)?;
    if wanted > signed.size {
        return Err(PruneFault::Beyond(signed.size));
    }
    let whole = wanted - wanted % u64::from(TILE_WIDTH);
    Ok(whole.max(minimum(files, &ledger.join(FOLDER))))
}

/// Removes the bundles and segments whose entries all lie before `minimum`,
/// which the log must have told by now.
pub(crate) fn prune(files: &dyn Files, ledger: &Path, until: u64) -> Result<(), PruneFault> {
    let tlog = ledger.join(FOLDER);
    if until > minimum(files, &tlog) {
        let content = format!("{until}\n").into_bytes();
        files::put(files, &tlog, &[(PathBuf::from(MINIMUM), content)])?;
    }
    sweep(files, ledger)
}

/// Removes what the minimum index gives up. After a crash it goes on where it
/// was: bundles go from the oldest on, so that those below one that is gone
/// are gone too.
pub(crate) fn sweep(files: &dyn Files, ledger: &Path) -> Result<(), PruneFault> {
    let tlog = ledger.join(FOLDER);
    let until = minimum(files, &tlog);
    if until == 0 || is_held(files, ledger) {
        return Ok(());
    }
    let width = u64::from(TILE_WIDTH);
    let bundle = |index| Tile {
        row: Row::Entries,
        index,
        width: TILE_WIDTH,
    };
    let is_there = |index: &u64| {
        files
            .read_from(&tlog.join(bundle(*index).path()), 0, 1)
            .is_ok()
    };
    let end = until / width;
    let begin = (0..end).rev().take_while(is_there).last().unwrap_or(end);
    for index in begin..end {
        let path = tlog.join(bundle(index).path());
        files.remove(&path)?;
        if let Some(folder) = path.parent() {
            files.sync_folder(folder)?;
        }
    }
    let names = files.list(ledger)?;
    let mut segments: Vec<(u64, String)> = names
        .into_iter()
        .filter_map(|name| Some((segment::first_of(&name)?, name)))
        .collect();
    segments.sort();
    for pair in segments.windows(2) {
        if let [(_, name), (next, _)] = pair
            && *next <= until
        {
            files.remove(&ledger.join(name))?;
            files.sync_folder(ledger)?;
        }
    }
    Ok(())
}
