//! Last room: the exchange ended, and its record is durable.

use std::sync::Arc;

use ledger::Ledger;
use policy::Tallied;
use terms::{
    Closed as ClosedLeaf, Code, ExchangeId, Leaf, Outcome, RECORD_VERSION, Refusal, RestoreCounts,
    Room, RoomNote, Timings, VendorSeen,
};
use tokio_util::task::TaskTracker;

use super::{Exchange, exchange::UNSEALED};
use crate::{
    Ended, Gate, Observer,
    capture::Matches,
    evidence::{Evidence, Recording},
    metrics::Metrics,
    running::{Cut, Run},
    state::SharedClock,
    vendor,
};

/// An exchange that ended with its second record durable. Nothing else lets
/// the last byte of a reply go.
#[derive(Debug)]
pub struct Closed {
    sequence: Option<u64>,
}

impl Closed {
    /// Writes the second record and waits for the disk.
    pub(crate) async fn close(mut ending: Ending) -> Result<Self, Unrecorded> {
        let exchange = ending.exchange.id;
        // What was refused was not sealed yet; without it the end is the same.
        let _ = ending.seal().await;
        let Some(leaf) = ending.take() else {
            return Err(Unrecorded {
                exchange: Some(exchange),
            });
        };
        ending.passes_nothing();
        let mut recording = match &ending.evidence {
            Evidence::Kept(_) => Recording::start(&ending.ledger, leaf, &ending.metrics),
            Evidence::Waived => Recording::waived(),
        };
        match recording.wait().await {
            Ok(sequence) => Ok(Self { sequence }),
            Err(_) => Err(Unrecorded {
                exchange: Some(exchange),
            }),
        }
    }

    /// Sequence number of the second record in the ledger; `None` only where
    /// the operator lets exchanges go without one while there is no space.
    #[must_use]
    pub const fn sequence(&self) -> Option<u64> {
        self.sequence
    }
}

/// The ledger failed under a running exchange: its reply is cut off without
/// its last byte, and the process is about to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unrecorded {
    exchange: Option<ExchangeId>,
}

impl Unrecorded {
    pub(crate) const fn new(exchange: ExchangeId) -> Self {
        Self {
            exchange: Some(exchange),
        }
    }

    pub(crate) const fn lost() -> Self {
        Self { exchange: None }
    }

    /// The exchange whose record is missing, if it is known.
    #[must_use]
    pub const fn exchange(&self) -> Option<ExchangeId> {
        self.exchange
    }
}

/// The second record while it is being gathered, with its space in the log
/// reserved. Dropped unclosed (a panic, a cut), it still records the end.
#[derive(Debug)]
pub struct Ending {
    pub(super) exchange: Exchange,
    /// Until it has ended.
    run: Option<Run>,
    cut: Arc<Cut>,
    ledger: Ledger,
    evidence: Evidence,
    draft: Option<Box<ClosedLeaf>>,
    metrics: Arc<Metrics>,
    observer: Option<Arc<dyn Observer>>,
    clock: Arc<dyn SharedClock>,
    tasks: TaskTracker,
}

impl Ending {
    pub(super) fn new(gate: &Gate, exchange: Exchange, run: Run, evidence: Evidence) -> Self {
        let auth = vendor::authentication(exchange.vendor.api).to_owned();
        let draft = ClosedLeaf {
            v: RECORD_VERSION,
            exchange: exchange.id,
            at_ms: exchange.at_ms,
            outcome: Outcome::NodeStopped,
            code: None,
            place: None,
            vendor: VendorSeen {
                sent: true,
                auth: Some(auth),
                ..VendorSeen::default()
            },
            usage: None,
            reply_bytes: 0,
            body: None,
            edited: false,
            logprobs_removed: false,
            signature_removed: false,
            controls: Vec::new(),
            inspected: terms::Inspected::default(),
            findings: Vec::new(),
            findings_more: 0,
            restored: RestoreCounts::default(),
            captured: None,
            timings: Timings::default(),
            rooms: Vec::new(),
        };
        Self {
            exchange,
            cut: run.cut(),
            run: Some(run),
            metrics: gate.metrics_shared(),
            observer: gate.observer(),
            ledger: gate.ledger().clone(),
            evidence,
            draft: Some(Box::new(draft)),
            clock: gate.shared_clock(),
            tasks: gate.tasks().clone(),
        }
    }

    /// Changes what the record will say.
    pub(crate) fn with(&mut self, change: impl FnOnce(&mut ClosedLeaf)) {
        if let Some(draft) = &mut self.draft {
            change(draft);
        }
    }

    /// Nothing passes any more, either way, and only the record is left to be
    /// made: a switch is not kept waiting by the disk.
    pub(crate) fn passes_nothing(&mut self) {
        self.run = None;
    }

    /// Waits until the key of the record's sealed part is wrapped.
    pub(super) async fn wrapped(&mut self) -> Result<(), Refusal> {
        let (cut, now_ms) = (self.cut(), self.clock.now_ms());
        let Some(capture) = &mut self.exchange.capture else {
            return Ok(());
        };
        let wrapped = tokio::select! {
            biased;
            code = cut.wait() => return Err(Refusal::new(code)),
            wrapped = capture.wrapped() => wrapped,
        };
        if wrapped.is_err() && self.exchange.waives(now_ms) {
            self.exchange.capture = None;
            self.note(Room::Answering, UNSEALED.to_owned());
            return Ok(());
        }
        wrapped
    }

