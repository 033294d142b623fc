//! How much an exchange whose usage is not known can have used at the most.

use super::side::Amounts;
use crate::count::{Exchange, Tally};

/// LIMIT: tokens that a reply may have had, where the caller set none: the
/// largest that vendors allow for a reply today.
pub const OUTPUT_TOKENS_UNKNOWN: u64 = 131_072;
/// LIMIT: seconds before and after the edge of a day in which an exchange may
/// be counted on the other side of it.
pub const EDGE_SECONDS: u64 = 300;

/// The bounds for one exchange. A token stands for one byte of the request at
/// the least.
pub(super) fn of(exchange: &Exchange, requests: u64) -> Amounts {
    let known = exchange.usage.unwrap_or_default();
    let output = exchange
        .output_tokens_max
        .unwrap_or(OUTPUT_TOKENS_UNKNOWN)
        .saturating_sub(known.output_tokens);
    let input = exchange.sent_bytes.saturating_sub(known.input_tokens);
    Amounts {
        requests,
        input,
        output,
        cached: exchange.sent_bytes,
        cache_written: exchange.sent_bytes,
    }
}

/// The bounds for what a head-count has without usage.
pub(super) const fn counted(tally: &Tally) -> Amounts {
    let bytes = tally.without_usage_bytes;
    Amounts {
        requests: tally.without_usage,
        input: bytes,
        output: tally.without_usage.saturating_mul(OUTPUT_TOKENS_UNKNOWN),
        cached: bytes,
        cache_written: bytes,
    }
}

/// The bounds for so many requests of which nothing is known but how large
/// others were.
pub(super) const fn unknown(requests: u64, sent_bytes: u64) -> Amounts {
    Amounts {
        requests,
        input: requests.saturating_mul(sent_bytes),
        output: requests.saturating_mul(OUTPUT_TOKENS_UNKNOWN),
        cached: requests.saturating_mul(sent_bytes),
        cache_written: requests.saturating_mul(sent_bytes),
    }
}
