//! A connection whose HTTP/2 frames are counted, so that a peer that sends
//! nothing but frames is told so and let go.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::poll_proceed,
};
use wire::Frames;

use crate::turns;

/// LIMIT: bytes read at one time. Frames that carry nothing are too many
/// within it, so that most such peers are let go before anything of theirs
/// costs more than counting.
const READ_BYTES_MAX: usize = 16 << 10;
/// LIMIT: frames handed on at one time, about: all of them are then looked at
/// in one go. Fewer would hide from the library how many streams are opened
/// and reset at once.
const FRAMES_MAX: usize = 128;
/// What so many of them count as, of the 128 steps in a task's turn.
const FRAMES_STEPS: u32 = 64;
/// GOAWAY, and its error code ENHANCE_YOUR_CALM (RFC 9113, 6.8 and 7).
const GOAWAY: [u8; 9] = *b"\0\0\x08\x07\0\0\0\0\0";
const CALM: [u8; 4] = *b"\0\0\0\x0b";

/// The connection.
#[derive(Debug)]
pub(super) struct Counted<S> {
    io: S,
    coming: Frames,
    going: Frames,
    /// Counted, and not handed on yet.
    held: BytesMut,
    /// Bytes to hand on at one time, if they hold too many frames.
    piece_bytes: Option<usize>,
    ended: Arc<AtomicBool>,
}

impl<S> Counted<S> {
    /// Before the preface was read.
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            coming: Frames::of_client(),
            going: Frames::of_server(),
            held: BytesMut::new(),
            piece_bytes: None,
            ended: Arc::default(),
        }
    }

    /// Whether it ended since there were too many frames, asked when it is over.
    pub(super) fn ended(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ended)
    }

    fn went(&mut self, bytes: usize, parts: &[io::IoSlice<'_>]) {
        self.coming.replied(bytes as u64);
        let mut left = bytes;
        for part in parts {
            let here = left.min(part.len());
            // How many the gate sends is no matter: what it answers to is counted.
            let _ = self.going.push(part.get(..here).unwrap_or_default());
            left -= here;
        }
    }

    /// How many of so many bytes may be looked at in one go.
    fn piece(&self, bytes: usize, buf: &ReadBuf<'_>) -> usize {
        let most = self.piece_bytes.unwrap_or(bytes);
        most.min(bytes).min(buf.remaining())
    }
}

impl<S: AsyncWrite + Unpin> Counted<S> {
    /// Says why, if nothing is half said, and ends it.
    fn end(&mut self, cx: &mut Context<'_>) -> io::Error {
        if !self.ended.swap(true, Ordering::Relaxed) && self.going.between() {
            let told = [&GOAWAY[..], &self.coming.highest().to_be_bytes(), &CALM].concat();
            let _ = Pin::new(&mut self.io).poll_write(cx, &told);
            let _ = Pin::new(&mut self.io).poll_flush(cx);
        }
        io::ErrorKind::InvalidData.into()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.held.is_empty() {
            let mut bytes = [0; READ_BYTES_MAX];
            let mut part = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
            let Ok(begun) = this.coming.push(part.filled()) else {
                return Poll::Ready(Err(this.end(cx)));
            };
            let read = part.filled().len();
            let begun = usize::try_from(begun).unwrap_or(usize::MAX);
            this.piece_bytes = (begun > FRAMES_MAX).then(|| read * FRAMES_MAX / begun + 1);
            let here = this.piece(read, buf);
            let (now, later) = part.filled().split_at(here);
            buf.put_slice(now);
            this.held.extend_from_slice(later);
        } else {
            // No socket is asked, so nobody else counts this step.
            ready!(poll_proceed(cx)).made_progress();
            let here = this.piece(this.held.len(), buf);
            buf.put_slice(&this.held.split_to(here));
            if this.held.is_empty() {
                this.held = BytesMut::new();
            }
        }
        if this.piece_bytes.is_some() {
            turns::take(cx, FRAMES_STEPS);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let went = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.went(went, &[io::IoSlice::new(bytes)]);
        Poll::Ready(Ok(went))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let went = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, parts))?;
        self.went(went, parts);
        Poll::Ready(Ok(went))
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_sends_nothing_but_frames_is_told_to_calm_down() {
        let (mut peer, gate) = tokio::io::duplex(1 << 20);
        let mut counted = Counted::new(gate);
        let ended = counted.ended();
        peer.write_all(&[b'x'; 24]).await.unwrap();
        let reading = tokio::spawn(async move {
            let (mut read, mut room) = (0, vec![0; 64 << 10]);
            loop {
                match counted.read(&mut room).await {
                    Ok(0) => return Ok(read),
                    Ok(more) => read += more,
                    Err(error) => return Err(error.kind()),
                }
            }
        });
        let head = [0, 0, 0, 1, 0, 0, 0, 0, 5];
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(20_000);
        peer.write_all(&[&head[..], &ping].concat()).await.unwrap();
        assert_eq!(reading.await.unwrap(), Err(io::ErrorKind::InvalidData));
        assert!(ended.load(Ordering::Relaxed));
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap();
        assert_eq!(told, *b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x05\0\0\0\x0b");
    }

    #[tokio::test]
    async fn it_is_told_however_much_it_was_told_before() {
        let (mut peer, gate) = tokio::io::duplex(1 << 20);
        let mut counted = Counted::new(gate);
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0].repeat(20_000);
        counted.write_all(&settings).await.unwrap();
        // That earned it more than it has at first.
        let sent = [&[b'x'; 24][..], &settings].concat();
        peer.write_all(&sent).await.unwrap();
        let mut room = Vec::new();
        counted.read_to_end(&mut room).await.unwrap_err();
        drop(counted);
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap();
        assert_eq!(told.len(), settings.len() + 17);
        assert!(told.ends_with(&CALM));
    }

