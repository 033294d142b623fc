//! How far an export is, for whoever asks: metrics, status, alarm.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The sink's name in the configuration.
    pub name: String,
    /// Entries that the log has published.
    pub size: u64,
    /// The first entry that is not done.
    pub next: u64,
    /// When the first entry that is not done was made, milliseconds since 1970;
    /// `None` if all is done.
    pub oldest_ms: Option<u64>,
    /// Events that were confirmed, over all starts.
    pub delivered: u64,
    /// Events that were set aside, over all starts.
    pub set_aside: u64,
    /// Entries that were pruned before they were sent.
    pub pruned: u64,
    /// Tries that failed since the start.
    pub failures: u64,
    /// Why the last try failed; `None` after one that went well.
    pub failing: Option<String>,
    /// Whether it has stopped for good, until the next start.
    pub stopped: bool,
}

impl Reading {
    /// Entries that are not done.
    #[must_use]
    pub const fn lag_entries(&self) -> u64 {
        self.size.saturating_sub(self.next)
    }

    /// Milliseconds since the first entry that is not done was made; 0 if all
    /// is done.
    #[must_use]
    pub fn lag_ms(&self, now_ms: u64) -> u64 {
        self.oldest_ms
            .filter(|_| self.lag_entries() > 0)
            .map_or(0, |oldest| now_ms.saturating_sub(oldest))
    }
}

/// Shared between an export and whoever looks at it.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Reading>);

impl Progress {
    /// Of the sink with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Mutex::new(Reading {
            name: name.to_owned(),
            ..Reading::default()
        }))
    }

    /// A look.
    #[must_use]
    pub fn read(&self) -> Reading {
        let reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.clone()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Reading)) {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut reading);
    }
}