    /// Seals what was gathered, if that is to be; durable when it returns. The
    /// reply goes on only then, unless the operator lets it go without.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(crate) async fn seal(&mut self) -> Result<(), Refusal> {
        self.passes_nothing();
        let at_ms = self.clock.now_ms();
        match self.exchange.seal(at_ms).await {
            Ok(None) => Ok(()),
            Ok(captured) => {
                self.with(|draft| draft.captured = captured);
                Ok(())
            }
            Err(refusal) => {
                self.note(Room::Answering, UNSEALED.to_owned());
                if self.exchange.waives(at_ms) {
                    Ok(())
                } else {
                    Err(refusal)
                }
            }
        }
    }

    /// Takes what was found, for the sealed part.
    pub(crate) fn found(&mut self, matches: Matches) {
        if let Some(capture) = &mut self.exchange.capture {
            capture.found(matches);
        }
    }

    /// Takes a whole reply as it will be released.
    pub(crate) fn released(&mut self, body: &bytes::Bytes) {
        if let Some(capture) = &mut self.exchange.capture {
            capture.whole(body);
        }
    }

    /// Takes a piece of a stream as it is released.
    ///
    /// # Errors
    /// When there is no room for its text in memory.
    pub(crate) fn passed(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let dialect = self.exchange.dialect;
        let Some(capture) = &mut self.exchange.capture else {
            return Ok(());
        };
        let more = capture.piece(dialect, piece);
        self.grow(more)
    }

    /// It ends before its request was sent.
    pub(super) fn not_sent(&mut self) {
        self.with(|draft| draft.vendor.sent = false);
    }

    /// The exchange ended well.
    pub(crate) fn complete(&mut self, outcome: Outcome) {
        self.note(
            Room::Answering,
            format!("the reply was delivered: {outcome}"),
        );
        self.with(|draft| draft.outcome = outcome);
    }

    /// The exchange ended for this reason.
    pub(crate) fn fail(&mut self, refusal: &Refusal) {
        let outcome = match refusal.code() {
            Code::ReplyBlocked | Code::NumberBlocked => Outcome::Blocked,
            Code::CallerGone | Code::CallerSlow => Outcome::CallerGone,
            Code::SwitchedOff | Code::KeyRevoked | Code::KeyExpired => Outcome::SwitchedOff,
            Code::ShuttingDown | Code::EvidenceDown => Outcome::NodeStopped,
            _ => Outcome::VendorFailed,
        };
        self.note(Room::Answering, format!("ended: {}", refusal.code()));
        self.with(|draft| {
            draft.outcome = outcome;
            draft.code = Some(refusal.code());
            draft.place = refusal.place().map(|place| place.as_str().to_owned());
            if refusal.code() == Code::VendorUnreachable {
                draft.vendor.sent = false;
            }
        });
    }

    /// Enters what the controls did with the reply.
    pub(crate) fn tally(&mut self, tallied: Tallied) {
        self.with(|draft| {
            draft.controls = tallied.controls;
            draft.inspected = tallied.inspected;
            draft.findings = tallied.findings;
            draft.findings_more = tallied.findings_more;
        });
    }

    pub(crate) fn note(&mut self, room: Room, decided: String) {
        let at_us = self.elapsed_us();
        self.with(|draft| {
            draft.rooms.push(RoomNote {
                room,
                decided,
                at_us,
            })
        });
    }

    pub(crate) fn elapsed_us(&self) -> u64 {
        self.clock
            .monotonic_us()
            .saturating_sub(self.exchange.start_us)
    }

    /// The word that the exchange must end before its time.
    pub(crate) fn cut(&self) -> Arc<Cut> {
        Arc::clone(&self.cut)
    }

    fn tell(&self, closed: &ClosedLeaf) {
        if let Some(observer) = &self.observer {
            let exchange = &self.exchange;
            observer.ended(&Ended {
                exchange: exchange.id,
                arrived_ms: exchange.at_ms,
                vendor: &exchange.vendor.name,
                address: exchange.vendor.authority.as_str(),
                dialect: exchange.dialect,
                model: &exchange.asked.0,
                stream: exchange.asked.1,
                closed,
            });
        }
    }

    fn take(&mut self) -> Option<Leaf> {
        let total_us = self.elapsed_us();
        let at_ms = self.clock.now_ms();
        let mut draft = self.draft.take()?;
        draft.at_ms = at_ms;
        draft.timings.total_us = total_us;
        self.exchange
            .hold
            .used(used_tokens(&draft, self.exchange.input_tokens));
        self.metrics
            .closed(&self.exchange.vendor.name, self.exchange.dialect, &draft);
        self.tell(&draft);
        Some(Leaf::Closed(draft))
    }
}

/// What an exchange used: as the vendor counted, or as much as went to and fro.
fn used_tokens(draft: &ClosedLeaf, input_tokens: u64) -> u64 {
    match draft.usage {
        Some(usage) => usage.input_tokens.saturating_add(usage.output_tokens),
        None if draft.vendor.sent => input_tokens.saturating_add(draft.reply_bytes / 4),
        None => 0,
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(leaf) = self.take() else { return };
        // Its room in the log is kept until the record is there: as long as it
        // is not, the gate has not stopped in good order.
        let evidence = std::mem::replace(&mut self.evidence, Evidence::Waived);
        if matches!(evidence, Evidence::Waived) {
            return;
        }
        let ledger = self.ledger.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let record = async move {
                let written = ledger.append(leaf).await;
                drop(evidence);
                written
            };
            self.tasks.spawn_on(record, &runtime);
        }
    }
}
