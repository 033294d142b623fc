//! The one place where an exchange hands its reply to the connection.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio::sync::oneshot;

use crate::{
    body::{Gone, ReplyBody, ReplySender},
    rooms::Closed,
};

/// Name of the header that carries the exchange's name on every reply.
pub const EXCHANGE_HEADER: HeaderName = HeaderName::from_static("x-merestone-exchange");

/// Where the reply goes: first its head, then its body.
#[derive(Debug)]
pub struct ReplySlot(State);

#[derive(Debug)]
enum State {
    Waiting(oneshot::Sender<Response<ReplyBody>>),
    Streaming(ReplySender),
    Over,
}

impl ReplySlot {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Response<ReplyBody>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(State::Waiting(sender)), receiver)
    }

    /// Whether the caller is gone, as far as that is known by now.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(&self.0, State::Waiting(sender) if sender.is_closed())
    }

    /// Waits until the caller is gone.
    pub(crate) async fn gone(&mut self) {
        match &mut self.0 {
            State::Waiting(sender) => sender.closed().await,
            State::Streaming(sender) => sender.gone().await,
            State::Over => std::future::pending().await,
        }
    }

    /// Answers with a refusal, whose record is made by the one who calls.
    pub(crate) fn refuse(self, response: Response<Bytes>) {
        if let State::Waiting(sender) = self.0 {
            let _ = sender.send(response.map(ReplyBody::whole));
        }
    }

    /// Answers with a whole reply, shown the closed record.
    pub(crate) fn whole(self, response: Response<Bytes>, closed: &Closed) {
        let _recorded = closed;
        if let State::Waiting(sender) = self.0 {
            let _ = sender.send(response.map(ReplyBody::whole));
        }
    }

    /// Answers with a whole reply that may be large, shown the closed record,
    /// and waits until the caller has it. One that takes nothing of it `within`
    /// this time, or within a moment while others are `pressed` for room, does
    /// not get the rest, and the answer is no.
    pub(crate) async fn lend(
        self,
        response: Response<Bytes>,
        closed: &Closed,
        within: Duration,
        pressed: impl Fn() -> bool,
    ) -> bool {
        let _recorded = closed;
        if let State::Waiting(sender) = self.0 {
            let (head, bytes) = response.into_parts();
            let (loan, body) = ReplyBody::lent(bytes);
            if sender.send(Response::from_parts(head, body)).is_ok() {
                return loan.fetched(within, pressed).await;
            }
        }
        true
    }

    /// Sends the head of a stream; the body follows piece by piece.
    pub(crate) fn begin(&mut self, response: Response<()>) -> Result<(), Gone> {
        if let State::Waiting(sender) = std::mem::replace(&mut self.0, State::Over) {
            let (pieces, body) = ReplyBody::pieces();
            if sender.send(response.map(|()| body)).is_err() {
                return Err(Gone::now());
            }
            self.0 = State::Streaming(pieces);
        }
        Ok(())
    }

    /// Sends a piece that is not the last.
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        match &self.0 {
            State::Streaming(sender) => sender.send(bytes).await,
            State::Waiting(_) | State::Over => Err(Gone::now()),
        }
    }

    /// Sends the last piece and ends the body well, shown the closed record,
    /// if the caller takes it within this time.
    pub(crate) async fn finish(self, bytes: Bytes, closed: &Closed, within: Duration) {
        if let State::Streaming(sender) = self.0 {
            sender.finish(bytes, closed, within).await;
        }
    }
}

/// A response head with the exchange's name on it.
pub(crate) fn head(
    status: StatusCode,
    exchange: &str,
    headers: &[(HeaderName, HeaderValue)],
) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().append(name.clone(), value.clone());
    }
    if let Ok(value) = exchange.parse() {
        response.headers_mut().insert(EXCHANGE_HEADER, value);
    }
    response
}
