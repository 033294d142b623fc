//! What all rooms carry along, and how a room turns a request away.

use std::{net::IpAddr, sync::Arc};

use ledger::commit::CommitmentKey;
use policy::Call;
use terms::{
    Caller, Captured, Code, ExchangeId, KeyId, Leaf, PolicyVersion, RECORD_VERSION, Refusal,
    Refused, RequestFacts, Room, RoomNote, Secret,
};
use wire::Dialect;

use crate::{Gate, Ruling, budget::Share, capture::Capture, parties::Hold, settings::Vendor};

/// What a record says where content should have been sealed.
pub(super) const UNSEALED: &str = "its content could not be sealed";

/// One exchange on its walk: who, when, under which rules, and what each room
/// decided so far.
#[derive(Debug)]
pub struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) at_ms: u64,
    pub(super) start_us: u64,
    pub(super) source: IpAddr,
    pub(super) dialect: Dialect,
    pub(super) ruling: Arc<Ruling>,
    pub(super) vendor: Arc<Vendor>,
    pub(super) share: Share,
    pub(super) hold: Hold,
    /// Tokens that the request itself is taken to have.
    pub(super) input_tokens: u64,
    /// The model asked for, as the record names it, and whether as a stream.
    pub(super) asked: (String, bool),
    pub(super) rooms: Vec<RoomNote>,
    /// What of it will be sealed, if its route wants that.
    pub(super) capture: Option<Box<Capture>>,
    /// The end user whom the caller names, where a vault needs to know.
    pub(super) person: Option<Secret<String>>,
}

impl Exchange {
    /// Writes down what a room decided, in a fixed phrase.
    pub(super) fn note(&mut self, gate: &Gate, room: Room, decided: impl Into<String>) {
        let at_us = self.elapsed_us(gate);
        self.rooms.push(RoomNote {
            room,
            decided: decided.into(),
            at_us,
        });
    }

    pub(super) fn elapsed_us(&self, gate: &Gate) -> u64 {
        gate.clock().monotonic_us().saturating_sub(self.start_us)
    }

    pub(super) fn version(&self) -> PolicyVersion {
        self.ruling.version()
    }

    /// The key of the record's commitments: one with a salt that goes with the
    /// record's own key, where there is one.
    pub(super) fn commitments<'a>(&'a self, gate: &'a Gate) -> &'a CommitmentKey {
        let own = self.capture.as_ref();
        own.map_or_else(|| gate.commitments(), |capture| capture.commitments())
    }

    /// Seals what was gathered, if anything is to be; durable when it returns.
    ///
    /// # Errors
    /// When it cannot be kept. It is not tried again.
    pub(super) async fn seal(&mut self, at_ms: u64) -> Result<Option<Captured>, Refusal> {
        let Some(capture) = self.capture.take() else {
            return Ok(None);
        };
        let ruling = Arc::clone(&self.ruling);
        capture.keep(ruling, self.dialect, at_ms).await.map(Some)
    }

    /// Whether it goes on without evidence, as the operator wants it for a
    /// time.
    pub(super) fn waives(&self, now_ms: u64) -> bool {
        self.ruling.policy().when_down.evidence.passes(now_ms)
    }

    /// The call, as far as the switches need to know it.
    pub(super) fn call<'a>(&'a self, keys: &'a [KeyId], model: Option<&'a str>) -> Call<'a> {
        Call {
            vendor: &self.vendor.name,
            route: self.dialect.name(),
            keys,
            model,
        }
    }

    /// The name of the exchange.
    #[must_use]
    pub const fn id(&self) -> ExchangeId {
        self.id
    }
}

/// A request of a known caller that a room turned away, recorded or counted.
#[derive(Debug)]
#[must_use = "the caller has to be told"]
pub struct Turned {
    refusal: Refusal,
    exchange: ExchangeId,
    dialect: Dialect,
}

impl Turned {
    /// Records the refusal durably. If even that fails, the refusal becomes
    /// one for want of evidence: the caller is turned away all the same. While
    /// there is no room it is counted, and told later; so are requests that
    /// were broken off, beyond so many.
    pub(super) async fn away(
        gate: &Gate,
        mut exchange: Exchange,
        caller: Caller,
        room: Room,
        refusal: Refusal,
        facts: Option<RequestFacts>,
        tally: Option<policy::Tallied>,
    ) -> Self {
        exchange.note(gate, room, format!("refused: {}", refusal.code()));
        gate.metrics().refused(refusal.code());
        let (id, dialect) = (exchange.id, exchange.dialect);
        let broken_off = refusal.code() == Code::BodyBroken;
        if !gate.has_room() || (broken_off && !gate.summaries().spares_a_record()) {
            gate.summaries().count(
                refusal.code(),
                exchange.source,
                Some(&caller.key),
                gate.clock().now_ms(),
            );
            return Self {
                refusal,
                exchange: id,
                dialect,
            };
        }
        let tallied = tally.unwrap_or_default();
        // A refusal stays one without it.
        let captured = match exchange.seal(gate.clock().now_ms()).await {
            Ok(captured) => captured,
            Err(_) => {
                exchange.note(gate, room, UNSEALED);
                None
            }
        };
        let leaf = Leaf::Refused(Box::new(Refused {
            v: RECORD_VERSION,
            exchange: exchange.id,
            at_ms: exchange.at_ms,
            caller,
            code: refusal.code(),
            place: refusal.place().map(|place| place.as_str().to_owned()),
            request: facts,
            policy: exchange.version(),
            controls: tallied.controls,
            inspected: tallied.inspected,
            findings: tallied.findings,
            findings_more: tallied.findings_more,
            captured,
            rooms: exchange.rooms,
        }));
        let recorded = gate.record(leaf).await;
        let refusal = if recorded.is_ok() {
            refusal
        } else {
            Refusal::new(Code::EvidenceDown)
        };
        Self {
            refusal,
            exchange: id,
            dialect,
        }
    }

    /// Why.
    pub const fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The exchange.
    #[must_use]
    pub const fn exchange(&self) -> ExchangeId {
        self.exchange
    }

    /// The dialect in which to tell the caller.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }
}
