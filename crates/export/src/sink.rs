//! Where events go: one file a sink, behind one small interface. A sink says of
//! each event what became of it, and says "confirmed" only of what the other
//! side said so.

pub mod elastic;
pub mod http;
mod lines;
mod nats;
pub mod otlp;
mod splunk;
mod syslog;
pub mod tls;

use std::{fmt::Debug, time::Duration};

use crate::event::Event;

pub use elastic::ElasticSink;
pub use lines::{FileSink, StdoutSink};
pub use nats::{NatsSettings, NatsSink};
pub use otlp::OtlpSink;
pub use splunk::{SplunkSettings, SplunkSink};
pub use syslog::SyslogSink;

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The other side has it.
    Confirmed,
    /// It may not have it; send it again.
    Again,
    /// It will never take it, and why, in fixed words and numbers.
    Refused(String),
}

/// Why a delivery told nothing of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Later it may go: out of reach, busy, or the credential is refused.
    Down(String),
    /// Later it may go, and not before so long: the other side says so.
    Busy(String, Duration),
    /// Something in it, or its size, is in the way: fewer at once may go.
    Unfit(String),
}

/// One destination.
pub trait Sink: Send + Debug {
    /// Delivers events and waits for the other side's word. Answers one fate
    /// for each, in order.
    ///
    /// # Errors
    /// When it is not known of any of them that it arrived.
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault>;
}

/// All of them arrived.
fn all_confirmed(events: &[Event]) -> Vec<Fate> {
    vec![Fate::Confirmed; events.len()]
}

#[cfg(test)]
mod tests;
