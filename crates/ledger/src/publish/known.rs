//! The checkpoint that is there, against which a log is held: a log that was
//! put back or exchanged is not taken for a sound one.

use std::{io, path::Path};

use terms::{Act, Digest, Event, Leaf};
use thiserror::Error;

use super::{CHECKPOINT, FOLDER, WITNESSED};
use crate::{
    files::{Files, is_absent, says},
    merkle::Tree,
    note::{Checkpoint, Note, NoteFault, VerifierKey},
    reader::Rest,
};

/// Why a log and its checkpoint do not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointFault {
    /// It cannot be read.
    #[error("the file `{FOLDER}/{CHECKPOINT}` cannot be read: {}", says(*.0))]
    Unreadable(io::ErrorKind),
    /// It is none of this log.
    #[error("the file `{FOLDER}/{CHECKPOINT}` is not to be trusted: {0}")]
    Note(#[from] NoteFault),
    /// It is gone.
    #[error(
        "the file `{FOLDER}/{CHECKPOINT}` is missing: one is there before a gate is ready the first time, and always after that"
    )]
    Missing,
    /// The witnessed one cannot be read.
    #[error("the file `{FOLDER}/{WITNESSED}` cannot be read: {}", says(*.0))]
    WitnessedUnreadable(io::ErrorKind),
    /// The witnessed one is none of this log.
    #[error("the file `{FOLDER}/{WITNESSED}` is not to be trusted: {0}")]
    WitnessedNote(NoteFault),
    /// The witnessed one is newer than the newest.
    #[error(
        "`{FOLDER}/{WITNESSED}` was signed over {witnessed} entries, `{FOLDER}/{CHECKPOINT}` over {newest}: the log was put back"
    )]
    PutBack {
        /// Entries that the witnessed checkpoint covers.
        witnessed: u64,
        /// Entries that the newest checkpoint covers.
        newest: u64,
    },
    /// The witnessed one is over other entries.
    #[error(
        "the first {0} entries are not those over which `{FOLDER}/{WITNESSED}` was signed: this is another log than the one that was witnessed"
    )]
    Forked(u64),
    /// Entries are missing at the end.
    #[error(
        "the log has {found} entries, but its checkpoint was signed over {expected}: the last ones are missing"
    )]
    Short {
        /// Entries that the checkpoint covers.
        expected: u64,
        /// Entries that are there.
        found: u64,
    },
    /// Another log stands there.
    #[error(
        "the first {0} entries are not those over which the checkpoint was signed: a part was exchanged"
    )]
    Other(u64),
}

/// The newest checkpoint of the ledger in a folder; `None` where none was made
/// yet. Without a key its signature is not looked at.
///
/// # Errors
/// When it is there and cannot be used.
pub fn checkpoint_of(
    files: &dyn Files,
    ledger: &Path,
    key: Option<&VerifierKey>,
) -> Result<Option<Checkpoint>, CheckpointFault> {
    let signed = note_of(files, &ledger.join(FOLDER), key)?;
    Ok(signed.map(|(checkpoint, _)| checkpoint))
}

