//! Asks witnesses to cosign checkpoints: c2sp.org/tlog-witness. What is sent
//! and what an answer means is decided here; who carries it is passed in.

use std::io;

use thiserror::Error;

use crate::{
    merkle::PROOF_HASHES_MAX,
    note::{
        Algorithm, Checkpoint, Note, SIGNATURES_MAX, Signature, VerifierKey, decimal, hash_text,
    },
    publish::{Publication, PublishFault},
    tile::{Shelf, ShelfFault},
};

/// LIMIT: bytes of a witness's answer.
pub const REPLY_BYTES_MAX: usize = 64 << 10;

/// Carries a request to one witness: a POST to its `add-checkpoint`.
pub trait Call: Send {
    /// Sends the body; answers status and body of what came back, the latter
    /// at most [`REPLY_BYTES_MAX`] long.
    ///
    /// # Errors
    /// When no answer came.
    fn add_checkpoint(&self, body: &[u8]) -> io::Result<(u16, Vec<u8>)>;
}

/// Why a witness did not cosign.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WitnessFault {
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(io::ErrorKind),
    /// It knows a longer log with this name.
    #[error(
        "it cosigned {theirs} entries of this log, and there are {ours}: this log was put back, or another one has its key"
    )]
    Ahead {
        /// Entries that it cosigned.
        theirs: u64,
        /// Entries of the checkpoint that it was shown.
        ours: u64,
    },
    /// It cosigned a log that this one did not grow from.
    #[error(
        "it cosigned {0} entries that are not the first ones of this log: this log was changed, or another one has its key"
    )]
    Forked(u64),
    /// It does not know the log, or its key.
    #[error("it does not know this log or not its key (status {0}); add both there")]
    Unknown(u16),
    /// It refused for another cause.
    #[error("it refused with status {0}")]
    Refused(u16),
    /// Its answer cannot be used.
    #[error("its answer holds no line of its key over this checkpoint")]
    Answer,
    /// A tile for the proof cannot be read.
    #[error("the proof for it cannot be made: {0}")]
    Tile(#[from] ShelfFault),
    /// Its line cannot be kept.
    #[error("its line cannot be kept: {0}")]
    Publish(#[from] PublishFault),
}

impl WitnessFault {
    /// Whether it shows that the log was put back, exchanged or doubled.
    #[must_use]
    pub const fn is_grave(&self) -> bool {
        matches!(self, Self::Ahead { .. } | Self::Forked(_))
    }
}

/// The body of a request: how far the witness is, the proof from there, and
/// the checkpoint.
///
/// # Errors
/// When a tile that the proof is made of cannot be used.
pub fn request(note: &Note, shelf: &mut Shelf, old: u64) -> Result<Vec<u8>, ShelfFault> {
    let mut body = format!("old {old}\n");
    for hash in shelf.consistency(old)?.iter().take(PROOF_HASHES_MAX) {
        body.push_str(&hash_text(hash));
        body.push('\n');
    }
    body.push('\n');
    let mut body = body.into_bytes();
    body.extend_from_slice(&note.encode());
    Ok(body)
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It cosigned; these lines are its.
    Cosigned(Vec<Signature>),
    /// It is at another size than was thought.
    At(u64),
}

/// Reads an answer to the request over `old` entries.
///
/// # Errors
/// When it is a refusal or cannot be used.
pub fn reply(
    status: u16,
    body: &[u8],
    asked: (&Note, &Checkpoint, u64),
    key: &VerifierKey,
) -> Result<Reply, WitnessFault> {
    let (note, checkpoint, old) = asked;
    let text = std::str::from_utf8(body.get(..REPLY_BYTES_MAX).unwrap_or(body));
    match status {
        200 => {
            let lines = text.map_err(|_| WitnessFault::Answer)?.lines();
            let lines: Vec<Signature> = lines
                .take(SIGNATURES_MAX)
                .filter_map(|line| Signature::read(line).ok())
                .filter(|line| line.is_of(key) && key.verifies(&note.text, &line.bytes))
                .collect();
            if lines.is_empty() || key.algorithm() != Algorithm::Cosignature {
                return Err(WitnessFault::Answer);
            }
            Ok(Reply::Cosigned(lines))
        }
        409 => {
            let size = text.ok().and_then(|text| text.strip_suffix('\n'));
            let theirs = size.and_then(decimal).ok_or(WitnessFault::Refused(409))?;
            let ours = checkpoint.size;
            match theirs {
                _ if theirs > ours => Err(WitnessFault::Ahead { theirs, ours }),
                // It has as many entries and does not agree; 422 in newer ones.
                _ if theirs == old && old == ours => Err(WitnessFault::Forked(theirs)),
                _ if theirs == old => Err(WitnessFault::Refused(409)),
                _ => Ok(Reply::At(theirs)),
            }
        }
        422 if old > 0 => Err(WitnessFault::Forked(old)),
        403 | 404 => Err(WitnessFault::Unknown(status)),
        _ => Err(WitnessFault::Refused(status)),
    }
}

/// One witness and how far it is.
pub struct Witness {
    key: VerifierKey,
    call: Box<dyn Call>,
    /// Entries that it cosigned, as far as is known.
    old: u64,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Witness({}, {})", self.key, self.old)
    }
}

impl Witness {
    /// A witness with this key, reached by this call. It is asked how far it is
    /// at the first time.
    #[must_use]
    pub fn new(key: VerifierKey, call: Box<dyn Call>) -> Self {
        Self { key, call, old: 0 }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.name()
    }

    /// Asks it to cosign a checkpoint; answers its lines.
    ///
    /// # Errors
    /// When it does not.
    pub fn ask(
        &mut self,
        note: &Note,
        checkpoint: &Checkpoint,
        shelf: &mut Shelf,
    ) -> Result<Vec<Signature>, WitnessFault> {
        let mut old = self.old.min(checkpoint.size);
        // Once more if it is not where it was thought to be.
        for _ in 0..2 {
            let body = request(note, shelf, old)?;
            let (status, body) = self
                .call
                .add_checkpoint(&body)
                .map_err(|error| WitnessFault::Unreachable(error.kind()))?;
            match reply(status, &body, (note, checkpoint, old), &self.key)? {
                Reply::Cosigned(lines) => {
                    self.old = checkpoint.size;
                    return Ok(lines);
                }
                Reply::At(size) => old = size,
            }
        }
        Err(WitnessFault::Refused(409))
    }
}

/// Shows the newest checkpoint to every witness and keeps their lines. Answers
/// how many cosigned, and what went wrong with the others. One that has no
/// checkpoint or an empty one is shown to nobody.
pub fn feed(
    witnesses: &mut [Witness],
    published: &Publication,
) -> (usize, Vec<(String, WitnessFault)>) {
    let asked_ms = published.now_ms();
    let mut faults = Vec::new();
    let Some((mut note, checkpoint, mut shelf)) = published.snapshot() else {
        return (0, faults);
    };
    let mut cosigned = 0;
    for witness in witnesses {
        match witness.ask(&note, &checkpoint, &mut shelf) {
            Ok(lines) => {
                note.add(lines);
                cosigned += 1;
            }
            Err(fault) => faults.push((witness.name().to_owned(), fault)),
        }
    }
    if cosigned > 0
        && let Err(fault) = published.keep_witnessed(&note, asked_ms)
    {
        faults.push((String::new(), WitnessFault::Publish(fault)));
    }
    (cosigned, faults)
}
