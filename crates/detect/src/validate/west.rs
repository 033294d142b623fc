//! Numbers of persons and taxpayers in western and southern Europe.

use super::digits::{
    base36, chars, count, cross, date, digits, dot, mixed, mod_11_10, number, shaped, two, values,
};

/// Letters that check a Spanish number: the rest of its division by 23.
const SPANISH: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
/// Irish check letters, by the rest of the division by 23.
const IRISH: &[u8; 23] = b"WABCDEFGHIJKLMNOPQRSTUV";

fn letter(alphabet: &[u8], rest: u64) -> Option<u8> {
    usize::try_from(rest)
        .ok()
        .and_then(|rest| alphabet.get(rest))
        .copied()
}

/// UK tax reference: weights 6 7 8 9 10 5 4 3 2, mod 11, of a table (HMRC).
pub(super) fn gb_utr(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let rest = dot(&d[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
        let check = match rest {
            0 => 2,
            1 => 1,
            rest => 11 - rest,
        };
        mixed(&d) && d[0] == check
    })
}

/// UK national insurance number: prefixes that are given (HMRC, NIM39110).
pub(super) fn gb_nino(text: &str) -> bool {
    chars::<9>(text)
        .filter(|c| shaped(c, b"AA999999A"))
        .is_some_and(|c| {
            let never =
                [*b"BG", *b"GB", *b"NK", *b"KN", *b"TN", *b"NT", *b"ZZ"].contains(&[c[0], c[1]]);
            !b"DFIQUV".contains(&c[0]) && !b"DFIOQUV".contains(&c[1]) && !never && c[8] <= b'D'
        })
}

/// UK driving licence: name, decade, month (plus 50 of women), day, year
/// (DVLA).
pub(super) fn gb_licence(text: &str) -> bool {
    chars::<16>(text)
        .filter(|c| shaped(c, b"*****999999***AA"))
        .is_some_and(|c| {
            let name = &c[..5];
            let letters = name
                .iter()
                .take_while(|byte| byte.is_ascii_uppercase())
                .count();
            let padded = name.iter().skip(letters).all(|byte| *byte == b'9');
            let Some(d) = values::<6>(&c[5..11]) else {
                return false;
            };
            let month = two(d[1], d[2]) % 50;
            let initials = |byte: u8| byte.is_ascii_uppercase() || byte == b'9';
            letters > 0
                && padded
                && d[1] != 2
                && d[1] != 3
                && d[1] != 4
                && date(two(d[0], d[5]), month, two(d[3], d[4]))
                && initials(c[11])
                && initials(c[12])
        })
}

/// German tax number of a person: one digit twice or three times among the
/// first ten, ISO 7064 (BZSt).
pub(super) fn de_tax_id(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let times = |digit: u32| d[..10].iter().filter(|other| **other == digit).count();
        let often = (0..10).filter(|digit| times(*digit) > 1).count();
        let most = (0..10).map(times).max().unwrap_or(0);
        d[0] != 0 && often == 1 && most <= 3 && mod_11_10(&d)
    })
}

/// Whether the last digit checks the others with weights 7, 3, 1, letters as
/// 10 to 35 (ICAO 9303).
pub(super) fn icao(c: &[u8]) -> bool {
    let Some((check, body)) = c.split_last() else {
        return false;
    };
    let sum: u32 = body
        .iter()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(byte, weight)| base36(*byte) * weight)
        .sum();
    check.is_ascii_digit() && sum % 10 == base36(*check)
}

/// German identity card or passport: letters that cannot be taken for others,
/// with or without its check digit (PAuswV, annex 4).
pub(super) fn de_id_card(text: &str) -> bool {
    const ALPHABET: &[u8] = b"CFGHJKLMNPRTVWXYZ0123456789";
    let form = |c: &[u8]| {
        c.first().is_some_and(u8::is_ascii_uppercase)
            && c.iter().all(|byte| ALPHABET.contains(byte))
            && c.iter().any(u8::is_ascii_digit)
    };
    chars::<9>(text).is_some_and(|c| form(&c))
        || chars::<10>(text).is_some_and(|c| form(&c[..9]) && icao(&c))
}

/// A letter as two digits, before or in the digits.
fn spelled(byte: u8) -> [u32; 2] {
    let place = u32::from(byte.wrapping_sub(b'A')) + 1;
    [place / 10, place % 10]
}

