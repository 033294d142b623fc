//! Groups of digits, as they stand on a card and as they do not.

use super::GROUP_DIGITS;

/// Four groups that rise by little are rows of a list: `5406 5407 5408 5409`.
pub(super) fn is_list(number: &str) -> bool {
    /// From the first group to the last.
    const RISE_MAX: u16 = 100;
    let groups: Vec<u16> = number
        .split(|char: char| !char.is_ascii_digit())
        .filter_map(|group| group.parse().ok())
        .collect();
    let rises = groups.windows(2).all(|pair| pair.first() < pair.last());
    let rise = groups.last().zip(groups.first());
    groups.len() >= GROUP_DIGITS
        && rises
        && rise.is_some_and(|(last, first)| last - first < RISE_MAX)
}

/// Groups as no card has them: four or more of different lengths, but for a
/// shorter last one (`256 384 512 768 1024`), or with a full stop before the
/// first of those that full stops part (`[.4300.0020.…`).
pub(super) fn is_ragged(before: &[u8], number: &str) -> bool {
    let mut lengths = number
        .split(|char: char| !char.is_ascii_digit())
        .map(str::len)
        .filter(|length| *length > 0);
    let first = lengths.next().unwrap_or_default();
    let lengths: Vec<usize> = lengths.collect();
    let Some((last, inner)) = lengths.split_last() else {
        return false;
    };
    let even = *last <= first && inner.iter().all(|length| *length == first);
    let dotted = number.contains('.')
        && matches!(before, [mark, b'.'] | [.., mark, b'.'] if !mark.is_ascii_alphanumeric());
    inner.len() >= GROUP_DIGITS - 2 && !even || dotted
}

/// Whether two groups of eight digits are part of a row of such, and how many
/// bytes behind them tell.
pub(super) fn halves(number: &str, before: &[u8], after: &[u8]) -> (bool, usize) {
    const DIGITS: usize = 8;
    let two = number.len() == 2 * DIGITS + 1
        && !number
            .as_bytes()
            .get(DIGITS)
            .is_some_and(u8::is_ascii_digit);
    if !two {
        return (false, 0);
    }
    let gap = |byte: &u8| matches!(byte, b' ' | b'-');
    let group = |side: &mut dyn Iterator<Item = &u8>| {
        let first = side.next().is_some_and(gap);
        let digits = side.take(DIGITS).take_while(|byte| byte.is_ascii_digit());
        if first { 1 + digits.count() } else { 0 }
    };
    let (back, ahead) = (group(&mut before.iter().rev()), group(&mut after.iter()));
    (back > DIGITS || ahead > DIGITS, ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_as_no_card_has_them_are_none() {
        for number in [
            "256 384 512 768 1024",
            "30 39-30 108 0 67 32",
            "5846 5847 5848 21375",
        ] {
            assert!(is_ragged(b" ", number), "{number}");
        }
        for (before, number) in [
            ("x ", "1234 5678 1234 5678 123"),
            ("x ", "1234 567890 12345"),
            ("no.", "1234.5678.1234.5678"),
            ("x ", "12345678 12345678"),
            ("", "12 34 56 78 12 34 56 78"),
        ] {
            assert!(!is_ragged(before.as_bytes(), number), "{number}");
        }
        assert!(is_ragged(b"[.", "1234.5678.1234.5678"));
    }
}
