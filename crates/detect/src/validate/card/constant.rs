//! Numbers of code that have a card's length and sum by chance: literals, spans
//! of time, rows of a table of constants.

use super::is_card;

/// Bytes before a number in which a row is looked at: no more than what a word
/// before a card may be away.
const ROW_BYTES_BEFORE: usize = 64;
/// Likewise behind it.
const ROW_BYTES_BEHIND: usize = 96;
/// A number of a row is as long at least.
const ROW_DIGITS_MIN: usize = 14;
/// The part that is seen of the last one, where the bytes end within it.
const PART_DIGITS_MIN: usize = 8;
/// So many numbers beside it that are no cards make a row of constants: every
/// tenth number has a right sum, but every number of a list of cards.
const OTHERS_MIN: usize = 2;
/// Behind a number they say its type: Rust, C, C#, Java, JavaScript, Go.
const SUFFIXES: &[&str] = &[
    "u64", "i64", "u128", "i128", "usize", "isize", "f64", "_u64", "_i64", "_u128", "_f64", "ul",
    "ull", "ll", "l", "lu", "llu", "u", "n",
];
/// The longest of them.
const SUFFIX_BYTES_MAX: usize = 5;

/// Whether digits are a number of code, and how many bytes behind them were
/// looked at.
pub(in crate::validate) fn is_constant(before: &[u8], after: &[u8]) -> (bool, usize) {
    let (suffixed, suffix) = has_suffix(after);
    let (spans, span) = is_span(before, after);
    let from = before.len().saturating_sub(ROW_BYTES_BEFORE);
    let back = before.get(from..).unwrap_or_default().iter().rev();
    let (back, _) = others(back, from > 0, true);
    let goes_on = after.len() > ROW_BYTES_BEHIND;
    let (ahead, row) = others(after.iter().take(ROW_BYTES_BEHIND), goes_on, false);
    // Nothing, where a card stands beside it, or may still come.
    let open = row == after.len();
    let others = back.zip(ahead).filter(|_| !open);
    let others = others.map_or(0, |(back, ahead)| back + ahead);
    (
        is_hex(before) || suffixed || spans || others >= OTHERS_MIN,
        row.max(suffix).max(span),
    )
}

/// `0x4770…`: a literal in another base.
fn is_hex(before: &[u8]) -> bool {
    match before {
        [rest @ .., b'0', b'x' | b'X'] => !rest.last().is_some_and(u8::is_ascii_alphanumeric),
        _ => false,
    }
}

/// `…u64`, `…ULL`, `…n`: a literal with its type.
fn has_suffix(after: &[u8]) -> (bool, usize) {
    let name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = after.iter().take(SUFFIX_BYTES_MAX + 1).take_while(name);
    let length = length.count();
    let found = after.get(..length).unwrap_or_default();
    let suffix = |known: &&str| found.eq_ignore_ascii_case(known.as_bytes());
    // At an open end more of a word may come.
    let ends = length < after.len();
    (ends && SUFFIXES.iter().any(suffix), length)
}

/// `PT5124…H`: a span of time (ISO 8601).
fn is_span(before: &[u8], after: &[u8]) -> (bool, usize) {
    let begins = matches!(before, [.., b'P', b'T'] | [.., b'P']);
    match after {
        [unit, ..] if begins => (matches!(unit, b'H' | b'M' | b'S' | b'D' | b'W' | b'Y'), 1),
        _ => (false, 0),
    }
}

/// How many of the two numbers beside one are as long and no cards, `None` if
/// one is a card, and how many bytes that took. They follow on commas with
/// blanks or lines, and brackets. What reaches the end of the text does not
/// count: it may go on. Where the text goes on behind the bytes, the second
/// may be seen in part.
fn others<'a>(
    bytes: impl Iterator<Item = &'a u8>,
    goes_on: bool,
    back: bool,
) -> (Option<usize>, usize) {
    let between = |byte: &&u8| b" \t\r\n,()[]{}".contains(*byte);
    let mut bytes = bytes.peekable();
    let (mut count, mut looked) = (0, 0);
    while count < OTHERS_MIN {
        let (mut comma, mut blank) = (false, false);
        while let Some(byte) = bytes.next_if(|byte| between(byte)) {
            comma |= *byte == b',';
            blank |= byte.is_ascii_whitespace();
            looked += 1;
        }
        let mut digits = String::new();
        while let Some(byte) = bytes.next_if(|byte| comma && blank && byte.is_ascii_digit()) {
            digits.push(char::from(*byte));
            looked += 1;
        }
        let cut = goes_on && bytes.peek().is_none();
        if cut && count > 0 && digits.len() >= PART_DIGITS_MIN {
            return (Some(count + 1), looked);
        }
        let ends = bytes.peek().is_some_and(between);
        if !ends || digits.len() < ROW_DIGITS_MIN {
            break;
        }
        if back {
            digits = digits.chars().rev().collect();
        }
        if is_card(&digits) {
            return (None, looked);
        }
        count += 1;
    }
    (Some(count), looked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Filler;

    fn constant(before: &str, after: &str) -> bool {
        is_constant(before.as_bytes(), after.as_bytes()).0
    }

    #[test]
    fn literals_and_spans_are_constants() {
        assert!(constant("from_bits(0x", ")") && constant("splat(", "u64);"));
        assert!(constant("= ", "ULL;") && constant("\"PT", "H15S\""));
        for (before, after) in [
            ("card ", "."),
            ("10x", ""),
            ("", "until"),
            ("VIP", "h"),
            ("n", "until64"),
            ("", "u64"),
        ] {
            assert!(!constant(before, after), "{before}..{after}");
        }
    }

    #[test]
    fn a_row_of_other_numbers_is_a_table_and_a_list_of_cards_is_none() {
        let others = [
            "1726008037083790",
            "1070069155000872",
            "14104136531997710878",
        ];
        let [first, second, third] = others;
        assert!(constant(
            &format!("[{first},\n    "),
            &format!(",\n    {second},\n];")
        ));
        assert!(constant(
            "new(\n    ",
            &format!(",\n    {first},\n    {third},\n)")
        ));
        assert!(constant(&format!("[{first}, {second}, "), "];"));
        assert!(!constant(&format!("[{first}, {second}, "), ""));
        assert!(!constant(&format!("{first},"), &format!(",{second},")));
        assert!(!constant(&format!("[{first}, "), ", 12]"));
        assert!(!constant(&format!("{first}\n"), &format!("\n{second}\n")));
        let card = Filler::new(9).fill("{luhn:4:16}");
        assert!(!constant(
            &format!("[{first}, {card}, "),
            &format!(", {second}, {third}, ")
        ));
        let row = format!(", {first}, {second}, {card}");
        assert_eq!(is_constant(b"", row.as_bytes()), (true, 36));
        // The second of them may go on, unless enough of it is seen.
        let blanks = " ".repeat(16);
        let deep = format!("[\n{blanks}{second},\n{blanks}{first},\n{blanks}");
        assert!(constant(&deep, "];") && constant(&deep[3..], "];"));
        assert!(!constant(&deep[22..], "];"));
        let open = format!(", {first}, {second}");
        assert_eq!(is_constant(b"", open.as_bytes()), (false, open.len()));
    }
}
