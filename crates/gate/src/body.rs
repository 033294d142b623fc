//! The body of a reply to the caller: it can end well only with a record.

mod loan;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::rooms::Closed;
use loan::Borrowed;
pub(crate) use loan::Loan;

/// LIMIT: pieces on their way to one caller. Back-pressure beyond.
const PIECES_MAX: usize = 8;

/// The reply was given up; the connection is cut so that no client takes what
/// it has for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the reply was cut off")]
pub struct CutOff(());

/// The caller is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone(());

impl Gone {
    pub(crate) const fn now() -> Self {
        Self(())
    }
}

enum Piece {
    More(Bytes),
    Last(Bytes),
}

/// What hyper reads from.
pub struct ReplyBody(Source);

enum Source {
    Whole(Option<Bytes>),
    Lent(Borrowed),
    Pieces {
        pieces: mpsc::Receiver<Piece>,
        ended: bool,
    },
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplyBody(..)")
    }
}

impl ReplyBody {
    /// A body that is known whole: refusals only, whose record is made first.
    pub(crate) const fn whole(bytes: Bytes) -> Self {
        Self(Source::Whole(Some(bytes)))
    }

    /// A body that is known whole and may be large: it is lent, and taken back
    /// from a caller that does not fetch it.
    pub(crate) fn lent(bytes: Bytes) -> (Loan, Self) {
        let (loan, borrowed) = loan::lend(bytes);
        (loan, Self(Source::Lent(borrowed)))
    }

    /// A body that is written piece by piece.
    pub(crate) fn pieces() -> (ReplySender, Self) {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        (
            ReplySender { sender },
            Self(Source::Pieces {
                pieces,
                ended: false,
            }),
        )
    }
}

/// The writing end. Dropped without [`ReplySender::finish`], it cuts the
/// connection.
#[derive(Debug)]
pub struct ReplySender {
    sender: mpsc::Sender<Piece>,
}

impl ReplySender {
    /// Sends a piece that is not the last; waits while the caller is slow.
    ///
    /// # Errors
    /// When the caller is gone.
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.sender
            .send(Piece::More(bytes))
            .await
            .map_err(|_| Gone(()))
    }

    /// Waits until the caller is gone.
    pub(crate) async fn gone(&self) {
        self.sender.closed().await;
    }

    /// Sends the last piece and ends the body well. Only who shows the closed
    /// record can do it. A caller that does not take it `within` this time
    /// gets no clean end: the connection is cut.
    ///
    /// With its record, it compiles:
    /// ```
    /// async fn end(reply: gate::ReplySender, closed: &gate::Closed) {
    ///     let within = std::time::Duration::from_secs(60);
    ///     reply.finish(bytes::Bytes::new(), closed, within).await;
    /// }
    /// ```
    /// Without, it does not:
    /// ```compile_fail,E0061
    /// async fn end(reply: gate::ReplySender) {
    ///     let within = std::time::Duration::from_secs(60);
    ///     reply.finish(bytes::Bytes::new(), within).await;
    /// }
    /// ```
    pub async fn finish(self, bytes: Bytes, closed: &Closed, within: Duration) {
        let _recorded = closed;
        self.last(bytes, within).await;
    }

    /// INVARIANT: called by `finish` only, which has seen the record.
    async fn last(self, bytes: Bytes, within: Duration) {
        // A caller that is gone by now misses only what it does not want, and
        // one that takes nothing would wait here for ever.
        let _ = tokio::time::timeout(within, self.sender.send(Piece::Last(bytes))).await;
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match &mut self.0 {
            Source::Whole(bytes) => Poll::Ready(
                bytes
                    .take()
                    .filter(|bytes| !bytes.is_empty())
                    .map(|bytes| Ok(Frame::data(bytes))),
            ),
            Source::Lent(borrowed) => Poll::Ready(
                borrowed
                    .next()
                    .map(|piece| piece.map(Frame::data).ok_or(CutOff(()))),
            ),
            Source::Pieces { ended: true, .. } => Poll::Ready(None),
            Source::Pieces { pieces, ended } => match pieces.poll_recv(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Piece::More(bytes))) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Poll::Ready(Some(Piece::Last(bytes))) => {
                    *ended = true;
                    Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
                }
                Poll::Ready(None) => {
                    *ended = true;
                    Poll::Ready(Some(Err(CutOff(()))))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Source::Lent(borrowed) => borrowed.left() == 0,
            Source::Pieces { ended, .. } => *ended,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Source::Whole(bytes) => http_body::SizeHint::with_exact(
                bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            ),
            Source::Lent(borrowed) => http_body::SizeHint::with_exact(borrowed.left() as u64),
            Source::Pieces { .. } => http_body::SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    use bytes::Bytes;
    use http_body::Body;

    use super::{CutOff, PIECES_MAX, ReplyBody};

    const BRIEF: Duration = Duration::from_millis(20);

    /// All that stands ready in a body: its bytes, and how it ended, if it did.
    fn taken(mut body: ReplyBody) -> (Vec<u8>, Option<Result<(), CutOff>>) {
        let mut context = Context::from_waker(Waker::noop());
        let mut bytes = Vec::new();
        loop {
            match Pin::new(&mut body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => bytes.extend(frame.into_data().unwrap()),
                Poll::Ready(Some(Err(cut))) => return (bytes, Some(Err(cut))),
                Poll::Ready(None) => return (bytes, Some(Ok(()))),
                Poll::Pending => return (bytes, None),
            }
        }
    }

    #[tokio::test]
    async fn a_caller_that_takes_nothing_is_not_waited_for() {
        let (sender, body) = ReplyBody::pieces();
        for _ in 0..PIECES_MAX {
            sender.send(Bytes::from_static(b"a")).await.unwrap();
        }
        let ended = sender.last(Bytes::from_static(b"end"), BRIEF);
        tokio::time::timeout(Duration::from_secs(10), ended)
            .await
            .unwrap();
        let (bytes, end) = taken(body);
        assert_eq!(bytes, b"a".repeat(PIECES_MAX));
        assert!(matches!(end, Some(Err(_))), "no clean end: {end:?}");
    }

    #[tokio::test]
    async fn a_caller_that_takes_in_time_gets_a_clean_end() {
        let (sender, body) = ReplyBody::pieces();
        sender.send(Bytes::from_static(b"a")).await.unwrap();
        sender.last(Bytes::from_static(b"end"), BRIEF).await;
        assert_eq!(taken(body), (b"aend".to_vec(), Some(Ok(()))));
    }
}
