//! Telephone numbers.

mod countries;

use std::ops::Range;

use super::{DIGITS_WITHIN_BYTES, Valid, cue};

/// Digits of a whole number (E.164), and of the shortest that a local one has.
const DIGITS_MAX: usize = 15;
pub(super) const LOCAL_DIGITS_MIN: usize = 6;
/// A number without groups is one of many things.
const BARE_DIGITS_MIN: usize = 7;
/// Bytes between a word and the number that it names.
const GAP_BYTES_MAX: usize = 24;

/// Words that name a number, in some languages.
static NAMES: cue::Cues = cue::Cues::new(&[
    "phone",
    "phones",
    "telephone",
    "tel",
    "mobile",
    "cell",
    "cellphone",
    "fax",
    "whatsapp",
    "phone number",
    "telefon",
    "telefonnummer",
    "rufnummer",
    "handy",
    "mobil",
    "téléphone",
    "portable",
    "teléfono",
    "telefono",
    "móvil",
    "cellulare",
    "telefone",
    "celular",
    "telefoon",
    "puhelin",
    "puh",
    "tlf",
    "電話",
    "电话",
    "전화",
]);
/// Words that may stand before other numbers as well.
static HINTS: cue::Cues = cue::Cues::new(&[
    "call",
    "calling",
    "dial",
    "reach",
    "text",
    "sms",
    "answering at",
    "contact",
    "anrufen",
    "appeler",
    "llamar",
    "chiamare",
    "ligar",
    "bellen",
]);

/// The digits of a number without its extension.
fn main_digits(text: &str) -> Vec<u8> {
    let main = text.find(|char: char| char.is_ascii_alphabetic() || char == '#');
    let main = main.and_then(|at| text.get(..at)).unwrap_or(text);
    main.bytes()
        .filter(u8::is_ascii_digit)
        .take(DIGITS_MAX + 4)
        .collect()
}

fn alike(digits: &[u8]) -> bool {
    digits.iter().all(|digit| Some(digit) == digits.first())
}

/// A number with its country, or one of ten digits as in North America: the
/// longest that the match begins with and that ends with a group.
pub(super) fn valid(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let before = text.as_bytes().get(..span.start)?;
    if matches!(before, [.., digit, b'.' | b'/' | b',' | b' '] if digit.is_ascii_digit())
        && !found.starts_with(['+', '('])
    {
        return None;
    }
    let bytes = found.as_bytes();
    let group_ends = (1..=found.len()).rev().filter(|end| {
        let last = bytes
            .get(end - 1)
            .is_some_and(|byte| byte.is_ascii_digit() || *byte == b')');
        let next = bytes.get(*end);
        last && next.is_none_or(|byte| !byte.is_ascii_digit() && *byte != b')')
    });
    let mut ends = group_ends.filter(|end| found.get(..*end).is_some_and(whole));
    let end = span.start + ends.next()?;
    let after = text.as_bytes().get(end..)?;
    // A fraction, a longer number or a row of numbers goes on.
    let row = !found.starts_with(['+', '(']);
    let inside = end == span.end
        && matches!(after, [gap, digit, ..] if digit.is_ascii_digit()
            && (*gap == b'.' || (row && matches!(gap, b' ' | b'-' | b'/'))));
    (!inside).then(|| Valid {
        end,
        looked: span.end
            + usize::from(
                end == span.end && matches!(after.first(), Some(b'.' | b' ' | b'-' | b'/')),
            ),
    })
}

fn whole(text: &str) -> bool {
    let digits = main_digits(text);
    if alike(&digits) {
        return false;
    }
    // `+44 (0)20 …`: the nought is not dialled.
    let trunk = text.contains("(0)");
    if text.starts_with('+') {
        return international(&digits, trunk);
    }
    match digits.strip_prefix(b"00") {
        Some(rest) => international(rest, trunk) || (rest.starts_with(b"1") && rest.len() == 11),
        None => (10..=12).contains(&digits.len()),
    }
}

fn international(digits: &[u8], trunk: bool) -> bool {
    countries::split(digits).is_some_and(|(country, national)| {
        let national = if trunk {
            national.strip_prefix(b"0").unwrap_or(national)
        } else {
            national
        };
        country.fits(national)
    })
}

/// A number that a word before or behind it names. A word behind it is in the
/// match, so that a stream waits for it, and not in the answer.
pub(super) fn named(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let digit = |char: char| char.is_ascii_digit() || char == ')';
    let last = found.rfind(digit)? + 1;
    let number = found.get(..last)?;
    let behind = found.len() > last && found.get(last..)?.len() > 2 && !extension(found);
    let number = if extension(found) { found } else { number };
    let digits = main_digits(number);
    let length = digits.len();
    // The cheapest first: most numbers are none of these.
    let long = (LOCAL_DIGITS_MIN..=DIGITS_MAX).contains(&length);
    let near = found.bytes().take(DIGITS_WITHIN_BYTES);
    let together = near.filter(u8::is_ascii_digit).count() >= LOCAL_DIGITS_MIN;
    if !long
        || !together
        || alike(&digits)
        || ruler(number)
        || other(number)
        || cut(text, span.start)
    {
        return None;
    }
    let grouped = number.bytes().any(|byte| !byte.is_ascii_digit());
    let before = text.get(..span.start)?;
    // On a line of its own, a bare number behind a bare word is a row of a
    // table.
    let led = |gap: &str| plain_gap(gap) && (grouped || !gap.contains('\n') || gap.contains(':'));
    let strong = || cue::gap_is(before, &NAMES, GAP_BYTES_MAX, led);
    let hint = || cue::gap_is(before, &HINTS, GAP_BYTES_MAX, hint_gap);
    let enough = match grouped {
        true => behind || strong() || hint(),
        false if length >= 10 => behind || strong() || hint(),
        false => length >= BARE_DIGITS_MIN && strong(),
    };
    enough.then_some(Valid {
        end: span.start + number.len(),
        looked: span.end,
    })
}

