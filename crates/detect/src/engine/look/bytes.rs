//! Small questions about the bytes of a text.

use std::ops::Range;

/// How many such bytes stand in a row. LIMIT: no pattern asks for more.
pub(super) fn run(bytes: &[u8], at: usize, fits: impl Fn(&u8) -> bool) -> usize {
    const BYTES_MAX: usize = 128;
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter()
        .take(BYTES_MAX)
        .take_while(|byte| fits(byte))
        .count()
}

/// Whether no word goes on before or behind: another letter or digit, unless a
/// capital begins a new word, as in `apiKey`.
pub(super) fn is_whole(text: &str, span: Range<usize>) -> bool {
    let bytes = text.as_bytes();
    let at = |place: Option<usize>| place.and_then(|place| bytes.get(place)).copied();
    let parted = |before: Option<u8>, after: Option<u8>| match (before, after) {
        (Some(before), Some(after)) => {
            !before.is_ascii_alphanumeric()
                || !after.is_ascii_alphanumeric()
                || (before.is_ascii_lowercase() && after.is_ascii_uppercase())
        }
        _ => true,
    };
    parted(at(span.start.checked_sub(1)), at(Some(span.start)))
        && parted(at(span.end.checked_sub(1)), at(Some(span.end)))
}

/// The last bytes of a text, whole characters only.
pub(in crate::engine) fn tail(text: &str, bytes_max: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

pub(super) fn next_char(text: &str, at: usize) -> usize {
    at + text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(1, char::len_utf8)
}
