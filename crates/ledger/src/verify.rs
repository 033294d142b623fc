//! Checks a whole log: every entry as it was written, none missing, each
//! exchange with its two halves, tiles and checkpoint over these entries.

mod beside;
mod judge;
mod published;

use std::{path::Path, sync::Arc};

use terms::{Act, Digest, ExchangeId};
use thiserror::Error;

use crate::{
    canonical::LEAF_BYTES_MAX,
    files::Files,
    head::{self, Against, HeadFault, Misfit},
    note::{Checkpoint, NoteFault, VerifierKey},
    prune::{self, PruneFault},
    publish::{Anchor, CheckpointFault, FOLDER, Unanchored, checkpoint_of},
    reader::{ReadFault, Reader},
    tile::Shelf,
};
use beside::Beside;
use judge::Judge;
use published::Shown;

pub use beside::{CosignFault, Cosigned, all_of, cosigned_by};
pub(crate) use judge::record;
pub use published::verify_published;

/// What a log is held against, beside itself.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The log's key; without it, the signature of its checkpoint is not
    /// looked at.
    pub key: Option<VerifierKey>,
    /// A checkpoint that was verified earlier: the log must have grown from it.
    pub since: Option<Checkpoint>,
    /// Witnesses whose lines are looked at.
    pub witnesses: Vec<VerifierKey>,
    /// Whether each of them must have cosigned a checkpoint that is there.
    pub all_witnesses: bool,
}

