//! Runs of hexadecimal and base64, each for itself.

mod row;

use std::ops::Range;

use terms::{TURN_BYTES, View as Kind, worked};

use crate::marks::runs as runs_of;

use super::{
    Builder, View,
    readable::{Readable, readings},
};
use row::{OFFSETS, ROWS, Rows, spells};

/// Shorter runs are words. Twelve characters of base64 are nine bytes, which
/// is less than any match has.
const RUN_CHARS_MIN: usize = 12;
/// A line as long may be wrapped: what stands on the next one belongs to it. A
/// stream keeps more of what it let go.
const LINE_CHARS_MIN: usize = 32;
/// LIMIT: blanks before a line that belongs to the one above.
const INDENT_BYTES_MAX: usize = 16;
/// Pairs of a run, with something between two: shorter is no run.
const PARTED_BYTES_MIN: usize = RUN_CHARS_MIN / 2 * 3 - 1;
/// LIMIT: bytes between two pairs of digits.
const GAP_BYTES_MAX: usize = 4;

/// Characters of a group of base64, and of one byte in hexadecimal.
const GROUP_CHARS: usize = 4;
const PAIR_CHARS: usize = 2;

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The byte that two hexadecimal digits spell.
pub(super) fn pair(bytes: &[u8], at: usize) -> Option<u8> {
    Some((hex(*bytes.get(at)?)? << 4) | hex(*bytes.get(at + 1)?)?)
}

/// Each run of base64 or hexadecimal characters, decoded from every offset at
/// which it may begin; `each` is told whether it stands at the very end. One
/// at a time, since a long run is large once decoded.
/// Runs without anything new in them were decoded before.
pub(super) fn runs(view: &View<'_>, mut each: impl FnMut(Builder, Kind, bool)) {
    let words = stretches(view.text.as_bytes(), is_letter, RUN_CHARS_MIN, view.open);
    runs_of_base64(view, &words, |builder, at_end| {
        each(builder, Kind::Base64, at_end);
    });
    runs_of_hex(view, &words, |builder, at_end| {
        each(builder, Kind::Hex, at_end);
    });
}

/// In the time that is taken for a run so many bytes are read.
const RUN_BYTES: usize = 16;

fn is_fresh(view: &View<'_>, run: &Range<usize>) -> bool {
    worked(RUN_BYTES);
    view.is_edited(&(run.start.saturating_sub(1)..run.end + 1))
}

fn runs_of_base64(view: &View<'_>, words: &[Range<usize>], mut each: impl FnMut(Builder, bool)) {
    let (bytes, open) = (view.text.as_bytes(), view.open);
    for run in words.iter().filter(|run| is_fresh(view, run)) {
        let at_end = run.end == bytes.len();
        let grows = open && at_end;
        for offset in offsets(bytes.get(run.clone()).unwrap_or_default(), grows) {
            read_base64(bytes, run.start + offset..run.end, grows, |builder| {
                each(builder, at_end);
            });
        }
    }
    for (lines, at_end) in wrapped(bytes, words, open) {
        if let (Some(first), Some(last)) = (lines.first(), lines.last())
            && !is_fresh(view, &(first.start..last.end + INDENT_BYTES_MAX))
        {
            continue;
        }
        for offset in 0..OFFSETS {
            let places = lines.iter().cloned().flatten().skip(offset);
            read_base64(bytes, places, open && at_end, |builder| {
                each(builder, at_end);
            });
        }
    }
}

fn read_base64(
    bytes: &[u8],
    places: impl Iterator<Item = usize> + Clone,
    grows: bool,
    each: impl FnMut(Builder),
) {
    let feed =
        |readable: &mut Readable| base64(bytes, places.clone(), |placed| readable.push(placed));
    let half = begun(grows, places.clone(), GROUP_CHARS);
    readings(feed, grows, half, each);
}

