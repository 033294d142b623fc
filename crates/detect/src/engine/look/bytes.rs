//! Small questions about the bytes of a text.

/// LIMIT: bytes of a row that are counted.
pub(super) const RUN_BYTES_MAX: usize = 128;

/// How many such bytes stand in a row, as far as they are counted.
pub(super) fn run(bytes: &[u8], at: usize, fits: impl Fn(&u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter()
        .take(RUN_BYTES_MAX)
        .take_while(|byte| fits(byte))
        .count()
}

/// How many digits stand in a row.
pub(super) fn row_bytes(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
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
