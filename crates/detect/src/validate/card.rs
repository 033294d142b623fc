//! Payment card numbers: brand, length, check digit, and what stands beside.

mod constant;
mod groups;

use std::ops::Range;

use super::Valid;
pub(super) use constant::is_constant;
use groups::{halves, is_list, is_ragged};

/// Characters between two groups of digits of one number.
const GAP_CHARS_MAX: usize = 3;
/// A column or row of groups as long is a table.
const GROUP_DIGITS: usize = 4;
/// Characters beside a number that are looked at: fewer than half of what a
/// stream keeps as context, so that an escaped text is seen as far.
const BESIDE_CHARS_MAX: usize = 16;
/// Bytes on either side of a number that a table of codes fills.
const CODE_BYTES: usize = 10;
/// As many hexadecimal characters beside a number make it a part of a hash.
const HASH_CHARS_MIN: usize = 8;
/// Shorter numbers are so common that one beside other groups of digits is a
/// part of something else.
const GROUPED_DIGITS_MIN: usize = 14;
/// Barcodes have 12 or 13 digits, and one in nine of those passes every check:
/// such a number is a card only where a word before says so.
const NAMED_DIGITS_MAX: usize = 13;
/// Bytes before a number in which the word is looked for.
const NAME_BYTES_MAX: usize = 64;
const NAMES: &[&str] = &[
    "card",
    "cards",
    "cardnumber",
    "creditcard",
    "ccnumber",
    "cc",
    "pan",
    "visa",
    "maestro",
    "credit",
    "debit",
    "karte",
    "kartennummer",
    "kreditkarte",
    "kreditkartennummer",
];
/// Likewise of one that letters touch.
const TOUCHED_DIGITS_MIN: usize = 16;

/// Whether the last digit checks the others (ISO/IEC 7812-1).
pub(crate) fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            match index % 2 {
                0 => digit,
                _ if digit > 4 => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && sum.is_multiple_of(10)
}