fn runs_of_hex(view: &View<'_>, words: &[Range<usize>], mut each: impl FnMut(Builder, bool)) {
    let (bytes, open) = (view.text.as_bytes(), view.open);
    // Each is in a run of letters and digits.
    let words = words.iter().filter(|run| is_fresh(view, run));
    let hex = words.flat_map(|word| {
        let part = bytes.get(word.clone()).unwrap_or_default();
        let runs = stretches(part, is_hex, RUN_CHARS_MIN, open && word.end == bytes.len());
        let from = word.start;
        let runs = runs.into_iter();
        runs.map(move |run| run.start + from..run.end + from)
    });
    for run in hex.filter(|run| is_fresh(view, run)) {
        let at_end = run.end == bytes.len();
        for offset in 0..2 {
            let (run, grows) = (run.start + offset..run.end, open && at_end);
            let feed = |readable: &mut Readable| hexadecimal(bytes, &run, grows, readable);
            let half = begun(grows, run.clone(), PAIR_CHARS);
            readings(feed, grows, half, |builder| each(builder, at_end));
        }
    }
    parted(bytes, open, |pairs| {
        let at_end = pairs.next.is_some();
        let long = 2 * pairs.count >= RUN_CHARS_MIN || (open && at_end);
        let stretch = pairs.range.start..pairs.range.end + GAP_BYTES_MAX;
        if long && is_fresh(view, &stretch) {
            let feed = |readable: &mut Readable| {
                pairs.read(bytes).for_each(|placed| readable.push(placed));
                Some(())
            };
            let grows = open && at_end;
            readings(feed, grows, pairs.next, |builder| each(builder, at_end));
        }
    });
}

/// Where the last group of a run begins, if it still `grows` and the group is
/// not whole: what comes with the rest of it stands for all of the group.
fn begun(grows: bool, places: impl Iterator<Item = usize>, group: usize) -> Option<usize> {
    let mut first = None;
    let mut count = 0;
    for place in places.take(if grows { usize::MAX } else { 0 }) {
        first = if count == 0 { Some(place) } else { first };
        count = (count + 1) % group;
    }
    first.filter(|_| count > 0)
}

/// The characters with which a run of base64 that may spell something may
/// begin; one that still `grows` may spell anything. Most runs are words and
/// names, which spell nothing.
fn offsets(run: &[u8], grows: bool) -> impl Iterator<Item = usize> {
    let spells = if grows { [true; OFFSETS] } else { spells(run) };
    let spelling = spells.into_iter().enumerate().filter(|(_, spells)| *spells);
    spelling.map(|(offset, _)| offset)
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

const fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

const fn is_paired(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X') || parts(&byte)
}

/// The runs of at least so many bytes of a class; of an `open` text also a
/// shorter one at its end.
fn stretches(
    bytes: &[u8],
    class: impl Fn(u8) -> bool + Copy,
    bytes_min: usize,
    open: bool,
) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    runs_of(bytes, bytes_min, class, |run| out.push(run));
    if open {
        let last = bytes.iter().rposition(|byte| !class(*byte));
        let start = last.map_or(0, |last| last + 1);
        if bytes.len() > start && bytes.len() - start < bytes_min {
            out.push(start..bytes.len());
        }
    }
    out
}

/// Lines in a row, and whether the last may go on behind the end.
type Lines = (Vec<Range<usize>>, bool);

/// The lines of base64 that goes on over line ends, as mail and `base64`
/// write it.
fn wrapped(bytes: &[u8], runs: &[Range<usize>], open: bool) -> Vec<Lines> {
    let mut out: Vec<Lines> = Vec::new();
    let mut upto = 0;
    for run in runs {
        worked(RUN_BYTES);
        if run.len() < LINE_CHARS_MIN || run.start < upto {
            continue;
        }
        let mut lines = vec![run.clone()];
        let mut line = run.clone();
        while line.len() >= LINE_CHARS_MIN
            && let Some(next) = next_line(bytes, line.end)
        {
            lines.push(next.clone());
            line = next;
        }
        upto = line.end;
        let behind = bytes.get(line.end..).unwrap_or_default();
        let begun =
            open && line.len() >= LINE_CHARS_MIN && (behind == b"\r" || is_line_end(behind));
        if line.start > run.start || begun {
            out.push((lines, begun || behind.is_empty()));
        }
    }
    out
}

