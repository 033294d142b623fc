//! HTTP/2 frames, counted as they pass: how many a peer may send depends on
//! what it asked for and on what was carried.
//!
//! It stands before the HTTP library, which looks at every PING, PRIORITY,
//! WINDOW_UPDATE, SETTINGS, empty or unknown frame for as long as a peer likes
//! to send them. Nothing is held back and nothing is judged but their number.
//! Source: RFC 9113 sections 3.4, 4.1, 6 and 10.5.

use thiserror::Error;

/// The preface that comes before a peer's first frame.
const PREFACE_BYTES: u32 = 24;
const HEAD_BYTES: u8 = 9;
/// The type of a frame that is part of a body.
const DATA: u8 = 0;
/// The type of a frame that begins a stream, or ends it with trailers.
const HEADERS: u8 = 1;
/// A stream's number has a bit less than its four bytes.
const STREAM_MASK: u32 = 0x7fff_ffff;
/// Frames that a peer may send before it asked for anything.
const AHEAD_AT_FIRST: u32 = 1_000;
/// LIMIT: frames that a peer may send at once, whatever it asked for before.
const AHEAD_MAX: u32 = 10_000;
/// A new stream's windows and priorities.
const FRAMES_PER_STREAM: u32 = 20;
/// One frame more for so many bytes of replies: a peer that says for each
/// piece of one that it has read it stays below.
const REPLY_BYTES_PER_FRAME: u64 = 32;
/// And for so many of a body, which may come in small pieces.
const BODY_BYTES_PER_FRAME: u64 = 4;
/// Of both, so that they can be added.
const SHARES_PER_FRAME: u64 = REPLY_BYTES_PER_FRAME;
const SHARES_PER_BODY_BYTE: u64 = REPLY_BYTES_PER_FRAME / BODY_BYTES_PER_FRAME;

/// A peer sends frames that carry nothing, and too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many frames that carry nothing")]
pub struct TooManyFrames;

/// Counts the frames of one direction of one connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Frames {
    /// Bytes of the next frame's head that were seen.
    seen: u8,
    /// Of them, its payload's length, its type and its stream, as far as they
    /// were seen.
    length: u32,
    kind: u8,
    stream: u32,
    /// Bytes of the payload that are still to come.
    left: u32,
    /// The highest stream that was begun.
    highest: u32,
    /// Frames that may still come; `None` if their number is no matter.
    ahead: Option<u32>,
    /// Of bytes carried, what did not make a frame more yet.
    shares: u64,
}

impl Frames {
    /// Of a peer that begins with the preface.
    #[must_use]
    pub const fn of_client() -> Self {
        Self {
            left: PREFACE_BYTES,
            ahead: Some(AHEAD_AT_FIRST),
            ..Self::of_server()
        }
    }

    /// Of a side that begins with a frame, and may send as many as it likes.
    #[must_use]
    pub const fn of_server() -> Self {
        Self {
            seen: 0,
            length: 0,
            kind: u8::MAX,
            stream: 0,
            left: 0,
            highest: 0,
            ahead: None,
            shares: 0,
        }
    }

    /// Whether the next byte begins a frame.
    #[must_use]
    pub const fn between(&self) -> bool {
        self.left == 0 && self.seen == 0
    }

    /// The highest stream that was begun, 0 if none.
    #[must_use]
    pub const fn highest(&self) -> u32 {
        self.highest
    }

    /// So many bytes went the other way.
    pub fn replied(&mut self, bytes: u64) {
        self.carried(bytes);
    }

    fn carried(&mut self, shares: u64) {
        self.shares = self.shares.saturating_add(shares);
        let more = u32::try_from(self.shares / SHARES_PER_FRAME).unwrap_or(u32::MAX);
        self.shares %= SHARES_PER_FRAME;
        self.allow(more);
    }

    fn allow(&mut self, frames: u32) {
        self.ahead = self
            .ahead
            .map(|ahead| ahead.saturating_add(frames).min(AHEAD_MAX));
    }

