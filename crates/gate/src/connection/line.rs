//! The bytes of a connection, in the clear or under TLS, and which protocol
//! they speak.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::turns;

/// What an HTTP/2 caller that knows the gate says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// LIMIT: bytes read to see which protocol is spoken.
const FIRST_BYTES_MAX: usize = 1_024;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A connection's bytes, both ways.
#[derive(Debug)]
pub(super) struct Line {
    /// Read already, to see which protocol it is.
    first: BytesMut,
    carrier: Carrier,
    writing: Stall,
    flushing: Stall,
}

/// Ends the writing to a peer that takes nothing for too long. Without it
/// such a connection stays for as long as the peer's system likes.
#[derive(Debug)]
struct Stall {
    within: Duration,
    ends: Option<Pin<Box<Sleep>>>,
    stalled: Arc<AtomicBool>,
}

impl Stall {
    const fn new(within: Duration, stalled: Arc<AtomicBool>) -> Self {
        Self {
            within,
            ends: None,
            stalled,
        }
    }

    /// Shown how each attempt went: anything that is taken starts it anew.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.ends = None;
            return outcome;
        }
        let within = self.within;
        let ends = self
            .ends
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        if ends.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[derive(Debug)]
enum Carrier {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Shakes hands, and sees what is spoken: under TLS the one agreed on there,
/// in the clear HTTP/2 if its preface comes first.
///
/// # Errors
/// When the caller broke off, or does not fit the certificate's terms.
pub(super) async fn open(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    write_time: Duration,
) -> io::Result<(Line, Protocol)> {
    let Some(config) = tls else {
        return in_clear(stream, write_time).await;
    };
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let carrier = Carrier::Tls(Box::new(stream));
    Ok((Line::new(BytesMut::new(), carrier, write_time), protocol))
}

async fn in_clear(mut stream: TcpStream, write_time: Duration) -> io::Result<(Line, Protocol)> {
    let mut first = BytesMut::with_capacity(FIRST_BYTES_MAX);
    let protocol = loop {
        if stream.read_buf(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first.starts_with(PREFACE) {
            break Protocol::Http2;
        }
        if !PREFACE.starts_with(&first) {
            break Protocol::Http1;
        }
    };
    let carrier = Carrier::Clear(stream);
    Ok((Line::new(first, carrier, write_time), protocol))
}

impl Line {
    fn new(first: BytesMut, carrier: Carrier, write_time: Duration) -> Self {
        let stalled = Arc::default();
        Self {
            first,
            carrier,
            writing: Stall::new(write_time, Arc::clone(&stalled)),
            flushing: Stall::new(write_time, stalled),
        }
    }

    /// Whether it ended since the peer took nothing, asked when it is over.
    pub(super) fn stalled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.writing.stalled)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let here = self.first.len().min(buf.remaining());
            buf.put_slice(self.first.get(..here).unwrap_or_default());
            self.first.advance(here);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let outcome = match &mut self.carrier {
            Carrier::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
            Carrier::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if outcome.is_ready() {
            turns::take_for(cx, buf.filled().len() - before);
        }
        outcome
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (this, bytes) = (&mut *self, turns::some(bytes));
        let outcome = match &mut this.carrier {
            Carrier::Clear(stream) => Pin::new(stream).poll_write(cx, bytes),
            Carrier::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        let outcome = turns::written(cx, outcome);
        this.writing.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (this, parts) = (&mut *self, turns::some_parts(parts));
        let outcome = match &mut this.carrier {
            Carrier::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, &parts),
            Carrier::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, &parts),
        };
        let outcome = turns::written(cx, outcome);
        this.writing.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Clear(stream) => stream.is_write_vectored(),
            Carrier::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let outcome = match &mut this.carrier {
            Carrier::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        this.flushing.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let outcome = match &mut this.carrier {
            Carrier::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        this.flushing.watch(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_turn_ends_after_some_bytes_however_many_there_are() {
        const TURN_BYTES_MAX: usize = 128 << 10;
        const ALL_BYTES: usize = 8 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let sender = tokio::spawn(async move {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream.write_all(&vec![b'x'; ALL_BYTES]).await.unwrap();
        });
        let (stream, _) = listener.accept().await.unwrap();
        let carrier = Carrier::Clear(stream);
        let mut line = Line::new(BytesMut::new(), carrier, Duration::from_secs(60));
        let reader = tokio::spawn(async move {
            let (mut most, mut all) = (0, 0);
            while all < ALL_BYTES {
                let mut turn = 0;
                let ended = poll_fn(|cx| {
                    let mut room = [0; 16 << 10];
                    loop {
                        let mut buf = ReadBuf::new(&mut room);
                        match Pin::new(&mut line).poll_read(cx, &mut buf) {
                            Poll::Ready(read) => read.unwrap(),
                            Poll::Pending if turn == 0 => return Poll::Pending,
                            Poll::Pending => return Poll::Ready(()),
                        }
                        turn += buf.filled().len();
                        if all + turn == ALL_BYTES {
                            return Poll::Ready(());
                        }
                    }
                });
                ended.await;
                most = most.max(turn);
                all += turn;
            }
            most
        });
        let most = reader.await.unwrap();
        assert!(most <= TURN_BYTES_MAX, "{most}");
        sender.await.unwrap();
    }
}
