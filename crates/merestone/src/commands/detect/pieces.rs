//! A long input in pieces that overlap, so that memory stays bounded and no
//! finding is lost at a seam.
//!
//! Each piece owns the bytes up to the middle of its overlap with the next.
//! What begins there is told by it, and has half an overlap before and behind
//! to be seen with what belongs to it.

use std::{borrow::Cow, io::Read, ops::Range};

use anyhow::Context;

/// LIMIT: bytes of an input; what lies behind is not looked at, and that is said.
pub(super) const INPUT_BYTES_MAX: u64 = 256 << 20;
/// LIMIT: bytes of one piece.
pub(super) const PIECE_BYTES: usize = 1 << 20;
/// Bytes that two pieces share: twice what a match may span, with its context,
/// and room to find the end of a line.
const OVERLAP_BYTES: usize = 32 << 10;
/// How far back from its end a piece looks for the end of a line.
const LINE_BYTES: usize = 8 << 10;
/// Stands for a byte that is no text: as long as it, so that places stay true.
const SUBSTITUTE: char = '\u{1a}';

/// Sizes, so that tests can have small ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    piece: usize,
    overlap: usize,
    line: usize,
    input: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            piece: PIECE_BYTES,
            overlap: OVERLAP_BYTES,
            line: LINE_BYTES,
            input: INPUT_BYTES_MAX,
        }
    }
}

/// One piece.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// Where it begins in the input.
    pub(super) base: u64,
    /// The bytes as they came.
    pub(super) bytes: &'a [u8],
    /// Likewise as a text, as long as they are.
    pub(super) text: Cow<'a, str>,
    /// The part of it that it owns.
    pub(super) own: Range<usize>,
    /// Where in it the next piece begins; its length if it is the last.
    pub(super) next: usize,
}

/// What went by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Bytes that were read.
    pub(super) bytes: u64,
    /// Bytes that were no UTF-8.
    pub(super) foreign: u64,
    /// Whether the input went on behind its limit.
    pub(super) more: bool,
}

/// Hands an input over piece by piece.
pub(super) fn each(
    from: impl Read,
    hand: impl FnMut(&Piece<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Passed> {
    each_of(from, Sizes::default(), hand)
}

pub(super) fn each_of(
    from: impl Read,
    sizes: Sizes,
    mut hand: impl FnMut(&Piece<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Passed> {
    let mut from = from.take(sizes.input + 1);
    let mut buffer: Vec<u8> = Vec::new();
    let mut passed = Passed::default();
    let (mut base, mut own) = (0_u64, 0);
    loop {
        let want = sizes.piece.saturating_sub(buffer.len()) as u64;
        let got = from.by_ref().take(want).read_to_end(&mut buffer);
        let got = got.context("the text cannot be read")? as u64;
        passed.bytes += got;
        let mut last = got < want;
        if passed.bytes > sizes.input {
            passed.bytes = sizes.input;
            passed.more = true;
            buffer.pop();
            last = true;
        }
        let cut = if last {
            Cut::last(buffer.len())
        } else {
            Cut::new(&buffer, sizes)
        };
        let bytes = buffer.get(..cut.end).unwrap_or_default();
        let (text, foreign) = as_text(bytes, own..cut.own_end);
        passed.foreign += foreign;
        hand(&Piece {
            base,
            bytes,
            text,
            own: own..cut.own_end,
            next: cut.next,
        })?;
        if last {
            return Ok(passed);
        }
        own = cut.own_end - cut.next;
        base += cut.next as u64;
        buffer.drain(..cut.next);
    }
}

/// Where a piece ends, and where the next begins.
struct Cut {
    end: usize,
    next: usize,
    own_end: usize,
}

impl Cut {
    const fn last(end: usize) -> Self {
        Self {
            end,
            next: end,
            own_end: end,
        }
    }

    fn new(buffer: &[u8], sizes: Sizes) -> Self {
        let end = back_to_line(buffer, buffer.len(), sizes.line);
        let next = back_to_line(buffer, end.saturating_sub(sizes.overlap), sizes.line);
        // INVARIANT: the overlap and two lines are less than half a piece, so
        // that each piece gets on.
        Self {
            end,
            next,
            own_end: back_to_character(buffer, next + (end - next) / 2),
        }
    }
}

/// The last place behind a line feed at or before `at`, not further back than
/// `most`; the last between two characters if there is none.
fn back_to_line(buffer: &[u8], at: usize, most: usize) -> usize {
    let from = at.saturating_sub(most);
    let tail = buffer.get(from..at).unwrap_or_default();
    match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(feed) => from + feed + 1,
        None => back_to_character(buffer, at),
    }
}

/// The last place at or before `at` that is within no character.
fn back_to_character(buffer: &[u8], at: usize) -> usize {
    let inside = |at: usize| buffer.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|at| !inside(*at))
        .unwrap_or(at)
}

/// Bytes as a text of the same length, and how many of the own ones are none.
fn as_text(bytes: &[u8], own: Range<usize>) -> (Cow<'_, str>, u64) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), 0);
    }
    let mut text = String::with_capacity(bytes.len());
    let mut foreign = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for _ in chunk.invalid() {
            foreign += u64::from(own.contains(&text.len()));
            text.push(SUBSTITUTE);
        }
    }
    (Cow::Owned(text), foreign)
}

#[cfg(test)]
mod tests;
