//! What a pattern found and the engine did not report, and why.

use std::{fmt, ops::Range};

use terms::{DetectorId, Kind};

use crate::Detector;

/// LIMIT: matches of one text that are kept with the reason why they are no
/// findings.
const REFUSED_MAX: usize = 10_000;

/// Why a match is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its validator said no.
    Validator,
    /// Likewise, and it reads as what stands in a value's place.
    Placeholder,
    /// It is a value that stands in public documents and tests.
    Published,
    /// A character before it that it may not have.
    Before,
    /// A character behind it that it may not have.
    Neighbour,
    /// Too little entropy.
    Entropy,
    /// No context word before it.
    Context,
    /// It scores too little to be reported.
    Score,
    /// Its detector does not look this way.
    Direction,
    /// Its detector does not look at texts of this profile.
    Profile,
    /// Its detector is switched off.
    Off,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validator => "its check says it is none",
            Self::Placeholder => "its check says it is none: it reads as a placeholder",
            Self::Published => "it is printed in public documents or tests, and no secret",
            Self::Before => "it begins in the middle of another word",
            Self::Neighbour => "it runs on into another word",
            Self::Entropy => "it is not varied enough",
            Self::Context => "no context word stands before it",
            Self::Score => "it scores too little without a context word",
            Self::Direction => "its detector does not look in this direction",
            Self::Profile => "its detector does not look at texts of this profile",
            Self::Off => "its detector is switched off",
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

/// So many of them, and no more.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    pub(super) list: Vec<Refused>,
    /// Whether there were more.
    pub(super) more: bool,
}

impl Refusals {
    pub(super) fn push(&mut self, refused: Refused) {
        if self.list.len() < REFUSED_MAX {
            self.list.push(refused);
        } else {
            self.more = true;
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.more |= other.more;
        other
            .list
            .into_iter()
            .for_each(|refused| self.push(refused));
    }

    /// In order of place, each once.
    pub(super) fn sort(&mut self) {
        let place = |refused: &Refused| (refused.span.start, refused.span.end);
        self.list.sort_by(|a, b| {
            let (one, other) = (&a.detector, &b.detector);
            (place(a), one, a.why).cmp(&(place(b), other, b.why))
        });
        self.list.dedup();
    }
}
