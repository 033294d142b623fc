//! Numbers of vehicles and devices.

use super::digits::{chars, count, digits, luhn, mixed, number, shaped};

/// Vehicle identification number: no I, O, Q; the ninth character checks the
/// rest (49 CFR 565.15).
pub(super) fn vin(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let Some(c) = chars::<17>(text).filter(form) else {
        return false;
    };
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'I' => u32::from(byte - b'A') + 1,
        b'J'..=b'R' => u32::from(byte - b'J') + 1,
        _ => u32::from(byte.saturating_sub(b'S')) + 2,
    };
    let sum: u32 = c
        .iter()
        .zip(WEIGHTS)
        .map(|(byte, weight)| value(*byte) * weight)
        .sum();
    let check = match sum % 11 {
        10 => b'X',
        rest => b'0' + u8::try_from(rest).unwrap_or(0),
    };
    c[8] == check
}

/// Likewise, of a maker who does not fill the ninth character.
pub(super) fn vin_form(text: &str) -> bool {
    chars::<17>(text).is_some_and(|c| form(&c))
}

/// The last four are digits, and letters and digits are mixed.
fn form(c: &[u8; 17]) -> bool {
    let letters = c.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    !c.iter().any(|byte| b"IOQ".contains(byte)) && shaped(&c[13..], b"9999") && letters >= 3
}

/// Mobile device: 14 digits and Luhn, or 16 with the version (3GPP 23.003).
pub(super) fn imei(text: &str) -> bool {
    digits::<15>(text).is_some_and(|d| mixed(&d) && number(&d[..8]) > 0 && luhn(&d))
        || (count(text) == 16
            && digits::<16>(text).is_some_and(|d| mixed(&d) && text.contains(['-', ' '])))
}

/// Indian registration: a state that exists.
pub(super) fn in_plate(text: &str) -> bool {
    const STATES: &[u8] =
        b"ANAPARASBRCHCGDDDLDNGAGJHPHRJHJKKAKLLALDMHMLMNMPMZNLODORPBPYRJSKTNTRTSTGUKUAUPWB";
    let length = (7..=10).contains(&count(text));
    length
        && text.as_bytes().get(..2).is_some_and(|two| {
            STATES
                .chunks_exact(2)
                .any(|state| state.eq_ignore_ascii_case(two))
        })
}
