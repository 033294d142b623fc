//! Numbers of persons and taxpayers in eastern Europe.

use super::digits::{chars, cross, date, digits, dot, mixed, mod_11_10, number, shaped, two};

/// Polish number of a person: day with the century in the month, weights
/// 1 3 7 9 (Dz.U. 2010 nr 217 poz. 1427).
pub(super) fn pl_pesel(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = dot(&d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
        let day = date(two(d[0], d[1]), two(d[2], d[3]) % 20, two(d[4], d[5]));
        day && (10 - sum % 10) % 10 == d[10]
    })
}

/// Polish tax number: mod 11 (Ministerstwo Finansów).
pub(super) fn pl_nip(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        mixed(&d) && d[0] != 0 && dot(&d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == d[9]
    })
}

/// Polish business number of nine or fourteen digits: mod 11 (GUS).
pub(super) fn pl_regon(text: &str) -> bool {
    let nine = |d: &[u32]| dot(d, &[8, 9, 2, 3, 4, 5, 6, 7]) % 11 % 10;
    let short = digits::<9>(text).is_some_and(|d| mixed(&d) && nine(&d) == d[8]);
    short
        || digits::<14>(text).is_some_and(|d| {
            let sum = dot(&d, &[2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8]);
            mixed(&d) && nine(&d) == d[8] && sum % 11 % 10 == d[13]
        })
}

/// Polish identity card: three letters and six digits, the first of which
/// checks the rest.
pub(super) fn pl_id_card(text: &str) -> bool {
    chars::<9>(text)
        .filter(|c| shaped(c, b"AAA999999"))
        .is_some_and(|c| {
            let sum: u32 = c
                .iter()
                .zip([7, 3, 1, 9, 7, 3, 1, 7, 3])
                .map(|(byte, weight)| super::digits::base36(*byte) * weight)
                .sum();
            sum.is_multiple_of(10)
        })
}

/// Romanian number of a person: sex and century, day, county, mod 11.
pub(super) fn ro_cnp(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let rest = dot(&d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        let check = if rest == 10 { 1 } else { rest };
        let county = matches!(two(d[7], d[8]), 1..=48 | 51 | 52 | 70 | 80..=83);
        d[0] != 0
            && date(two(d[1], d[2]), two(d[3], d[4]), two(d[5], d[6]))
            && county
            && check == d[12]
    })
}

/// Czech and Slovak number of a person: day (plus 50, 20 or 70 in the month),
/// divisible by eleven.
pub(super) fn cz_birth(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let month = match two(d[2], d[3]) {
            month @ 1..=12 => month,
            month @ 21..=32 => month - 20,
            month @ 51..=62 => month - 50,
            month @ 71..=82 => month - 70,
            _ => return false,
        };
        let all = number(&d);
        let old = number(&d[..9]) % 11 == 10 && d[9] == 0;
        date(two(d[0], d[1]), month, two(d[4], d[5])) && (all.is_multiple_of(11) || old)
    })
}

/// Bulgarian number of a person: day with the century in the month, mod 11.
pub(super) fn bg_egn(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let month = match two(d[2], d[3]) {
            month @ 1..=12 => month,
            month @ 21..=32 => month - 20,
            month @ 41..=52 => month - 40,
            _ => return false,
        };
        let sum = dot(&d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]);
        date(two(d[0], d[1]), month, two(d[4], d[5])) && sum % 11 % 10 == d[9]
    })
}

/// Hungarian tax number of a person: 8, nine digits by their places, mod 11.
pub(super) fn hu_tax(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        d[0] == 8 && mixed(&d) && dot(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == d[9]
    })
}

/// Hungarian social security number: weights 3 and 7.
pub(super) fn hu_taj(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| mixed(&d) && dot(&d, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == d[8])
}

/// Croatian number of a person: ISO 7064.
pub(super) fn hr_oib(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| mixed(&d) && mod_11_10(&d))
}

/// Number of a person in the states of former Yugoslavia: day, region, mod 11.
pub(super) fn yu_jmbg(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let rest = 11 - dot(&d, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        let check = if rest > 9 { 0 } else { rest };
        let year = u32::try_from(number(&d[4..7])).unwrap_or(0);
        matches!(d[4], 0 | 8 | 9)
            && date(
                year + if d[4] == 0 { 2_000 } else { 1_000 },
                two(d[2], d[3]),
                two(d[0], d[1]),
            )
            && check == d[12]
    })
}

/// Turkish identity number: two check digits (NVİ).
pub(super) fn tr_tckn(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let odd = d[0] + d[2] + d[4] + d[6] + d[8];
        let even = d[1] + d[3] + d[5] + d[7];
        let tenth = (odd * 7 + 1_000 - even) % 10;
        d[0] != 0 && tenth == d[9] && (odd + even + d[9]) % 10 == d[10]
    })
}

/// Turkish plate: province, letters, digits.
pub(super) fn tr_plate(text: &str) -> bool {
    let province = text.get(..2).and_then(|two| two.parse::<u32>().ok());
    (6..=9).contains(&super::digits::count(text))
        && province.is_some_and(|province| (1..=81).contains(&province))
}

/// Israeli identity number: Luhn.
pub(super) fn il_id(text: &str) -> bool {
    digits::<9>(text)
        .is_some_and(|d| mixed(&d) && cross(&d, &[1, 2, 1, 2, 1, 2, 1, 2, 1]).is_multiple_of(10))
}
