//! The end of a connection on which a caller still sends: its refusal must
//! reach it first.
//!
//! Whoever closes upon bytes that were not read resets the connection, and a
//! caller that learns of it while it sends never reads why.

use std::{future::poll_fn, io, pin::Pin, task::Poll, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wire::Framing;

/// LIMIT: bytes that are read and let go after the last reply. Whoever sends
/// more may not see it.
const BYTES_MAX: usize = 8 << 20;
/// LIMIT: how long they may take, and each of them.
const TIME: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);
/// LIMIT: bytes read at one time.
const READ_BYTES_MAX: usize = 16 << 10;
/// LIMIT: connections that end so at once; of more, each ends without.
const LINGERING_MAX: usize = 64;

/// Those that end.
#[derive(Debug)]
pub(crate) struct Lingering(Semaphore);

impl Default for Lingering {
    fn default() -> Self {
        Self(Semaphore::new(LINGERING_MAX))
    }
}

impl Lingering {
    /// Says that no more is sent, and takes the rest of the request, as far as
    /// there is a place and the gate does not close.
    pub(super) async fn end(
        &self,
        mut io: impl AsyncRead + AsyncWrite + Unpin,
        framing: Framing,
        closing: &CancellationToken,
    ) {
        let (Ok(()), Ok(_place)) = (io.shutdown().await, self.0.try_acquire()) else {
            return;
        };
        tokio::select! {
            biased;
            () = closing.cancelled() => {}
            () = sleep(TIME) => {}
            _ = rest(io, framing) => {}
        }
    }
}

/// Reads to the end of the request, at least what is there already; how much.
async fn rest(mut io: impl AsyncRead + Unpin, mut framing: Framing) -> usize {
    // On the heap, or every connection would have this room all along.
    let (mut bytes, mut good) = (vec![0; READ_BYTES_MAX], BytesMut::new());
    let mut taken = 0;
    while taken < BYTES_MAX {
        let ended = !framing.goes_on();
        let mut part = ReadBuf::new(&mut bytes);
        let read = poll_fn(|cx| match Pin::new(&mut io).poll_read(cx, &mut part) {
            Poll::Pending if ended => Poll::Ready(Err(io::ErrorKind::WouldBlock.into())),
            read => read,
        });
        let (Ok(Ok(())), read @ 1..) = (timeout(PAUSE, read).await, part.filled().len()) else {
            break;
        };
        taken += read;
        // Of what is not good, and what follows it, no end can be told.
        let _ = framing.push(part.filled(), &mut good);
        good.clear();
    }
    taken
}

#[cfg(test)]
mod tests {
    use tokio::{io::duplex, time::Instant};

    use super::*;

    const LIMITS: wire::HeadLimits = wire::HeadLimits {
        bytes_max: 1 << 10,
        lines_max: 8,
    };

    /// In a body of so many bytes; with none, after a whole request.
    fn framing(body_bytes: usize) -> Framing {
        let (mut framing, mut out) = (Framing::new(LIMITS), BytesMut::new());
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {body_bytes}\r\n\r\n");
        framing.push(head.as_bytes(), &mut out).unwrap();
        framing
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_request_the_caller_the_bytes_or_a_pause() {
        for (body, sends, stays, taken, lasts) in [
            (100_000, 100_000, true, 100_000, Duration::ZERO),
            (100_000, 90_000, false, 90_000, Duration::ZERO),
            (100_000, 90_000, true, 90_000, PAUSE),
            (
                2 * BYTES_MAX,
                2 * BYTES_MAX,
                true,
                BYTES_MAX,
                Duration::ZERO,
            ),
            // Of a whole request nothing is left, but what is there is taken.
            (0, 500, true, 500, Duration::ZERO),
        ] {
            let (mut caller, io) = duplex(1 << 10);
            let sender = tokio::spawn(async move {
                let _ = caller.write_all(&vec![b'x'; sends]).await;
                stays.then_some(caller)
            });
            tokio::task::yield_now().await;
            let began = Instant::now();
            assert_eq!(rest(io, framing(body)).await, taken, "{body} {sends}");
            assert_eq!(began.elapsed(), lasts, "{body} {sends}");
            sender.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn its_time_is_bounded_and_a_gate_that_closes_does_not_wait() {
        for closes in [false, true] {
            let (mut caller, io) = duplex(1 << 10);
            let dribble = async move {
                while caller.write_all(b"x").await.is_ok() {
                    sleep(PAUSE / 2).await;
                }
            };
            let (lingering, closing) = (Lingering::default(), CancellationToken::new());
            if closes {
                closing.cancel();
            }
            let began = Instant::now();
            tokio::select! {
                () = lingering.end(io, framing(100_000), &closing) => {}
                () = dribble => unreachable!("it is not hung up on"),
            }
            let wanted = if closes { Duration::ZERO } else { TIME };
            assert_eq!(began.elapsed(), wanted);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_many_end_so_the_others_end_at_once() {
        let (lingering, closing) = (Lingering::default(), CancellationToken::new());
        let all = u32::try_from(LINGERING_MAX).unwrap();
        let all = lingering.0.acquire_many(all).await.unwrap();
        let (_caller, io) = duplex(1 << 10);
        let began = Instant::now();
        lingering.end(io, framing(100_000), &closing).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(all);
    }
}
