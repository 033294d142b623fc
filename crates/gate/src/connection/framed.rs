//! A connection whose HTTP/1.1 requests are taken only in strict framing.
//!
//! The HTTP library behind it sees whole, good heads and nothing else. In
//! place of a head that is not good it is given a plain one that stands for
//! it, so that the refusal takes its turn after the replies before it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use terms::Code;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::{Framing, HeadLimits, Misframed};

/// What stands for a head that was not good.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: misframed\r\nconnection: close\r\n\r\n";
/// LIMIT: bytes read at one time where they have to be looked at.
const READ_BYTES_MAX: usize = 4_096;

/// Tells the service which request stands for one that was not good.
#[derive(Debug, Default)]
pub(super) struct Misframing {
    at: OnceLock<(u64, Code)>,
    served: AtomicU64,
}

impl Misframing {
    /// Asked once for each request, in their order.
    pub(super) fn next(&self) -> Option<Code> {
        let number = self.served.fetch_add(1, Ordering::AcqRel);
        self.at
            .get()
            .filter(|(at, _)| *at == number)
            .map(|(_, code)| *code)
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Framed<S> {
    io: S,
    framing: Framing,
    good: BytesMut,
    misframing: Arc<Misframing>,
    ended: Option<Ended>,
}

/// What follows the last good byte.
#[derive(Debug, Clone, Copy)]
enum Ended {
    /// The stand-in, and then nothing.
    Refused { told: bool },
    /// A broken body.
    Broken,
}

impl<S> Framed<S> {
    /// Before the first request.
    pub(super) fn new(io: S, limits: HeadLimits, misframing: Arc<Misframing>) -> Self {
        Self {
            io,
            framing: Framing::new(limits),
            good: BytesMut::new(),
            misframing,
            ended: None,
        }
    }

    /// What is left after the last reply: the bytes, and how far the request
    /// was read.
    pub(super) fn into_parts(self) -> (S, Framing) {
        (self.io, self.framing)
    }

    fn misframed(&mut self, Misframed { fault, in_head }: Misframed) {
        self.ended = Some(if in_head {
            let _ = self.misframing.at.set((self.framing.heads(), fault.code()));
            Ended::Refused { told: false }
        } else {
            Ended::Broken
        });
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.good.is_empty() {
                let here = this.good.len().min(buf.remaining());
                buf.put_slice(this.good.get(..here).unwrap_or_default());
                this.good.advance(here);
                return Poll::Ready(Ok(()));
            }
            match this.ended {
                Some(Ended::Broken) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(Ended::Refused { told: false }) => {
                    this.good.extend_from_slice(STAND_IN);
                    this.ended = Some(Ended::Refused { told: true });
                    continue;
                }
                Some(Ended::Refused { told: true }) | None => {}
            }
            let plain = usize::try_from(this.framing.plain()).unwrap_or(usize::MAX);
            if plain > 0 {
                let room = buf.initialize_unfilled_to(plain.min(buf.remaining()));
                let mut part = ReadBuf::new(room);
                ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
                let read = part.filled().len();
                buf.advance(read);
                this.framing.skip(read as u64);
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0_u8; READ_BYTES_MAX];
            let mut part = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            // What comes after a refused head is let go.
            if this.ended.is_none()
                && let Err(misframed) = this.framing.push(part.filled(), &mut this.good)
            {
                this.misframed(misframed);
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
