//! Checks a whole log: every entry as it was written, none missing, each
//! exchange with its two halves.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use terms::{Digest, ExchangeId, Leaf};
use thiserror::Error;

use crate::{
    canonical,
    files::Files,
    head::{self, Against, HeadFault, Misfit},
    reader::{ReadFault, Reader},
};

/// LIMIT: exchanges open at once in a log that can be verified.
const OPEN_MAX: usize = 1_000_000;

/// A sound log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries.
    pub entries: u64,
    /// Exchanges that left the Screened room.
    pub admitted: u64,
    /// Exchanges that ended.
    pub closed: u64,
    /// Exchanges that did not end yet.
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
    /// The bytes are not the canonical form of what they say.
    #[error("entry {0} is not in its canonical form")]
    Canonical(u64),
    /// An exchange was admitted twice.
    #[error("entry {0} admits an exchange for the second time")]
    AdmittedTwice(u64),
    /// An exchange ended that was never admitted, or ended twice.
    #[error("entry {0} closes an exchange that is not open")]
    NotOpen(u64),
    /// More exchanges open than any gate can have.
    #[error("entry {0}: more than {OPEN_MAX} exchanges are open at once")]
    TooManyOpen(u64),
}

impl From<Misfit> for VerifyFault {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Read(fault) => Self::Read(fault),
            Misfit::Head(fault) => Self::Head(fault),
        }
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
    let known = head::of(&*files, folder)?;
    let mut against = Against::new(known);
    let mut reader = Reader::new(Arc::clone(&files), folder);
    let mut open: BTreeMap<ExchangeId, u64> = BTreeMap::new();
    let mut seen: BTreeSet<ExchangeId> = BTreeSet::new();
    let mut verified = Verified {
        entries: 0,
        admitted: 0,
        closed: 0,
        open: Vec::new(),
        refused: 0,
        unclean_starts: 0,
        root: against.tree().root(),
        span_ms: None,
        tail_bytes: 0,
    };
    while let Some(entry) = reader.read_next()? {
        let at = entry.sequence;
        if canonical::to_bytes(&entry.leaf).ok().as_deref() != Some(&entry.payload[..]) {
            return Err(VerifyFault::Canonical(at));
        }
        against.push(&entry.payload);
        verified.entries += 1;
        let time = entry.leaf.at_ms();
        verified.span_ms = Some(
            verified
                .span_ms
                .map_or((time, time), |(first, _)| (first, time)),
        );
        match &entry.leaf {
            Leaf::Admitted(leaf) => {
                if !seen.insert(leaf.exchange) || open.insert(leaf.exchange, at).is_some() {
                    return Err(VerifyFault::AdmittedTwice(at));
                }
                if open.len() > OPEN_MAX {
                    return Err(VerifyFault::TooManyOpen(at));
                }
                verified.admitted += 1;
            }
            Leaf::Closed(leaf) => {
                open.remove(&leaf.exchange)
                    .ok_or(VerifyFault::NotOpen(at))?;
                verified.closed += 1;
            }
            Leaf::Refused(_) => verified.refused += 1,
            Leaf::RefusedSummary(leaf) => {
                verified.refused = verified.refused.saturating_add(leaf.count)
            }
            Leaf::UncleanStart(_) => verified.unclean_starts += 1,
            Leaf::Event(_) => {}
        }
        progress(verified.entries);
    }
    against.judge(reader.rest(), head::of(&*files, folder)?)?;
    verified.root = against.tree().root();
    verified.open = open.into_keys().collect();
    verified.tail_bytes = reader.rest().map_or(0, |rest| rest.bytes);
    Ok(verified)
}
