//! A reply that comes as a stream of events.

mod block;
mod event;
mod rewrite;
mod spots;
mod tails;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use policy::Tallied;
use terms::{Code, Outcome, Refusal};

use super::{Context, head::Head, source::Source};
use crate::{
    Gate, ReplySlot,
    rooms::{Closed, Ending, Unrecorded},
    slot,
};
use rewrite::Rewrite;

/// LIMIT: bytes that are read on after the stream's own end, so that the
/// connection can be used again.
const AFTER_END_BYTES_MAX: u64 = 4_096;

/// LIMIT: bytes of the vendor's that are looked at in one turn, between two
/// looks at the switches. An event that ends in them may be longer.
const PIECE_BYTES_MAX: usize = 4 << 10;
/// How long it is read on for them.
const DRAIN_TIME: Duration = Duration::from_millis(100);

/// Passes the stream on as it is cleared, records the end, and only then lets
/// the last event go.
pub(super) async fn deliver(
    gate: &Gate,
    mut ending: Ending,
    mut context: Context,
    head: Head,
    mut source: Source,
    mut slot: ReplySlot,
) -> Result<Closed, Unrecorded> {
    let mut response = slot::head(head.status, &context.exchange, &head.headers);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let mut rewrite = Rewrite::new(&context, gate.limits().reply_bytes_max);
    let walked = match slot.begin(response) {
        Ok(()) => {
            let mut walking = Walking {
                gate,
                context: &mut context,
                rewrite: &mut rewrite,
                source: &mut source,
                slot: &mut slot,
                ending: &mut ending,
            };
            walking.walk().await
        }
        Err(_) => Err(Refusal::new(Code::CallerGone)),
    };
    let (bytes, commitment) = source.seen();
    ending.with(|draft| {
        draft.reply_bytes = bytes;
        draft.body = Some(commitment);
    });
    rewrite.leave(&mut context);
    let settled = walked.and_then(|last| context.settle().map(|tallied| (last, tallied)));
    let settled = match settled {
        Ok(done) => sealed(&mut ending, &mut context, done).await,
        failed => failed,
    };
    let last = match settled {
        Ok((last, tallied)) => {
            ending.tally(tallied);
            ending.complete(Outcome::Complete);
            last
        }
        Err(refusal) => {
            ending.tally(context.tally.so_far());
            ending.fail(&refusal);
            rewrite.end(&refusal, &context.exchange)
        }
    };
    context.write_facts(&mut ending);
    let within = gate.limits().caller_idle_time;
    match Closed::close(ending).await {
        Ok(closed) => {
            slot.finish(last, &closed, within).await;
            Ok(closed)
        }
        Err(unrecorded) => {
            // The protocol's own error, and no clean end.
            let refusal = Refusal::new(Code::EvidenceDown);
            let end = rewrite.end(&refusal, &context.exchange);
            let _ = tokio::time::timeout(within, slot.send(end)).await;
            Err(unrecorded)
        }
    }
}

/// Seals what was released, and the last event, which goes only then.
async fn sealed(
    ending: &mut Ending,
    context: &mut Context,
    done: (Bytes, Tallied),
) -> Result<(Bytes, Tallied), Refusal> {
    context.hand_over(ending);
    ending.passed(&done.0)?;
    ending.seal().await.map(|()| done)
}

/// What a stream is read with.
struct Walking<'a> {
    gate: &'a Gate,
    context: &'a mut Context,
    rewrite: &'a mut Rewrite,
    source: &'a mut Source,
    slot: &'a mut ReplySlot,
    ending: &'a mut Ending,
}

impl Walking<'_> {
    /// Reads to the end of the stream; answers the last event, not yet sent.
    async fn walk(&mut self) -> Result<Bytes, Refusal> {
        let Self {
            gate,
            context,
            rewrite,
            source,
            slot,
            ending,
        } = self;
        // Bytes of an event that is not whole yet: the work comes with its last.
        let mut gathered = 0_usize;
        while let Some(data) = source.next(gate, slot).await? {
            for (number, piece) in data.chunks(PIECE_BYTES_MAX).enumerate() {
                // Neither a switch waits for all that the vendor sent at once,
                // nor another exchange.
                if number > 0 {
                    tokio::task::yield_now().await;
                }
                source.cut().check()?;
                gathered += piece.len();
                // What ends no event is only kept.
                let size = if rewrite.may_end(piece) {
                    gathered
                } else {
                    piece.len()
                };
                let looking = gate
                    .work()
                    .on(size, source.cut(), || rewrite.push(context, piece));
                let mut out = looking.await.flatten()?;
                loop {
                    if !out.is_empty() {
                        gathered = 0;
                    }
                    if rewrite.is_over() {
                        let _ = tokio::time::timeout(DRAIN_TIME, drain(gate, source, slot)).await;
                        return Ok(out);
                    }
                    ending.passed(&out)?;
                    pass(gate, source, slot, out).await?;
                    if !context.lacks() {
                        break;
                    }
                    // An event waits for values of other exchanges.
                    context.fetch(source.cut()).await?;
                    let goes_on = gate
                        .work()
                        .on(size, source.cut(), || rewrite.go_on(context));
                    out = goes_on.await.flatten()?;
                }
            }
        }
        // No protocol's stream ends without its own end.
        Err(Refusal::new(Code::VendorCut))
    }
}

/// Sends a piece, unless the exchange must end while the caller takes its time.
async fn pass(gate: &Gate, source: &Source, slot: &ReplySlot, out: Bytes) -> Result<(), Refusal> {
    let sending = tokio::time::timeout(gate.limits().caller_idle_time, slot.send(out));
    let sent = tokio::select! {
        biased;
        code = source.cut().wait() => return Err(Refusal::new(code)),
        sent = sending => sent,
    };
    sent.map_err(|_| Refusal::new(Code::CallerSlow))?
        .map_err(|_| Refusal::new(Code::CallerGone))
}

/// What comes after the end is dropped; it could not be delivered anyway.
async fn drain(gate: &Gate, source: &mut Source, slot: &mut ReplySlot) {
    let mut left = AFTER_END_BYTES_MAX;
    while let Ok(Some(data)) = source.next(gate, slot).await {
        left = left.saturating_sub(data.len() as u64);
        if left == 0 {
            return;
        }
    }
}
