//! Fourth room: every control has looked; the request may leave.

use std::sync::Arc;

use bytes::Bytes;
use detect::redact::Tokens;
use http::HeaderName;
use http_body_util::Full;
use policy::Tallied;
use terms::{
    Admitted as AdmittedLeaf, Caller, Code, Direction, Durability, ExchangeId, Leaf,
    RECORD_VERSION, Refusal, RequestFacts, Room,
};

use wire::Dialect;

use super::{
    Answering, Closed, Ending, Exchange, Turned, Unanswered, Unrecorded, exchange::UNSEALED,
};
use crate::{
    Gate, ReplySlot,
    evidence::{Evidence, Recording},
    running::Run,
    vendor, work,
};

/// A request that every control has seen. Only this can be sent.
#[derive(Debug)]
pub struct Screened {
    exchange: Exchange,
    run: Run,
    caller: Caller,
    request: RequestFacts,
    tallied: Tallied,
    tokens: Tokens,
    body: Bytes,
    passed: Vec<(HeaderName, String)>,
    query: Option<String>,
}

impl Screened {
    #[expect(
        clippy::too_many_arguments,
        reason = "the room takes over all that the one before it knew"
    )]
    pub(super) const fn new(
        exchange: Exchange,
        run: Run,
        caller: Caller,
        request: RequestFacts,
        tallied: Tallied,
        tokens: Tokens,
        body: Bytes,
        passed: Vec<(HeaderName, String)>,
        query: Option<String>,
    ) -> Self {
        Self {
            exchange,
            run,
            caller,
            request,
            tallied,
            tokens,
            body,
            passed,
            query,
        }
    }

    /// The name of the exchange.
    #[must_use]
    pub const fn exchange_id(&self) -> ExchangeId {
        self.exchange.id
    }

    /// The dialect in which the caller speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.exchange.dialect
    }

    /// Records that the request is admitted and sends it, once. The record is
    /// durable before the first byte of the reply is released, or before the
    /// request is sent where the policy asks for it.
    ///
    /// # Errors
    /// [`Unanswered`]: turned away because evidence cannot be written, or
    /// closed because the vendor gave no reply.
    pub async fn dispatch(
        mut self,
        gate: &Gate,
        slot: &mut ReplySlot,
    ) -> Result<Answering, Unanswered> {
        let built = self.request();
        let body = self.body.clone();
        let (evidence, built) = match self
            .may_leave(gate)
            .and_then(|()| Ok((self.evidence(gate)?, built?)))
        {
            Ok(both) => both,
            Err(refusal) => return Err(Unanswered::Turned(self.away(gate, refusal).await)),
        };
        let (exchange, run, leaf, tokens) = self.record(gate);
        let (cut, vendor) = (run.cut(), Arc::clone(&exchange.vendor));
        let ruling = Arc::clone(&exchange.ruling);
        let durability = exchange.ruling.policy().durability;
        let mut recording = match &evidence {
            Evidence::Kept(_) => gate.record_later(leaf),
            Evidence::Waived => Recording::waived(),
        };
        let id = exchange.id;
        let mut ending = Ending::new(gate, exchange, run, evidence);
        if durability == Durability::BeforeDispatch {
            let recorded = tokio::select! {
                biased;
                code = cut.wait() => Err(Some(code)),
                recorded = recording.wait() => recorded.map(drop).map_err(|_| None),
            };
            let recorded = match recorded {
                Ok(()) => ending
                    .wrapped()
                    .await
                    .map_err(|refusal| Some(refusal.code())),
                lost => lost,
            };
            if let Err(code) = recorded {
                ending.not_sent();
                return Err(match code {
                    Some(code) => failed(ending, recording, Refusal::new(code)).await,
                    None => Unanswered::Unrecorded(Unrecorded::new(id)),
                });
            }
        }
        let sent = tokio::time::timeout(gate.limits().first_byte_time, ruling.client().send(built));
        let outcome = tokio::select! {
            // What was switched off by now is not even begun.
            biased;
            code = cut.wait() => Err(Refusal::new(code)),
            () = slot.gone() => Err(Refusal::new(Code::CallerGone)),
            answered = sent => answered.unwrap_or_else(|_| Err(Refusal::new(Code::VendorSlow))),
        };
        // Whoever answers has read it.
        work::let_go(body.len(), body);
        vendor.answered(&outcome, gate.clock().now_ms());
        // The record's key is wrapped before anything of the reply goes on.
        let outcome = match outcome {
            Ok(response) => ending.wrapped().await.map(|()| response),
            failed => failed,
        };
        match outcome {
            Ok(response) => release(Answering::new(ending, response, tokens), recording).await,
            Err(refusal) => Err(failed(ending, recording, refusal).await),
        }
    }
}

