//! What is kept of an exchange: version 1 of the record.
//!
//! The canonical form is JSON by RFC 8785 with integers only; the `ledger`
//! crate writes it. Shapes and meanings stand in `docs/specs/record.md`.

mod head_count;
mod vendor;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    Captured, Code, Commitment, Control, Digest, Event, ExchangeId, FindingNote, KeyId, Mode, Slot,
    Verdict,
};

pub use head_count::{HeadCount, HeadCountRow};
pub use vendor::{Usage, VendorSeen};

/// The version that this build writes.
pub const RECORD_VERSION: u8 = 1;

/// A version that this build knows: another one is no record to it, since its
/// fields may mean something else.
pub(crate) fn known_version<'de, D: Deserializer<'de>>(input: D) -> Result<u8, D::Error> {
    match u8::deserialize(input)? {
        RECORD_VERSION => Ok(RECORD_VERSION),
        _ => Err(D::Error::custom(
            "a version of the record that is not known",
        )),
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Leaf {
    /// A request left the Screened room and was, or is being, sent.
    Admitted(Box<Admitted>),
    /// An admitted exchange ended: exactly one for each `admitted`.
    Closed(Box<Closed>),
    /// A room refused a request of a known caller.
    Refused(Box<Refused>),
    /// Refusals before the caller was known, counted.
    RefusedSummary(RefusedSummary),
    /// A change that somebody made.
    Event(Event),
    /// The node had stopped uncleanly; what may lack a leaf.
    UncleanStart(UncleanStart),
    /// What was counted of a day that ended.
    HeadCount(Box<HeadCount>),
}

words! {
    /// A room of the walk.
    pub enum Room {
        /// Bytes came in.
        Arrived = "arrived",
        /// The caller is known.
        Known = "known",
        /// The call is allowed and its body understood.
        Admitted = "admitted",
        /// Every control has looked at the request.
        Screened = "screened",
        /// The vendor is answering.
        Answering = "answering",
        /// The exchange ended.
        Closed = "closed",
    }
}

/// What one room decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomNote {
    /// The room.
    pub room: Room,
    /// What it decided and why, in a fixed phrase without any caller's text.
    pub decided: String,
    /// Microseconds since the request arrived.
    pub at_us: u64,
}

/// Who called, as far as a record may say in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// Public name of the virtual key.
    pub key: KeyId,
    /// Commitment to the key's owner.
    pub owner: Commitment,
    /// Commitment to the source address.
    pub source: Commitment,
    /// Commitment to the user agent, if one was sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_agent: Option<Commitment>,
}

/// What was asked, without any of its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFacts {
    /// Name of the dialect and operation, as `openai-chat`.
    pub dialect: String,
    /// Name of the vendor in the configuration.
    pub vendor: String,
    /// The model asked for.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Bytes of the body as it arrived.
    pub body_bytes: u64,
    /// Bytes of the body as it was sent, equal to the first when unedited.
    pub sent_bytes: u64,
    /// Whether the body was edited.
    pub edited: bool,
    /// Commitment to the body as it arrived.
    pub body: Commitment,
    /// The most tokens that the caller lets the model write.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_tokens_max: Option<u64>,
    /// The vendor's `store` flag as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub store: Option<bool>,
    /// Which try this is, as the SDK counts its own retries.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry: Option<u32>,
    /// Tools that the request offers.
    pub tools: u32,
}

/// Which configuration decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyVersion {
    /// Hash of the settled policy.
    pub policy: Digest,
    /// Hash of the detectors in force.
    pub rules: Digest,
}

/// How much was looked at, and how much was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspected {
    /// Bytes inspected, by slot.
    pub bytes: BTreeMap<Slot, u64>,
    /// Bytes of media that were passed on uninspected.
    pub media_bytes: u64,
    /// Bytes of opaque values that were passed on uninspected.
    pub opaque_bytes: u64,
    /// Values at places that the dialect does not know.
    pub unknown_values: u32,
    /// Those places, keys as positions, at most 16.
    pub unknown_places: Vec<String>,
}

impl Inspected {
    /// All bytes inspected.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.bytes.values().sum()
    }
}

/// What one control did in one exchange and direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlRun {
    /// The control.
    pub control: Control,
    /// How far its decisions were carried out.
    pub mode: Mode,
    /// Bytes it looked at; a control that looked at none while there were
    /// some has not passed.
    pub bytes: u64,
    /// What was done.
    pub verdict: Verdict,
    /// What would have been done: differs from `verdict` in shadow only.
    pub would: Verdict,
    /// Findings it minded.
    pub findings: u32,
}

words! {
    /// When the `admitted` entry must be durable.
    pub enum Durability {
        /// Before the request is sent to the vendor.
        BeforeDispatch = "before-dispatch",
        /// Before the first byte of the reply is released.
        BeforeReply = "before-reply",
    }
}

/// First half of an exchange's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// Record version.
    #[serde(deserialize_with = "known_version")]
    pub v: u8,
    /// Name of the exchange.
    pub exchange: ExchangeId,
    /// Time of arrival, milliseconds since 1970.
    pub at_ms: u64,
    /// Who called.
    pub caller: Caller,
    /// What was asked.
    pub request: RequestFacts,
    /// Which configuration decided.
    pub policy: PolicyVersion,
    /// What each control did with the request.
    pub controls: Vec<ControlRun>,
    /// How much was looked at.
    pub inspected: Inspected,
    /// What was found; at most 64.
    pub findings: Vec<FindingNote>,
    /// Findings beyond those listed.
    pub findings_more: u32,
    /// When this entry had to be durable.
    pub durability: Durability,
    /// What each room decided.
    pub rooms: Vec<RoomNote>,
}

