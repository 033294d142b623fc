//! What stands with a card: the code on its back, its last month, its track.

use std::ops::Range;

use super::{Valid, card, cue};

/// Bytes between a word and the code that it names.
const CODE_GAP_BYTES_MAX: usize = 24;
/// Bytes before a code in which a card and its month may stand.
const CARD_BYTES_MAX: usize = 60;
/// LIMIT: digits of a card.
const CARD_DIGITS_MAX: usize = 19;
const CARD_DIGITS_MIN: usize = 12;

const CODE_CUES: &[&str] = &[
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
];
/// Words that may stand between: `CVV code is 123`.
const CODE_WORDS: &[&str] = &[
    "code", "number", "no", "nr", "is", "value", "of", "the", "my", "on", "card", "ist", "es",
    "est", "lautet", "was", "and", "it's", "its", "it", "visuel", "data", "text", "string", "val",
];

const MONTH_CUES: &[&str] = &[
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
];

fn whole(span: &Range<usize>, fits: bool) -> Option<Valid> {
    fits.then_some(Valid {
        end: span.end,
        looked: span.end,
    })
}

/// Groups of digits before a place, the nearest first, and what stands right
/// before the place.
fn groups(before: &str) -> impl Iterator<Item = &str> {
    let mut from = before.len().saturating_sub(CARD_BYTES_MAX);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    before
        .get(from..)
        .unwrap_or_default()
        .rsplit(|char: char| !char.is_ascii_digit())
        .filter(|group| !group.is_empty())
}

/// Whether groups of digits, the nearest first, begin with a card's number.
fn is_card<'a>(groups: impl Iterator<Item = &'a str>) -> bool {
    let mut number = String::new();
    for group in groups {
        number.insert_str(0, group);
        if number.len() > CARD_DIGITS_MAX {
            return false;
        }
        if number.len() >= CARD_DIGITS_MIN && card::is_card(&number) {
            return true;
        }
    }
    false
}

/// Whether groups of digits, the nearest first, are a month and a year of a
/// card; how many of them.
fn month(groups: &[&str]) -> Option<usize> {
    let month = |text: &str| matches!(text.parse::<u32>(), Ok(1..=12)) && text.len() == 2;
    let year = |text: &str| {
        (text.len() == 2 || (text.len() == 4 && text.starts_with("20")))
            && text.parse::<u32>().is_ok()
    };
    match groups {
        [both, ..] if both.len() == 4 && both.get(..2).is_some_and(month) => Some(1),
        [last, first, ..] if month(first) && year(last) => Some(2),
        _ => None,
    }
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
        cue::gap_is(before, CODE_CUES, CODE_GAP_BYTES_MAX, plain),
    )
}

/// The code behind a card's number and month, where no word says so.
pub(super) fn code_in_triple(text: &str, span: &Range<usize>) -> Option<Valid> {
    let before = text.get(..span.start)?;
    // Almost no number has a digit so near before it and a card before that.
    let near = before.trim_end_matches([' ', ',', ';', '|', '/', ':', '\t']);
    if before.len() - near.len() > 3
        || near.len() == before.len()
        || !near.ends_with(|char: char| char.is_ascii_digit())
    {
        return None;
    }
    let all: Vec<&str> = groups(before).collect();
    let behind = month(&all).and_then(|count| all.get(count..))?;
    whole(span, is_card(behind.iter().copied()))
}

/// The last month of a card, behind a word or a card's number.
pub(super) fn expiry(text: &str, span: &Range<usize>) -> Option<Valid> {
    let before = text.get(..span.start)?;
    let named = cue::gap_is(before, MONTH_CUES, CODE_GAP_BYTES_MAX, |gap| {
        !gap.contains(|char: char| char.is_ascii_digit() || matches!(char, '{' | '}' | '<' | '>'))
    });
    whole(span, named || is_card(groups(before)))
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
