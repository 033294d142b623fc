//! Digits and letters of a number, and the sums that check them.

/// Marks that may stand between the groups of a number.
const fn is_gap(char: char) -> bool {
    matches!(
        char,
        ' ' | '-' | '.' | '/' | '(' | ')' | '+' | '\u{a0}' | '\u{2010}'..='\u{2013}'
    )
}

/// The digits of a number that has just so many, and else only gaps.
pub(super) fn digits<const N: usize>(text: &str) -> Option<[u32; N]> {
    let mut out = [0; N];
    let mut slots = out.iter_mut();
    for char in text.chars().filter(|char| !is_gap(*char)) {
        *slots.next()? = char.to_digit(10)?;
    }
    let full = slots.next().is_none();
    full.then_some(out)
}

/// The letters (as upper case) and digits of a number that has just so many,
/// and else only gaps.
pub(super) fn chars<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    let mut slots = out.iter_mut();
    for char in text.chars().filter(|char| !is_gap(*char)) {
        let byte = u8::try_from(char).ok()?.to_ascii_uppercase();
        *slots.next()? = byte.is_ascii_alphanumeric().then_some(byte)?;
    }
    let full = slots.next().is_none();
    full.then_some(out)
}

/// How many letters and digits a number has.
pub(super) fn count(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_alphanumeric).count()
}

/// The digits of a part of a number, if it has no others.
pub(super) fn values<const N: usize>(part: &[u8]) -> Option<[u32; N]> {
    let mut out = [0; N];
    if part.len() != N {
        return None;
    }
    for (slot, byte) in out.iter_mut().zip(part) {
        *slot = char::from(*byte).to_digit(10)?;
    }
    Some(out)
}

/// Whether bytes have the form that a mask says: `9` a digit, `A` a letter,
/// `*` either.
pub(super) fn shaped(part: &[u8], mask: &[u8]) -> bool {
    part.len() == mask.len()
        && part.iter().zip(mask).all(|(byte, class)| match class {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        })
}

/// 0 to 9 and A = 10 to Z = 35.
pub(super) fn base36(byte: u8) -> u32 {
    char::from(byte).to_digit(36).unwrap_or(0)
}

/// Digits as one number.
pub(super) fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |sum: u64, digit| {
        sum.wrapping_mul(10) + u64::from(*digit)
    })
}

/// Digits by their weights, summed up; the shorter list ends it.
pub(super) fn dot(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(a, b)| a * b).sum()
}

/// Likewise, of each product the sum of its digits.
pub(super) fn cross(digits: &[u32], weights: &[u32]) -> u32 {
    let products = digits.iter().zip(weights).map(|(a, b)| a * b);
    products.map(|product| product / 10 + product % 10).sum()
}

/// Whether the digits are not all the same.
pub(super) fn mixed(digits: &[u32]) -> bool {
    digits.iter().any(|digit| Some(digit) != digits.first())
}

/// Whether the last digit checks the others (ISO/IEC 7812-1).
pub(super) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the last digit checks the others (ISO/IEC 7064, MOD 11,10).
pub(super) fn mod_11_10(digits: &[u32]) -> bool {
    let rest = digits.iter().fold(5, |rest, digit| {
        ((if rest == 0 { 10 } else { rest }) * 2 % 11 + digit) % 10
    });
    rest == 1
}

/// Whether the last digit checks the others (Verhoeff 1969: the dihedral group
/// of order ten).
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u32, times: usize| {
        (0..times % 8).fold(digit, |digit, _| {
            STEP.get(digit as usize).copied().unwrap_or(digit)
        })
    };
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let rest = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |rest, (place, digit)| {
            product(rest, permuted(*digit, place))
        });
    rest == 0
}

/// Whether a day exists; of a year of two digits the century is not known.
pub(super) fn date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap || year == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Two digits as a number.
pub(super) const fn two(a: u32, b: u32) -> u32 {
    a * 10 + b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_and_other_marks_and_lengths_refused() {
        assert_eq!(digits::<4>("12-3.4"), Some([1, 2, 3, 4]));
        for text in ["123", "12345", "12x4", "12:34", "１２３４"] {
            assert_eq!(digits::<4>(text), None, "{text}");
        }
        assert_eq!(chars::<3>("a-1 b"), Some(*b"A1B"));
        assert_eq!(chars::<3>("a1é"), None);
    }

    #[test]
    fn days_that_never_were_are_none() {
        assert!(date(2000, 2, 29) && date(1996, 2, 29) && date(0, 2, 29) && date(24, 12, 31));
        assert!(!date(1900, 2, 29) && !date(2023, 2, 29) && !date(1, 13, 1));
        assert!(!date(1, 4, 31) && !date(1, 1, 0) && !date(1, 0, 1));
    }

    /// One digit changed, or two neighbours swapped.
    fn spoiled(digits: &[u32]) -> Vec<Vec<u32>> {
        let mut out = Vec::new();
        for at in 0..digits.len() {
            for other in 0..10 {
                let mut changed = digits.to_vec();
                changed[at] = other;
                if other != digits[at] {
                    out.push(changed);
                }
            }
        }
        out
    }

    #[test]
    fn a_sum_accepts_one_last_digit_and_no_changed_one() {
        type Sum = fn(&[u32]) -> bool;
        let sums: [(&str, Sum); 3] = [
            ("luhn", luhn),
            ("mod 11,10", mod_11_10),
            ("verhoeff", verhoeff),
        ];
        for (name, sum) in sums {
            for seed in 0..200_u32 {
                let body = [seed % 10, seed / 10 % 10, seed / 100, 7, 0, 9, seed % 7];
                let whole = |last: u32| [&body[..], &[last]].concat();
                let fits: Vec<u32> = (0..10).filter(|last| sum(&whole(*last))).collect();
                assert_eq!(fits.len(), 1, "{name} {seed}");
                let good = whole(fits[0]);
                assert!(spoiled(&good).iter().all(|bad| !sum(bad)), "{name} {seed}");
            }
        }
        // Worked examples of the public descriptions of the two sums.
        assert!(verhoeff(&[2, 3, 6, 3]) && !verhoeff(&[2, 6, 3, 3]));
        assert!(mod_11_10(&[0, 7, 9, 4, 5]));
    }
}
