//! How often something stands in ordinary text. Only the order matters: the
//! rarer of two things is what a pattern is found by.

/// Bytes in a thousand of prose, code and data, mixed; rough, in lower case.
fn per_mille(byte: u8) -> f64 {
    match byte {
        b' ' => 160.0,
        b'e' => 80.0,
        b't' | b'a' => 57.0,
        b'o' | b'i' | b'n' | b's' => 50.0,
        b'r' => 45.0,
        b'l' | b'd' | b'c' | b'h' => 27.0,
        b'u' | b'm' | b'p' | b'\n' => 19.0,
        b'f' | b'g' | b'"' => 14.0,
        b'y' | b'b' | b'w' | b'.' | b',' | b'-' | b'/' => 11.0,
        b'v' | b'_' | b':' => 8.0,
        b'k' | b'=' | b'(' | b')' | b'0'..=b'9' => 5.0,
        b'q' | b'z' | b'@' | b'%' | b'$' | b'!' | b'?' | b'^' | b'~' => 1.0,
        0x80..=u8::MAX => 1.0,
        _ => 3.0,
    }
}

/// A letter is as often a capital.
const CAPITAL: f64 = 0.2;

/// How many times such a text stands in a million bytes.
pub(crate) fn of_text(text: &[u8]) -> f64 {
    let mut rate = 1e6;
    let mut before = None;
    for byte in text {
        let here = per_mille(byte.to_ascii_lowercase()) / 1e3;
        rate *= match before {
            None => here,
            // Digits come in rows.
            Some(b'0'..=b'9') if byte.is_ascii_digit() => 0.1,
            // What follows a byte is not by chance.
            Some(_) => (here * 2.5).min(0.4),
        };
        if byte.is_ascii_uppercase() {
            rate *= CAPITAL;
        }
        before = Some(*byte);
    }
    rate
}

/// How many rows of so many digits at least stand in a million bytes.
pub(super) fn of_digits(digits_min: usize) -> f64 {
    match digits_min {
        0 | 1 => 4_000.0,
        2 => 2_500.0,
        3 => 1_500.0,
        4 => 900.0,
        5..=7 => 300.0,
        _ => 100.0,
    }
}