/// German pension number: area, birthday, letter, serial, check (VKVV, section 2).
pub(super) fn de_pension(text: &str) -> bool {
    let Some(c) = chars::<12>(text).filter(|c| shaped(c, b"99999999A999")) else {
        return false;
    };
    let (Some(head), Some(tail)) = (values::<8>(&c[..8]), values::<3>(&c[9..])) else {
        return false;
    };
    let [tens, ones] = spelled(c[8]);
    let all = [
        head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7], tens, ones,
        tail[0], tail[1],
    ];
    let day = two(head[2], head[3]);
    let day = if day > 50 { day - 50 } else { day };
    date(two(head[6], head[7]), two(head[4], head[5]), day)
        && cross(&all, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]) % 10 == tail[2]
}

/// German health insurance number: a letter and nine digits (GKV-SV).
pub(super) fn de_health(text: &str) -> bool {
    let Some(c) = chars::<10>(text).filter(|c| shaped(c, b"A999999999")) else {
        return false;
    };
    let [tens, ones] = spelled(c[0]);
    values::<9>(&c[1..]).is_some_and(|d| {
        let all = [tens, ones, d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]];
        cross(&all, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == d[8]
    })
}

/// German doctor's number: weights 4 and 9 (KBV, LANR guideline).
pub(super) fn de_doctor(text: &str) -> bool {
    digits::<9>(text)
        .is_some_and(|d| mixed(&d) && (10 - dot(&d[..6], &[4, 9, 4, 9, 4, 9]) % 10) % 10 == d[6])
}

/// German VAT number: ISO 7064 (BZSt).
pub(super) fn de_vat(text: &str) -> bool {
    let plain = text.strip_prefix("DE").unwrap_or(text);
    digits::<9>(plain).is_some_and(|d| d[0] != 0 && mixed(&d) && mod_11_10(&d))
}

/// German driving licence: weights 9 to 2 and X for ten (FeV, annex 8).
pub(super) fn de_licence(text: &str) -> bool {
    chars::<11>(text)
        .filter(|c| shaped(c, b"*99******9*") || shaped(c, b"*99*******A"))
        .is_some_and(|c| {
            let sum: u32 = c[..9]
                .iter()
                .zip((1..=9).rev())
                .map(|(byte, weight)| base36(*byte) * weight)
                .sum();
            let check = match sum % 11 {
                10 => b'X',
                rest => b'0' + u8::try_from(rest).unwrap_or(0),
            };
            c[9] == check && c.iter().any(u8::is_ascii_uppercase)
        })
}

/// Spanish number of a person, Spaniard or foreigner: mod 23.
pub(super) fn es_nif(text: &str) -> bool {
    let Some(c) = chars::<9>(text) else {
        return false;
    };
    let head = match c[0] {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        digit @ b'0'..=b'9' => u64::from(digit - b'0'),
        _ => return false,
    };
    values::<7>(&c[1..8]).is_some_and(|d| {
        mixed(&d) && letter(SPANISH, (head * 10_000_000 + number(&d)) % 23) == Some(c[8])
    })
}

/// French number of a person: sex, year, month, place, serial, mod 97 (INSEE).
pub(super) fn fr_nir(text: &str) -> bool {
    let Some(mut c) = chars::<15>(text) else {
        return false;
    };
    // Corsica: 2A counts as 19, 2B as 18.
    match [c[5], c[6]] {
        [b'2', b'A'] => [c[5], c[6]] = [b'1', b'9'],
        [b'2', b'B'] => [c[5], c[6]] = [b'1', b'8'],
        _ => {}
    }
    values::<15>(&c).is_some_and(|d| {
        let month = two(d[3], d[4]);
        let key = 97 - number(&d[..13]) % 97;
        matches!(d[0], 1..=4 | 7 | 8)
            && matches!(month, 1..=12 | 20..=42 | 50..=99)
            && number(&d[5..7]) > 0
            && key == number(&d[13..])
    })
}

