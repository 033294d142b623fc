//! Whoever wants to be told of each exchange that ended.

use terms::{Closed, ExchangeId};
use wire::Dialect;

/// An exchange that ended, and its record.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// Its name.
    pub exchange: ExchangeId,
    /// When it arrived, milliseconds since 1970.
    pub arrived_ms: u64,
    /// The vendor, by its name in the configuration.
    pub vendor: &'a str,
    /// The vendor's host and port.
    pub address: &'a str,
    /// What was asked.
    pub dialect: Dialect,
    /// The model asked for, as the record names it.
    pub model: &'a str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Its second record. It holds no content.
    pub closed: &'a Closed,
}

/// Is told of each exchange that ended. It must not take long: it is called on
/// the exchange's own task.
pub trait Observer: Send + Sync + std::fmt::Debug {
    /// An exchange ended.
    fn ended(&self, ended: &Ended<'_>);
}
