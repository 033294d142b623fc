//! The body of a reply: chunks with pauses between them, and an end.

use std::{
    collections::VecDeque,
    future::Future as _,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::{
    line::Reset,
    script::{Chunk, End},
};

/// LIMIT: how long a reply may hang.
const HANG_S_MAX: u64 = 600;
/// Before a connection is broken, what was written gets this long to leave.
const LEAVE_MS: u64 = 5;

/// Replies under way, and those whose caller left first.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    open: AtomicU64,
    abandoned: AtomicU64,
}

impl Tally {
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::SeqCst)
    }

    pub(crate) fn abandoned(&self) -> u64 {
        self.abandoned.load(Ordering::SeqCst)
    }
}

/// One reply under way: counted as abandoned if dropped before its end.
pub(crate) struct UnderWay {
    tally: Arc<Tally>,
    ended: bool,
}

impl UnderWay {
    pub(crate) fn new(tally: &Arc<Tally>) -> Self {
        tally.open.fetch_add(1, Ordering::SeqCst);
        Self {
            tally: Arc::clone(tally),
            ended: false,
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.tally.open.fetch_sub(1, Ordering::SeqCst);
        if !self.ended {
            self.tally.abandoned.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A reply's body.
pub(crate) struct ReplyBody {
    chunks: VecDeque<Chunk>,
    end: End,
    /// INVARIANT: chunk by chunk only when nobody knows the length beforehand.
    known_bytes: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
    paused: bool,
    reset: Reset,
    under_way: Option<UnderWay>,
}

impl ReplyBody {
    /// A body of known length in one piece.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let known_bytes = Some(bytes.len() as u64);
        let chunks = VecDeque::from([Chunk { bytes, delay_ms: 0 }]);
        Self {
            known_bytes,
            ..Self::chunked(chunks, End::Clean, Reset::default())
        }
    }

    /// A body of chunks that ends in a given way.
    pub(crate) const fn chunked(chunks: VecDeque<Chunk>, end: End, reset: Reset) -> Self {
        Self {
            chunks,
            end,
            known_bytes: None,
            pause: None,
            paused: false,
            reset,
            under_way: None,
        }
    }

    /// Counts the reply as under way until the body's end.
    pub(crate) fn counted(mut self, mut under_way: UnderWay) -> Self {
        under_way.ended = self.is_end_stream();
        self.under_way = Some(under_way);
        self
    }

    fn pause_ms(&self) -> u64 {
        match self.chunks.front() {
            Some(chunk) => chunk.delay_ms,
            None => match self.end {
                End::Clean => 0,
                End::Cut | End::Reset => LEAVE_MS,
                End::Hang => HANG_S_MAX * 1_000,
            },
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let pause_ms = self.pause_ms();
        if self.paused || pause_ms == 0 {
            return Poll::Ready(());
        }
        let pause = self
            .pause
            .get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(pause_ms))));
        if pause.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.pause = None;
        self.paused = true;
        Poll::Ready(())
    }

    fn ended(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            under_way.ended = true;
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.poll_pause(cx).is_pending() {
            return Poll::Pending;
        }
        self.paused = false;
        if let Some(chunk) = self.chunks.pop_front() {
            if self.is_end_stream() {
                self.ended();
            }
            return Poll::Ready(Some(Ok(Frame::data(chunk.bytes))));
        }
        self.ended();
        match self.end {
            End::Clean => return Poll::Ready(None),
            End::Cut | End::Hang => {}
            End::Reset => self.reset.ask(),
        }
        Poll::Ready(Some(Err(io::Error::other("the script ends here"))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && self.end == End::Clean
    }

    fn size_hint(&self) -> SizeHint {
        self.known_bytes
            .map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
