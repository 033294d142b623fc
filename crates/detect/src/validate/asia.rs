//! Numbers of persons and taxpayers in Asia.

use super::digits::{
    base36, chars, date, digits, dot, luhn, mixed, number, shaped, two, values, verhoeff,
};

/// Indian Aadhaar: no palindrome, Verhoeff (UIDAI).
pub(super) fn in_aadhaar(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let palindrome = d.iter().eq(d.iter().rev());
        d[0] > 1 && mixed(&d) && !palindrome && verhoeff(&d)
    })
}

/// Indian tax account: three letters, the kind of holder, a letter, four
/// digits, a letter (Income Tax Department).
pub(super) fn in_pan(text: &str) -> bool {
    chars::<10>(text)
        .filter(|c| shaped(c, b"AAAAA9999A"))
        .is_some_and(|c| b"PCHABFGJLTK".contains(&c[3]) && c[5..9] != *b"0000")
}

/// Indian goods and services tax number: state, tax account, and a check
/// character (GSTN).
pub(super) fn in_gstin(text: &str) -> bool {
    let Some(c) = chars::<15>(text)
        .filter(|c| shaped(c, b"99AAAAA9999A*A*") || shaped(c, b"99AAAAA9999A***"))
    else {
        return false;
    };
    let state = values::<2>(&c[..2]).is_some_and(|d| matches!(two(d[0], d[1]), 1..=38 | 97 | 99));
    let sum: u32 = c
        .iter()
        .zip([1, 2].into_iter().cycle())
        .take(14)
        .map(|(byte, weight)| base36(*byte) * weight)
        .map(|product| product / 36 + product % 36)
        .sum();
    state && c[12] != b'0' && (36 - sum % 36) % 36 == base36(c[14])
}

/// Indian voter card: three letters, six digits and Luhn (ECI).
pub(super) fn in_voter(text: &str) -> bool {
    chars::<10>(text)
        .filter(|c| shaped(c, b"AAA9999999"))
        .and_then(|c| values::<7>(&c[3..]))
        .is_some_and(|d| luhn(&d))
}

/// Singapore number of a person, citizen or foreigner (ICA).
pub(super) fn sg_nric(text: &str) -> bool {
    chars::<9>(text)
        .filter(|c| shaped(c, b"A9999999A"))
        .is_some_and(|c| {
            let (alphabet, offset): (&[u8; 11], u32) = match c[0] {
                b'S' => (b"JZIHGFEDCBA", 0),
                b'T' => (b"JZIHGFEDCBA", 4),
                b'F' => (b"XWUTRQPNMLK", 0),
                b'G' => (b"XWUTRQPNMLK", 4),
                b'M' => (b"XWUTRQPNJLK", 3),
                _ => return false,
            };
            values::<7>(&c[1..8]).is_some_and(|d| {
                let rest = (dot(&d, &[2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
                let rest = if c[0] == b'M' { 10 - rest } else { rest };
                let alphabet: &[u8; 11] = if c[0] == b'M' {
                    b"KLJNPQRTUWX"
                } else {
                    alphabet
                };
                alphabet.get(rest as usize) == Some(&c[8])
            })
        })
}

/// Singapore entity number: business, local company or other (ACRA).
pub(super) fn sg_uen(text: &str) -> bool {
    const BUSINESS: &[u8; 11] = b"XMKECAWLJDB";
    const LOCAL: &[u8; 11] = b"ZKCMDNERGWH";
    const OTHER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
    let business = chars::<9>(text).is_some_and(|c| {
        values::<8>(&c[..8]).is_some_and(|d| {
            let rest = dot(&d, &[10, 4, 9, 3, 8, 2, 7, 1]) % 11;
            BUSINESS.get(rest as usize) == Some(&c[8])
        })
    });
    let Some(c) = chars::<10>(text) else {
        return business;
    };
    let local = values::<9>(&c[..9]).is_some_and(|d| {
        let rest = dot(&d, &[10, 8, 6, 4, 9, 7, 5, 3, 1]) % 11;
        LOCAL.get(rest as usize) == Some(&c[9])
    });
    let place = |byte: u8| OTHER.iter().position(|other| *other == byte).unwrap_or(0);
    let sum: usize = c[..9]
        .iter()
        .zip([4, 3, 5, 3, 10, 2, 2, 5, 7])
        .map(|(byte, weight)| place(*byte) * weight)
        .sum();
    let other = shaped(&c, b"A99AA9999A")
        && b"RST".contains(&c[0])
        && OTHER.get((sum + 6) % 11) == Some(&c[9]);
    local || other
}

/// South Korean number of a resident or foreigner: day, sex and century. Since
/// October 2020 the rest has no meaning (MOIS).
pub(super) fn kr_rrn(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        (1..=8).contains(&d[6])
            && date(two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5]))
            && mixed(&d[6..])
    })
}

