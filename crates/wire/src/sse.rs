//! Server-sent events, from any split of their bytes.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// Why bytes are not events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SseFault {
    /// An event is longer than allowed.
    #[error("an event is longer than this gate accepts")]
    TooLong,
    /// The stream is not UTF-8.
    #[error("the stream is not UTF-8")]
    Utf8,
}

/// One event, or a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name, if it has one.
    pub event: Option<String>,
    /// Its data, several lines joined by a line feed.
    pub data: String,
    /// Whether it is only comments and fields without data.
    pub comment: bool,
    /// Its bytes, up to and with the blank line.
    pub raw: Bytes,
}

/// Takes bytes as they come and gives whole events.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// Where the line begins that is looked at.
    line: usize,
    /// Up to here that line has no end: what was searched is not searched again.
    searched: usize,
    started: bool,
    event_bytes_max: usize,
}

impl Decoder {
    /// A decoder that refuses longer events.
    #[must_use]
    pub fn new(event_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            line: 0,
            searched: 0,
            started: false,
            event_bytes_max,
        }
    }

    /// Takes more bytes; answers the events that they complete.
    ///
    /// # Errors
    /// When an event is too long or not UTF-8.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, SseFault> {
        self.buffer.extend_from_slice(bytes);
        if !self.started {
            const MARK: &[u8] = &[0xef, 0xbb, 0xbf];
            if self.buffer.len() < MARK.len() && MARK.starts_with(&self.buffer) {
                return Ok(Vec::new());
            }
            if self.buffer.starts_with(MARK) {
                let _ = self.buffer.split_to(MARK.len());
            }
            self.started = true;
        }
        let mut events = Vec::new();
        while let Some(end) = self.end() {
            let raw = self.buffer.split_to(end).freeze();
            (self.line, self.searched) = (0, 0);
            if let Some(event) = parse(raw)? {
                events.push(event);
            }
        }
        if self.buffer.len() > self.event_bytes_max {
            Err(SseFault::TooLong)
        } else {
            Ok(events)
        }
    }

    /// Whether bytes wait that are no whole event: a stream that ends here was cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.buffer
            .iter()
            .any(|byte| !matches!(byte, b'\n' | b'\r'))
    }

    /// Whether `bytes` may complete an event: one that does is never missed.
    #[must_use]
    pub fn may_end(&self, bytes: &[u8]) -> bool {
        // A blank line shows as two line ends that touch. A carriage return is
        // not known to be all of one before the byte after it is there.
        let before = self.buffer.get(self.buffer.len().saturating_sub(2)..);
        let mut last = None;
        before
            .into_iter()
            .flatten()
            .chain(bytes)
            .any(|&byte| match (last.replace(byte), byte) {
                (Some(b'\r'), b'\n') => false,
                (Some(b'\r' | b'\n'), b'\r' | b'\n') => true,
                _ => false,
            })
    }

    /// The offset after the first blank line.
    fn end(&mut self) -> Option<usize> {
        loop {
            let (stop, after) = match line_end(&self.buffer, self.searched) {
                Ok(found) => found,
                Err(searched) => {
                    self.searched = searched;
                    return None;
                }
            };
            // A blank line before an event ends nothing.
            if stop == self.line && self.line > 0 {
                return Some(after);
            }
            (self.line, self.searched) = (after, after);
        }
    }
}

/// The end of the line that goes on at `from`, and the start of the next one;
/// or from where to look on when more bytes are there.
fn line_end(bytes: &[u8], from: usize) -> Result<(usize, usize), usize> {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some(offset) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
        return Err(bytes.len());
    };
    let end = from + offset;
    match (bytes.get(end), bytes.get(end + 1)) {
        (Some(b'\n'), _) => Ok((end, end + 1)),
        (_, Some(b'\n')) => Ok((end, end + 2)),
        (_, Some(_)) => Ok((end, end + 1)),
        // A carriage return at the very end may be half of a line break.
        (_, None) => Err(end),
    }
}

fn parse(raw: Bytes) -> Result<Option<Event>, SseFault> {
    let text = std::str::from_utf8(&raw).map_err(|_| SseFault::Utf8)?;
    let mut event = None;
    let mut data: Option<String> = None;
    let mut comment = false;
    for line in text
        .split('\n')
        .flat_map(|line| line.trim_end_matches('\r').split('\r'))
    {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event = Some(value.to_owned()),
            "data" => match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            },
            _ => comment |= !line.is_empty(),
        }
    }
    if data.is_none() && event.is_none() && !comment {
        // Blank lines between events.
        return Ok(None);
    }
    let comment = data.is_none();
    Ok(Some(Event {
        event,
        data: data.unwrap_or_default(),
        comment,
        raw,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_end_of_an_event_comes_unannounced(
            pieces in proptest::collection::vec("[a:\r\n]{0,6}", 1..24),
        ) {
            let mut decoder = Decoder::new(1 << 20);
            for piece in pieces {
                let may_end = decoder.may_end(piece.as_bytes());
                let events = decoder.push(piece.as_bytes()).unwrap();
                prop_assert!(may_end || events.is_empty());
            }
        }
    }

    #[test]
    fn the_end_of_a_line_is_no_end_of_an_event() {
        let mut decoder = Decoder::new(1 << 20);
        for piece in [
            "data: a\r",
            "\ndata: b\r\n",
            "data: c\n",
            "data: d\rdata: e\r",
        ] {
            assert!(!decoder.may_end(piece.as_bytes()));
            assert!(decoder.push(piece.as_bytes()).unwrap().is_empty());
        }
        // Its last carriage return is all of a line end, and so is the next.
        assert!(decoder.may_end(b"\r"));
        assert!(decoder.push(b"\r").unwrap().is_empty());
        assert!(decoder.may_end(b"d"));
        assert_eq!(decoder.push(b"d").unwrap().len(), 1);
    }

    #[test]
    fn what_was_searched_is_not_searched_again() {
        let mut decoder = Decoder::new(1 << 20);
        assert!(decoder.push(b"event: a\ndata: ").unwrap().is_empty());
        for _ in 0..64 {
            assert!(decoder.push(&[b'x'; 1_024]).unwrap().is_empty());
            assert_eq!((decoder.line, decoder.searched), (9, decoder.buffer.len()));
        }
        // Half of a line break is looked at again.
        assert!(decoder.push(b"\r").unwrap().is_empty());
        assert_eq!(decoder.searched, decoder.buffer.len() - 1);
        let events = decoder.push(b"\n\r\ndata: b\n\n").unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].data.len(), 64 * 1_024);
        assert_eq!(events[1].data, "b");
    }
}
