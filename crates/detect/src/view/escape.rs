//! Escapes over the whole text: percent, backslash, HTML, quoted-printable.

use std::ops::Range;

use super::{Builder, decode::pair};

/// No unfinished escape is longer.
const UNFINISHED_BYTES_MAX: usize = 16;
/// LIMIT: digits of a numeric escape, zeros before it included.
const DIGITS_MAX: usize = 10;
/// LIMIT: bytes of a name below.
const NAME_BYTES_MAX: usize = 14;
/// Characters that HTML has names for and that a value or an address may
/// have. Those of `<` and `>` spell text that never begins a tag: they stay.
const NAMES: &[(&str, char)] = &[
    ("AMP", '&'),
    ("Hat", '^'),
    ("NewLine", '\n'),
    ("QUOT", '"'),
    ("Tab", '\t'),
    ("ZeroWidthSpace", '\u{200b}'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dash", '-'),
    ("dollar", '$'),
    ("emsp", ' '),
    ("ensp", ' '),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("hyphen", '-'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("mdash", '-'),
    ("minus", '-'),
    ("nbsp", ' '),
    ("ndash", '-'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("shy", '\u{ad}'),
    ("sol", '/'),
    ("thinsp", ' '),
    ("verbar", '|'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
];

/// Where an escape at the very end may be unfinished; the end if none is.
pub(crate) fn unfinished(text: &str) -> usize {
    let bytes = text.as_bytes();
    (bytes.len().saturating_sub(UNFINISHED_BYTES_MAX)..bytes.len())
        .find(|at| may_go_on(bytes.get(*at..).unwrap_or_default()))
        .unwrap_or(bytes.len())
}

fn may_go_on(rest: &[u8]) -> bool {
    let hex = |digits: &[u8], most: usize| {
        digits.len() < most && digits.iter().all(u8::is_ascii_hexdigit)
    };
    match rest {
        [b'%', digits @ ..] => hex(digits, 2),
        // What follows tells whether it is one.
        [b'=', digits @ ..] => hex(digits, 3) || digits == b"\r",
        [b'&', name @ ..] => entity_may_go_on(name),
        [b'\\'] => true,
        [b'\\', b'x', digits @ ..] => hex(digits, 2),
        [b'\\', b'U', digits @ ..] => hex(digits, 8),
        [b'\\', b'u', b'{', digits @ ..] => hex(digits, DIGITS_MAX + 1),
        [b'\\', b'u', digits @ ..] if digits.len() < 4 => digits.iter().all(u8::is_ascii_hexdigit),
        // The first half of a pair of surrogates.
        [
            b'\\',
            b'u',
            b'd' | b'D',
            b'8' | b'9' | b'a' | b'b' | b'A' | b'B',
            ..,
        ] => rest.len() < 12,
        [b'\\', b'0'..=b'3', digits @ ..] => digits.len() < 2 && digits.iter().all(octal),
        _ => false,
    }
}

fn entity_may_go_on(name: &[u8]) -> bool {
    match name {
        [b'#', b'x' | b'X', digits @ ..] => {
            digits.len() <= DIGITS_MAX && digits.iter().all(u8::is_ascii_hexdigit)
        }
        [b'#', digits @ ..] => digits.len() <= DIGITS_MAX && digits.iter().all(u8::is_ascii_digit),
        _ => NAMES
            .iter()
            .any(|(known, _)| known.as_bytes().starts_with(name)),
    }
}

fn octal(byte: &u8) -> bool {
    (b'0'..=b'7').contains(byte)
}

/// `%34` and the like, up to `end`; `None` when there is none.
pub(super) fn percent(text: &str, end: usize, open: bool) -> Option<Builder> {
    let begun = text.as_bytes().get(end) == Some(&b'%');
    let bytes = text.as_bytes().get(..end)?;
    if !begun && !marked(bytes, b'%') {
        return None;
    }
    let mut out: Vec<(u8, Range<usize>)> = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let value = (*byte == b'%').then(|| pair(bytes, at + 1)).flatten();
        let length = if value.is_some() { 3 } else { 1 };
        out.push((value.unwrap_or(*byte), at..at + length));
        at += length;
    }
    built(&out, true, open)
}

/// Whether two hexadecimal digits follow such a mark anywhere.
fn marked(bytes: &[u8], mark: u8) -> bool {
    bytes.windows(3).any(|window| {
        matches!(window, [first, high, low]
            if *first == mark && high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

/// `=34` and line ends that are none, as in mail, up to `end`; `None` when
/// there is none. Code and addresses write `id=34567`: there a letter or digit
/// follows and no escape stands before.
pub(super) fn quoted(text: &str, end: usize, open: bool) -> Option<Builder> {
    let begun = text.as_bytes().get(end) == Some(&b'=');
    let bytes = text.as_bytes().get(..end)?;
    let lines = || {
        let mut pairs = bytes.windows(2);
        pairs.any(|pair| matches!(pair, [b'=', b'\r' | b'\n']))
    };
    if !begun && !marked(bytes, b'=') && !lines() {
        return None;
    }
    let mut out: Vec<(u8, Range<usize>)> = Vec::with_capacity(bytes.len());
    let mut changed = false;
    // Where the last escape ended.
    let mut last = None;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let line = match rest {
            [b'=', b'\n', ..] => 2,
            [b'=', b'\r', b'\n', ..] => 3,
            _ => 0,
        };
        let runs_on = last == Some(at);
        let parted = || !bytes.get(at + 3).is_some_and(u8::is_ascii_alphanumeric);
        let value = (*byte == b'=' && (runs_on || parted()))
            .then(|| pair(bytes, at + 1))
            .flatten();
        let length = match (line, value) {
            (0, None) => 1,
            (0, Some(_)) => 3,
            (line, _) => line,
        };
        if line == 0 {
            out.push((value.unwrap_or(*byte), at..at + length));
        }
        at += length;
        if length > 1 {
            (last, changed) = (Some(at), true);
        }
    }
    built(&out, changed || begun, open)
}

fn built(out: &[(u8, Range<usize>)], wanted: bool, open: bool) -> Option<Builder> {
    wanted.then(|| {
        let mut builder = Builder::default();
        builder.bytes(out, open);
        builder
    })
}

/// `\u0034`, `\x34`, `\n`, `&#52;`, `&colon;` and the like, up to `end`;
/// `None` when there is none.
pub(super) fn spelled(text: &str, end: usize) -> Option<Builder> {
    let begun = matches!(text.as_bytes().get(end), Some(b'\\' | b'&'));
    let text = text.get(..end)?;
    if !begun && !text.contains(['\\', '&']) {
        return None;
    }
    let bytes = text.as_bytes();
    let mut builder = Builder::default();
    let mut changed = false;
    let mut at = 0;
    while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let found = match char {
            '\\' => backslash(bytes, at),
            '&' => entity(bytes, at),
            _ => None,
        };
        changed |= found.is_some();
        let (value, length) = found.unwrap_or((char, char.len_utf8()));
        builder.push(value, &(at..at + length));
        at += length;
    }
    (changed || begun).then_some(builder)
}

/// The character that an escape stands for, and the escape's length.
fn backslash(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let next = *bytes.get(at + 1)?;
    match next {
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        // Of JSON, and of Markdown where the character is no mark of an image
        // or a tag.
        b'"' | b'\'' | b'\\' | b'/' | b':' | b'.' | b'-' | b'_' | b'@' | b'%' | b'&' | b'='
        | b'?' | b'+' | b'#' => Some((char::from(next), 2)),
        b'x' => pair(bytes, at + 2).map(|value| (char::from(value), 4)),
        b'0'..=b'3' => {
            let digits = bytes.get(at + 1..at + 4)?;
            let code = number(digits, 8).filter(|(_, count)| *count == 3)?.0;
            char::from_u32(code).map(|char| (char, 4))
        }
        b'U' => {
            let (code, count) = number(bytes.get(at + 2..at + 10)?, 16)?;
            (count == 8)
                .then(|| char::from_u32(code))
                .flatten()
                .map(|char| (char, 10))
        }
        b'u' if bytes.get(at + 2) == Some(&b'{') => {
            let (code, count) = number(bytes.get(at + 3..)?, 16)?;
            (bytes.get(at + 3 + count) == Some(&b'}'))
                .then(|| char::from_u32(code))
                .flatten()
                .map(|char| (char, count + 4))
        }
        b'u' => unit(bytes, at),
        _ => None,
    }
}

/// `\u0034`, or two of them for one character.
fn unit(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let unit =
        |at: usize| Some((u32::from(pair(bytes, at)?) << 8) | u32::from(pair(bytes, at + 2)?));
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

/// The number that the digits at the start spell, and how many they are.
fn number(text: &[u8], radix: u32) -> Option<(u32, usize)> {
    let count = text
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    if count > DIGITS_MAX {
        return None;
    }
    let digits = std::str::from_utf8(text.get(..count)?).ok()?;
    let code = u32::from_str_radix(digits, radix).ok()?;
    Some((code, count))
}

/// `&#52;`, `&#x34;`, `&colon;`; numbers also without the semicolon, as
/// browsers read them.
fn entity(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let rest = bytes.get(at + 1..)?;
    let ((code, digits), head) = match rest {
        [b'#', b'x' | b'X', digits @ ..] => (number(digits, 16)?, 3),
        [b'#', digits @ ..] => (number(digits, 10)?, 2),
        _ => {
            let length = rest
                .iter()
                .take(NAME_BYTES_MAX + 1)
                .position(|byte| *byte == b';')?;
            let name = rest.get(..length)?;
            let (_, char) = NAMES.iter().find(|(known, _)| known.as_bytes() == name)?;
            return Some((*char, length + 2));
        }
    };
    let char = char::from_u32(code).filter(|char| !matches!(char, '<' | '>'))?;
    let closed = usize::from(bytes.get(at + head + digits) == Some(&b';'));
    Some((char, head + digits + closed))
}
