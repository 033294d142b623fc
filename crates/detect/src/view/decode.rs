//! Percent and backslash escapes over the whole text; runs of hexadecimal and
//! base64 each for itself.

use std::ops::Range;

use terms::View as Kind;

use super::Builder;

/// Shorter runs are words. Twelve characters of base64 are nine bytes, which
/// is less than any match has.
const RUN_CHARS_MIN: usize = 12;

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn pair(bytes: &[u8], at: usize) -> Option<u8> {
    Some((hex(*bytes.get(at)?)? << 4) | hex(*bytes.get(at + 1)?)?)
}

/// Where an escape at the very end may be unfinished; the end if none is.
pub(crate) fn unfinished(text: &str) -> usize {
    let bytes = text.as_bytes();
    let begins = |at: &usize| {
        let rest = bytes.get(*at..).unwrap_or_default();
        match rest {
            [b'%', digits @ ..] => digits.len() < 2 && digits.iter().all(u8::is_ascii_hexdigit),
            [b'\\'] => true,
            [b'\\', b'x', digits @ ..] => {
                digits.len() < 2 && digits.iter().all(u8::is_ascii_hexdigit)
            }
            [b'\\', b'u', digits @ ..] if digits.len() < 4 => {
                digits.iter().all(u8::is_ascii_hexdigit)
            }
            // The first half of a pair of surrogates.
            [
                b'\\',
                b'u',
                b'd' | b'D',
                b'8' | b'9' | b'a' | b'b' | b'A' | b'B',
                ..,
            ] => rest.len() < 12,
            _ => false,
        }
    };
    (bytes.len().saturating_sub(12)..bytes.len())
        .find(begins)
        .unwrap_or(bytes.len())
}

/// `%34` and the like, up to `end`; `None` when there is none.
pub(super) fn percent(text: &str, end: usize, open: bool) -> Option<Builder> {
    let begun = text.as_bytes().get(end) == Some(&b'%');
    let bytes = text.as_bytes().get(..end)?;
    if !begun && !bytes.windows(3).any(|window| matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())) {
        return None;
    }
    let mut out: Vec<(u8, Range<usize>)> = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, pair(bytes, at + 1)) {
            (b'%', Some(value)) => {
                out.push((value, at..at + 3));
                at += 3;
            }
            _ => {
                out.push((*byte, at..at + 1));
                at += 1;
            }
        }
    }
    let mut builder = Builder::default();
    builder.bytes(&out, open);
    Some(builder)
}

/// `\u0034`, `\x34`, `\n` and the like, up to `end`; `None` when there is none.
pub(super) fn backslash(text: &str, end: usize) -> Option<Builder> {
    if !text.contains('\\') {
        return None;
    }
    let text = text.get(..end)?;
    let bytes = text.as_bytes();
    let mut builder = Builder::default();
    let mut at = 0;
    while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let (value, length) = if char == '\\' {
            escape(bytes, at)
        } else {
            None
        }
        .unwrap_or((char, char.len_utf8()));
        builder.push(value, &(at..at + length));
        at += length;
    }
    Some(builder)
}

/// The character that an escape stands for, and the escape's length.
fn escape(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let simple = |char| Some((char, 2));
    match bytes.get(at + 1)? {
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'"' => simple('"'),
        b'\'' => simple('\''),
        b'\\' => simple('\\'),
        b'/' => simple('/'),
        b'x' => pair(bytes, at + 2).map(|value| (char::from(value), 4)),
        b'u' => {
            let unit = |at: usize| {
                Some((u32::from(pair(bytes, at)?) << 8) | u32::from(pair(bytes, at + 2)?))
            };
            let high = unit(at + 2)?;
            if let Some(char) = char::from_u32(high) {
                return Some((char, 6));
            }
            let low = (bytes.get(at + 6..at + 8) == Some(b"\\u"))
                .then(|| unit(at + 8))
                .flatten()?;
            let code = 0x1_0000 + (high.checked_sub(0xd800)? << 10) + low.checked_sub(0xdc00)?;
            char::from_u32(code).map(|char| (char, 12))
        }
        _ => None,
    }
}

/// Each run of base64 or hexadecimal characters, decoded from every offset at
/// which it may begin; with whether it stands at the very end.
pub(super) fn runs(text: &str, open: bool) -> Vec<(Builder, Kind, bool)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    for run in stretches(bytes, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
    }) {
        let at_end = run.end == bytes.len();
        if run.len() < RUN_CHARS_MIN && !(open && at_end) {
            continue;
        }
        for offset in 0..4 {
            out.extend(
                base64(bytes, run.start + offset..run.end, open && at_end)
                    .map(|builder| (builder, Kind::Base64, at_end)),
            );
        }
    }
    for run in stretches(bytes, |byte| byte.is_ascii_hexdigit()) {
        let at_end = run.end == bytes.len();
        if run.len() < RUN_CHARS_MIN && !(open && at_end) {
            continue;
        }
        for offset in 0..2 {
            out.extend(
                hexadecimal(bytes, run.start + offset..run.end, open && at_end)
                    .map(|builder| (builder, Kind::Hex, at_end)),
            );
        }
    }
    out
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

pub(super) fn base64(bytes: &[u8], run: Range<usize>, open: bool) -> Option<Builder> {
    let mut out = Vec::with_capacity(run.len() / 4 * 3);
    let mut at = run.start;
    while at + 2 <= run.end {
        let end = run.end.min(at + 4);
        let mut word = 0_u32;
        for index in at..at + 4 {
            let value = if index < end {
                sextet(*bytes.get(index)?)?
            } else {
                0
            };
            word = (word << 6) | u32::from(value);
        }
        // Padding belongs to what it pads.
        let mut covered = end;
        while covered < at + 4 && bytes.get(covered) == Some(&b'=') {
            covered += 1;
        }
        let [_, first, second, third] = word.to_be_bytes();
        for (index, byte) in [first, second, third].into_iter().enumerate() {
            if at + index + 1 < end {
                out.push((byte, at..covered));
            }
        }
        at += 4;
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
