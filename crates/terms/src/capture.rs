//! What a record says of an exchange's sealed content: how much, and salted
//! commitments, never the content.

use serde::{Deserialize, Serialize};

use crate::{Commitment, Digest};

words! {
    /// What of a route's exchanges is sealed and kept.
    pub enum CaptureMode {
        /// Nothing.
        Nothing = "nothing",
        /// What detectors found, and where.
        Findings = "findings",
        /// That, and the texts that went to and fro.
        All = "all",
    }
}

words! {
    /// One part of what is sealed; each can be shown alone.
    pub enum CapturePart {
        /// Who called, from where and with what program, in the clear.
        Caller = "caller",
        /// What detectors found, and where.
        Findings = "findings",
        /// The body as it was sent to the vendor.
        Request = "request",
        /// The reply as it was released to the caller.
        Reply = "reply",
    }
}

words! {
    /// Why a part was left out.
    pub enum LeftOut {
        /// It is larger than the limit.
        TooLarge = "too-large",
        /// It holds a card's security code or track data that cannot be
        /// masked in its place.
        CardData = "card-data",
        /// It could not be searched for such data to its end.
        Unreadable = "unreadable",
    }
}

/// One sealed part, or one that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapturedPart {
    /// Which one.
    pub part: CapturePart,
    /// Its bytes in the clear, after masking; 0 if it was left out.
    pub bytes: u64,
    /// Salted commitment to them, by the record's own key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commitment: Option<Commitment>,
    /// Stretches that were masked before it was sealed.
    pub masked: u32,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left_out: Option<LeftOut>,
}

/// What was sealed of one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    /// What the route asks for.
    pub mode: CaptureMode,
    /// SHA-256 of the sealed bytes.
    pub sealed: Digest,
    /// The parts, each at most once.
    pub parts: Vec<CapturedPart>,
}
