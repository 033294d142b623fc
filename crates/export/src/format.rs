//! How an event is written: each format is a pure function.

pub mod cef;
pub mod ocsf;
pub mod otlp;
pub mod record;
pub mod syslog;

use serde_json::Value;

use crate::event::{Event, Severity};

/// How events are written, for sinks that leave a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OCSF 1.8, as JSON.
    Ocsf,
    /// The log's own record in an envelope, as JSON.
    Record,
    /// Common Event Format, as a line of text.
    Cef,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Ocsf, Self::Record, Self::Cef];

    /// The spelling in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ocsf => "ocsf",
            Self::Record => "record",
            Self::Cef => "cef",
        }
    }

    /// The event as one line of text, without a line end.
    #[must_use]
    pub fn line(self, event: &Event) -> String {
        match self {
            Self::Cef => cef::line(event),
            Self::Ocsf | Self::Record => self.value(event).to_string(),
        }
    }

    /// The event as JSON; for CEF an object that holds the line.
    #[must_use]
    pub fn value(self, event: &Event) -> Value {
        match self {
            Self::Ocsf => ocsf::value(event),
            Self::Record => record::value(event),
            Self::Cef => serde_json::json!({ "id": event.id, "cef": cef::line(event) }),
        }
    }
}

/// A test event for a sink: labelled, and of no entry.
#[must_use]
pub fn test_event(log: &std::sync::Arc<crate::LogName>, at_ms: u64) -> Event {
    let leaf = terms::Leaf::Event(terms::Event {
        v: terms::RECORD_VERSION,
        at_ms,
        act: terms::Act::GateReady,
        by: "node".to_owned(),
        subject: "export-test".to_owned(),
        facts: [("test".to_owned(), "true".to_owned())].into(),
    });
    Event {
        id: format!("{}-test-{at_ms}", log.event_id(0, 0)),
        log: std::sync::Arc::clone(log),
        sequence: 0,
        at_ms,
        topic: crate::Topic::ApiActivity,
        severity: Severity::Informational,
        message: "this is a test that an operator asked for; nothing happened".to_owned(),
        test: true,
        leaf: std::sync::Arc::new(leaf),
        admitted: None,
    }
}

#[cfg(test)]
mod tests;
