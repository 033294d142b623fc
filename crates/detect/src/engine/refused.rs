//! What a pattern found and the engine did not report, and why.

use std::{fmt, ops::Range};

use terms::{DetectorId, Kind};

use crate::Detector;

/// Why a match is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its validator said no.
    Validator,
    /// A character behind it that it may not have.
    Neighbour,
    /// Too little entropy.
    Entropy,
    /// No context word before it.
    Context,
    /// It scores too little to be reported.
    Score,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validator => "its check says it is none",
            Self::Neighbour => "it runs on into another word",
            Self::Entropy => "it is not varied enough",
            Self::Context => "no context word stands before it",
            Self::Score => "it scores too little without a context word",
        })
    }
}

/// A match that is no finding. It holds no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The detector.
    pub detector: DetectorId,
    /// What it would have been.
    pub kind: Kind,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// Why.
    pub why: Why,
}

impl Refused {
    pub(super) fn new(detector: &Detector, span: Range<usize>, why: Why) -> Self {
        Self {
            detector: detector.id.clone(),
            kind: detector.kind.clone(),
            span,
            why,
        }
    }
}
