//! A day in UTC, as vendors' usage reports have it.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Serialize, Serializer};
use thiserror::Error;

/// Seconds of a day.
pub(crate) const DAY_SECONDS: u64 = 86_400;

/// A day in UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

/// A text is no day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a day looks like 2026-11-26, from 1970 on")]
pub struct DayFault(());

impl Day {
    /// The day of a time in milliseconds since 1970.
    #[must_use]
    pub const fn of_ms(at_ms: u64) -> Self {
        Self::of_seconds(at_ms / 1_000)
    }

    /// The day of a time in seconds since 1970.
    #[must_use]
    pub const fn of_seconds(at_seconds: u64) -> Self {
        Self(at_seconds / DAY_SECONDS)
    }

    /// Its first second since 1970.
    #[must_use]
    pub const fn starts_seconds(self) -> u64 {
        self.0.saturating_mul(DAY_SECONDS)
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Days from this one to a later one.
    #[must_use]
    pub const fn days_to(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }

    /// The day before; the first day's is itself.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.starts_seconds()).unwrap_or(i64::MAX);
        match Timestamp::from_second(seconds) {
            Ok(time) => f.pad(&time.to_zoned(TimeZone::UTC).date().to_string()),
            Err(_) => write!(f, "day {}", self.0),
        }
    }
}

impl FromStr for Day {
    type Err = DayFault;
    fn from_str(text: &str) -> Result<Self, DayFault> {
        if text.len() != 10 {
            return Err(DayFault(()));
        }
        let date: Date = text.parse().map_err(|_| DayFault(()))?;
        let time = date.to_zoned(TimeZone::UTC).map_err(|_| DayFault(()))?;
        let seconds = u64::try_from(time.timestamp().as_second()).map_err(|_| DayFault(()))?;
        Ok(Self::of_seconds(seconds))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
