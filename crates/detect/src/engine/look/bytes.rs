//! Small questions about the bytes of a text.

/// How many such bytes stand in a row. LIMIT: no pattern asks for more.
pub(super) fn run(bytes: &[u8], at: usize, fits: impl Fn(&u8) -> bool) -> usize {
    const BYTES_MAX: usize = 128;
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter()
        .take(BYTES_MAX)
        .take_while(|byte| fits(byte))
        .count()
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
