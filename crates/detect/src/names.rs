//! What a model that the operator supplies says of a text: names and places in prose.
//!
//! Patterns find a name only behind a phrase or a title. A model may find the
//! others; none is part of this crate. It is asked in JSON, and what it says is
//! checked before it counts (`docs/specs/names.md`).

mod answer;
mod merge;
mod pieces;

use terms::{Action, DetectorId};
use thiserror::Error;

pub use answer::{SpotKind, question, read};
pub use merge::merge;
pub use pieces::{Batch, BatchEnd, batches};

/// LIMIT: spans that a model may name in one text.
pub const SPOTS_MAX: usize = 4_096;
/// LIMIT: bytes of one span: no name and no address is longer.
pub const SPOT_BYTES_MAX: usize = 512;
/// LIMIT: bytes of one answer.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a model finds is told under these names, and redacted unless the
/// policy says otherwise.
pub const DETECTORS: [(&str, Action); 2] = [
    ("person-model", Action::Redact),
    ("address-model", Action::Redact),
];

/// A model that gave no answer, or one that does not fit the text. Then the text
/// was not looked at, and must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NamesFault {
    /// It could not be reached, or refused.
    #[error("the service for names gave no answer")]
    NoAnswer,
    /// It took too long, or there was no turn in time.
    #[error("the service for names did not answer in time")]
    Late,
    /// Its answer is larger than any may be.
    #[error("the service for names gave a longer answer than it may")]
    TooLarge,
    /// A span lies outside the text, cuts a character, or is too long; a score
    /// is not 1 to 100; there are too many; or the answer is none at all.
    #[error("the service for names gave an answer that does not fit the text")]
    NoFit,
}

/// The name under which a kind is told.
fn detector(kind: SpotKind) -> DetectorId {
    let [(person, _), (address, _)] = DETECTORS;
    DetectorId::new(match kind {
        SpotKind::Person => person,
        SpotKind::Address => address,
    })
}
