//! Runs of hexadecimal and base64, each for itself.

use std::ops::Range;

use terms::View as Kind;

use super::Builder;

/// Shorter runs are words. Twelve characters of base64 are nine bytes, which
/// is less than any match has.
const RUN_CHARS_MIN: usize = 12;
/// A line as long may be wrapped: what stands on the next one belongs to it. A
/// stream keeps more of what it let go.
const LINE_CHARS_MIN: usize = 32;
/// LIMIT: blanks before a line that belongs to the one above.
const INDENT_BYTES_MAX: usize = 16;
/// LIMIT: bytes between two pairs of digits.
const GAP_BYTES_MAX: usize = 4;

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
/// which it may begin; with whether it stands at the very end.
pub(super) fn runs(text: &str, open: bool) -> Vec<(Builder, Kind, bool)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let long = |length: usize, at_end: bool| length >= RUN_CHARS_MIN || (open && at_end);
    let words = stretches(bytes, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
    });
    let alone = words
        .iter()
        .map(|run| (run.clone().collect::<Vec<usize>>(), run.end == bytes.len()));
    for (places, at_end) in alone.chain(wrapped(bytes, &words, open)) {
        if !long(places.len(), at_end) {
            continue;
        }
        for offset in 0..4 {
            let places = places.get(offset..).unwrap_or_default();
            let builder = base64(bytes, places, open && at_end);
            out.extend(builder.map(|builder| (builder, Kind::Base64, at_end)));
        }
    }
    for run in stretches(bytes, |byte| byte.is_ascii_hexdigit()) {
        let at_end = run.end == bytes.len();
        if !long(run.len(), at_end) {
            continue;
        }
        for offset in 0..2 {
            let builder = hexadecimal(bytes, run.start + offset..run.end, open && at_end);
            out.extend(builder.map(|builder| (builder, Kind::Hex, at_end)));
        }
    }
    for (pairs, at_end) in parted(bytes) {
        if long(2 * pairs.len(), at_end) {
            let builder = built(&pairs, open && at_end);
            out.extend(builder.map(|builder| (builder, Kind::Hex, at_end)));
        }
    }
    out
}

/// The places of base64 that goes on over line ends, as mail and `base64`
/// write it; with whether it may go on behind the end.
fn wrapped(bytes: &[u8], runs: &[Range<usize>], open: bool) -> Vec<(Vec<usize>, bool)> {
    let mut out: Vec<(Vec<usize>, bool)> = Vec::new();
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut rest = runs.iter().peekable();
    while let Some(run) = rest.next() {
        lines.push(run.clone());
        let long = run.len() >= LINE_CHARS_MIN;
        let behind = bytes.get(run.end..rest.peek().map_or(bytes.len(), |next| next.start));
        let behind = behind.unwrap_or_default();
        let at_end = rest.peek().is_none();
        if long && !at_end && is_line_end(behind) {
            continue;
        }
        let begun = open && long && at_end && (behind == b"\r" || is_line_end(behind));
        if lines.len() > 1 || begun {
            let places = lines.iter().flat_map(Clone::clone).collect();
            out.push((places, begun || (at_end && behind.is_empty())));
        }
        lines.clear();
    }
    out
}

fn is_line_end(gap: &[u8]) -> bool {
    let gap = gap.strip_prefix(b"\r").unwrap_or(gap);
    gap.strip_prefix(b"\n").is_some_and(|indent| {
        indent.len() <= INDENT_BYTES_MAX && indent.iter().all(|byte| matches!(byte, b' ' | b'\t'))
    })
}

/// A byte, and the source that it stands for.
type Placed = (u8, Range<usize>);

/// Pairs of hexadecimal digits with something between them: `34:35`, `34 35`,
/// `0x34, 0x35`; with whether the last may go on behind the end.
fn parted(bytes: &[u8]) -> Vec<(Vec<Placed>, bool)> {
    let mut out = Vec::new();
    let mut run: Vec<Placed> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let inside = at
            .checked_sub(1)
            .and_then(|before| bytes.get(before))
            .is_some_and(u8::is_ascii_alphanumeric);
        let Some((value, end)) = (!inside).then(|| lone_pair(bytes, at)).flatten() else {
            at += 1;
            continue;
        };
        let joined = run.last().is_some_and(|(_, last)| {
            let gap = bytes.get(last.end..at).unwrap_or_default();
            gap.len() <= GAP_BYTES_MAX && gap.iter().all(parts)
        });
        if !joined && !run.is_empty() {
            out.push((std::mem::take(&mut run), false));
        }
        run.push((value, at..end));
        at = end;
    }
    if let Some((_, last)) = run.last() {
        let rest = bytes.get(last.end..).unwrap_or_default();
        let gap = rest.iter().take_while(|byte| parts(byte)).count();
        let begun = match rest.get(gap..).unwrap_or_default() {
            [] | [b'0', b'x' | b'X'] => true,
            [digit] | [b'0', b'x' | b'X', digit] => digit.is_ascii_hexdigit(),
            _ => false,
        };
        out.push((run, gap <= GAP_BYTES_MAX && begun));
    }
    out
}

fn parts(byte: &u8) -> bool {
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

fn stretches(bytes: &[u8], fits: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        if !fits(*byte) {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            Some(_) | None => out.push(at..at + 1),
        }
    }
    out
}

fn hexadecimal(bytes: &[u8], run: Range<usize>, open: bool) -> Option<Builder> {
    let mut out = Vec::with_capacity(run.len() / 2);
    let mut at = run.start;
    while at + 2 <= run.end {
        out.push((pair(bytes, at)?, at..at + 2));
        at += 2;
    }
    built(&out, open)
}

/// The bytes that the base64 characters at these places spell.
pub(super) fn base64(bytes: &[u8], places: &[usize], open: bool) -> Option<Builder> {
    let mut out = Vec::with_capacity(places.len() / 4 * 3);
    for group in places.chunks(4).filter(|group| group.len() > 1) {
        let mut word = 0_u32;
        for index in 0..4 {
            let value = match group.get(index) {
                Some(at) => sextet(*bytes.get(*at)?)?,
                None => 0,
            };
            word = (word << 6) | u32::from(value);
        }
        let start = *group.first()?;
        // Padding belongs to what it pads.
        let last = *group.last()? + 1;
        let padding = bytes.get(last..).unwrap_or_default().iter();
        let padding = padding
            .take(4 - group.len())
            .take_while(|byte| **byte == b'=');
        let covered = last + padding.count();
        let [_, first, second, third] = word.to_be_bytes();
        for (index, byte) in [first, second, third].into_iter().enumerate() {
            if index + 1 < group.len() {
                out.push((byte, start..covered));
            }
        }
    }
    built(&out, open)
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

fn built(out: &[(u8, Range<usize>)], open: bool) -> Option<Builder> {
    if out.is_empty() {
        return None;
    }
    let mut builder = Builder::default();
    builder.bytes(out, open);
    Some(builder)
}
