//! What can be read of a decoded run: most runs are words, keys or data, which
//! decode to nothing, and long ones must not cost many times their size.

use std::{borrow::Cow, ops::Range};

use terms::worked;

use super::{Builder, decode::Placed};

/// LIMIT: bytes that are gathered before they are read as characters.
const PLACED_MAX: usize = 16 << 10;

/// A decoded run without as many readable characters in a row holds nothing.
pub(super) const READABLE_CHARS_MIN: usize = 6;

/// A stretch of so few bytes stands for all of its source together: what is
/// decoded from the wrong offset is many of them.
const TOGETHER_BYTES_MAX: usize = 48;

/// The stretches of a run that can be read, with a mark for what stood between
/// them.
#[derive(Debug, Default)]
pub(super) struct Readable {
    kept: Builder,
    /// What was not judged yet: at most a short stretch at the end.
    rest: Builder,
    /// What was kept ends in a stretch that may go on.
    goes_on: bool,
    /// The source of the first thing after what was kept.
    gap: Option<Range<usize>>,
    /// Bytes that were not read as characters yet.
    placed: Vec<Placed>,
    /// Whether the zeros of wide characters are left out.
    narrow: bool,
    zeros: usize,
}

/// Both readings of a run: as it is, and where zeros are in it as characters
/// of two bytes. Not the second alone: zeros also part what belongs to two.
/// `half` is where something begins that the run, which may go on, does not
/// hold whole.
pub(super) fn readings(
    feed: impl Fn(&mut Readable) -> Option<()>,
    open: bool,
    half: Option<usize>,
    mut each: impl FnMut(Builder),
) {
    let mut readable = Readable::default();
    if feed(&mut readable).is_none() && half.is_none() {
        return;
    }
    let wide = readable.zeros >= READABLE_CHARS_MIN - 1;
    let mut each = |builder: Builder| each(builder.waits(half));
    readable.finish(open).into_iter().for_each(&mut each);
    if wide {
        let mut readable = Readable {
            narrow: true,
            ..Readable::default()
        };
        let _ = feed(&mut readable);
        readable.finish(open).into_iter().for_each(&mut each);
    }
}

impl Readable {
    /// Adds a byte.
    pub(super) fn push(&mut self, placed: Placed) {
        // Another byte of a character is no place to end; and no character has
        // as many.
        let begins = !matches!(placed.0, 0 | 0x80..=0xbf);
        let most = if begins { PLACED_MAX } else { 2 * PLACED_MAX };
        if self.placed.len() >= most {
            worked(self.placed.len());
            self.read(false);
            self.judge(false, false);
        }
        self.zeros += usize::from(placed.0 == 0);
        self.placed.push(placed);
    }

    /// The end: what may still become a stretch when the run goes on is kept.
    /// `None` when there is nothing.
    pub(super) fn finish(mut self, open: bool) -> Option<Builder> {
        self.read(open);
        self.judge(true, open);
        self.kept.pending = self.rest.pending;
        (open || !self.kept.text.is_empty()).then_some(self.kept)
    }

    fn read(&mut self, open: bool) {
        let placed = if self.narrow {
            narrow(&self.placed)
        } else {
            Cow::Borrowed(self.placed.as_slice())
        };
        self.rest.bytes(&placed, open);
        self.placed.clear();
    }

    /// Keeps the stretches that can be read, and forgets the others.
    fn judge(&mut self, end: bool, open: bool) {
        let rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        for stretch in rest.text.split_inclusive(strange) {
            let words = stretch.trim_end_matches(strange);
            let upto = at + words.len();
            let ended = words.len() < stretch.len();
            let may_grow = open && upto == rest.text.len();
            let long = || words.chars().nth(READABLE_CHARS_MIN - 1).is_some();
            if self.goes_on || may_grow || long() {
                if let Some(gap) = self.gap.take() {
                    self.kept.push(char::REPLACEMENT_CHARACTER, &gap);
                }
                let short = ended && !self.goes_on && words.len() <= TOGETHER_BYTES_MAX;
                self.kept.text.push_str(words);
                self.kept.keep(&rest, &(at..upto), short);
                self.gap = ended.then(|| rest.map.source(upto));
                self.goes_on = !ended;
            } else if ended || end {
                self.gap.get_or_insert_with(|| rest.map.source(at));
            } else {
                self.rest.text.push_str(words);
                self.rest.map.extend(&rest.map, &(at..upto));
            }
            at += stretch.len();
        }
        self.rest.pending = rest.pending;
    }
}

