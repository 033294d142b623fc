//! What one entry of the log is to others: one event, or more where it tells
//! of several things. The same entry always gives the same events.

mod context;
mod split;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use terms::{Admitted, Leaf};

pub use context::{CONTEXT_ENTRIES_MAX, Context};
pub use split::events;
pub(crate) use split::{carried_out, done, found, minded, weak_controls, worst};

/// Bytes of the mark of a log in the names of its events.
const MARK_BYTES: usize = 8;

/// The log that events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogName {
    origin: String,
    mark: String,
}

impl LogName {
    /// The log with this origin.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        let hash = Sha256::digest(origin.as_bytes());
        let mark = hash.iter().take(MARK_BYTES);
        Self {
            origin: origin.to_owned(),
            mark: mark.map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Its origin, as in its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The name of one event for ever: a mark of the log, the entry's number,
    /// and which of the entry's events it is. Letters, digits and hyphens.
    #[must_use]
    pub fn event_id(&self, sequence: u64, part: usize) -> String {
        format!("{}-{sequence:020}-{part}", self.mark)
    }
}

/// What an event is about; each is a class of OCSF 1.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A call of a model or of the operator's interface.
    ApiActivity,
    /// A control or detector found something.
    DetectionFinding,
    /// Somebody tried to prove who they are.
    Authentication,
    /// Whether a control is as it should be.
    ComplianceFinding,
    /// Something that a person has to look at.
    IncidentFinding,
}

impl Topic {
    /// The stable spelling.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ApiActivity => "api-activity",
            Self::DetectionFinding => "detection-finding",
            Self::Authentication => "authentication",
            Self::ComplianceFinding => "compliance-finding",
            Self::IncidentFinding => "incident-finding",
        }
    }

    /// Number of the class in OCSF.
    #[must_use]
    pub const fn class_uid(self) -> u32 {
        match self {
            Self::ApiActivity => 6003,
            Self::DetectionFinding => 2004,
            Self::Authentication => 3002,
            Self::ComplianceFinding => 2003,
            Self::IncidentFinding => 2005,
        }
    }
}

/// How grave an event is, in the steps of OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing to do.
    Informational,
    /// To be looked at when there is time.
    Low,
    /// To be looked at soon.
    Medium,
    /// To be looked at now.
    High,
    /// What is recorded cannot be relied on.
    Critical,
}

impl Severity {
    /// OCSF's `severity_id`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }

    /// OCSF's `severity`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name for ever.
    pub id: String,
    /// The log.
    pub log: Arc<LogName>,
    /// Number of the entry that it comes from.
    pub sequence: u64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// What it is about.
    pub topic: Topic,
    /// How grave.
    pub severity: Severity,
    /// One sentence of fixed words, names of the configuration and numbers.
    pub message: String,
    /// Whether it is a test that somebody asked for, and no entry of the log.
    pub test: bool,
    /// The entry.
    pub leaf: Arc<Leaf>,
    /// The first half of the exchange that a `closed` entry ends, if it stands
    /// near enough before it.
    pub admitted: Option<Arc<Admitted>>,
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
