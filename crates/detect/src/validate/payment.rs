//! What stands with a card: the code on its back, its last month, its track.

use std::ops::Range;

use super::{Valid, card, cue};

/// Bytes between a word and the code that it names.
const CODE_GAP_BYTES_MAX: usize = 24;
/// Bytes of a card's number with its gaps: it and what follows are fewer than
/// half of what a stream keeps as context.
const CARD_BYTES_MAX: usize = 24;
/// Marks between a card, its month and its code.
const MARKS_MAX: usize = 3;
/// LIMIT: digits of a card.
const CARD_DIGITS_MAX: usize = 19;
const CARD_DIGITS_MIN: usize = 12;

static CODE_CUES: cue::Cues = cue::Cues::new(&[
    "cvv",
    "cvv2",
    "cvc",
    "cvc2",
    "cvn",
    "cid",
    "csc",
    "cav2",
    "card code",
    "security code",
    "card verification",
    "verification value",
    "verification code",
    "verification number",
    "card_code",
    "security_code",
    "kartenprüfnummer",
    "prüfnummer",
    "sicherheitscode",
    "cryptogramme",
    "code de sécurité",
    "código de seguridad",
    "codice di sicurezza",
    "código de segurança",
    "beveiligingscode",
]);
/// Words that may stand between: `CVV code is 123`.
const CODE_WORDS: &[&str] = &[
    "code", "number", "no", "nr", "is", "value", "of", "the", "my", "on", "card", "ist", "es",
    "est", "lautet", "was", "and", "it's", "its", "it", "visuel", "data", "text", "string", "val",
];

static MONTH_CUES: cue::Cues = cue::Cues::new(&[
    "exp",
    "expiry",
    "expires",
    "expiration",
    "expiration date",
    "expiry date",
    "exp date",
    "valid thru",
    "valid through",
    "valid until",
    "good thru",
    "gültig bis",
    "ablaufdatum",
    "expire",
    "caducidad",
    "vencimiento",
    "validade",
    "scadenza",
    "date d'expiration",
    "vervaldatum",
]);

fn whole(span: &Range<usize>, fits: bool) -> Option<Valid> {
    fits.then_some(Valid {
        end: span.end,
        looked: span.end,
    })
}

/// Marks between a card, its month and its code.
const fn is_mark(char: char) -> bool {
    matches!(char, ' ' | ',' | ';' | '|' | '/' | ':' | '\t')
}

/// A text without the marks at its end, if there are a few.
fn without_marks(text: &str) -> Option<&str> {
    let rest = text.trim_end_matches(is_mark);
    (1..=MARKS_MAX)
        .contains(&(text.len() - rest.len()))
        .then_some(rest)
}

/// A text in two: what it ends with, as far as that is digits, and the rest.
fn last_digits(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_end_matches(|char: char| char.is_ascii_digit());
    Some((rest, text.get(rest.len()..)?))
}