/// The run that stands on the next line.
fn next_line(bytes: &[u8], end: usize) -> Option<Range<usize>> {
    let has = |byte: &u8| is_letter(*byte);
    let rest = bytes.get(end..)?;
    let gap = rest.iter().take(INDENT_BYTES_MAX + 3).position(has)?;
    if !is_line_end(rest.get(..gap)?) {
        return None;
    }
    let line = rest.get(gap..)?;
    let length = line
        .iter()
        .position(|byte| !has(byte))
        .unwrap_or(line.len());
    Some(end + gap..end + gap + length)
}

fn is_line_end(gap: &[u8]) -> bool {
    let gap = gap.strip_prefix(b"\r").unwrap_or(gap);
    gap.strip_prefix(b"\n").is_some_and(|indent| {
        indent.len() <= INDENT_BYTES_MAX && indent.iter().all(|byte| matches!(byte, b' ' | b'\t'))
    })
}

/// A byte, and the source that it stands for.
pub(super) type Placed = (u8, Range<usize>);

/// Pairs in a row.
#[derive(Debug)]
struct Pairs {
    /// From the first one's first byte to behind the last one.
    range: Range<usize>,
    count: usize,
    /// Where the next one begins, if it may go on behind the end.
    next: Option<usize>,
}

impl Pairs {
    /// Each of them. They are read again each time: a long text may hold
    /// millions.
    fn read<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = Placed> + 'b {
        let (mut at, end) = (self.range.start, self.range.end);
        std::iter::from_fn(move || {
            let gap = bytes.get(at..end)?.iter().take_while(|byte| parts(byte));
            let start = at + gap.count();
            let (value, behind) = lone_pair(bytes, start)?;
            at = behind;
            (behind <= end).then_some((value, start..behind))
        })
    }
}

/// Pairs of hexadecimal digits with something between them: `34:35`, `34 35`,
/// `0x34, 0x35`.
fn parted(bytes: &[u8], open: bool, mut each: impl FnMut(&Pairs)) {
    for region in stretches(bytes, is_paired, PARTED_BYTES_MIN, open) {
        parted_in(bytes, &region, &mut each);
    }
}

fn parted_in(bytes: &[u8], region: &Range<usize>, each: &mut impl FnMut(&Pairs)) {
    let mut run: Option<Pairs> = None;
    let (mut at, mut told) = (region.start, region.start);
    while at < region.end {
        if at - told >= TURN_BYTES {
            worked(at - told);
            told = at;
        }
        let inside = at
            .checked_sub(1)
            .and_then(|before| bytes.get(before))
            .is_some_and(u8::is_ascii_alphanumeric);
        let Some((_, end)) = (!inside).then(|| lone_pair(bytes, at)).flatten() else {
            at += 1;
            continue;
        };
        let joins = |run: &Pairs| {
            let gap = bytes.get(run.range.end..at).unwrap_or_default();
            gap.len() <= GAP_BYTES_MAX && gap.iter().all(parts)
        };
        match run.as_mut().filter(|run| joins(run)) {
            Some(run) => (run.range.end, run.count) = (end, run.count + 1),
            None => {
                let begun = Pairs {
                    range: at..end,
                    count: 1,
                    next: None,
                };
                run.replace(begun).iter().for_each(&mut *each);
            }
        }
        at = end;
    }
    if let Some(mut run) = run {
        run.next = next_pair(bytes, run.range.end);
        each(&run);
    }
}

/// Where the pair behind this place begins, if it may go on behind the end.
fn next_pair(bytes: &[u8], end: usize) -> Option<usize> {
    let rest = bytes.get(end..).unwrap_or_default();
    let gap = rest.iter().take_while(|byte| parts(byte)).count();
    let begun = match rest.get(gap..).unwrap_or_default() {
        [] | [b'0', b'x' | b'X'] => true,
        [digit] | [b'0', b'x' | b'X', digit] => digit.is_ascii_hexdigit(),
        _ => false,
    };
    (gap <= GAP_BYTES_MAX && begun).then_some(end + gap)
}

const fn parts(byte: &u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b';' | b'-' | b'.'
    )
}