/// What text does not have: bytes that were none, control characters.
fn strange(char: char) -> bool {
    char == char::REPLACEMENT_CHARACTER || (char.is_control() && !char.is_whitespace())
}

/// Without the zeros of characters of two bytes (UTF-16): those of which
/// another stands two bytes before or behind.
fn narrow(bytes: &[Placed]) -> Cow<'_, [Placed]> {
    if !bytes.iter().any(|(byte, _)| *byte == 0) {
        return Cow::Borrowed(bytes);
    }
    let is_zero = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_some_and(|(byte, _)| *byte == 0)
    };
    let kept = bytes.iter().enumerate().filter(|(at, (byte, _))| {
        *byte != 0 || !(is_zero(at.checked_sub(2)) || is_zero(Some(at + 2)))
    });
    kept.map(|(_, placed)| placed.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]], open: bool) -> Option<String> {
        read_as(false, pieces, open)
    }

    fn read_as(narrow: bool, pieces: &[&[u8]], open: bool) -> Option<String> {
        let mut readable = Readable {
            narrow,
            ..Readable::default()
        };
        for (at, byte) in pieces.concat().into_iter().enumerate() {
            readable.push((byte, at..at + 1));
        }
        readable.finish(open).map(|builder| builder.text)
    }

    #[test]
    fn only_what_can_be_read_is_kept_however_long_the_run() {
        assert_eq!(read(&[b"abc\x01de"], false), None);
        assert_eq!(
            read(&[b"\x02abcdef\x01de"], false).as_deref(),
            Some("\u{fffd}abcdef")
        );
        assert_eq!(
            read(&[b"\x02", b"\xc3\xa9bcdef", b"\xff\xfe", b"123456"], false).as_deref(),
            Some("\u{fffd}ébcdef\u{fffd}123456")
        );
        assert_eq!(
            read(&[b"abcdef\x01de"], true).as_deref(),
            Some("abcdef\u{fffd}de")
        );
        let (long, noise) = ("word ".repeat(10_000), b"a\x01\x02".repeat(10_000));
        let text = read(&[&noise, long.as_bytes(), &noise, b"the end"], false).unwrap();
        assert_eq!(text, format!("\u{fffd}{long}a\u{fffd}the end"));
    }

    #[test]
    fn bytes_are_not_gathered_without_end() {
        for byte in [b'a', 0, 0x80, 0xc3, 0xff] {
            let mut readable = Readable::default();
            for at in 0..100_000 {
                readable.push((byte, at..at + 1));
                assert!(readable.placed.len() <= 2 * PLACED_MAX);
                assert!(readable.rest.text.len() <= 8 * PLACED_MAX);
            }
        }
    }

    #[test]
    fn zeros_part_what_belongs_to_two_in_the_first_reading() {
        let bytes = b"a\0b\0c\0d\0e\0f\0secret word";
        let texts = std::cell::RefCell::new(Vec::new());
        let feed = |readable: &mut Readable| {
            let placed = bytes.iter().enumerate();
            placed.for_each(|(at, byte)| readable.push((*byte, at..at + 1)));
            Some(())
        };
        readings(feed, false, None, |builder| {
            texts.borrow_mut().push(builder.text)
        });
        assert_eq!(
            texts.into_inner(),
            ["\u{fffd}secret word", "abcdefsecret word"]
        );
    }

    #[test]
    fn characters_of_two_bytes_are_read() {
        assert_eq!(
            read_as(true, &[b"p\0a\0s\0s\0e\0d\0"], false).as_deref(),
            Some("passed")
        );
        assert_eq!(
            read_as(true, &[b"\0p\0a\0s\0s\0e\0d"], false).as_deref(),
            Some("passed")
        );
        // Ends of strings are none.
        assert_eq!(
            read_as(true, &[b"abcdef\0ghijkl"], false).as_deref(),
            Some("abcdef\u{fffd}ghijkl")
        );
    }
}
