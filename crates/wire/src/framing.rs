//! HTTP/1.1 framing, taken strictly: where a message begins and ends, so that
//! nobody in front of this program and nobody behind it can see it elsewhere.
//!
//! It stands before the HTTP library, which forgives more (line feeds alone,
//! the same length said twice, a length beside a coding). Heads are held until
//! they are whole and were judged; bodies pass as they come.
//! Source: RFC 9112 sections 2 to 7.

use bytes::{Buf, BytesMut};
use terms::Code;
use thiserror::Error;

/// LIMIT: bytes of one chunk-size line, extensions included.
const CHUNK_LINE_BYTES_MAX: usize = 256;
/// LIMIT: digits of a length, so that it fits any counter.
const LENGTH_DIGITS_MAX: usize = 15;

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FramingFault {
    /// Line ends, names, lengths or codings are not as they must be.
    #[error("the framing is malformed")]
    Malformed,
    /// The head has more bytes or lines than are taken.
    #[error("the head is too large")]
    HeadTooLarge,
}

impl FramingFault {
    /// The refusal's code.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Malformed => Code::FramingRefused,
            Self::HeadTooLarge => Code::HeadTooLarge,
        }
    }
}

/// How much of a head is taken.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Most bytes, the empty line included.
    pub bytes_max: usize,
    /// Most header lines.
    pub lines_max: usize,
}

/// A fault and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misframed {
    /// What is wrong.
    pub fault: FramingFault,
    /// Whether it is in a head, so that the request did not begin; otherwise
    /// it is in the body of a request that did.
    pub in_head: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In or before a head.
    Head,
    /// In a body of which this much is left.
    Length(u64),
    /// In the line that says a chunk's size.
    ChunkSize,
    /// In a chunk of which this much is left.
    Chunk(u64),
    /// In the line end after a chunk, of which this much is left.
    ChunkEnd(u8),
    /// In the lines after the last chunk.
    Trailers,
    /// Nothing more is taken.
    Faulty(Misframed),
}

/// Follows the requests of one connection.
#[derive(Debug)]
pub struct Framing {
    limits: HeadLimits,
    state: State,
    /// Of a head, or of a line: what is not judged yet.
    held: BytesMut,
    /// How much of `held` is known to hold no end.
    looked: usize,
    trailer_bytes: usize,
    heads: u64,
}

