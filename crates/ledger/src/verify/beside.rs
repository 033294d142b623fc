//! What is published beside the tiles: the checkpoint, the newest one that a
//! witness cosigned, the witnesses' lines, and from where on entries are kept.

use std::path::Path;

use thiserror::Error;

use super::{Trust, VerifyFault};
use crate::{
    files::Files,
    note::{Checkpoint, Note, VerifierKey},
    prune::{Index, PruneFault},
    publish::{CHECKPOINT, CheckpointFault, WITNESSED, note_of, witnessed_of},
};

/// What one witness cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Name of its key.
    pub witness: String,
    /// Entries of the newest checkpoint that has a line of it.
    pub entries: u64,
    /// When it cosigned that by its own clock, seconds since 1970.
    pub at_s: u64,
}

/// Why a witness's word does not stand.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CosignFault {
    /// A line in its name is wrong.
    #[error("the line of {witness} in `{file}` is wrong: it did not cosign this checkpoint")]
    Line {
        /// Name of its key.
        witness: String,
        /// The file.
        file: &'static str,
    },
    /// It was to have cosigned the log.
    #[error("{0} cosigned no checkpoint that is here")]
    Never(String),
}

/// What was found, and fits as far as can be told without the entries.
pub(super) struct Beside {
    pub(super) index: Index,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) witnessed: Option<Checkpoint>,
    pub(super) cosigned: Vec<Cosigned>,
}

impl Beside {
    /// Reads it, each file before those that can never be behind it: while a
    /// gate runs, all of them grow.
    pub(super) fn read(files: &dyn Files, tlog: &Path, trust: &Trust) -> Result<Self, VerifyFault> {
        let key = trust.key.as_ref();
        let index = Index::read(files, tlog).map_err(PruneFault::from)?;
        let witnessed = witnessed_of(files, tlog, key)?;
        let signed = note_of(files, tlog, key)?;
        let mut cosigned = Vec::new();
        for (file, found) in [(CHECKPOINT, &signed), (WITNESSED, &witnessed)] {
            if let Some((checkpoint, note)) = found {
                take_lines(note, checkpoint.size, file, &trust.witnesses, &mut cosigned)?;
            }
        }
        let checkpoint = signed.map(|(checkpoint, _)| checkpoint);
        let witnessed = witnessed.map(|(checkpoint, _)| checkpoint);
        match (&witnessed, &checkpoint) {
            (Some(_), None) => return Err(CheckpointFault::Missing.into()),
            (Some(witnessed), Some(checkpoint)) => witnessed.is_behind(checkpoint)?,
            (None, _) => {}
        }
        index
            .within(checkpoint.as_ref())
            .map_err(PruneFault::from)?;
        if trust.all_witnesses {
            all_of(&trust.witnesses, &cosigned)?;
        }
        Ok(Self {
            index,
            checkpoint,
            witnessed,
            cosigned,
        })
    }
}

/// The lines of known witnesses under a checkpoint.
///
/// # Errors
/// When a line in the name of one of them is wrong.
pub fn cosigned_by(
    note: &Note,
    size: u64,
    witnesses: &[VerifierKey],
) -> Result<Vec<Cosigned>, CosignFault> {
    let mut cosigned = Vec::new();
    take_lines(note, size, CHECKPOINT, witnesses, &mut cosigned)?;
    Ok(cosigned)
}

/// That each witness cosigned something.
///
/// # Errors
/// When one did not.
pub fn all_of(witnesses: &[VerifierKey], cosigned: &[Cosigned]) -> Result<(), CosignFault> {
    let is_there = |key: &&VerifierKey| cosigned.iter().any(|line| line.witness == key.name());
    match witnesses.iter().find(|key| !is_there(key)) {
        Some(key) => Err(CosignFault::Never(key.name().to_owned())),
        None => Ok(()),
    }
}

fn take_lines(
    note: &Note,
    size: u64,
    file: &'static str,
    witnesses: &[VerifierKey],
    cosigned: &mut Vec<Cosigned>,
) -> Result<(), CosignFault> {
    for key in witnesses {
        for line in note.signatures.iter().filter(|line| line.is_of(key)) {
            let time = line.bytes.first_chunk::<8>();
            let (Some(time), true) = (time, key.verifies(&note.text, &line.bytes)) else {
                let witness = key.name().to_owned();
                return Err(CosignFault::Line { witness, file });
            };
            let new = Cosigned {
                witness: key.name().to_owned(),
                entries: size,
                at_s: u64::from_be_bytes(*time),
            };
            match cosigned.iter_mut().find(|old| old.witness == new.witness) {
                None => cosigned.push(new),
                Some(old) if (old.entries, old.at_s) < (new.entries, new.at_s) => *old = new,
                Some(_) => {}
            }
        }
    }
    Ok(())
}
