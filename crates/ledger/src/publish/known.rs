//! The checkpoint that is there, against which a log is held: a log that was
//! put back or exchanged is not taken for a sound one.

use std::{io, path::Path};

use terms::Digest;
use thiserror::Error;

use super::{CHECKPOINT, FOLDER};
use crate::{
    files::{Files, is_absent},
    merkle::Tree,
    note::{Checkpoint, Note, NoteFault, VerifierKey},
    reader::Rest,
};

/// Why a log and its checkpoint do not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointFault {
    /// It cannot be read.
    #[error("the file `{FOLDER}/{CHECKPOINT}` cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// It is none of this log.
    #[error("the file `{FOLDER}/{CHECKPOINT}` is not to be trusted: {0}")]
    Note(#[from] NoteFault),
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
    let bytes = match files.read(&ledger.join(FOLDER).join(CHECKPOINT)) {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(CheckpointFault::Unreadable(error.kind())),
    };
    let checkpoint = match key {
        Some(key) => Checkpoint::verified(&bytes, key)?.0,
        None => Checkpoint::read(&Note::read(&bytes)?.text)?,
    };
    Ok(Some(checkpoint))
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