/// Two digits with nothing beside them, and where they end.
fn lone_pair(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let marked = matches!(bytes.get(at..at + 2), Some([b'0', b'x' | b'X']));
    let digits = if marked { at + 2 } else { at };
    let value = pair(bytes, digits)?;
    let alone = !bytes.get(digits + 2).is_some_and(u8::is_ascii_alphanumeric);
    alone.then_some((value, digits + 2))
}

fn hexadecimal(
    bytes: &[u8],
    run: &Range<usize>,
    open: bool,
    readable: &mut Readable,
) -> Option<()> {
    let pairs = |at: usize| Some((pair(bytes, at)?, at..at + 2));
    let starts = || run.clone().step_by(2).filter(|at| at + 2 <= run.end);
    if !open {
        let (rows, mut row) = (&*ROWS, 0);
        let mut values = starts().filter_map(|at| pair(bytes, at));
        let spells = values.any(|byte| {
            row = rows.and(row, byte);
            Rows::is_enough(row)
        });
        if !spells {
            return None;
        }
    }
    let mut any = None;
    for placed in starts().filter_map(pairs) {
        readable.push(placed);
        any = Some(());
    }
    any
}

/// The bytes that the base64 characters at these places spell, one by one;
/// `None` if there are none, or other characters.
pub(super) fn base64(
    bytes: &[u8],
    mut places: impl Iterator<Item = usize>,
    mut each: impl FnMut(Placed),
) -> Option<()> {
    let mut any = None;
    loop {
        let group = [places.next(), places.next(), places.next(), places.next()];
        let count = group.iter().flatten().count();
        let (Some(Some(start)), true) = (group.first(), count > 1) else {
            return any;
        };
        let mut word = 0_u32;
        for at in group {
            let value = match at {
                Some(at) => sextet(*bytes.get(at)?)?,
                None => 0,
            };
            word = (word << 6) | u32::from(value);
        }
        // Padding belongs to what it pads.
        let last = group.iter().flatten().last()? + 1;
        let padding = bytes.get(last..).unwrap_or_default().iter();
        let padding = padding.take(4 - count).take_while(|byte| **byte == b'=');
        let covered = last + padding.count();
        let [_, decoded @ ..] = word.to_be_bytes();
        for byte in decoded.into_iter().take(count - 1) {
            any = Some(());
            each((byte, *start..covered));
        }
    }
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Without the characters at the end that would be padded.
    fn base64_of(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits: Vec<bool> = bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
            .collect();
        let value = |bits: &[bool]| {
            let bits = bits.iter().copied().chain(std::iter::repeat(false)).take(6);
            bits.fold(0, |value, bit| value << 1 | usize::from(bit))
        };
        bits.chunks(6)
            .map(|bits| char::from(LETTERS[value(bits)]))
            .collect()
    }

    proptest! {
        // Whatever can be read is not passed over.
        #[test]
        fn what_spells_nothing_cannot_be_read(
            parts in prop::collection::vec(
                prop_oneof![
                    "[a-z ]{1,8}".prop_map(String::into_bytes),
                    "[\u{e9}\u{20ac}\u{1f600}]{1,3}".prop_map(String::into_bytes),
                    "(a\\x00){1,8}".prop_map(String::into_bytes),
                    prop::collection::vec(any::<u8>(), 1..6),
                ],
                0..6,
            ),
        ) {
            let bytes = parts.concat();
            let mut read = Vec::new();
            let feed = |readable: &mut Readable| {
                let placed = bytes.iter().enumerate();
                placed.for_each(|(at, byte)| readable.push((*byte, at..at + 1)));
                Some(())
            };
            readings(feed, false, None, |builder| read.push(builder));
            let row = bytes.iter().fold(0, |row, byte| ROWS.and(row, *byte));
            prop_assert!(read.is_empty() || Rows::is_enough(row));
            // From every offset of its base64.
            let encoded = base64_of(&bytes);
            for skipped in 0..OFFSETS {
                let run = "AAAA"[..skipped].to_owned() + &encoded;
                let spelled = spells(run.as_bytes())[skipped];
                prop_assert_eq!(spelled, Rows::is_enough(row), "{}", skipped);
            }
        }
    }
}
