//! First room: bytes came in, from nobody in particular.

use std::{net::IpAddr, sync::Arc};

use http::{Request, request::Parts};
use hyper::body::{Body as _, Incoming};
use terms::{Code, ExchangeId, Refusal, Room};
use wire::Dialect;

use super::{Exchange, Known};
use crate::{
    Gate, Ruling, headers,
    parties::{self, Hold, Party},
    settings::Vendor,
};

/// A request whose path and shape the gate knows, and whose caller it does not.
#[derive(Debug)]
pub struct Arrived {
    exchange: Exchange,
    parts: Parts,
    body: Incoming,
    query: Option<String>,
}

/// A request that was refused before its caller was known: counted, not
/// recorded one by one.
#[derive(Debug)]
#[must_use = "the caller has to be told"]
pub struct Stranger {
    refusal: Refusal,
    exchange: ExchangeId,
    dialect: Option<Dialect>,
}

impl Stranger {
    fn turned(
        gate: &Gate,
        refusal: Refusal,
        exchange: ExchangeId,
        dialect: Option<Dialect>,
        source: IpAddr,
    ) -> Self {
        gate.summaries()
            .count(refusal.code(), source, None, gate.clock().now_ms());
        gate.metrics().refused(refusal.code());
        Self {
            refusal,
            exchange,
            dialect,
        }
    }

    /// A request whose very bytes are not as they must be.
    pub(crate) fn misframed(gate: &Gate, code: Code, source: IpAddr) -> Self {
        let id = ExchangeId::new(gate.clock(), gate.entropy());
        Self::turned(gate, Refusal::new(code), id, None, source)
    }

    /// Whoever left before anything of the request was looked at is nobody yet,
    /// whatever key they would have shown.
    pub(crate) fn left(gate: &Gate, source: IpAddr) {
        let code = Code::CallerGone;
        gate.summaries()
            .count(code, source, None, gate.clock().now_ms());
        gate.metrics().refused(code);
    }

    /// Why.
    pub const fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// A name for the caller to quote.
    #[must_use]
    pub const fn exchange(&self) -> ExchangeId {
        self.exchange
    }

    /// The dialect in which to tell the caller, if the path gave one away.
    #[must_use]
    pub const fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }
}

impl Arrived {
    /// Lets a request in.
    ///
    /// # Errors
    /// When the path is unknown, the host odd or the gate full.
    pub fn enter(
        gate: &Gate,
        request: Request<Incoming>,
        source: IpAddr,
    ) -> Result<Self, Stranger> {
        let start_us = gate.clock().monotonic_us();
        let id = ExchangeId::new(gate.clock(), gate.entropy());
        let (parts, body) = request.into_parts();
        let ruling = gate.ruling();
        let found = route(&ruling, parts.method.as_str(), parts.uri.path());
        let dialect = found.as_ref().map(|(dialect, _)| *dialect);
        let turned = |refusal| Stranger::turned(gate, refusal, id, dialect, source);
        headers::check_arrival(&parts, body.is_end_stream()).map_err(turned)?;
        let at_ms = gate.clock().now_ms();
        gate.lockouts().check(source, at_ms).map_err(turned)?;
        let (dialect, vendor) = found.ok_or_else(|| turned(Refusal::new(Code::UnknownRoute)))?;
        if gate.is_stopping() {
            return Err(turned(Refusal::new(Code::ShuttingDown)));
        }
        let query = headers::query(dialect, &parts.uri).map_err(turned)?;
        let share = gate.budget().enter().map_err(turned)?;
        let mut hold = Hold::new(gate.parties());
        let rates = ruling.policy().rates.source;
        if !rates.is_unlimited() {
            let party = Party::Source(parties::source(source));
            hold.enter(party, rates).map_err(turned)?;
        }
        let mut exchange = Exchange {
            id,
            at_ms,
            start_us,
            source,
            dialect,
            ruling,
            vendor,
            share,
            hold,
            input_tokens: 0,
            asked: (String::new(), false),
            rooms: Vec::with_capacity(6),
            capture: None,
            person: None,
        };
        exchange.note(
            gate,
            Room::Arrived,
            format!("the path belongs to {}", dialect.name()),
        );
        Ok(Self {
            exchange,
            parts,
            body,
            query,
        })
    }

    /// Finds out who is calling.
    ///
    /// # Errors
    /// When no valid key came with the request.
    pub fn identify(mut self, gate: &Gate) -> Result<Known, Stranger> {
        let now_ms = gate.clock().now_ms();
        match gate.callers().identify(&self.parts.headers, now_ms) {
            Ok(principal) => {
                self.exchange.note(gate, Room::Known, "the key is valid");
                Ok(Known::new(
                    gate,
                    self.exchange,
                    principal,
                    self.parts,
                    self.body,
                    self.query,
                ))
            }
            Err(refusal) => {
                if let Some(rule) = &self.exchange.ruling.policy().lockout {
                    let source = self.exchange.source;
                    gate.lockouts().failed(source, refusal.code(), rule, now_ms);
                }
                let Exchange {
                    id,
                    dialect,
                    source,
                    ..
                } = self.exchange;
                Err(Stranger::turned(gate, refusal, id, Some(dialect), source))
            }
        }
    }
}

/// The vendor whose prefix is the longest that fits, and the dialect.
fn route(ruling: &Ruling, method: &str, path: &str) -> Option<(Dialect, Arc<Vendor>)> {
    ruling
        .vendors()
        .iter()
        .filter_map(|vendor| {
            let dialect = Dialect::recognise(method, path.strip_prefix(vendor.prefix.as_str())?)?;
            (dialect.api() == vendor.api).then_some((dialect, vendor))
        })
        .max_by_key(|(_, vendor)| vendor.prefix.len())
        .map(|(dialect, vendor)| (dialect, Arc::clone(vendor)))
}