/// A request that a room refused after the caller was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Record version.
    #[serde(deserialize_with = "known_version")]
    pub v: u8,
    /// Name of the exchange.
    pub exchange: ExchangeId,
    /// Time of arrival, milliseconds since 1970.
    pub at_ms: u64,
    /// Who called.
    pub caller: Caller,
    /// Why.
    pub code: Code,
    /// Where, if a place is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// What was asked, as far as it was understood.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<RequestFacts>,
    /// Which configuration decided.
    pub policy: PolicyVersion,
    /// What each control did, if the request came that far.
    pub controls: Vec<ControlRun>,
    /// How much was looked at.
    pub inspected: Inspected,
    /// What was found; at most 64.
    pub findings: Vec<FindingNote>,
    /// Findings beyond those listed.
    pub findings_more: u32,
    /// What of it is sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub captured: Option<Captured>,
    /// What each room decided.
    pub rooms: Vec<RoomNote>,
}

/// Refusals that were counted and not recorded one by one, by cause, source
/// network and key: of callers that were never known, and of requests that
/// known ones broke off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedSummary {
    /// Record version.
    #[serde(deserialize_with = "known_version")]
    pub v: u8,
    /// First of them, milliseconds since 1970.
    pub from_ms: u64,
    /// Last of them.
    pub to_ms: u64,
    /// Why.
    pub code: Code,
    /// The name under which `network` was committed to.
    pub reference: ExchangeId,
    /// Commitment to the source network (/24 or /48).
    pub network: Commitment,
    /// Public name of the virtual key, if the callers had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<KeyId>,
    /// How many.
    pub count: u64,
}

words! {
    /// How an admitted exchange ended.
    pub enum Outcome {
        /// The whole reply was delivered.
        Complete = "complete",
        /// A control ended the reply.
        Blocked = "blocked",
        /// The vendor answered with an error, which was delivered.
        VendorError = "vendor-error",
        /// The vendor failed, or its reply was not fit to deliver.
        VendorFailed = "vendor-failed",
        /// The caller left first.
        CallerGone = "caller-gone",
        /// The operator switched it off, or revoked its key, while it ran.
        SwitchedOff = "switched-off",
        /// The node stopped first; written after the restart.
        NodeStopped = "node-stopped",
    }
}

/// What became of the tokens that stood for redacted values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreCounts {
    /// Put back.
    pub restored: u32,
    /// Left in place because the place could carry the value out.
    pub withheld: u32,
    /// Left in place because this exchange did not issue them as they stand.
    pub foreign: u32,
}

/// How long things took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timings {
    /// Arrival to the first byte of the vendor's reply, microseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_byte_us: Option<u64>,
    /// Arrival to the end, microseconds.
    pub total_us: u64,
}

/// Second half of an exchange's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Record version.
    #[serde(deserialize_with = "known_version")]
    pub v: u8,
    /// Name of the exchange.
    pub exchange: ExchangeId,
    /// Time of the end, milliseconds since 1970.
    pub at_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when it did not end well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<Code>,
    /// Where, if a place is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// What was seen of the vendor.
    pub vendor: VendorSeen,
    /// Tokens as the vendor counted them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage: Option<Usage>,
    /// Bytes of the reply's body as the vendor sent it.
    pub reply_bytes: u64,
    /// Commitment to the reply's body as the vendor sent it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body: Option<Commitment>,
    /// Whether the reply was edited.
    pub edited: bool,
    /// Whether log probabilities were taken out because the text was edited.
    pub logprobs_removed: bool,
    /// Whether a signature was taken out because its text was edited.
    pub signature_removed: bool,
    /// What each control did with the reply.
    pub controls: Vec<ControlRun>,
    /// How much was looked at.
    pub inspected: Inspected,
    /// What was found; at most 64.
    pub findings: Vec<FindingNote>,
    /// Findings beyond those listed.
    pub findings_more: u32,
    /// What became of the tokens.
    pub restored: RestoreCounts,
    /// What of it is sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub captured: Option<Captured>,
    /// How long it took.
    pub timings: Timings,
    /// What the last rooms decided.
    pub rooms: Vec<RoomNote>,
}

/// Written at the start after a stop that was not clean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncleanStart {
    /// Record version.
    #[serde(deserialize_with = "known_version")]
    pub v: u8,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Time of the last entry before the stop; requests sent after it may
    /// lack an entry.
    pub from_ms: u64,
    /// Exchanges that were admitted and not closed.
    pub open: u32,
}

impl Leaf {
    /// The time that the leaf gives for what it records.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        match self {
            Self::Admitted(leaf) => leaf.at_ms,
            Self::Closed(leaf) => leaf.at_ms,
            Self::Refused(leaf) => leaf.at_ms,
            Self::RefusedSummary(leaf) => leaf.to_ms,
            Self::Event(leaf) => leaf.at_ms,
            Self::UncleanStart(leaf) => leaf.at_ms,
            Self::HeadCount(leaf) => leaf.at_ms,
        }
    }

    /// The exchange that the leaf belongs to, if to one.
    #[must_use]
    pub fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Admitted(leaf) => Some(leaf.exchange),
            Self::Closed(leaf) => Some(leaf.exchange),
            Self::Refused(leaf) => Some(leaf.exchange),
            Self::RefusedSummary(_)
            | Self::Event(_)
            | Self::UncleanStart(_)
            | Self::HeadCount(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