/// `1 2 3 4 5 6 7`: single digits alone.
fn ruler(number: &str) -> bool {
    let mut groups = number.split(|char: char| !char.is_ascii_digit());
    groups.all(|group| group.len() <= 1)
}

fn extension(found: &str) -> bool {
    let lower = found.to_ascii_lowercase();
    found
        .bytes()
        .last()
        .is_some_and(|byte| byte.is_ascii_digit())
        && lower.contains('x')
}

/// Between a word and its number stand no digits and no other sentence.
fn plain_gap(gap: &str) -> bool {
    !gap.contains(|char: char| char.is_ascii_digit() || matches!(char, ';' | '{' | '}' | '['))
}

/// Behind a verb only words that lead to a number: `call me at 555 …`.
fn hint_gap(gap: &str) -> bool {
    const WORDS: &[&str] = &[
        "me", "us", "him", "her", "them", "you", "at", "on", "back", "the", "number", "is", "it",
        "their", "our", "my", "under", "this", "to", "a", "using", "via",
    ];
    plain_gap(gap)
        && gap
            .split(|char: char| !char.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .all(|word| WORDS.contains(&word))
}

/// A number is no part of a longer one.
fn cut(text: &str, start: usize) -> bool {
    let before = text.as_bytes().get(..start).unwrap_or_default();
    matches!(before, [.., digit, b'.' | b'-' | b'/' | b':' | b','] if digit.is_ascii_digit())
}

/// A day, a network address, a time or an amount.
fn other(number: &str) -> bool {
    let groups = || number.split(['.', '-', ' ']).map(str::len);
    let day = groups().eq([4, 2, 2]) || (groups().eq([2, 2, 4]) && !number.contains(' '));
    let address = number.parse::<std::net::Ipv4Addr>().is_ok();
    let thousands = number.contains('.')
        && groups().skip(1).all(|length| length == 3)
        && groups().count() > 2
        && !number.contains([' ', '-', '('])
        && groups().next().is_some_and(|first| first < 3);
    let object = number.matches('.').count() > 4;
    day || object
        || address
        || thousands
        || (number.contains('.') && groups().count() == 2 && !number.contains([' ', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> Option<usize> {
        valid(text, &(0..text.len())).map(|valid| valid.end)
    }

    #[test]
    fn what_follows_a_number_is_no_part_of_it() {
        assert_eq!(length("+33 1 99 00 12 34 2026 17"), Some(17));
        assert_eq!(valid("1.415-555-0123", &(2..14)), None);
        assert_eq!(valid("415.555.0123.4", &(0..12)), None);
        assert_eq!(valid("06 12 34 56 78 90", &(0..14)), None);
    }

    #[test]
    fn numbers_of_countries_have_their_lengths() {
        for text in [
            "+49 30 901820123",
            "+1 415 555 0123",
            "+44 (0)20 7946 0958",
            "+33 1 99 00 12 34",
            "0049 30 901820123",
            "+1-415-555-0123x4567",
            "(415) 555-0123",
            "415.555.0123 ext. 12",
        ] {
            assert_eq!(length(text), Some(text.len()), "{text}");
        }
        for text in [
            "+1699999999999",
            "+1234567890",
            "+1 015 555 0123",
            "+999 123 4567",
            "+33 1 23",
            "+11111111111",
            "12345",
            "0000000000",
        ] {
            assert_eq!(length(text), None, "{text}");
        }
    }

    fn named_in(before: &str, number: &str, after: &str) -> Option<usize> {
        let text = format!("{before}{number}{after}");
        named(&text, &(before.len()..text.len())).map(|valid| valid.end - before.len())
    }

    #[test]
    fn a_local_number_needs_a_word_beside_it() {
        for (before, number, after) in [
            ("Phone: ", "782 2652", ""),
            ("you can call ", "33 93 31", ""),
            ("", "96 228011", " office"),
            ("x ", "2546712361", " fax"),
            ("Tel. ", "5551234", ""),
        ] {
            assert_eq!(
                named_in(before, number, after),
                Some(number.len()),
                "{number}"
            );
        }
        for (before, number, after) in [
            ("", "782 2652", ""),
            ("call ", "1234567", ""),
            ("Phone: ", "2026-11-23", ""),
            ("Phone: ", "23.11.2026", ""),
            ("phone 12, then ", "782 2652", ""),
            ("tel: 1.", "782 2652", ""),
            ("call ", "10.20.30.40", ""),
            ("", "1234567", " office"),
            ("Acme Mobile\n", "3538990", "|x"),
            ("tel: ", "1 2 3 4 5 6 7", ""),
        ] {
            assert_eq!(
                named_in(before, number, after),
                None,
                "{before}{number}{after}"
            );
        }
    }
}