    #[tokio::test]
    async fn nothing_is_said_into_the_middle_of_a_frame() {
        let (mut peer, gate) = tokio::io::duplex(1 << 20);
        let mut counted = Counted::new(gate);
        counted
            .write_all(b"\0\0\x05\0\0\0\0\0\x01abc")
            .await
            .unwrap();
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0].repeat(20_000);
        peer.write_all(&[&[b'x'; 24][..], &settings].concat())
            .await
            .unwrap();
        let mut room = Vec::new();
        counted.read_to_end(&mut room).await.unwrap_err();
        drop(counted);
        let mut told = Vec::new();
        peer.read_to_end(&mut told).await.unwrap();
        assert!(told.ends_with(b"abc"));
    }

    #[tokio::test]
    async fn many_small_frames_are_handed_on_a_few_at_a_time_and_all_of_them() {
        let (mut peer, gate) = tokio::io::duplex(1 << 20);
        let mut counted = Counted::new(gate);
        let small = b"\0\0\x08\0\0\0\0\0\x0112345678".repeat(10_000);
        let sent = [&[b'x'; 24][..], &small].concat();
        peer.write_all(&sent).await.unwrap();
        drop(peer);
        let reading = tokio::spawn(async move {
            let (mut all, mut most) = (Vec::new(), 0);
            let mut done = false;
            while !done {
                let before = all.len();
                let turn = std::future::poll_fn(|cx| {
                    let mut room = vec![0; 64 << 10];
                    loop {
                        let mut buf = ReadBuf::new(&mut room);
                        match Pin::new(&mut counted).poll_read(cx, &mut buf) {
                            Poll::Ready(read) => read.unwrap(),
                            Poll::Pending if all.len() == before => return Poll::Pending,
                            Poll::Pending => return Poll::Ready(false),
                        }
                        if buf.filled().is_empty() {
                            return Poll::Ready(true);
                        }
                        all.extend_from_slice(buf.filled());
                    }
                });
                done = turn.await;
                most = most.max(all.len() - before);
            }
            (all, most)
        });
        let (all, most) = reading.await.unwrap();
        assert!(all == sent, "nothing is lost");
        assert!(most <= 8 << 10, "{most}");
    }

    #[tokio::test]
    async fn a_large_body_is_read_in_large_pieces() {
        let (mut peer, gate) = tokio::io::duplex(1 << 20);
        let mut counted = Counted::new(gate);
        let body = [&[0, 0x40, 0, 0, 0, 0, 0, 0, 1][..], &[b'x'; 16 << 10]].concat();
        peer.write_all(&[&[b'x'; 24][..], &body].concat())
            .await
            .unwrap();
        drop(peer);
        let (mut room, mut reads, mut all) = (vec![0; 64 << 10], 0, 0);
        loop {
            match counted.read(&mut room).await.unwrap() {
                0 => break,
                read => all += read,
            }
            reads += 1;
        }
        assert_eq!((reads, all), (2, 24 + body.len()));
    }
}