/// Italian fiscal code: six letters, year, month, day, place, and a letter that
/// checks the rest; digits may be written as letters (DM 23.12.1976).
pub(super) fn it_fiscal(text: &str) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3,
        6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";
    const WRITTEN: &[u8; 10] = b"LMNPQRSTUV";
    let Some(c) = chars::<16>(text).filter(|c| shaped(c, b"AAAAAA**A**A***A")) else {
        return false;
    };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        _ => WRITTEN
            .iter()
            .position(|written| *written == byte)
            .and_then(|place| u32::try_from(place).ok()),
    };
    let (Some(y1), Some(y2), Some(d1), Some(d2)) =
        (digit(c[6]), digit(c[7]), digit(c[9]), digit(c[10]))
    else {
        return false;
    };
    let place = c[12..15].iter().all(|byte| digit(*byte).is_some());
    let Some(month) = MONTHS.iter().position(|month| *month == c[8]) else {
        return false;
    };
    let month = u32::try_from(month).unwrap_or(0) + 1;
    let even = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte - b'A'),
    };
    let odd = |byte: u8| ODD.get(base36(byte) as usize).copied().unwrap_or(0);
    let sum: u32 = c[..15]
        .iter()
        .enumerate()
        .map(|(at, byte)| if at % 2 == 0 { odd(*byte) } else { even(*byte) })
        .sum();
    place && date(two(y1, y2), month, two(d1, d2) % 40) && sum % 26 == even(c[15])
}

/// Dutch citizen's number: the eleven test (RvIG).
pub(super) fn nl_bsn(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let sum = dot(&d, &[9, 8, 7, 6, 5, 4, 3, 2]);
        mixed(&d) && sum % 11 == d[8]
    })
}

/// Belgian number of a person: birthday, serial, mod 97 (Rijksregister).
pub(super) fn be_national(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let (serial, key) = (number(&d[..9]), number(&d[9..]));
        let old = 97 - serial % 97 == key;
        let new = 97 - (2_000_000_000 + serial) % 97 == key;
        let month = two(d[2], d[3]) % 20;
        let day = two(d[4], d[5]);
        (old || new)
            && number(&d[6..9]) > 0
            && (month == 0 || day == 0 || date(two(d[0], d[1]), month, day))
    })
}

/// Swiss insured person's number: 756 and the check of a barcode (ZAS).
pub(super) fn ch_ahv(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let sum = dot(&d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
        number(&d[..3]) == 756 && mixed(&d[3..]) && (10 - sum % 10) % 10 == d[12]
    })
}

/// Austrian insured person's number: serial, check, birthday (DVSV).
pub(super) fn at_svnr(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let sum = dot(&d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
        let month = two(d[6], d[7]);
        // Where a day is used up, months 13 to 15 are given.
        let month = if month > 12 { month - 12 } else { month };
        d[0] != 0 && sum == d[3] && date(two(d[8], d[9]), month, two(d[4], d[5]))
    })
}

/// Portuguese tax number: mod 11 (Autoridade Tributária).
pub(super) fn pt_nif(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let rest = dot(&d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        let check = if rest < 2 { 0 } else { 11 - rest };
        !matches!(d[0], 0 | 4) && mixed(&d) && check == d[8]
    })
}

/// Irish public service number: seven digits and one or two letters.
pub(super) fn ie_pps(text: &str) -> bool {
    let (c, second) = match (chars::<8>(text), chars::<9>(text)) {
        (Some(c), _) => (c, 0),
        (None, Some(c)) => match c[8] {
            b'A'..=b'I' => (
                [c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]],
                base36(c[8]) - 9,
            ),
            b'W' => ([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]], 0),
            _ => return false,
        },
        (None, None) => return false,
    };
    values::<7>(&c[..7]).is_some_and(|d| {
        let sum = dot(&d, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
        mixed(&d) && letter(IRISH, u64::from(sum % 23)) == Some(c[7])
    })
}

/// Greek insured person's number: birthday and Luhn (IDIKA).
pub(super) fn gr_amka(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        date(two(d[4], d[5]), two(d[2], d[3]), two(d[0], d[1])) && super::digits::luhn(&d)
    })
}

/// Greek tax number: powers of two, mod 11 (AADE).
pub(super) fn gr_afm(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let sum = dot(&d, &[256, 128, 64, 32, 16, 8, 4, 2]);
        mixed(&d) && sum % 11 % 10 == d[8]
    })
}

/// Italian VAT number: office and Luhn (Agenzia delle Entrate).
pub(super) fn it_vat(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let office = number(&d[7..10]);
        number(&d[..7]) > 0
            && (matches!(office, 1..=100 | 120 | 121 | 888 | 999))
            && super::digits::luhn(&d)
    })
}

/// Letters and digits that no word is: at least four digits.
pub(super) fn numbered(text: &str) -> bool {
    let numbers = text.bytes().filter(u8::is_ascii_digit).count();
    let first = text.bytes().find(u8::is_ascii_digit);
    let alike = text
        .bytes()
        .filter(u8::is_ascii_digit)
        .all(|byte| Some(byte) == first);
    (4..=20).contains(&count(text)) && numbers >= 4 && numbers * 2 >= count(text) && !alike
}