impl Framing {
    /// Before the first request.
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            state: State::Head,
            held: BytesMut::new(),
            looked: 0,
            trailer_bytes: 0,
            heads: 0,
        }
    }

    /// How many heads were found good.
    #[must_use]
    pub const fn heads(&self) -> u64 {
        self.heads
    }

    /// How many of the next bytes are a body's, whatever they are.
    #[must_use]
    pub const fn plain(&self) -> u64 {
        match self.state {
            State::Length(left) | State::Chunk(left) => left,
            _ => 0,
        }
    }

    /// Whether more belongs to the last request: the rest of its body, or
    /// whatever follows what was not good.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.state != State::Head
    }

    /// Skips bytes that [`Self::plain`] announced.
    pub fn skip(&mut self, bytes: u64) {
        self.state = match self.state {
            State::Length(left) if left > bytes => State::Length(left - bytes),
            State::Length(_) => State::Head,
            State::Chunk(left) if left > bytes => State::Chunk(left - bytes),
            State::Chunk(_) => State::ChunkEnd(2),
            other => other,
        };
    }

    /// Takes what arrived; what is good so far is added to `out`.
    ///
    /// # Errors
    /// At the first byte that is not as it must be. What stood before it is in
    /// `out`, but for the head or line that it belongs to; nothing after it is
    /// ever taken.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut BytesMut) -> Result<(), Misframed> {
        while !bytes.is_empty() {
            let in_head = self.state == State::Head;
            self.step(&mut bytes, out).map_err(|fault| {
                let misframed = match self.state {
                    State::Faulty(earlier) => earlier,
                    _ => Misframed { fault, in_head },
                };
                self.state = State::Faulty(misframed);
                misframed
            })?;
        }
        Ok(())
    }

    fn step(&mut self, bytes: &mut &[u8], out: &mut BytesMut) -> Result<(), FramingFault> {
        match self.state {
            State::Head => self.head(bytes, out),
            State::Length(left) | State::Chunk(left) => {
                let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                out.extend_from_slice(bytes.get(..here).unwrap_or_default());
                bytes.advance(here);
                self.skip(here as u64);
                Ok(())
            }
            State::ChunkSize => {
                let Some(line) = self.line(bytes, CHUNK_LINE_BYTES_MAX)? else {
                    return Ok(());
                };
                self.state = match chunk_size(&line)? {
                    0 => State::Trailers,
                    size => State::Chunk(size),
                };
                self.trailer_bytes = 0;
                out.extend_from_slice(&line);
                Ok(())
            }
            State::ChunkEnd(left) => {
                let wanted = if left == 2 { b'\r' } else { b'\n' };
                if bytes.first() != Some(&wanted) {
                    return Err(FramingFault::Malformed);
                }
                out.extend_from_slice(&[wanted]);
                bytes.advance(1);
                self.state = if left == 2 {
                    State::ChunkEnd(1)
                } else {
                    State::ChunkSize
                };
                Ok(())
            }
            State::Trailers => {
                let most = self.limits.bytes_max.saturating_sub(self.trailer_bytes);
                let Some(line) = self.line(bytes, most)? else {
                    return Ok(());
                };
                self.trailer_bytes = self.trailer_bytes.saturating_add(line.len());
                if line.as_ref() == b"\r\n" {
                    self.state = State::Head;
                } else {
                    header(without_end(&line))?;
                }
                out.extend_from_slice(&line);
                Ok(())
            }
            State::Faulty(misframed) => Err(misframed.fault),
        }
    }

    /// A line with its end, once it is whole.
    fn line(&mut self, bytes: &mut &[u8], most: usize) -> Result<Option<BytesMut>, FramingFault> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let here = end.map_or(bytes.len(), |at| at + 1);
        self.held
            .extend_from_slice(bytes.get(..here).unwrap_or_default());
        bytes.advance(here);
        if self.held.len() > most {
            return Err(FramingFault::HeadTooLarge);
        }
        if end.is_none() {
            return Ok(None);
        }
        if !self.held.ends_with(b"\r\n") {
            return Err(FramingFault::Malformed);
        }
        Ok(Some(self.held.split()))
    }

    fn head(&mut self, bytes: &mut &[u8], out: &mut BytesMut) -> Result<(), FramingFault> {
        // One empty line before a request is forgiven (RFC 9112, 2.2); it goes
        // no further.
        let room = self.limits.bytes_max.saturating_add(3);
        let take = room.saturating_sub(self.held.len()).min(bytes.len());
        let before = self.held.len();
        self.held
            .extend_from_slice(bytes.get(..take).unwrap_or_default());
        let start = if self.held.starts_with(b"\r\n") { 2 } else { 0 };
        // The end may have begun in what came before.
        let from = self.looked.saturating_sub(3).max(start);
        let seen = self.held.get(from..).unwrap_or_default();
        let end = seen.windows(4).position(|four| four == b"\r\n\r\n");
        let whole = end.map_or(self.held.len(), |at| from + at + 4);
        let new = self.held.get(before..whole).unwrap_or_default();
        if !well_ended(self.held.get(..before).unwrap_or_default(), new) {
            return Err(FramingFault::Malformed);
        }
        if whole.saturating_sub(start) > self.limits.bytes_max {
            return Err(FramingFault::HeadTooLarge);
        }
        self.looked = self.held.len();
        if end.is_none() {
            bytes.advance(take);
            return Ok(());
        }
        bytes.advance(whole.saturating_sub(before));
        self.held.truncate(whole);
        let mut head = self.held.split();
        head.advance(start);
        self.looked = 0;
        self.state = body(&head, self.limits.lines_max)?;
        self.heads += 1;
        out.extend_from_slice(&head);
        Ok(())
    }
}

