//! What the gate is told at its start: settled values that cannot be wrong.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::uri::{Authority, Scheme};
use ipnet::IpNet;
use terms::{CaptureMode, Code, Refusal, Secret};
use wire::Api;

use crate::breaker::Breaker;

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
    /// How old the key may be.
    pub key_age: KeyAge,
    /// What of its exchanges is sealed and kept.
    pub capture: CaptureMode,
    /// Leaves the vendor alone when it fails.
    pub breaker: Breaker,
    /// When the key was last sent, milliseconds since 1970; 0 if it was not.
    pub used_ms: AtomicU64,
}

/// How old a vendor's key may become.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyAge {
    /// Since when it is in use, milliseconds since 1970, if that is known.
    pub since_ms: Option<u64>,
    /// LIMIT: its age in milliseconds.
    pub age_ms_max: Option<u64>,
    /// Whether nothing is sent with an older one.
    pub block: bool,
}

/// How near a key is to the end of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// It has no end, or is not near it.
    Fresh,
    /// Four fifths of its time are over.
    Aging,
    /// Its time is over.
    Old,
}

impl KeyAge {
    /// The state at this time.
    #[must_use]
    pub const fn state(&self, now_ms: u64) -> KeyState {
        let (Some(since_ms), Some(most)) = (self.since_ms, self.age_ms_max) else {
            return KeyState::Fresh;
        };
        let age = now_ms.saturating_sub(since_ms);
        if age >= most {
            KeyState::Old
        } else if age >= most / 5 * 4 {
            KeyState::Aging
        } else {
            KeyState::Fresh
        }
    }
}

impl Vendor {
    /// Whether a call may be made now.
    ///
    /// # Errors
    /// When its key is too old, or it is left alone.
    pub(crate) fn may_be_asked(&self, now_ms: u64) -> Result<(), Refusal> {
        if self.key_age.block && self.key_age.state(now_ms) == KeyState::Old {
            return Err(Refusal::new(Code::VendorKeyOld));
        }
        self.breaker.enter(now_ms)?;
        self.used_ms.store(now_ms, Ordering::Relaxed);
        Ok(())
    }

    /// Enters what became of a call.
    pub(crate) fn answered<T>(&self, outcome: &Result<T, Refusal>, now_ms: u64) {
        match outcome.as_ref().map_err(Refusal::code) {
            Ok(_) => self.breaker.answered(),
            Err(Code::VendorUnreachable | Code::VendorSlow) => self.breaker.failed(now_ms),
            // The caller or the gate ended it: nothing is known of the vendor.
            Err(_) => {}
        }
    }
}

/// LIMITS of one gate. Sizes in bytes, times in their own unit.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Most connections at once from one address (a /64 of IPv6).
    pub connections_per_source_max: usize,
    /// Networks of proxies in front, whose connections stand for many
    /// callers: the limit above is not theirs.
    pub connections_per_source_exempt: Vec<IpNet>,
    /// For the headers of a request to arrive.
    pub header_time: Duration,
    /// For the next piece of a request body to arrive.
    pub body_idle_time: Duration,
    /// For a whole request body to arrive.
    pub body_time: Duration,
    /// Fewest bytes of a request body in each second, once the first
    /// `body_idle_time` is over; 0 for no such limit.
    pub body_bytes_per_second_min: u64,
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
            in_flight_bytes_max: 96 << 20,
            in_flight_max: 1_024,
            connections_max: 4_096,
            connections_per_source_max: 512,
            connections_per_source_exempt: Vec::new(),
            header_time: Duration::from_secs(10),
            body_idle_time: Duration::from_secs(30),
            body_time: Duration::from_secs(600),
            body_bytes_per_second_min: 512,
            connect_time: Duration::from_secs(10),
            first_byte_time: Duration::from_secs(600),
            reply_idle_time: Duration::from_secs(120),
            caller_idle_time: Duration::from_secs(60),
            shutdown_time: Duration::from_secs(30),
        }
    }
}

/// Everything that needs a restart to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where callers connect.
    pub listen: SocketAddr,
    /// The limits.
    pub limits: Limits,
    /// Name of this node in its log.
    pub node: String,
}