    /// Follows bytes; how many frames began in them.
    ///
    /// # Errors
    /// When the peer sent more frames than it may. What comes after is not
    /// followed.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<u32, TooManyFrames> {
        let mut begun = 0;
        loop {
            let inside =
                usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.left -= u32::try_from(inside).unwrap_or(self.left);
            if self.kind == DATA {
                self.carried(SHARES_PER_BODY_BYTE * inside as u64);
            }
            let Some((&byte, rest)) = bytes.get(inside..).and_then(<[u8]>::split_first) else {
                return Ok(begun);
            };
            bytes = rest;
            match self.seen {
                0..3 => self.length = self.length << 8 | u32::from(byte),
                3 => self.kind = byte,
                4 => {}
                _ => self.stream = self.stream << 8 | u32::from(byte),
            }
            self.seen += 1;
            if self.seen == HEAD_BYTES {
                begun += 1;
                self.begin()?;
            }
        }
    }

    /// The head is whole.
    fn begin(&mut self) -> Result<(), TooManyFrames> {
        let stream = self.stream & STREAM_MASK;
        (self.seen, self.left) = (0, self.length);
        (self.length, self.stream) = (0, 0);
        // Trailers, and heads for a stream that is over, ask for nothing new.
        if self.kind == HEADERS && stream > self.highest {
            self.highest = stream;
            self.allow(FRAMES_PER_STREAM);
        }
        if let Some(ahead) = &mut self.ahead {
            *ahead = ahead.checked_sub(1).ok_or(TooManyFrames)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
    }

    const TAKEN_MAX: u32 = 50_000;

    /// How many of these are taken after the preface.
    fn taken(frames: impl Iterator<Item = Vec<u8>>) -> u32 {
        let mut counted = Frames::of_client();
        counted.push(&[b'x'; 24]).unwrap();
        let taken = frames
            .take(TAKEN_MAX.try_into().unwrap())
            .take_while(|frame| counted.push(frame).is_ok());
        taken.count().try_into().unwrap()
    }

    fn again(frame: Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
        std::iter::repeat_with(move || frame.clone())
    }

    #[test]
    fn frames_that_carry_nothing_come_to_an_end() {
        let nothing = [
            (0, 0),
            (0, 1),
            (2, 5),
            (4, 0),
            (6, 8),
            (8, 4),
            (9, 0),
            (0x42, 640),
        ];
        for (kind, bytes) in nothing {
            let taken = taken(again(frame(kind, 1, &vec![b'x'; bytes])));
            assert!(
                (AHEAD_AT_FIRST..=2 * AHEAD_AT_FIRST).contains(&taken),
                "{kind} {bytes} {taken}"
            );
        }
    }

    #[test]
    fn heads_for_a_stream_that_was_begun_earn_nothing() {
        let heads = taken(again(frame(HEADERS, 1, b"")));
        assert!(
            (AHEAD_AT_FIRST..2 * AHEAD_AT_FIRST).contains(&heads),
            "{heads}"
        );
        let back = (0..u32::MAX).map(|n| frame(HEADERS, 1 + n % 2, b""));
        assert!(taken(back) < 2 * AHEAD_AT_FIRST);
    }

    #[test]
    fn frames_that_carry_something_do_not() {
        assert_eq!(taken(again(frame(DATA, 1, b"1234"))), TAKEN_MAX);
        let streams = (0..).map(|n| {
            let stream = 2 * n + 1;
            let rest = [frame(8, stream, b"1234"), frame(2, stream, b"12345")].concat();
            [frame(HEADERS, stream, b""), rest.repeat(9)].concat()
        });
        assert_eq!(taken(streams), TAKEN_MAX);
    }

    #[test]
    fn what_is_read_of_a_reply_may_be_said() {
        let mut frames = Frames::of_client();
        frames.push(&[b'x'; 24]).unwrap();
        let windows = frame(8, 1, b"1234").repeat(2);
        for _ in 0..TAKEN_MAX {
            frames.replied(70);
            assert_eq!(frames.push(&windows), Ok(2));
        }
        // What was carried once is no purse for ever.
        frames.replied(1 << 40);
        let more = (0..TAKEN_MAX)
            .take_while(|_| frames.push(&windows).is_ok())
            .count();
        assert!(more <= 5_000, "{more}");
    }

    #[test]
    fn an_answer_does_not_pay_for_what_asked_for_it() {
        let mut frames = Frames::of_client();
        frames.push(&[b'x'; 24]).unwrap();
        let ping = frame(6, 0, b"12345678");
        let pings = (0..TAKEN_MAX).take_while(|_| {
            frames.replied(17);
            frames.push(&ping).is_ok()
        });
        assert!(pings.count() < 3_000);
    }

    #[test]
    fn a_side_that_may_send_what_it_likes_is_followed_to_the_end() {
        let mut frames = Frames::of_server();
        let many = frame(6, 0, b"12345678").repeat(20_000);
        assert_eq!(frames.push(&many), Ok(20_000));
        assert!(frames.between());
        frames.push(&frame(0, 1, b"1234")[..10]).unwrap();
        assert!(!frames.between());
    }

    proptest! {
        #[test]
        fn any_split_counts_the_same(
            payloads in prop::collection::vec((0..11_u8, any::<u32>(), 0..300_usize), 0..50),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let bytes: Vec<u8> = payloads
                .iter()
                .flat_map(|(kind, stream, size)| frame(*kind, *stream, &vec![0; *size]))
                .collect();
            let (mut whole, mut parts) = (Frames::of_server(), Frames::of_server());
            prop_assert_eq!(whole.push(&bytes), Ok(u32::try_from(payloads.len()).unwrap()));
            prop_assert!(whole.between());
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let begun: Result<u32, _> =
                at.windows(2).map(|cut| parts.push(&bytes[cut[0]..cut[1]])).sum();
            prop_assert_eq!(begun, Ok(u32::try_from(payloads.len()).unwrap()));
            prop_assert_eq!(whole, parts);
        }
    }
}