/// Whether a text ends with a card's number, in one piece or in the groups that
/// stand on a card.
fn ends_with_card(text: &str) -> bool {
    let mut from = text.len().saturating_sub(CARD_BYTES_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let tail = text.get(from..).unwrap_or_default();
    let digits = |char: char| char.is_ascii_digit() || char == ' ' || char == '-';
    let start = tail.trim_end_matches(digits).len();
    let groups = tail.get(start..).unwrap_or_default().rsplit([' ', '-']);
    let mut number = String::new();
    for (place, group) in groups.enumerate() {
        number.insert_str(0, group);
        let long = place == 0 && group.len() >= CARD_DIGITS_MIN;
        let grouped = matches!((place, number.len()), (3, 16) | (4, 19) | (2, 14 | 15));
        if (long || grouped) && card::is_card(&number) {
            return true;
        }
        if number.len() > CARD_DIGITS_MAX || group.is_empty() || group.len() > 6 {
            return false;
        }
    }
    false
}

/// What stands before the month and the year that a text ends with.
fn before_month(text: &str) -> Option<&str> {
    let year = |text: &str| {
        let short = text
            .strip_prefix("20")
            .filter(|rest| rest.len() == 2)
            .unwrap_or(text);
        short.len() == 2 && matches!(short.parse::<u32>(), Ok(20..=49))
    };
    let month = |text: &str| text.len() == 2 && matches!(text.parse::<u32>(), Ok(1..=12));
    let (rest, last) = last_digits(text)?;
    if let Some((first, second)) = last.split_at_checked(2).filter(|_| last.len() == 4)
        && month(first)
        && year(second)
    {
        return Some(rest);
    }
    let (rest, first) = last_digits(rest.strip_suffix(['/', '-', '|', ' '])?)?;
    (month(first) && year(last)).then_some(rest)
}

/// The code on a card's back, where a word says so.
pub(super) fn code(text: &str, span: &Range<usize>) -> Option<Valid> {
    let before = text.get(..span.start)?;
    let plain = |gap: &str| {
        gap.split(|char: char| !char.is_alphanumeric() && char != '\'')
            .filter(|word| !word.is_empty())
            .all(|word| CODE_WORDS.contains(&word))
            && !gap.contains(['<', '>', '%', '+', '*', ';', '&', '|'])
    };
    whole(
        span,
        cue::gap_is(before, &CODE_CUES, CODE_GAP_BYTES_MAX, plain),
    )
}

/// The code behind a card's number and month, where no word says so.
pub(super) fn code_in_triple(text: &str, span: &Range<usize>) -> Option<Valid> {
    let before = text.get(..span.start)?;
    let card = without_marks(before)
        .and_then(before_month)
        .and_then(without_marks)?;
    whole(span, ends_with_card(card))
}

/// The last month of a card, behind a word or a card's number.
pub(super) fn expiry(text: &str, span: &Range<usize>) -> Option<Valid> {
    let before = text.get(..span.start)?;
    let named = cue::gap_is(before, &MONTH_CUES, CODE_GAP_BYTES_MAX, |gap| {
        !gap.contains(|char: char| char.is_ascii_digit() || matches!(char, '{' | '}' | '<' | '>'))
    });
    let day = matches!(before.as_bytes(), [.., digit, b'-' | b'/'] if digit.is_ascii_digit());
    let behind = || without_marks(before).is_some_and(ends_with_card);
    whole(span, !day && (named || behind()))
}

/// Track data: its card is one (ISO/IEC 7813).
pub(super) fn track(text: &str) -> bool {
    let number = text.trim_start_matches(|char: char| !char.is_ascii_digit());
    let end = number
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(number.len());
    number.get(..end).is_some_and(card::is_card)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Filler;

    fn found(check: fn(&str, &Range<usize>) -> Option<Valid>, before: &str, text: &str) -> bool {
        let whole = format!("{before}{text}");
        check(&whole, &(before.len()..whole.len())).is_some()
    }

    #[test]
    fn a_code_is_one_beside_its_word_only() {
        for before in [
            "cvv ",
            "CVV: ",
            "cvc2=",
            "CVV code is ",
            "security code: ",
            "{\"cvv\": \"",
            "Kartenprüfnummer ",
            "\"security_code\":",
        ] {
            assert!(found(code, before, "123"), "{before}");
        }
        for before in [
            "",
            "order ",
            "cvv 123 and order ",
            "cvv must have at least ",
            "cvvx ",
            "if cvv < ",
        ] {
            assert!(!found(code, before, "123"), "{before}");
        }
    }

    #[test]
    fn a_card_its_month_and_a_code_are_a_triple() {
        let number = Filler::new(4).fill("{luhn:4:16}");
        for gap in ["|", " ", ", "] {
            for month in ["12/27", "12/2027", "1227", "12 27"] {
                let before = format!("{number}{gap}{month}{gap}");
                assert!(found(code_in_triple, &before, "123"), "{before}");
            }
            assert!(found(expiry, &format!("{number}{gap}"), "12/27"));
        }
        let grouped = format!(
            "{} {} {} {}",
            &number[..4],
            &number[4..8],
            &number[8..12],
            &number[12..]
        );
        assert!(found(code_in_triple, &format!("{grouped} 12/27 "), "123"));
        assert!(!found(code_in_triple, "1234567890123456 12/27 ", "123"));
        assert!(!found(code_in_triple, &format!("{number} 13/27 "), "123"));
        assert!(!found(code_in_triple, "12/27 ", "123") && !found(expiry, "on ", "12/27"));
        assert!(found(expiry, "Exp. date: ", "12/27") && found(expiry, "valid thru ", "12/27"));
    }
}
