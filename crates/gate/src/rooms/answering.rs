//! Fifth room: the vendor is answering; what it says is looked at before it is passed on.

use std::sync::Arc;

use detect::redact::Tokens;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use terms::{Refusal, VendorSeen};

use super::{Closed, Ending, Turned, Unrecorded};
use crate::{Gate, ReplySlot, Ruling, reply, running::Cut, vendor::TlsSeen};

/// LIMIT: rate-limit headers that a record keeps.
const RATE_LIMITS_MAX: usize = 16;
/// LIMIT: bytes of a header value that a record keeps.
const VALUE_BYTES_MAX: usize = 128;

/// An exchange whose vendor has begun to answer, its first record durable.
#[derive(Debug)]
pub struct Answering {
    ending: Ending,
    response: Response<Incoming>,
    tokens: Tokens,
}

/// An exchange that got no reply from the vendor.
#[derive(Debug)]
#[must_use = "the caller has to be told"]
pub enum Unanswered {
    /// Nothing was sent: evidence cannot be written.
    Turned(Turned),
    /// It was admitted, the vendor failed, and both records are made.
    Closed(Closed, Refusal),
    /// The ledger failed under it.
    Unrecorded(Unrecorded),
}

impl Answering {
    pub(super) fn new(mut ending: Ending, response: Response<Incoming>, tokens: Tokens) -> Self {
        let first_byte_us = ending.elapsed_us();
        let ruling = ending.exchange.ruling.clone();
        let seen = clean(seen(&response), &ruling, tokens.scope());
        ending.with(|draft| {
            draft.timings.first_byte_us = Some(first_byte_us);
            draft.vendor = VendorSeen {
                sent: draft.vendor.sent,
                auth: draft.vendor.auth.take(),
                ..seen
            };
        });
        Self {
            ending,
            response,
            tokens,
        }
    }

    /// The word that the exchange must end.
    pub(super) fn cut(&self) -> Arc<Cut> {
        self.ending.cut()
    }

    /// Passes nothing of the reply on.
    pub(super) fn give_up(self) -> Ending {
        self.ending
    }

    /// Looks at the reply, rewrites what the policy wants rewritten, and
    /// passes it on as it is cleared. The second record is durable before the
    /// last byte goes.
    ///
    /// # Errors
    /// When the ledger failed; the caller then gets no last byte.
    pub async fn sanitise(self, gate: &Gate, slot: ReplySlot) -> Result<Closed, Unrecorded> {
        let Self {
            ending,
            response,
            tokens,
        } = self;
        let exchange = &ending.exchange;
        let context = reply::Context::new(
            gate,
            exchange.ruling.clone(),
            exchange.dialect,
            exchange.id,
            tokens,
            exchange.person.clone(),
        )
        .sealing(exchange.commitments(gate), exchange.capture.is_some());
        reply::deliver(gate, ending, context, response, slot).await
    }
}

impl Ending {
    /// Room for the bytes of the reply that are held in memory.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.exchange.share.grow(bytes)
    }

    /// The room for them, for as long as the caller takes to fetch them.
    pub(crate) fn leave_room(&mut self) -> crate::budget::Room {
        self.exchange.share.leave_room()
    }
}

/// Less what a detector minds: a vendor can put anything into a header.
fn clean(mut seen: VendorSeen, ruling: &Ruling, caller: &str) -> VendorSeen {
    seen.request_id = seen
        .request_id
        .filter(|word| ruling.may_record(caller, word));
    seen.region = seen.region.filter(|word| ruling.may_record(caller, word));
    seen.rate_limits
        .retain(|_, value| ruling.may_record(caller, value));
    seen
}

/// What the reply's head tells of the vendor.
fn seen(response: &Response<Incoming>) -> VendorSeen {
    let headers = response.headers();
    let first = |names: &[&str]| names.iter().find_map(|name| kept(headers, name));
    let limit = |name: &str| name.contains("ratelimit") && !name.contains("reset");
    VendorSeen {
        status: Some(response.status().as_u16()),
        request_id: first(&["x-request-id", "request-id"]),
        region: first(&[
            "x-ms-region",
            "x-amzn-bedrock-region",
            "openai-region",
            "cf-ray",
        ]),
        tls: response
            .extensions()
            .get::<TlsSeen>()
            .and_then(|seen| seen.0.clone()),
        rate_limits: headers
            .keys()
            .filter(|name| limit(name.as_str()))
            .filter_map(|name| Some((name.as_str().to_owned(), kept(headers, name.as_str())?)))
            .take(RATE_LIMITS_MAX)
            .collect(),
        ..VendorSeen::default()
    }
}

/// A header value fit for a record: short, and of characters that identifiers
/// and numbers have.
fn kept(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/ ,;=".contains(&byte);
    (text.len() <= VALUE_BYTES_MAX && text.bytes().all(plain)).then(|| text.to_owned())
}
