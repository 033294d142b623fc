//! Escapes over the whole text: percent, backslash, HTML, quoted-printable.

use std::ops::Range;

use memchr::{memchr_iter, memchr2_iter};
use terms::worked;

use super::{Builder, View, decode::pair};

/// In the time that an escape takes so many bytes are read.
const ESCAPE_BYTES: usize = 8;
/// No unfinished escape is longer.
const UNFINISHED_BYTES_MAX: usize = 16;
/// LIMIT: escapes right behind each other that are gathered before they are
/// read.
const GROUP_ESCAPES_MAX: usize = 1_024;
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
        [b'%', b'u' | b'U', b'0', b'0', high, low, behind @ ..] => {
            awaits_value(*high, *low, behind)
        }
        [b'%', b'u' | b'U', digits @ ..] => hex(digits, 4),
        [b'%', high, low, behind @ ..] => awaits_value(*high, *low, behind),
        [b'%', digits @ ..] => hex(digits, 2),
        // What follows tells whether it is one, and whether it says something.
        [b'=', b'\r'] | [b'=', b'\n'] | [b'=', b'\r', b'\n'] => true,
        [b'=', high, low, behind @ ..] if !behind.is_empty() => awaits_value(*high, *low, behind),
        [b'=', digits @ ..] => hex(digits, 3),
        [b'&', name @ ..] => entity_may_go_on(name),
        [b'\\'] | [b'\\', b'\n' | b'\r'] | [b'\\', b'\r', b'\n'] => true,
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

