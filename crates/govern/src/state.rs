//! What is said of a row: its state, how strong that is, and on what it rests.

use std::fmt;

use serde::Serialize;
use terms::Control;

use crate::{Layer, Owner};

/// What is known of the share of vendor traffic that went through the gate.
pub const TRAFFIC_SHARE: &str = "unknown: traffic past the gate is not visible";

const DAY_MS: u64 = 86_400_000;

macro_rules! outcomes {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        // No `Deserialize`: nobody types one of these in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word of the list, weakest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling in output.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

outcomes! {
    /// How far a duty is met. This build computes `enforced`, `observed` and
    /// `gap`; the others need documents, statements and an inventory of
    /// systems, which it does not hold.
    pub enum State {
        /// Nothing proves it.
        Gap = "gap",
        /// It does not concern this installation.
        NotApplicable = "not-applicable",
        /// A person said so.
        Asserted = "asserted",
        /// A paper says so.
        Documented = "documented",
        /// It was seen in traffic.
        Observed = "observed",
        /// The gate did it, and each time is in the ledger.
        Enforced = "enforced",
    }
}

outcomes! {
    /// How strong the evidence is.
    pub enum Grade {
        /// There is none.
        None = "none",
        /// A person's word.
        E0 = "E0",
        /// A paper.
        E1 = "E1",
        /// Traffic that was seen.
        E2 = "E2",
        /// The gate's own act, in the ledger.
        E3 = "E3",
    }
}

impl State {
    /// The grade that belongs to a state.
    #[must_use]
    pub const fn grade(self) -> Grade {
        match self {
            Self::Gap | Self::NotApplicable => Grade::None,
            Self::Asserted => Grade::E0,
            Self::Documented => Grade::E1,
            Self::Observed => Grade::E2,
            Self::Enforced => Grade::E3,
        }
    }
}

/// How far back exchanges count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    length_ms: u64,
}

impl Window {
    /// The last so many days.
    #[must_use]
    pub const fn days(days: u16) -> Self {
        Self {
            length_ms: days as u64 * DAY_MS,
        }
    }

    /// The period of this length that ends now.
    #[must_use]
    pub const fn until(self, now_ms: u64) -> Period {
        Period {
            from_ms: now_ms.saturating_sub(self.length_ms),
            to_ms: now_ms,
        }
    }
}

impl Default for Window {
    /// Thirty days.
    fn default() -> Self {
        Self::days(30)
    }
}

/// A span of time, milliseconds since 1970, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Period {
    /// Its begin.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", utc(self.from_ms), utc(self.to_ms))
    }
}

/// A time as `2026-11-23 18:15 UTC`.
pub(crate) fn utc(ms: u64) -> String {
    let (days, minutes) = (ms / DAY_MS, ms % DAY_MS / 60_000);
    // Days since 0000-03-01, in eras of 400 years (Howard Hinnant, `civil_from_days`).
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC",
        minutes / 60,
        minutes % 60
    )
}

/// How much of what happened a statement is based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The share of vendor traffic that went through the gate.
    pub traffic_share: &'static str,
    /// Bytes that the controls looked at, in the population.
    pub inspected_bytes: u64,
    /// Bytes of media and opaque values that passed uninspected, in the population.
    pub not_inspected_bytes: u64,
    /// What else limits the statement.
    pub notes: Vec<String>,
}

/// Where the evidence lies: sequence numbers of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// First entry of the population.
    pub first: Option<u64>,
    /// Last entry of the population.
    pub last: Option<u64>,
    /// The event that put the configuration in force.
    pub config: Option<u64>,
    /// The newest canary of each control that the row rests on.
    pub canaries: Vec<(Control, u64)>,
}

/// The computed state of one row. Only [`crate::Matrix::compute`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowState {
    pub(crate) id: u16,
    pub(crate) owner: Owner,
    pub(crate) layer: Layer,
    pub(crate) state: State,
    pub(crate) grade: Grade,
    pub(crate) reason: String,
    pub(crate) population: u64,
    pub(crate) window: Period,
    pub(crate) coverage: Coverage,
    pub(crate) evidence: Evidence,
    pub(crate) missing: Vec<String>,
}

impl RowState {
    /// The row's number.
    #[must_use]
    pub const fn id(&self) -> u16 {
        self.id
    }

    /// Who performs the duty.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// The layer it belongs to.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        self.layer
    }

    /// How far it is met.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How strong the evidence is.
    #[must_use]
    pub const fn grade(&self) -> Grade {
        self.grade
    }

    /// Why the row has this state, in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Exchanges that the state rests on; 0 for a gap without any.
    #[must_use]
    pub const fn population(&self) -> u64 {
        self.population
    }

    /// The time in which exchanges counted.
    #[must_use]
    pub const fn window(&self) -> Period {
        self.window
    }

    /// How much of what happened the state is based on.
    #[must_use]
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Where the evidence lies.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// What a better state would need, or what this one does not reach.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00 UTC");
        assert_eq!(utc(1_795_457_700_000), "2026-11-23 18:15 UTC");
    }
}