/// The same with its lines, in the folder that is published.
pub(crate) fn note_of(
    files: &dyn Files,
    tlog: &Path,
    key: Option<&VerifierKey>,
) -> Result<Option<(Checkpoint, Note)>, CheckpointFault> {
    match files.read(&tlog.join(CHECKPOINT)) {
        Ok(bytes) => Ok(Some(checkpoint_in(&bytes, key)?)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(CheckpointFault::Unreadable(error.kind())),
    }
}

/// The newest checkpoint that a witness cosigned; `None` where none was yet.
pub(crate) fn witnessed_of(
    files: &dyn Files,
    tlog: &Path,
    key: Option<&VerifierKey>,
) -> Result<Option<(Checkpoint, Note)>, CheckpointFault> {
    match files.read(&tlog.join(WITNESSED)) {
        Ok(bytes) => checkpoint_in(&bytes, key)
            .map(Some)
            .map_err(CheckpointFault::WitnessedNote),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(CheckpointFault::WitnessedUnreadable(error.kind())),
    }
}

fn checkpoint_in(bytes: &[u8], key: Option<&VerifierKey>) -> Result<(Checkpoint, Note), NoteFault> {
    match key {
        Some(key) => Checkpoint::verified(bytes, key),
        None => {
            let note = Note::read(bytes)?;
            Ok((Checkpoint::read(&note.text)?, note))
        }
    }
}

impl Checkpoint {
    /// That this witnessed checkpoint can be one from before the newest.
    pub(crate) fn is_behind(&self, newest: &Self) -> Result<(), CheckpointFault> {
        if self.origin != newest.origin {
            return Err(CheckpointFault::WitnessedNote(NoteFault::Origin));
        }
        if self.size > newest.size {
            return Err(CheckpointFault::PutBack {
                witnessed: self.size,
                newest: newest.size,
            });
        }
        Ok(())
    }
}

impl CheckpointFault {
    /// The same of the witnessed checkpoint, of which it is known that it is
    /// not longer than the newest.
    pub(crate) fn of_witnessed(self) -> Self {
        match self {
            Self::Other(size) => Self::Forked(size),
            other => other,
        }
    }
}

/// Whether an entry shows that there was a checkpoint when it was written.
pub(crate) const fn shows_checkpoint(leaf: &Leaf) -> bool {
    matches!(
        leaf,
        Leaf::Event(Event {
            act: Act::GateReady,
            ..
        })
    )
}

/// Holds a log, entry by entry, against its checkpoint.
#[derive(Debug)]
pub(crate) struct Anchor {
    checkpoint: Option<Checkpoint>,
    /// The root when there were as many entries as the checkpoint covers.
    root: Option<Digest>,
}

/// What does not fit.
#[derive(Debug)]
pub(crate) enum Unanchored {
    Torn(Rest),
    Checkpoint(CheckpointFault),
}

impl Anchor {
    pub(crate) const fn new(checkpoint: Option<Checkpoint>) -> Self {
        Self {
            checkpoint,
            root: None,
        }
    }

    /// To be called for every size of the tree, 0 included.
    pub(crate) fn look(&mut self, entries: u64, tree: &Tree) {
        if self.covers(entries) {
            self.root = Some(tree.root());
        }
    }

    /// The same for a size whose root alone is known.
    pub(crate) fn look_at(&mut self, entries: u64, root: Digest) {
        if self.covers(entries) {
            self.root = Some(root);
        }
    }

    fn covers(&self, entries: u64) -> bool {
        let checkpoint = self.checkpoint.as_ref();
        checkpoint.is_some_and(|checkpoint| checkpoint.size == entries)
    }

    /// That a witnessed checkpoint was not over other entries than these, as
    /// far as they were looked at: those that were pruned were not.
    pub(crate) fn differs(&self) -> Result<(), CheckpointFault> {
        match (&self.checkpoint, self.root) {
            (Some(checkpoint), Some(root)) if root != checkpoint.root => {
                Err(CheckpointFault::Forked(checkpoint.size))
            }
            _ => Ok(()),
        }
    }

    /// Judges the log at its end; `rest` is what stands after the last entry.
    pub(crate) fn judge(&self, entries: u64, rest: Option<&Rest>) -> Result<(), Unanchored> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        let expected = checkpoint.size;
        match (self.root, rest) {
            (Some(root), _) if root == checkpoint.root => Ok(()),
            (Some(_), _) => Err(Unanchored::Checkpoint(CheckpointFault::Other(expected))),
            (None, Some(rest)) => Err(Unanchored::Torn(rest.clone())),
            (None, None) => Err(Unanchored::Checkpoint(CheckpointFault::Short {
                expected,
                found: entries,
            })),
        }
    }
}
