//! What was counted of one day, written into the log once.

use serde::{Deserialize, Serialize};

/// The head-count of a day in UTC, or a part of it: written after the day
/// ended, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadCount {
    /// Record version.
    #[serde(deserialize_with = "super::known_version")]
    pub v: u8,
    /// When it was counted, milliseconds since 1970.
    pub at_ms: u64,
    /// The day, as `2026-11-26`.
    pub day: String,
    /// Which part this is, from 1.
    pub part: u32,
    /// How many parts there are.
    pub parts: u32,
    /// The first entry that was there to be counted.
    pub first: u64,
    /// The entries before this number were counted.
    pub entries: u64,
    /// By key, vendor and model, in that order.
    pub rows: Vec<HeadCountRow>,
    /// Exchanges and refusals of further keys, vendors and models; in the last
    /// part.
    pub more: u64,
    /// The entry that said the same and was going to be pruned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub carried: Option<u64>,
}

/// What was counted of one key, vendor and model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadCountRow {
    /// Public name of the virtual key.
    pub key: String,
    /// The vendor, by its name in the configuration.
    pub vendor: String,
    /// The model that answered, or else the one asked for.
    pub model: String,
    /// Exchanges that were admitted.
    pub admitted: u64,
    /// Of these, those that ended.
    pub closed: u64,
    /// Exchanges that were sent to the vendor, those that it refused aside.
    pub requests: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens that came from the vendor's cache.
    pub cached_tokens: u64,
    /// Tokens that went into it.
    pub cache_written_tokens: u64,
    /// Of the requests, those that told no usage.
    pub without_usage: u64,
    /// Bytes of these as they were sent.
    pub without_usage_bytes: u64,
    /// Of the requests, those that did not end by then.
    pub open: u64,
    /// Requests that the vendor answered with an error.
    pub vendor_refused: u64,
    /// Requests that were never sent.
    pub unsent: u64,
    /// Requests that the gate refused.
    pub refused: u64,
    /// Requests for a count of tokens.
    pub counting: u64,
}
