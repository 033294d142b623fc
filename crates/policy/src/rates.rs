//! How much may be asked for in a minute, and at once. Pure: the time is
//! passed in.
//!
//! Tokens are reserved before a request is sent and settled when it ended, so
//! that callers at the same time cannot each spend what is left once.

mod meter;

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

pub use meter::{Meter, Reserved};

/// LIMITS of one party: a key, a model or a source. `None` sets none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Requests in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU64>,
    /// Tokens, read and written, in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Exchanges at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<NonZeroU64>,
}

impl Rates {
    /// Whether nothing is limited.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        self.requests_per_minute.is_none()
            && self.tokens_per_minute.is_none()
            && self.in_flight.is_none()
    }

    /// Whether these allow no more than `others` do.
    #[must_use]
    pub fn within(&self, others: &Self) -> bool {
        let narrower = |mine: Option<NonZeroU64>, theirs: Option<NonZeroU64>| match (mine, theirs) {
            (_, None) => true,
            (Some(mine), Some(theirs)) => mine <= theirs,
            (None, Some(_)) => false,
        };
        narrower(self.requests_per_minute, others.requests_per_minute)
            && narrower(self.tokens_per_minute, others.tokens_per_minute)
            && narrower(self.in_flight, others.in_flight)
    }
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// Requests in a minute. One more fits after this many milliseconds.
    Requests {
        /// Milliseconds until one more fits.
        after_ms: u64,
    },
    /// Tokens in a minute.
    Tokens {
        /// Milliseconds until as many fit; `None` if they never will.
        after_ms: Option<u64>,
    },
    /// Exchanges at once.
    InFlight,
}

impl Exceeded {
    /// Seconds after which it is worth asking again, at least one.
    #[must_use]
    pub const fn retry_after_seconds(self) -> Option<u32> {
        match self {
            Self::Requests { after_ms }
            | Self::Tokens {
                after_ms: Some(after_ms),
            } => Some(seconds(after_ms)),
            Self::Tokens { after_ms: None } => None,
            Self::InFlight => Some(1),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a window is 60 seconds, and the value is clamped to it"
)]
const fn seconds(after_ms: u64) -> u32 {
    let seconds = after_ms.div_ceil(1_000);
    if seconds > 61 {
        61
    } else if seconds == 0 {
        1
    } else {
        seconds as u32
    }
}

#[cfg(test)]
mod tests;