/// South Korean business number: weights 1 3 7 (NTS).
pub(super) fn kr_brn(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let sum = dot(&d, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + d[8] * 5 / 10;
        number(&d[..3]) > 100 && number(&d[3..5]) > 0 && (10 - sum % 10) % 10 == d[9]
    })
}

/// South Korean driving licence: region and year.
pub(super) fn kr_licence(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| matches!(two(d[0], d[1]), 11..=26 | 28) && mixed(&d))
}

/// Thai number of a person or taxpayer: mod 11 (DOPA).
pub(super) fn th_tnin(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let sum = dot(&d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
        !matches!(d[0], 0 | 9) && mixed(&d) && (11 - sum % 11) % 10 == d[12]
    })
}

/// Chinese number of a resident: place, day, serial, mod 11 with X for ten
/// (GB 11643-1999).
pub(super) fn cn_resident(text: &str) -> bool {
    const CHECKS: &[u8; 11] = b"10X98765432";
    let Some(c) = chars::<18>(text) else {
        return false;
    };
    values::<17>(&c[..17]).is_some_and(|d| {
        let sum = dot(&d, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
        let year = u32::try_from(number(&d[6..10])).unwrap_or(0);
        matches!(two(d[0], d[1]), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
            && (1900..2100).contains(&year)
            && date(year, two(d[10], d[11]), two(d[12], d[13]))
            && CHECKS.get((sum % 11) as usize) == Some(&c[17])
    })
}

/// Japanese number of a person: mod 11 (MIC ordinance 85 of 2014).
pub(super) fn jp_individual(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let rest = dot(&d, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        let check = if rest < 2 { 0 } else { 11 - rest };
        mixed(&d) && check == d[11]
    })
}

/// Taiwanese number of a person: a letter as two digits, mod 10.
pub(super) fn tw_id(text: &str) -> bool {
    // The order in which the letters were given their numbers from 10 on.
    const LETTERS: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some(c) = chars::<10>(text).filter(|c| shaped(c, b"A999999999")) else {
        return false;
    };
    let Some(place) = LETTERS.iter().position(|letter| *letter == c[0]) else {
        return false;
    };
    let head = u32::try_from(place).unwrap_or(0) + 10;
    values::<9>(&c[1..]).is_some_and(|d| {
        let sum = head / 10 + head % 10 * 9 + dot(&d, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
        matches!(d[0], 1 | 2 | 8 | 9) && sum.is_multiple_of(10)
    })
}

/// Hong Kong identity card: one or two letters, six digits, mod 11.
pub(super) fn hk_id(text: &str) -> bool {
    let one =
        chars::<8>(text).map(|c| (36, base36(c[0]), [c[1], c[2], c[3], c[4], c[5], c[6], c[7]]));
    let two = chars::<9>(text).map(|c| {
        (
            base36(c[0]),
            base36(c[1]),
            [c[2], c[3], c[4], c[5], c[6], c[7], c[8]],
        )
    });
    one.or(two).is_some_and(|(first, second, tail)| {
        let check = if tail[6] == b'A' { 10 } else { base36(tail[6]) };
        first > 9
            && second > 9
            && check < 11
            && values::<6>(&tail[..6]).is_some_and(|d| {
                let sum = first * 9 + second * 8 + dot(&d, &[7, 6, 5, 4, 3, 2]) + check;
                sum.is_multiple_of(11)
            })
    })
}

/// Malaysian identity card: a day and a place (JPN).
pub(super) fn my_nric(text: &str) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let place = two(d[6], d[7]);
        let known = !matches!(place, 0 | 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97);
        known && date(two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5]))
    })
}

/// Philippine tax number: nine or twelve digits; its sum is not published.
pub(super) fn ph_tin(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| mixed(&d)) || digits::<12>(text).is_some_and(|d| mixed(&d))
}

/// Indonesian number of a person: place, day (plus 40 of women), serial
/// (Dukcapil).
pub(super) fn id_nik(text: &str) -> bool {
    digits::<16>(text).is_some_and(|d| {
        let day = two(d[6], d[7]);
        let day = if day > 40 { day - 40 } else { day };
        matches!(two(d[0], d[1]), 11..=21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97)
            && date(two(d[10], d[11]), two(d[8], d[9]), day)
            && number(&d[12..]) > 0
    })
}
