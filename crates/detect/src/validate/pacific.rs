//! Numbers of persons and taxpayers in Australia, New Zealand and Africa.

use super::digits::{date, digits, dot, luhn, mixed, number, two};

/// Australian business number: one less in the first digit, mod 89 (ABR).
pub(super) fn au_abn(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = dot(&d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        d[0] != 0 && mixed(&d) && (sum - 10).is_multiple_of(89)
    })
}

/// Australian company number: weights 8 to 1, mod 10 (ASIC).
pub(super) fn au_acn(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let sum = dot(&d, &[8, 7, 6, 5, 4, 3, 2, 1]);
        mixed(&d) && (10 - sum % 10) % 10 == d[8]
    })
}

/// Australian tax file number of nine or eight digits: mod 11 (ATO).
pub(super) fn au_tfn(text: &str) -> bool {
    let nine = digits::<9>(text)
        .is_some_and(|d| mixed(&d) && dot(&d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11));
    nine || digits::<8>(text)
        .is_some_and(|d| mixed(&d) && dot(&d, &[10, 7, 8, 4, 6, 3, 5, 1]).is_multiple_of(11))
}

/// Australian Medicare card, with or without the place of the person on it.
pub(super) fn au_medicare(text: &str) -> bool {
    let fits = |d: &[u32]| {
        let first = d.first().copied().unwrap_or(0);
        let check = d.get(8).copied();
        (2..=6).contains(&first) && Some(dot(d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10) == check
    };
    digits::<10>(text).is_some_and(|d| fits(&d)) || digits::<11>(text).is_some_and(|d| fits(&d))
}

/// New Zealand tax number: two rounds of mod 11 (Inland Revenue).
pub(super) fn nz_ird(text: &str) -> bool {
    let eight = digits::<8>(text).map(|d| [0, d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]);
    digits::<9>(text).or(eight).is_some_and(|d| {
        let check = |weights: &[u32]| match dot(&d, weights) % 11 {
            0 => 0,
            rest => 11 - rest,
        };
        let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
        let check = if first == 10 {
            check(&[7, 4, 3, 2, 5, 2, 7, 6])
        } else {
            first
        };
        (10_000_000..150_000_000).contains(&number(&d)) && check == d[8]
    })
}

/// South African identity number: day, citizenship, Luhn (DHA).
pub(super) fn za_id(text: &str) -> bool {
    digits::<13>(text).is_some_and(|d| {
        d[10] < 3 && date(two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5])) && luhn(&d)
    })
}

/// Nigerian identity number: eleven digits; its sum is not published.
pub(super) fn ng_nin(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| mixed(&d))
}
