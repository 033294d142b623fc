//! The end of a connection on which a caller still sends: its refusal must
//! reach it first.
//!
//! Whoever closes upon bytes that were not read resets the connection, and a
//! caller that learns of it while it sends never reads why.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Sleep,
};

/// LIMIT: bytes that are read and let go after the last reply. Whoever sends
/// more may not see it.
const BYTES_MAX: usize = 8 << 20;
/// LIMIT: how long they may take.
const TIME: Duration = Duration::from_secs(5);
/// LIMIT: bytes read at one time.
const READ_BYTES_MAX: usize = 16 << 10;

/// Takes what a caller still sends.
#[derive(Debug)]
pub(super) struct Linger {
    ends: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Linger {
    /// From now on.
    pub(super) fn new() -> Self {
        Self {
            ends: Box::pin(tokio::time::sleep(TIME)),
            bytes_left: BYTES_MAX,
        }
    }

    /// Ready when the caller closed, and when it had its time or its bytes.
    pub(super) fn poll(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut bytes = [0; READ_BYTES_MAX];
        loop {
            let mut part = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *io).poll_read(cx, &mut part) {
                Poll::Ready(Ok(())) if !part.filled().is_empty() => {
                    self.bytes_left = self.bytes_left.saturating_sub(part.filled().len());
                    if self.bytes_left == 0 {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.ends.as_mut().poll(cx),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_caller_with_its_bytes_or_with_its_time() {
        for (sends, stays, takes) in [
            (100_000, false, Duration::ZERO),
            (100_000, true, TIME),
            (BYTES_MAX + 100_000, true, Duration::ZERO),
        ] {
            let (mut caller, mut io) = tokio::io::duplex(1 << 10);
            let sender = tokio::spawn(async move {
                let sent = caller.write_all(&vec![b'x'; sends]).await;
                (sent, stays.then_some(caller))
            });
            let (began, mut linger) = (tokio::time::Instant::now(), Linger::new());
            poll_fn(|cx| linger.poll(&mut io, cx)).await;
            let taken = BYTES_MAX - linger.bytes_left;
            assert!(taken >= sends.min(BYTES_MAX) && taken <= BYTES_MAX);
            let lasted = began.elapsed();
            assert!(
                lasted >= takes && lasted < takes + Duration::from_secs(1),
                "{lasted:?}"
            );
            drop(io);
            assert_eq!(sender.await.unwrap().0.is_ok(), sends < BYTES_MAX);
        }
    }
}