/// Lets the reply go on once the first record is durable.
async fn release(answering: Answering, mut recording: Recording) -> Result<Answering, Unanswered> {
    let cut = answering.cut();
    tokio::select! {
        biased;
        // A switch is not kept waiting by the disk.
        code = cut.wait() => {
            let ending = answering.give_up();
            Err(failed(ending, recording, Refusal::new(code)).await)
        }
        recorded = released(&mut recording) => {
            recorded.map(|()| answering).map_err(Unanswered::Unrecorded)
        }
    }
}

impl Screened {
    /// The last look before it is sent: whether it was switched off by now,
    /// and whether the vendor can be asked.
    fn may_leave(&self, gate: &Gate) -> Result<(), Refusal> {
        if let Some(code) = self.run.cut().now() {
            return Err(Refusal::new(code));
        }
        self.exchange.vendor.may_be_asked(gate.clock().now_ms())
    }

    /// Room for the records, and for what is to be sealed.
    fn evidence(&mut self, gate: &Gate) -> Result<Evidence, Refusal> {
        let now_ms = gate.clock().now_ms();
        let evidence = gate.evidence(&self.exchange.ruling, now_ms)?;
        if matches!(evidence, Evidence::Waived) {
            // No record would name it.
            self.exchange.capture = None;
        }
        if let Some(capture) = &mut self.exchange.capture {
            match capture.ready() {
                Ok(()) => capture.sent(&self.body),
                Err(_) if self.exchange.waives(now_ms) => {
                    self.exchange.capture = None;
                    self.exchange.note(gate, Room::Screened, UNSEALED);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(evidence)
    }

    /// The request as the vendor will get it.
    fn request(&self) -> Result<http::Request<Full<Bytes>>, Refusal> {
        let Self {
            exchange,
            request,
            body,
            passed,
            query,
            ..
        } = self;
        vendor::request(
            &exchange.vendor,
            exchange.dialect.path(),
            query.as_deref(),
            passed,
            request.stream,
            body.clone(),
        )
    }

    /// Turned away at the last moment: nothing was sent.
    async fn away(self, gate: &Gate, refusal: Refusal) -> Turned {
        let Self {
            exchange,
            caller,
            request,
            tallied,
            ..
        } = self;
        Turned::away(
            gate,
            exchange,
            caller,
            Room::Screened,
            refusal,
            Some(request),
            Some(tallied),
        )
        .await
    }

    /// The first record, and what goes on.
    fn record(self, gate: &Gate) -> (Exchange, Run, Leaf, Tokens) {
        let Self {
            mut exchange,
            run,
            caller,
            request,
            tallied,
            tokens,
            ..
        } = self;
        gate.metrics().judged(Direction::Request, &tallied.controls);
        let decided = format!("sent to {}", exchange.vendor.name);
        exchange.note(gate, Room::Screened, decided);
        let leaf = Leaf::Admitted(Box::new(AdmittedLeaf {
            v: RECORD_VERSION,
            exchange: exchange.id,
            at_ms: exchange.at_ms,
            caller,
            request,
            policy: exchange.version(),
            controls: tallied.controls,
            inspected: tallied.inspected,
            findings: tallied.findings,
            findings_more: tallied.findings_more,
            durability: exchange.ruling.policy().durability,
            rooms: std::mem::take(&mut exchange.rooms),
        }));
        (exchange, run, leaf, tokens)
    }
}

async fn released(recording: &mut Recording) -> Result<(), Unrecorded> {
    recording
        .wait()
        .await
        .map(drop)
        .map_err(|_| Unrecorded::lost())
}

async fn failed(mut ending: Ending, mut recording: Recording, refusal: Refusal) -> Unanswered {
    ending.passes_nothing();
    if let Err(unrecorded) = released(&mut recording).await {
        return Unanswered::Unrecorded(unrecorded);
    }
    ending.fail(&refusal);
    match Closed::close(ending).await {
        Ok(closed) => Unanswered::Closed(closed, refusal),
        Err(unrecorded) => Unanswered::Unrecorded(unrecorded),
    }
}
