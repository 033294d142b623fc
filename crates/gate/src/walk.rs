//! The plan of the house: one request, from the first room to the last.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use terms::{Code, Refusal};
use wire::Dialect;

use crate::{
    Gate, ReplySlot,
    connection::Standing,
    respond,
    rooms::{Arrived, Stranger, Turned, Unanswered},
};

/// Walks one request through the rooms. It runs apart from the connection, so
/// that a caller who leaves does not take the record along.
pub(crate) async fn walk(
    gate: Arc<Gate>,
    request: Request<Incoming>,
    source: IpAddr,
    slot: ReplySlot,
    standing: &Standing,
) {
    if slot.is_gone() {
        // It cost nothing yet, and is to cost as little as a stranger's.
        return Stranger::left(&gate, source);
    }
    if let Err(stopped) = rooms(&gate, request, source, slot, standing).await {
        let (slot, answer) = *stopped;
        slot.refuse(answer);
    }
}

type Stopped = Box<(ReplySlot, Response<Bytes>)>;

async fn rooms(
    gate: &Gate,
    request: Request<Incoming>,
    source: IpAddr,
    mut slot: ReplySlot,
    standing: &Standing,
) -> Result<(), Stopped> {
    let arrived = match Arrived::enter(gate, request, source) {
        Ok(arrived) => arrived,
        Err(stranger) => return Err(Box::new((slot, unknown(&stranger)))),
    };
    let known = match arrived.identify(gate) {
        Ok(known) => known,
        Err(stranger) => return Err(Box::new((slot, unknown(&stranger)))),
    };
    if known.may_be_large() {
        // Such bodies wait for each other.
        standing.serve();
    }
    let admitted = match known.admit(gate).await {
        Ok(admitted) => admitted,
        Err(turned) => return Err(Box::new((slot, away(&turned)))),
    };
    standing.serve();
    let screened = match admitted.screen(gate).await {
        Ok(screened) => screened,
        Err(turned) => return Err(Box::new((slot, away(&turned)))),
    };
    let (exchange, dialect) = (screened.exchange_id().to_string(), screened.dialect());
    let answering = match screened.dispatch(gate, &mut slot).await {
        Ok(answering) => answering,
        Err(unanswered) => {
            return Err(Box::new((slot, no_answer(&unanswered, dialect, &exchange))));
        }
    };
    match answering.sanitise(gate, slot).await {
        Ok(closed) => tracing::debug!(
            exchange,
            sequence = closed.sequence().unwrap_or_default(),
            "closed"
        ),
        // Dropping the slot cut the connection; the failed ledger is told by
        // the one who watches it.
        Err(_) => tracing::error!(exchange, "no record could be made; the reply was cut off"),
    }
    Ok(())
}

fn unknown(stranger: &Stranger) -> Response<Bytes> {
    respond::refusal(
        stranger.refusal(),
        stranger.dialect(),
        &stranger.exchange().to_string(),
    )
}

fn away(turned: &Turned) -> Response<Bytes> {
    respond::refusal(
        turned.refusal(),
        Some(turned.dialect()),
        &turned.exchange().to_string(),
    )
}

fn no_answer(unanswered: &Unanswered, dialect: Dialect, exchange: &str) -> Response<Bytes> {
    match unanswered {
        Unanswered::Turned(turned) => away(turned),
        Unanswered::Closed(closed, refusal) => {
            tracing::debug!(
                exchange,
                sequence = closed.sequence().unwrap_or_default(),
                code = refusal.code().word(),
                "closed without an answer"
            );
            respond::refusal(refusal, Some(dialect), exchange)
        }
        Unanswered::Unrecorded(_) => {
            respond::refusal(&Refusal::new(Code::EvidenceDown), Some(dialect), exchange)
        }
    }
}

/// Turns away a request that was not framed as it must be, before any room
/// saw it; counted like any stranger's.
pub(crate) fn misframed(gate: &Gate, code: Code, source: IpAddr) -> Response<Bytes> {
    unknown(&Stranger::misframed(gate, code, source))
}

/// What a connection answers when the walk ended without a word: its task
/// died. Nothing of the vendor's gets through.
pub(crate) fn silence() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