/// Lengths of card numbers by first digits, as the brands publish them.
fn brand_fits(digits: &str) -> bool {
    let head = |count: usize| {
        digits
            .get(..count)
            .and_then(|head| head.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let length = digits.len();
    match (head(1), head(2), head(3), head(4)) {
        (4, ..) => matches!(length, 13 | 16 | 19),
        (_, 51..=55, ..) | (_, _, _, 2221..=2720) => length == 16,
        (_, 34 | 37, ..) => length == 15,
        (_, 36 | 38 | 39, ..) | (_, _, 300..=305, _) => (14..=19).contains(&length),
        (_, _, _, 6011) | (_, 65, ..) | (_, _, 644..=649, _) => (16..=19).contains(&length),
        (_, _, _, 3528..=3589) => (16..=19).contains(&length),
        (_, 62 | 81, ..) => (16..=19).contains(&length),
        (_, 50 | 56..=61 | 63 | 67 | 68 | 69, ..) => (12..=19).contains(&length),
        _ => false,
    }
}

/// Whether cards are issued with as many digits: some brands may have 15, 17 or
/// 18, hardly a card does, and ids and times in code have as many.
fn is_usual(text: &str, number: &Range<usize>, digits: usize) -> bool {
    let head = text.get(number.clone()).unwrap_or_default();
    let amex = head.starts_with("34") || head.starts_with("37");
    !matches!(digits, 17 | 18) && (digits != 15 || amex)
}

/// Whether digits are a card's number: its brand, its length and its sum.
pub(super) fn is_card(digits: &str) -> bool {
    let dull = digits
        .bytes()
        .skip(1)
        .all(|digit| Some(&digit) == digits.as_bytes().first());
    !dull && brand_fits(digits) && luhn(digits)
}

/// The longest valid card number that the match begins with.
pub(super) fn valid(text: &str, span: &Range<usize>) -> Option<Valid> {
    let mut digits = String::new();
    let mut best = None;
    for (at, byte) in text.bytes().enumerate().take(span.end).skip(span.start) {
        if !byte.is_ascii_digit() {
            continue;
        }
        digits.push(char::from(byte));
        // The match may end within a group, which is none of the number then.
        let next = text.as_bytes().get(at + 1);
        let ends = next.is_none_or(|next| !next.is_ascii_digit());
        if ends && is_card(&digits) {
            let number = span.start..at + 1;
            best = stands_alone(text, &number, digits.len()).or(best);
        }
    }
    best
}

/// Whether a number is one, and no part of a hash, a fraction or a longer
/// number.
fn stands_alone(text: &str, number: &Range<usize>, digits: usize) -> Option<Valid> {
    let before = text.as_bytes().get(..number.start)?;
    let after = text.as_bytes().get(number.end..)?;
    let fraction =
        digits == number.len() && matches!(before, [.., whole, b'.'] if whole.is_ascii_digit());
    let grouped = |byte: &u8| matches!(byte, b' ' | b'-');
    let continues = matches!(before, [.., digit, gap] if digit.is_ascii_digit() && grouped(gap))
        || matches!(after, [gap, digit, ..] if digit.is_ascii_digit() && grouped(gap));
    let touched = matches!(before, [.., letter] if letter.is_ascii_alphabetic())
        || matches!(after, [letter, ..] if letter.is_ascii_alphabetic());
    let left = run(before.iter().rev());
    let right = run(after.iter());
    let common =
        (continues && digits < GROUPED_DIGITS_MIN) || (touched && digits < TOUCHED_DIGITS_MIN);
    // A row of single digits or pairs that goes on is a ruler, a table or bytes.
    let row = continues && (number.len() + 1) * 2 >= digits * 3;
    let named = is_named(before);
    let unnamed = !named && (digits <= NAMED_DIGITS_MAX || !is_usual(text, number, digits));
    let goes_on = text
        .get(number.clone())
        .map_or((false, 0), |number| halves(number, before, after));
    let (constant, constant_bytes) = if digits == number.len() && !named {
        constant::is_constant(before, after)
    } else {
        (false, 0)
    };
    let wide = text.get(number.clone()).and_then(Wide::of);
    let beside = wide.map_or((0, 0), |wide| wide.group(after.iter()));
    let table = beside.1 >= GROUP_DIGITS
        || wide.is_some_and(|wide| wide.group(before.iter().rev()).1 >= GROUP_DIGITS);
    let grouped_ill = text
        .get(number.clone())
        .is_some_and(|number| is_list(number) || !named && is_ragged(before, number));
    let codes = codes(before, after);
    let part = fraction || common || row || table || goes_on.0 || is_hash(&left, &right) || codes.1;
    if part || unnamed || grouped_ill || constant {
        return None;
    }
    let gap = usize::from(after.first().is_some_and(grouped));
    Some(Valid {
        end: number.end,
        looked: number.end
            + right
                .len()
                .max(gap)
                .max(beside.0 + beside.1)
                .max(codes.0)
                .max(constant_bytes)
                .max(goes_on.1),
    })
}

/// Bytes behind a number that were looked at for a table of hexadecimal codes,
/// and whether it stands in one: groups with letters go on on both sides.
fn codes(before: &[u8], after: &[u8]) -> (usize, bool) {
    let left = before
        .get(before.len().saturating_sub(CODE_BYTES)..)
        .unwrap_or_default();
    let fits = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F' | b' ' | b'\n');
    let side = |side: &[u8]| {
        side.len() == CODE_BYTES
            && side.iter().all(fits)
            && side.iter().any(u8::is_ascii_whitespace)
    };
    if !side(left) {
        return (0, false);
    }
    let right = after.get(..CODE_BYTES.min(after.len())).unwrap_or_default();
    let letter = |side: &[u8]| side.iter().any(u8::is_ascii_alphabetic);
    (right.len(), side(right) && (letter(left) || letter(right)))
}

/// Groups with more between them than a blank or a hyphen, as in a table.
#[derive(Clone, Copy)]
struct Wide {
    /// A line end is among what stands between them.
    lines: bool,
}

impl Wide {
    /// How a number is written, if it is so.
    fn of(number: &str) -> Option<Self> {
        let lines = number.contains(['\r', '\n']);
        let gap = |byte: &u8| !byte.is_ascii_digit();
        let long = number
            .as_bytes()
            .windows(2)
            .any(|pair| pair.iter().all(gap));
        (lines || long || number.contains(['.', '\t'])).then_some(Self { lines })
    }

    /// Characters of the gap beside a number, and digits of the group behind
    /// it, as far as they make a table.
    fn group<'a>(self, beside: impl Iterator<Item = &'a u8>) -> (usize, usize) {
        let mut beside = beside.peekable();
        let fits = |byte: u8| {
            matches!(byte, b' ' | b'-' | b'.' | b'\t')
                || (self.lines && matches!(byte, b'\r' | b'\n'))
        };
        let mut gap = 0;
        while gap < GAP_CHARS_MAX && beside.next_if(|byte| fits(**byte)).is_some() {
            gap += 1;
        }
        let digits = beside
            .take(GROUP_DIGITS)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        (gap, if gap > 0 { digits } else { 0 })
    }
}

/// Whether a word before a number says that it is a card's.
fn is_named(before: &[u8]) -> bool {
    let from = before.len().saturating_sub(NAME_BYTES_MAX);
    before
        .get(from..)
        .unwrap_or_default()
        .split(|byte| !byte.is_ascii_alphabetic())
        .any(|word| {
            NAMES
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        })
}

/// The hexadecimal characters and hyphens next to a number.
fn run<'a>(beside: impl Iterator<Item = &'a u8>) -> Vec<u8> {
    beside
        .copied()
        .take(BESIDE_CHARS_MAX)
        .take_while(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        .collect()
}

/// Words of the letters a to f have no digits, and digits have no letters.
fn is_hash(left: &[u8], right: &[u8]) -> bool {
    let beside = || left.iter().chain(right);
    beside().count() >= HASH_CHARS_MIN
        && beside().any(u8::is_ascii_digit)
        && beside().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Filler;

    fn length(text: &str) -> Option<usize> {
        valid(text, &(0..text.len())).map(|valid| valid.end)
    }

    #[test]
    fn a_match_that_ends_within_the_next_group_is_as_long_as_the_card() {
        let mut filler = Filler::new(9);
        // Cards of which the first three digits of the next group make another
        // number with a right sum.
        let mut seen = 0;
        for _ in 0..200 {
            let (number, next) = (filler.fill("{luhn:4:16}"), filler.fill("{digits:4}"));
            let text = format!("{number} {next}");
            let match_end = text.len() - 1;
            seen += u32::from(luhn(&text[..match_end].replace(' ', "")));
            let found = valid(&text, &(0..match_end)).map(|valid| valid.end);
            assert_eq!(found, Some(number.len()));
        }
        assert!(seen > 5);
    }

    fn beside(before: &str, number: &str, after: &str) -> bool {
        let text = format!("{before}{number}{after}");
        valid(&text, &(before.len()..before.len() + number.len())).is_some()
    }

    #[test]
    fn a_card_is_found_whole_with_or_without_what_follows() {
        let mut filler = Filler::new(1);
        for (first, digits) in [
            ("4", 16),
            ("51", 16),
            ("37", 15),
            ("6011", 16),
            ("4", 19),
            ("2221", 16),
            ("36", 14),
        ] {
            let number = filler.fill(&format!("{{luhn:{first}:{digits}}}"));
            assert_eq!(length(&number), Some(digits), "{first}");
            let last = number.as_bytes()[digits - 1] - b'0';
            let broken = format!("{}{}", &number[..digits - 1], (last + 1) % 10);
            assert_eq!(length(&broken), None, "{first}");
        }
        let number = filler.fill("{luhn:4:16}");
        assert_eq!(length(&format!("{number} 12")), Some(16));
        assert_eq!(length("4444444444444444"), None);
    }

    #[test]
    fn a_part_of_a_hash_a_fraction_or_a_longer_number_is_none() {
        let number = Filler::new(3).fill("{luhn:4:16}");
        for (before, after) in [
            ("686761666e2e6e", ""),
            ("", "9f86d081"),
            ("6b3f", "a1c7"),
            ("0.", ""),
            ("13.", ""),
            ("a1b2c3d4-", "-e5f6"),
        ] {
            assert!(!beside(before, &number, after), "{before}..{after}");
        }
        for (before, after) in [
            ("card", "exp1227"),
            ("no.", ""),
            ("12 ", " 34"),
            ("id-", "-added"),
            ("abc", "def"),
            ("order 2026-11-23-", ""),
        ] {
            assert!(beside(before, &number, after), "{before}..{after}");
        }
        for (first, digits) in [("4", 13), ("40", 13), ("50", 12), ("69", 13)] {
            let number = Filler::new(6).fill(&format!("{{luhn:{first}:{digits}}}"));
            assert!(!beside("EAN ", &number, "") && !beside("on the cardboard: ", &number, ""));
            assert!(beside("Visa card no. ", &number, "") && beside("card_number=", &number, ""));
        }
        let short = Filler::new(4).fill("{luhn:50:12}");
        assert!(beside("card ", &short, " now"));
        assert!(!beside("4532 ", &short, "") && !beside("", &short, "-4532"));
        for digits in [12, 15] {
            let first = if digits == 12 { "50" } else { "37" };
            let number = Filler::new(4).fill(&format!("{{luhn:{first}:{digits}}}"));
            assert!(!beside("id", &number, "") && !beside("", &number, "f"));
        }
    }

    #[test]
    fn a_card_in_groups_is_one_and_a_part_of_a_table_is_none() {
        let number = Filler::new(7).fill("{luhn:4:16}");
        let groups: Vec<&str> = (0..16).step_by(4).map(|at| &number[at..at + 4]).collect();
        for gap in [".", "  ", "\t", "\n", "\r\n", " - "] {
            let card = groups.join(gap);
            assert_eq!(length(&card), Some(card.len()), "{gap:?}");
            assert!(beside("card ", &card, " exp 12/27") && beside("", &card, "."));
            assert!(beside("1.\n", &card, "\n12/27"));
            let row = format!("1234{gap}");
            assert!(!beside(&row, &card, ""), "{gap:?}");
            assert!(!beside("", &card, &format!("{gap}1234")), "{gap:?}");
        }
    }

    #[test]
    fn rows_of_a_table_of_codes_are_none() {
        let number = Filler::new(7).fill("{luhn:4:16}");
        let groups: Vec<&str> = (0..16).step_by(4).map(|at| &number[at..at + 4]).collect();
        let card = groups.join(" ");
        assert!(!beside("53BE 53D2 3A6F ", &card, " 58ED 5904 591A"));
        assert!(beside("no. ", &card, " 58ED 5904 591A"));
        assert!(beside("53BE 53D2 3A6F ", &card, ""));
        let mut sums = (0..100).map(|step| 5400 + step);
        let row = sums.find_map(|first| {
            let row: Vec<String> = (first..first + 4).map(|group| group.to_string()).collect();
            luhn(&row.concat()).then(|| row.join(" "))
        });
        assert_eq!(length(&row.unwrap()), None);
    }

    #[test]
    fn a_constant_of_code_is_none_unless_it_is_named_a_card() {
        let number = Filler::new(5).fill("{luhn:4:16}");
        let rows = ("[1726008037083790,\n    ", ",\n    1070069155000872,\n];");
        assert!(!beside(rows.0, &number, rows.1));
        assert!(beside(&format!("card {}", rows.0), &number, rows.1));
        assert!(!beside("f(0x", &number, ")") && !beside("f(", &number, "u64)"));
        // One of a list, or a field of a row.
        assert!(beside(
            &format!("[{number}, "),
            &number,
            &format!(", {number}]")
        ));
        assert!(beside("1726008037083790,", &number, ",1070069155000872,x"));
    }

    #[test]
    fn lengths_that_hardly_a_card_has_need_a_word() {
        for (first, digits) in [("50", 18), ("36", 17), ("63", 15), ("62", 18)] {
            let number = Filler::new(6).fill(&format!("{{luhn:{first}:{digits}}}"));
            assert!(!beside("id: ", &number, ",") && beside("card: ", &number, ","));
        }
        let amex = Filler::new(6).fill("{luhn:37:15}");
        assert!(beside("id: ", &amex, ","));
    }

    #[test]
    fn halves_are_a_card_unless_more_follow() {
        let number = Filler::new(7).fill("{luhn:4:16}");
        let card = format!("{} {}", &number[..8], &number[8..]);
        assert!(beside("x ", &card, " 12/27") && beside("12 ", &card, " 1227"));
        assert!(!beside("12345678 ", &card, "") && !beside("", &card, " 12345678"));
    }

    #[test]
    fn a_row_of_single_digits_is_a_card_only_if_it_ends() {
        let number = Filler::new(8).fill("{luhn:4:16}");
        let row: Vec<String> = number.chars().map(String::from).collect();
        let row = row.join(" ");
        assert!(beside("card ", &row, " ok"));
        assert!(!beside("3 ", &row, "") && !beside("", &row, " 3"));
        let pairs: Vec<&str> = (0..16).step_by(2).map(|at| &number[at..at + 2]).collect();
        let pairs = pairs.join(" ");
        assert!(beside("card ", &pairs, " ok"));
        assert!(!beside("31 ", &pairs, "") && !beside("", &pairs, " 31"));
    }

    #[test]
    fn what_was_looked_at_is_told() {
        let number = Filler::new(5).fill("{luhn:4:16}");
        let looked = |after: &str| {
            let text = format!("{number}{after}");
            let valid = valid(&text, &(0..number.len())).unwrap();
            valid.looked - valid.end
        };
        assert_eq!(
            ["", ".", "ab", "ab.", "-", " ", ", x", ", 1726.", "until, "].map(looked),
            [0, 0, 2, 2, 1, 1, 2, 6, 5]
        );
    }
}