/// Whether what comes tells if a value begins behind an escape of no text.
fn awaits_value(high: u8, low: u8, behind: &[u8]) -> bool {
    pair(&[high, low], 0).is_some_and(|byte| !is_text(byte)) && begins_value(behind).is_none()
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

/// Reads the escapes of a view up to a place behind which one may be
/// unfinished; `None` when there are none that say something.
pub(super) type Read = fn(&View<'_>) -> Option<Builder>;

/// Up to where no escape is unfinished. What may be half of one waits for its
/// other half.
fn finished(view: &View<'_>) -> usize {
    if view.open {
        unfinished(&view.text)
    } else {
        view.text.len()
    }
}

/// `%34` and the like, and `%u0034` as old scripts write it.
pub(super) fn percent(view: &View<'_>) -> Option<Builder> {
    let end = finished(view);
    let bytes = view.text.as_bytes().get(..end)?;
    let marks = memchr_iter(b'%', bytes).inspect(|_| worked(ESCAPE_BYTES));
    let escapes = marks.filter_map(|at| match bytes.get(at + 1) {
        Some(b'u' | b'U') => {
            let value = pair(bytes, at + 4).filter(u8::is_ascii)?;
            (pair(bytes, at + 2) == Some(0)).then_some((at, at + 6, Some(value)))
        }
        _ => Some((at, at + 3, Some(pair(bytes, at + 1)?))),
    });
    rewritten(view, end, b'%', escapes)
}

/// `=34` and line ends that are none, as in mail. Code and addresses write
/// `id=34567`: there a letter or digit follows and no escape stands before.
pub(super) fn quoted(view: &View<'_>) -> Option<Builder> {
    let end = finished(view);
    let bytes = view.text.as_bytes().get(..end)?;
    // Where the last escape ended.
    let mut last = None;
    let marks = memchr_iter(b'=', bytes).inspect(|_| worked(ESCAPE_BYTES));
    let escapes = marks.filter_map(|at| {
        let found = quoted_at(bytes, at, last == Some(at))?;
        last = Some(found.1);
        Some(found)
    });
    rewritten(view, end, b'=', escapes)
}

/// The escape of mail that stands here, if one does.
fn quoted_at(bytes: &[u8], at: usize, runs_on: bool) -> Option<Spelled> {
    match bytes.get(at..)? {
        [b'=', b'\n', ..] => return Some((at, at + 2, None)),
        [b'=', b'\r', b'\n', ..] => return Some((at, at + 3, None)),
        _ => {}
    }
    let parted = !bytes.get(at + 3).is_some_and(u8::is_ascii_alphanumeric);
    let value = (runs_on || parted).then(|| pair(bytes, at + 1)).flatten()?;
    // A part of a character has others beside it: `KEY=fc-...` is a value.
    let next = bytes.get(at + 3).is_none_or(|next| *next == b'=');
    let lone = !value.is_ascii() && !runs_on && !next;
    if lone {
        return None;
    }
    Some((at, at + 3, Some(value)))
}

/// Where an escape begins and ends, and the byte it stands for, if any.
type Spelled = (usize, usize, Option<u8>);

/// The text with these escapes read. Those right behind each other spell
/// characters together; one alone is read if it says something. Nothing further
/// away changes how one is read.
fn rewritten(
    view: &View<'_>,
    end: usize,
    mark: u8,
    escapes: impl Iterator<Item = Spelled>,
) -> Option<Builder> {
    let text = &*view.text;
    let begun = text.as_bytes().get(end) == Some(&mark);
    let mut builder = Builder::default();
    let mut group: Vec<Spelled> = Vec::new();
    let mut bytes: Vec<(u8, Range<usize>)> = Vec::new();
    let (mut at, mut any) = (0, false);
    let mut escapes = escapes.peekable();
    while let Some(escape) = escapes.next() {
        group.push(escape);
        let next = escapes.peek().filter(|next| next.0 == escape.1);
        // Not in the middle of a character, which has four bytes at most.
        let inside = next.is_some_and(|next| matches!(next.2, Some(0x80..=0xbf)));
        let most = GROUP_ESCAPES_MAX + if inside { 3 } else { 0 };
        if next.is_some() && group.len() < most {
            continue;
        }
        let start = group.first().map_or(escape.0, |first| first.0);
        let goes_on = at > 0 && start == at;
        // Those beside each other are no formats of numbers.
        if goes_on || group.len() > 1 || tells(text, escape) {
            any = true;
            builder.copy(text, at..start);
            at = escape.1;
            let placed = |(start, stop, value): &Spelled| Some(((*value)?, *start..*stop));
            bytes.extend(group.iter().filter_map(placed));
            builder.bytes(&bytes, view.open && at == end);
            bytes.clear();
        }
        group.clear();
    }
    if !any && !begun {
        return None;
    }
    builder.copy(text, at..end);
    Some(builder)
}

/// Whether an escape can stand in or before something: code has `%d` and `=`
/// at the ends of lines, which say nothing.
fn tells(text: &str, (start, stop, value): Spelled) -> bool {
    let bytes = text.as_bytes();
    let blank = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_none_or(u8::is_ascii_whitespace)
    };
    let glued = || begins_value(bytes.get(stop..).unwrap_or_default()) == Some(true);
    match value {
        Some(byte) if byte.is_ascii() => is_text(byte) || glued(),
        // A part of a character, which has others.
        Some(_) => {
            let mark = bytes.get(start);
            let before = start.checked_sub(3).and_then(|at| bytes.get(at));
            mark == bytes.get(stop) || mark == before || stop >= bytes.len() || glued()
        }
        None => !blank(start.checked_sub(1)) || !blank(Some(stop)),
    }
}

const fn is_text(byte: u8) -> bool {
    byte.is_ascii() && (!byte.is_ascii_control() || byte.is_ascii_whitespace())
}

/// Whether a value may begin here, right behind an escape, and not the rest of
/// a format of numbers: `%02x`, `%08lx`. `None` while more is to come.
fn begins_value(behind: &[u8]) -> Option<bool> {
    let (first, rest) = behind.split_first()?;
    if *first == b'+' {
        return rest.first().map(u8::is_ascii_digit);
    }
    if !first.is_ascii_alphanumeric() {
        return Some(false);
    }
    let size = |byte: &&u8| b"hlzjtqL".contains(byte);
    let sizes = behind.iter().take(2).take_while(size).count();
    if !b"diouxXeEfFgGaAcsp".contains(behind.get(sizes)?) {
        return Some(true);
    }
    behind.get(sizes + 1).map(u8::is_ascii_alphanumeric)
}

/// `\u0034`, `\x34`, `\n`, `&#52;`, `&colon;` and the like. The mark of another
/// escape may be the end of one here: `\%` is whole, whatever follows.
pub(super) fn spelled(view: &View<'_>) -> Option<Builder> {
    let text = &*view.text;
    let bytes = text.as_bytes();
    let mut any = false;
    let mut builder = Builder::default();
    let mut at = 0;
    let mut end = bytes.len();
    for mark in memchr2_iter(b'\\', b'&', bytes) {
        worked(ESCAPE_BYTES);
        // A part of the escape before.
        if mark < at {
            continue;
        }
        let waits = view.open && bytes.len() - mark <= UNFINISHED_BYTES_MAX;
        if waits && bytes.get(mark..).is_some_and(may_go_on) {
            any = true;
            end = mark;
            break;
        }
        if let Some(end) = line_goes_on(bytes, mark) {
            any = true;
            builder.copy(text, at..mark);
            at = end;
            continue;
        }
        let found = match bytes.get(mark) {
            Some(b'\\') => backslash(bytes, mark),
            _ => entity(bytes, mark),
        };
        if let Some((value, length)) = found {
            any = true;
            builder.copy(text, at..mark);
            at = mark + length;
            builder.push(value, &(mark..at));
        }
    }
    if !any {
        return None;
    }
    builder.copy(text, at..end);
    Some(builder)
}

/// Where a line goes on that a backslash ends within a word, as in strings of
/// shells, C and Python.
fn line_goes_on(bytes: &[u8], at: usize) -> Option<usize> {
    let end = match bytes.get(at..)? {
        [b'\\', b'\n', ..] => at + 2,
        [b'\\', b'\r', b'\n', ..] => at + 3,
        _ => return None,
    };
    let within = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_some_and(|byte| !byte.is_ascii_whitespace())
    };
    (within(at.checked_sub(1)) && within(Some(end))).then_some(end)
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
