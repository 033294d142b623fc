//! What the gate is told at its start: settled values that cannot be wrong.

use std::{net::SocketAddr, time::Duration};

use http::uri::{Authority, Scheme};
use terms::Secret;
use wire::Api;

/// A vendor account and the place where its callers find it.
#[derive(Debug)]
pub struct Vendor {
    /// Its name in the configuration, in grants and in records.
    pub name: String,
    /// The API that it speaks.
    pub api: Api,
    /// `http` on loopback only; `https` elsewhere.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Path before the API's own paths at the vendor; empty or `/something`.
    pub base_path: String,
    /// Path before the API's own paths at the gate; empty or `/something`.
    pub prefix: String,
    /// The vendor's own key. It goes to the vendor and nowhere else.
    pub key: Secret<String>,
}

/// LIMITS of one gate. Sizes in bytes, times in their own unit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body.
    pub body_bytes_max: usize,
    /// Largest reply body that is not a stream, and largest single event of one.
    pub reply_bytes_max: usize,
    /// Largest block of request headers.
    pub header_bytes_max: usize,
    /// Deepest nesting of a JSON document.
    pub json_depth_max: usize,
    /// Most values in a JSON document.
    pub json_values_max: usize,
    /// Most text that one reply may hold back while it could still become a match.
    pub held_bytes_max: usize,
    /// Most bytes of bodies in memory at once, over all exchanges.
    pub in_flight_bytes_max: usize,
    /// Most exchanges at once.
    pub in_flight_max: usize,
    /// Most connections at once.
    pub connections_max: usize,
    /// For the headers of a request to arrive.
    pub header_time: Duration,
    /// For the next piece of a request body to arrive.
    pub body_idle_time: Duration,
    /// For a connection to a vendor to be made.
    pub connect_time: Duration,
    /// For a vendor's first byte.
    pub first_byte_time: Duration,
    /// For the next piece of a vendor's reply.
    pub reply_idle_time: Duration,
    /// For a caller to take the next piece of a reply.
    pub caller_idle_time: Duration,
    /// For running exchanges to end after a stop was asked for.
    pub shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 << 20,
            reply_bytes_max: 32 << 20,
            header_bytes_max: 16 << 10,
            json_depth_max: 64,
            json_values_max: 200_000,
            held_bytes_max: 64 << 10,
            in_flight_bytes_max: 256 << 20,
            in_flight_max: 1_024,
            connections_max: 4_096,
            header_time: Duration::from_secs(10),
            body_idle_time: Duration::from_secs(30),
            connect_time: Duration::from_secs(10),
            first_byte_time: Duration::from_secs(600),
            reply_idle_time: Duration::from_secs(120),
            caller_idle_time: Duration::from_secs(60),
            shutdown_time: Duration::from_secs(30),
        }
    }
}

/// Everything that needs a restart to change.
#[derive(Debug)]
pub struct Settings {
    /// Where callers connect.
    pub listen: SocketAddr,
    /// The limits.
    pub limits: Limits,
    /// Name of this node in its log.
    pub node: String,
}
