//! Numbers of persons and taxpayers in the Americas.

use super::digits::{
    base36, chars, cross, date, digits, dot, luhn, mixed, number, shaped, two, values,
};

/// US individual taxpayer number: 9 and the groups that are given (IRS, Pub. 1915).
pub(super) fn us_itin(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        d[0] == 9 && matches!(two(d[3], d[4]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
    })
}

/// US employer number: a prefix that is given (IRS, "Valid EINs"). It has no
/// check digit.
pub(super) fn us_ein(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let never = matches!(
            two(d[0], d[1]),
            0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97
        );
        !never && mixed(&d)
    })
}

/// Canadian social insurance number: Luhn; 0 is never given, 8 is no person's.
pub(super) fn ca_sin(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| !matches!(d[0], 0 | 8) && mixed(&d) && luhn(&d))
}

fn brazilian(digits: &[u32], weights: &[u32]) -> Option<u32> {
    let rest = dot(digits, weights) % 11;
    Some(if rest < 2 { 0 } else { 11 - rest })
}

/// Brazilian person's number: two check digits (Receita Federal).
pub(super) fn br_cpf(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        mixed(&d)
            && brazilian(&d[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == Some(d[9])
            && brazilian(&d[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == Some(d[10])
    })
}

/// Brazilian company's number: two check digits (Receita Federal).
pub(super) fn br_cnpj(text: &str) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    digits::<14>(text).is_some_and(|d| {
        mixed(&d)
            && brazilian(&d[..12], &WEIGHTS[1..]) == Some(d[12])
            && brazilian(&d[..13], &WEIGHTS) == Some(d[13])
    })
}

/// Value of a character in a CURP: the alphabet has a letter more after N.
fn curp_value(byte: u8) -> u32 {
    base36(byte) + u32::from(byte > b'N')
}

/// Mexican population key: four letters, a day, sex, state, three letters
/// and a check digit (RENAPO).
pub(super) fn mx_curp(text: &str) -> bool {
    const STATES: &[u8] = b"ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE";
    let Some(c) = chars::<18>(text).filter(|c| shaped(c, b"AAAA999999AAAAAA*9")) else {
        return false;
    };
    let state = STATES.chunks_exact(2).any(|state| *state == c[11..13]);
    let sum: u32 = c[..17]
        .iter()
        .zip((2..=18).rev())
        .map(|(byte, weight)| curp_value(*byte) * weight)
        .sum();
    let day = values::<6>(&c[4..10])
        .is_some_and(|d| date(two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5])));
    day && matches!(c[10], b'H' | b'M' | b'X') && state && (10 - sum % 10) % 10 == base36(c[17])
}

/// Mexican tax number of a person: four letters, a day, two characters and a
/// check digit (SAT).
pub(super) fn mx_rfc(text: &str) -> bool {
    let Some(c) = chars::<13>(text).filter(|c| shaped(c, b"AAAA999999***")) else {
        return false;
    };
    let value = |byte: u8| base36(byte) + u32::from(byte > b'N');
    let sum: u32 = c[..12]
        .iter()
        .zip((2..=13).rev())
        .map(|(byte, weight)| value(*byte) * weight)
        .sum();
    let check = match (11 - sum % 11) % 11 {
        10 => b'A',
        rest => b'0' + u8::try_from(rest).unwrap_or(0),
    };
    let day = values::<6>(&c[4..10])
        .is_some_and(|d| date(two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5])));
    day && c[12] == check
}

/// Argentine tax number: kind of taxpayer, then mod 11 (AFIP).
pub(super) fn ar_cuit(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let kind = matches!(two(d[0], d[1]), 20 | 23 | 24 | 27 | 30 | 33 | 34);
        let rest = 11 - dot(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        let check = match rest {
            11 => 0,
            10 => 9,
            rest => rest,
        };
        kind && check == d[10]
    })
}

/// Chilean number: mod 11 with K for ten (Registro Civil).
pub(super) fn cl_rut(text: &str) -> bool {
    let eight = chars::<9>(text);
    let seven = chars::<8>(text).map(|c| [b'0', c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]);
    eight.or(seven).is_some_and(|c| {
        values::<8>(&c[..8]).is_some_and(|d| {
            let check = match 11 - dot(&d, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
                11 => b'0',
                10 => b'K',
                rest => b'0' + u8::try_from(rest).unwrap_or(0),
            };
            mixed(&d) && number(&d) >= 1_000_000 && c[8] == check
        })
    })
}

/// Mexican bank account (CLABE): weights 3, 7, 1 (Banxico).
pub(super) fn mx_clabe(text: &str) -> bool {
    digits::<18>(text).is_some_and(|d| {
        let sum: u32 = d[..17]
            .iter()
            .zip([3, 7, 1].into_iter().cycle())
            .map(|(digit, weight)| digit * weight % 10)
            .sum();
        mixed(&d) && (10 - sum % 10) % 10 == d[17]
    })
}

/// Ontario health card: Luhn over ten digits, with or without its version.
pub(super) fn ca_health(text: &str) -> bool {
    let numbers = text.trim_end_matches(|char: char| char.is_ascii_alphabetic() || char == ' ');
    let tail = numbers.trim_end_matches('-');
    digits::<10>(tail).is_some_and(|d| {
        d[0] != 0
            && mixed(&d)
            && cross(&d[..9], &[2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == (10 - d[9]) % 10
    })
}