/// A sound log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries, those included that were pruned.
    pub entries: u64,
    /// The first entry that is still there.
    pub first: u64,
    /// Exchanges that left the Screened room.
    pub admitted: u64,
    /// Exchanges that ended.
    pub closed: u64,
    /// Of these, those whose beginning was pruned.
    pub closed_of_pruned: u64,
    /// Exchanges that were admitted and did not end: of a gate that runs, or of
    /// one that stopped and was not started again.
    pub open: Vec<ExchangeId>,
    /// Requests that a room refused, strangers included.
    pub refused: u64,
    /// Times at which the node found that it had not stopped cleanly.
    pub unclean_starts: u64,
    /// Root of the Merkle tree (RFC 6962) over the entries' bytes.
    pub root: Digest,
    /// Time of the first and last entry, milliseconds since 1970.
    pub span_ms: Option<(u64, u64)>,
    /// Bytes after the last sound entry: a write that a crash cut off, or one
    /// that a running node is just making.
    pub tail_bytes: u64,
    /// The checkpoint that was found, and which all tiles fit.
    pub checkpoint: Option<Checkpoint>,
    /// Entries that the newest witnessed checkpoint covers, if there is one;
    /// who cosigned it is told by `cosigned` only.
    pub witnessed: Option<u64>,
    /// What the known witnesses cosigned, each once.
    pub cosigned: Vec<Cosigned>,
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EntryFault {
    /// None, or too many of them.
    #[error("has not 1 to {LEAF_BYTES_MAX} bytes")]
    Length,
    /// They are not a record.
    #[error("is not a record of a version that this merestone knows")]
    Record,
    /// They are not the canonical form of what they say.
    #[error("is not in its canonical form")]
    Canonical,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyFault {
    /// The log cannot be read as one.
    #[error(transparent)]
    Read(#[from] ReadFault),
    /// The log is not the one that its head tells of.
    #[error("the log does not fit its head: {0}")]
    Head(#[from] HeadFault),
    /// The log is not the one over which its checkpoint was signed.
    #[error("the log does not fit its checkpoint: {0}")]
    Checkpoint(#[from] CheckpointFault),
    /// The log did not grow from the older checkpoint.
    #[error("the log did not grow from the older checkpoint: {0}")]
    Growth(CheckpointFault),
    /// A tile does not fit the entries.
    #[error("entry {entry}: {path} {why}")]
    Tile {
        /// The first entry that the tile does not fit.
        entry: u64,
        /// The tile.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Entries are missing at the beginning, and nothing tells why.
    #[error(transparent)]
    Pruned(#[from] PruneFault),
    /// A witness's word does not stand.
    #[error("the witnesses' lines: {0}")]
    Cosigned(#[from] CosignFault),
    /// The bytes are no entry.
    #[error("entry {entry} {fault}")]
    Entry {
        /// The entry.
        entry: u64,
        /// Why.
        fault: EntryFault,
    },
    /// An exchange was admitted twice.
    #[error("entry {entry} admits {exchange} for the second time")]
    AdmittedTwice {
        /// The entry that admits it again.
        entry: u64,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// An exchange ended that was never admitted.
    #[error("entry {entry} closes {exchange}, which was never admitted")]
    NeverAdmitted {
        /// The entry that closes it.
        entry: u64,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// An exchange ended twice.
    #[error("entry {entry} closes {exchange} for the second time")]
    ClosedTwice {
        /// The entry that closes it again.
        entry: u64,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// An exchange was refused and has another entry.
    #[error("entry {entry}: {exchange} was refused, and has another entry of its own")]
    SecondFate {
        /// The later one of the two.
        entry: u64,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// An exchange is open where none can be.
    #[error("entry {entry} is {act}, and {exchange} is still open: its end is missing")]
    OpenAt {
        /// The entry.
        entry: u64,
        /// What it says.
        act: Act,
        /// One that is open.
        exchange: ExchangeId,
    },
    /// More exchanges open than any gate can have.
    #[error("entry {0}: more than {max} exchanges are open at once", max = judge::OPEN_MAX)]
    TooManyOpen(u64),
}

impl From<Misfit> for VerifyFault {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Read(fault) => Self::Read(fault),
            Misfit::Head(fault) => Self::Head(fault),
            Misfit::Checkpoint(fault) => Self::Checkpoint(fault),
        }
    }
}

impl From<NoteFault> for VerifyFault {
    fn from(fault: NoteFault) -> Self {
        Self::Checkpoint(CheckpointFault::Note(fault))
    }
}

/// Checks the log in a folder; tells `progress` the entries seen so far.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn verify(
    files: Arc<dyn Files>,
    folder: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, VerifyFault> {
    verify_trusting(files, folder, &Trust::default(), progress)
}

/// The same, and holds the log against a key and an older checkpoint.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn verify_trusting(
    files: Arc<dyn Files>,
    folder: &Path,
    trust: &Trust,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, VerifyFault> {
    let known = head::of(&*files, folder)?;
    // Before the log: while a gate runs, both grow.
    let beside = Beside::read(&*files, &folder.join(FOLDER), trust)?;
    let checkpoint = beside.checkpoint.as_ref();
    let mut reader = Reader::new(Arc::clone(&files), folder);
    let first = reader.first()?;
    let tree = prune::tree_before(&files, folder, checkpoint, first)?;
    let mut shown = Shown::new(&files, folder, checkpoint, first)?;
    let grown = |from| Growth::new(from, &files, folder, checkpoint, first);
    let mut since = grown(trust.since.as_ref())?;
    let mut witnessed = grown(beside.witnessed.as_ref())?;
    let mut against = Against::new(known, beside.checkpoint.clone(), first, tree);
    let mut judge = Judge::new(first);
    while let Some(entry) = reader.read_next()? {
        judge.entry(entry.sequence, &entry.leaf, &entry.payload)?;
        against.push(&entry.payload);
        shown.entry(&entry.payload)?;
        since.look(&against);
        witnessed.look(&against);
        progress(judge.entries());
    }
    against.judge(reader.rest(), head::of(&*files, folder)?)?;
    since.judge(judge.entries()).map_err(VerifyFault::Growth)?;
    witnessed
        .judge(judge.entries())
        .map_err(|fault| VerifyFault::Checkpoint(fault.of_witnessed()))?;
    if checkpoint.is_none() && judge.had_checkpoint() {
        // A gate may just have become ready for the first time.
        checkpoint_of(&*files, folder, trust.key.as_ref())?.ok_or(CheckpointFault::Missing)?;
    }
    let mut verified = judge.end(beside.index)?;
    verified.root = against.tree().root();
    verified.tail_bytes = reader.rest().map_or(0, |rest| rest.bytes);
    verified.beside(beside);
    Ok(verified)
}

impl Verified {
    /// What was found beside the tiles, and fits.
    fn beside(&mut self, beside: Beside) {
        self.checkpoint = beside.checkpoint;
        self.witnessed = beside.witnessed.map(|witnessed| witnessed.size);
        self.cosigned = beside.cosigned;
    }
}

/// Whether the log grew from an older checkpoint.
struct Growth(Anchor);

impl Growth {
    fn new(
        from: Option<&Checkpoint>,
        files: &Arc<dyn Files>,
        folder: &Path,
        checkpoint: Option<&Checkpoint>,
        first: u64,
    ) -> Result<Self, VerifyFault> {
        let Some(from) = from else {
            return Ok(Self(Anchor::new(None)));
        };
        let mut anchor = Anchor::new(Some(from.clone()));
        // What was pruned is known by its hashes only.
        if from.size <= first
            && let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.size >= from.size)
        {
            let tlog = folder.join(FOLDER);
            let mut shelf = Shelf::new(Arc::clone(files), &tlog, checkpoint.size);
            let root = shelf.root(from.size).map_err(PruneFault::Tiles)?;
            anchor.look_at(from.size, root);
        }
        if from.size == 0 {
            anchor.look(0, &crate::merkle::Tree::default());
        }
        Ok(Self(anchor))
    }

    fn look(&mut self, against: &Against) {
        self.0.look(against.entries(), against.tree());
    }

    fn judge(&self, entries: u64) -> Result<(), CheckpointFault> {
        judged(&self.0, entries)
    }
}

/// What an anchor says of a log that has nothing behind its last entry.
fn judged(anchor: &Anchor, entries: u64) -> Result<(), CheckpointFault> {
    anchor.judge(entries, None).map_err(|fault| match fault {
        Unanchored::Checkpoint(fault) => fault,
        Unanchored::Torn(_) => CheckpointFault::Short {
            expected: entries.saturating_add(1),
            found: entries,
        },
    })
}
