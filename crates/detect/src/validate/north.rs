//! Numbers of persons in northern Europe and the Baltic states.

use super::digits::{chars, date, digits, dot, luhn, mixed, number, shaped, two, values};

/// Swedish number of a person: day (plus 60 of who is not registered), Luhn
/// over ten digits (Skatteverket, SKV 704).
pub(super) fn se_person(text: &str) -> bool {
    let long = digits::<12>(text);
    let century = long.is_none_or(|d| matches!(two(d[0], d[1]), 18..=20));
    let short = long.and_then(|d| <[u32; 10]>::try_from(d.get(2..)?).ok());
    digits::<10>(text).or(short).is_some_and(|d| {
        let day = two(d[4], d[5]);
        let day = if day > 60 { day - 60 } else { day };
        century && date(two(d[0], d[1]), two(d[2], d[3]), day) && number(&d[6..]) > 0 && luhn(&d)
    })
}

/// Swedish organisation number: a third digit of two or more, Luhn
/// (Bolagsverket).
pub(super) fn se_org(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| d[2] > 1 && mixed(&d) && luhn(&d))
}

/// Finnish identity code: day, century, serial, mod 31 (DVV).
pub(super) fn fi_hetu(text: &str) -> bool {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let Some((head, tail)) = text.split_at_checked(6) else {
        return false;
    };
    let century = tail
        .bytes()
        .next()
        .is_some_and(|byte| b"+-ABCDEFUVWXYabcdefuvwxy".contains(&byte));
    let rest = tail.get(1..).and_then(chars::<4>);
    let (Some(day), Some(rest)) = (digits::<6>(head), rest) else {
        return false;
    };
    values::<3>(&rest[..3]).is_some_and(|serial| {
        let all = number(&day) * 1_000 + number(&serial);
        let check = usize::try_from(all % 31)
            .ok()
            .and_then(|rest| CHECKS.get(rest));
        century
            && date(
                two(day[4], day[5]),
                two(day[2], day[3]),
                two(day[0], day[1]),
            )
            && number(&serial) > 1
            && check == Some(&rest[3])
    })
}

/// Norwegian number: day (plus 40 of a D number), two check digits
/// (Skatteetaten).
pub(super) fn no_fnr(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let day = two(d[0], d[1]);
        let day = if day > 40 { day - 40 } else { day };
        let first = dot(&d, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
        let second = dot(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
        date(two(d[4], d[5]), two(d[2], d[3]), day)
            && first.is_multiple_of(11)
            && second.is_multiple_of(11)
    })
}

/// Danish number of a person: a day. Numbers since 2007 have no check digit
/// (CPR-kontoret).
pub(super) fn dk_cpr(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        date(two(d[4], d[5]), two(d[2], d[3]), two(d[0], d[1])) && number(&d[6..]) > 0
    })
}

/// Estonian and Lithuanian number of a person: sex and century, day, serial,
/// two rounds of mod 11.
pub(super) fn baltic(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let first = dot(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
        let second = dot(&d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
        let check = match (first, second) {
            (10, 10) => 0,
            (10, second) => second,
            (first, _) => first,
        };
        (1..=8).contains(&d[0])
            && date(two(d[1], d[2]), two(d[3], d[4]), two(d[5], d[6]))
            && check == d[10]
    })
}

/// Latvian number of a person: a day with a sum, or 32 and no meaning (PMLP).
pub(super) fn lv_person(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = 1 + dot(&d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
        let old = date(two(d[4], d[5]), two(d[2], d[3]), two(d[0], d[1])) && d[6] < 3;
        (old && sum % 11 % 10 == d[10]) || (two(d[0], d[1]) == 32 && mixed(&d[2..]))
    })
}

/// Icelandic number of a person: day, weights 3 2 7 6 5 4 3 2, century
/// (Þjóðskrá).
pub(super) fn is_kennitala(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let sum = dot(&d, &[3, 2, 7, 6, 5, 4, 3, 2, 1]);
        let day = two(d[0], d[1]);
        let day = if day > 40 { day - 40 } else { day };
        matches!(d[9], 0 | 8 | 9)
            && date(two(d[4], d[5]), two(d[2], d[3]), day)
            && sum.is_multiple_of(11)
    })
}

/// A passport with one or two letters and seven digits, as in many countries.
pub(super) fn lettered_passport(text: &str) -> bool {
    chars::<9>(text).is_some_and(|c| shaped(&c, b"AA9999999") || shaped(&c, b"A99999999"))
        || chars::<8>(text).is_some_and(|c| shaped(&c, b"A9999999"))
}
