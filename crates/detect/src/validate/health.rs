//! Numbers of patients and of those who treat them.

use super::digits::{chars, digits, dot, luhn, mixed, shaped, values};

/// US provider number: Luhn behind 80840 (CMS).
pub(super) fn us_npi(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let prefixed = [
            8, 0, 8, 4, 0, d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9],
        ];
        matches!(d[0], 1 | 2) && mixed(&d) && luhn(&prefixed)
    })
}

/// US prescriber's number: kind of registrant, initial, seven digits (DEA).
pub(super) fn us_dea(text: &str) -> bool {
    chars::<9>(text)
        .filter(|c| {
            (shaped(c, b"AA9999999") || shaped(c, b"A99999999"))
                && b"ABCDEFGHJKLMPRSTUX".contains(&c[0])
        })
        .filter(|c| c[1].is_ascii_uppercase() || c[1] == b'9')
        .and_then(|c| values::<7>(&c[2..]))
        .is_some_and(|d| mixed(&d) && dot(&d, &[1, 2, 1, 2, 1, 2]) % 10 == d[6])
}

/// US Medicare number: its form has no letter that can be taken for a digit
/// (CMS, "Understanding the MBI").
pub(super) fn us_mbi(text: &str) -> bool {
    chars::<11>(text)
        .filter(|c| shaped(c, b"9A*9A*9AA99"))
        .is_some_and(|c| c[0] != b'0' && c.iter().all(|byte| !b"SLOIBZ".contains(byte)))
}

/// UK health service number: mod 11 (NHS data dictionary).
pub(super) fn gb_nhs(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let check = 11 - dot(&d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        mixed(&d) && check % 11 == d[9] && check != 10
    })
}