/// Whether each line feed follows a carriage return, each carriage return goes
/// before one, and no other control byte is there but the tab.
fn well_ended(before: &[u8], new: &[u8]) -> bool {
    let mut last = before.last().copied().unwrap_or_default();
    for byte in new {
        let fits = match byte {
            b'\n' => last == b'\r',
            _ if last == b'\r' => false,
            b'\r' | b'\t' => true,
            other => *other >= b' ' && *other != 0x7f,
        };
        if !fits {
            return false;
        }
        last = *byte;
    }
    true
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r\n").unwrap_or(line)
}

/// What follows a head.
fn body(head: &[u8], lines_max: usize) -> Result<State, FramingFault> {
    let head = head
        .strip_suffix(b"\r\n\r\n")
        .ok_or(FramingFault::Malformed)?;
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| {
        // Each line feed is known to follow a carriage return.
        line.strip_suffix(b"\r").unwrap_or(line)
    });
    let newest = request_line(lines.next().unwrap_or_default())?;
    let (mut length, mut coded, mut count) = (None, false, 0_usize);
    for line in lines {
        count += 1;
        if count > lines_max {
            return Err(FramingFault::HeadTooLarge);
        }
        let (name, value) = header(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            if length.is_some() {
                return Err(FramingFault::Malformed);
            }
            length = Some(number(value, 10)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if coded || !newest || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(FramingFault::Malformed);
            }
            coded = true;
        }
    }
    match (length, coded) {
        (Some(_), true) => Err(FramingFault::Malformed),
        (None, true) => Ok(State::ChunkSize),
        (None | Some(0), false) => Ok(State::Head),
        (Some(length), false) => Ok(State::Length(length)),
    }
}

/// Whether it is HTTP/1.1 rather than HTTP/1.0.
fn request_line(line: &[u8]) -> Result<bool, FramingFault> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), None) = (method, target, parts.next()) else {
        return Err(FramingFault::Malformed);
    };
    let fits = is_token(method)
        && !target.is_empty()
        && target
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    match version {
        Some(b"HTTP/1.1") if fits => Ok(true),
        Some(b"HTTP/1.0") if fits => Ok(false),
        _ => Err(FramingFault::Malformed),
    }
}

/// A header's name and its value without the space around it.
fn header(line: &[u8]) -> Result<(&[u8], &[u8]), FramingFault> {
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(FramingFault::Malformed)?;
    let (name, value) = line.split_at(colon);
    let value = value.get(1..).unwrap_or_default();
    let plain = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if is_token(name) && value.iter().all(plain) {
        Ok((name, value.trim_ascii()))
    } else {
        Err(FramingFault::Malformed)
    }
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn chunk_size(line: &[u8]) -> Result<u64, FramingFault> {
    let line = without_end(line);
    let plain = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if !line.iter().all(plain) {
        return Err(FramingFault::Malformed);
    }
    let digits = line
        .iter()
        .position(|byte| *byte == b';')
        .and_then(|at| line.get(..at))
        .unwrap_or(line);
    number(digits, 16)
}

fn number(digits: &[u8], radix: u32) -> Result<u64, FramingFault> {
    let fits = (1..=LENGTH_DIGITS_MAX).contains(&digits.len());
    digits
        .iter()
        .map(|byte| char::from(*byte).to_digit(radix).map(u64::from))
        .try_fold(0_u64, |sum, digit| {
            sum.checked_mul(u64::from(radix))?.checked_add(digit?)
        })
        .filter(|_| fits)
        .ok_or(FramingFault::Malformed)
}

#[cfg(test)]
mod tests;
