//! What is counted, and why two may count it differently.

use serde::Serialize;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Requests.
    Requests,
    /// Tokens read.
    InputTokens,
    /// Tokens written.
    OutputTokens,
    /// Tokens from the vendor's cache.
    CachedTokens,
    /// Tokens into the vendor's cache.
    CacheWrittenTokens,
}

impl Measure {
    /// In words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
            Self::CachedTokens => "cached tokens",
            Self::CacheWrittenTokens => "tokens written to the cache",
        }
    }
}

/// Why vendor and ledger count differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The exchange is still open.
    Open,
    /// It was open when the node stopped uncleanly.
    NodeStopped,
    /// It was sent around an unclean stop and may lack an entry.
    UncleanStart,
    /// It passed without a record, as an exception of `[when_down]` allowed.
    Unrecorded,
    /// The reply was cut short before the vendor told its usage.
    CutShort,
    /// The whole reply came and told no usage.
    WithoutUsage,
    /// An SDK sent it again.
    Retry,
    /// The vendor answered with an error.
    VendorRefused,
    /// It passed near the edge of a day.
    DayEdge,
    /// The vendor's days begin at another time.
    TimeZone,
    /// The model answered under another name than it was asked by.
    ModelAlias,
    /// Cached tokens are counted apart, or the record has no count of them.
    CachedApart,
    /// Requests for a count of tokens, which no vendor bills.
    Counting,
    /// The day was pruned, and its head-count stands for it.
    HeadCount,
    /// The ledger does not reach back so far.
    BeforeLedger,
    /// A key that the gate does not use: traffic that went past the gate.
    OtherKey,
    /// Counted by the vendor and not by the gate.
    VendorOnly,
    /// Counted by the gate and not by the vendor.
    LedgerOnly,
}

impl Reason {
    /// The stable spelling.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NodeStopped => "node-stopped",
            Self::UncleanStart => "unclean-start",
            Self::Unrecorded => "unrecorded",
            Self::CutShort => "cut-short",
            Self::WithoutUsage => "without-usage",
            Self::Retry => "retry",
            Self::VendorRefused => "vendor-refused",
            Self::DayEdge => "day-edge",
            Self::TimeZone => "time-zone",
            Self::ModelAlias => "model-alias",
            Self::CachedApart => "cached-apart",
            Self::Counting => "counting",
            Self::HeadCount => "head-count",
            Self::BeforeLedger => "before-ledger",
            Self::OtherKey => "other-key",
            Self::VendorOnly => "vendor-only",
            Self::LedgerOnly => "ledger-only",
        }
    }

    /// In words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Open => "exchanges that did not end yet",
            Self::NodeStopped => "exchanges that were open when the node stopped uncleanly",
            Self::UncleanStart => "requests sent around an unclean stop, which may lack an entry",
            Self::Unrecorded => "exchanges that passed without a record, as [when_down] allowed",
            Self::CutShort => "replies that were cut short before the vendor told their usage",
            Self::WithoutUsage => {
                "whole replies that told no usage (OpenAI's streams tell it with stream_options.include_usage)"
            }
            Self::Retry => "requests that an SDK sent again",
            Self::VendorRefused => "requests that the vendor answered with an error",
            Self::DayEdge => "exchanges near the edge of the day",
            Self::TimeZone => "the vendor's days begin at another time; over all days it is equal",
            Self::ModelAlias => "the model answered under another name than it was asked by",
            Self::CachedApart => "cached tokens, of which the records have no count",
            Self::Counting => "requests for a count of tokens, which no vendor bills",
            Self::HeadCount => {
                "days were pruned; their head-counts stand for them, which tell neither retries nor what passed at the edges of the day"
            }
            Self::BeforeLedger => "the ledger does not reach back so far",
            Self::OtherKey => "a key that the gate does not use: traffic that went past the gate",
            Self::VendorOnly => {
                "counted by the vendor and not by the gate: traffic that went past the gate, by the gate's key or another"
            }
            Self::LedgerOnly => {
                "counted by the gate and not by the vendor: another account, an export that is not whole, or late counting"
            }
        }
    }
}
