//! Validators: what a pattern alone cannot tell.

use serde::Deserialize;

/// A check of a match. Where a shorter text is the true match (a card followed
/// by its expiry), the length of that is the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validator {
    /// The pattern is enough.
    #[default]
    None,
    /// A payment card: brand by first digits, length of the brand, Luhn.
    Card,
    /// A US social security number: no area, group or serial that is never given.
    Ssn,
    /// An IBAN: length of the country, mod 97.
    Iban,
    /// A telephone number: as many digits as one can have, not all alike.
    Phone,
    /// A secret: enough different characters.
    Entropy,
    /// A JSON web token: its header begins a JSON object.
    Jwt,
}

impl Validator {
    /// The length of the part of `text` that is valid, if any is. `after` is
    /// what follows the match.
    pub(crate) fn accept(self, text: &str) -> Option<usize> {
        match self {
            Self::None => Some(text.len()),
            Self::Card => card(text),
            Self::Ssn => ssn(text).then_some(text.len()),
            Self::Iban => iban(text),
            Self::Phone => phone(text).then_some(text.len()),
            Self::Entropy => varied(text).then_some(text.len()),
            Self::Jwt => text.starts_with("eyJ").then_some(text.len()),
        }
    }
}

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

/// The longest valid card number that the text begins with.
fn card(text: &str) -> Option<usize> {
    let mut digits = String::new();
    let mut best = None;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if !byte.is_ascii_digit() {
            continue;
        }
        digits.push(char::from(byte));
        let ends = bytes.peek().is_none_or(|(_, next)| !next.is_ascii_digit());
        let dull = digits
            .bytes()
            .skip(1)
            .all(|digit| Some(&digit) == digits.as_bytes().first());
        if ends && !dull && brand_fits(&digits) && luhn(&digits) {
            best = Some(at + 1);
        }
    }
    best
}

fn ssn(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| {
        digits
            .get(from..to)
            .and_then(|part| part.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let (area, group, serial) = (part(0, 3), part(3, 5), part(5, 9));
    digits.len() == 9 && area != 0 && area != 666 && area < 900 && group != 0 && serial != 0
}

/// Length of an IBAN by country (the SWIFT registry).
pub(crate) fn iban_length(country: &str) -> Option<usize> {
    const LENGTHS: &[(usize, &str)] = &[
        (15, "NO"),
        (16, "BE"),
        (18, "DK FI FK FO GL NL SD"),
        (19, "MK SI"),
        (20, "AT BA EE KZ LT LU MN XK"),
        (21, "CH HR LI LV"),
        (22, "BG BH CR DE GB GE IE ME RS VA"),
        (23, "AE GI IL IQ OM SO TL"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
        (25, "LY PT ST"),
        (26, "IS TR"),
        (27, "BI DJ FR GR IT MC MR SM"),
        (28, "AL AZ BY CY DO GT HU LB NI PL SV"),
        (29, "BR EG PS QA UA"),
        (30, "JO KW MU YE"),
        (31, "MT SC"),
        (32, "LC"),
        (33, "RU"),
    ];
    LENGTHS
        .iter()
        .find(|(_, countries)| countries.split(' ').any(|known| known == country))
        .map(|(length, _)| *length)
}

/// The length of the valid IBAN that the text begins with, blanks included.
pub(crate) fn iban(text: &str) -> Option<usize> {
    let wanted = iban_length(&text.get(..2)?.to_ascii_uppercase())?;
    let mut plain = String::new();
    let mut end = 0;
    for (at, char) in text.char_indices() {
        if char.is_ascii_alphanumeric() {
            plain.push(char.to_ascii_uppercase());
            end = at + 1;
        }
        if plain.len() == wanted {
            break;
        }
    }
    if plain.len() != wanted {
        return None;
    }
    let (head, body) = plain.split_at_checked(4)?;
    let rest = body
        .chars()
        .chain(head.chars())
        .try_fold(0_u32, |rest, char| {
            let value = char.to_digit(36)?;
            Some(if value > 9 {
                (rest * 100 + value) % 97
            } else {
                (rest * 10 + value) % 97
            })
        });
    (rest == Some(1)).then_some(end)
}

fn phone(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    let alike = digits.windows(2).all(|pair| pair.first() == pair.last());
    (10..=15).contains(&digits.len()) && !alike
}

/// Whether a text is varied enough for a secret.
fn varied(text: &str) -> bool {
    let mut seen = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = seen.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let kinds = seen.iter().filter(|count| **count > 0).count();
    let most = seen.iter().copied().max().unwrap_or(0) as usize;
    kinds * 3 >= text.len().min(36) && most * 3 <= text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Filler;

    #[test]
    fn a_card_is_found_whole_with_or_without_what_follows() {
        let mut filler = Filler::new(1);
        for (first, length) in [
            ("4", 16),
            ("51", 16),
            ("37", 15),
            ("6011", 16),
            ("4", 19),
            ("2221", 16),
            ("36", 14),
        ] {
            let number = filler.fill(&format!("{{luhn:{first}:{length}}}"));
            assert_eq!(card(&number), Some(length), "{first}");
            let broken = format!(
                "{}{}",
                &number[..length - 1],
                (number.as_bytes()[length - 1] - b'0' + 1) % 10
            );
            assert_eq!(card(&broken), None, "{first}");
        }
        let number = filler.fill("{luhn:4:16}");
        assert_eq!(card(&format!("{number} 12")), Some(16));
        assert_eq!(card("4444444444444444"), None);
    }

    #[test]
    fn ibans_of_every_country_check() {
        let mut filler = Filler::new(2);
        for country in ["DE", "NO", "GB", "MT", "FR"] {
            let iban_text = filler.fill(&format!("{{iban:{country}}}"));
            assert_eq!(iban(&iban_text), Some(iban_text.len()));
            let spaced: String = iban_text
                .as_bytes()
                .chunks(4)
                .map(|chunk| format!("{} ", std::str::from_utf8(chunk).unwrap()))
                .collect();
            assert_eq!(iban(&spaced), Some(spaced.trim_end().len()));
            assert_eq!(iban(&iban_text.replacen(country, "XX", 1)), None);
        }
    }

    #[test]
    fn numbers_that_nobody_has_are_no_ssn() {
        assert!(ssn("123-45-6789") && ssn("123 45 6789"));
        for never in [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
        ] {
            assert!(!ssn(never), "{never}");
        }
    }
}
