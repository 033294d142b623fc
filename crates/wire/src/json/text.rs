//! The inside of a string: escapes taken out.

use terms::{Code, worked};

use super::{Halves, Surrogates};

/// In the time that an escape takes so many bytes are read.
pub(super) const ESCAPE_BYTES: usize = 8;

/// Decodes the bytes between the quotes, which are valid UTF-8.
pub(super) fn decode(
    inner: &[u8],
    surrogates: Surrogates,
) -> Result<(String, Halves), (Code, usize)> {
    let text =
        std::str::from_utf8(inner).map_err(|error| (Code::JsonUnicode, error.valid_up_to()))?;
    let mut out = String::with_capacity(text.len());
    let mut halves = Halves::default();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(escape) = rest.find('\\') else {
            out.push_str(rest);
            break;
        };
        out.push_str(rest.get(..escape).unwrap_or_default());
        worked(escape + ESCAPE_BYTES);
        let here = at + escape;
        let letter = inner
            .get(here + 1)
            .copied()
            .ok_or((Code::JsonMalformed, here))?;
        if letter != b'u' {
            out.push(simple(letter).ok_or((Code::JsonMalformed, here))?);
            at = here + 2;
            continue;
        }
        let unit = hex4(inner, here + 2).ok_or((Code::JsonMalformed, here))?;
        at = here + 6;
        if let Some(char) = char::from_u32(u32::from(unit)) {
            out.push(char);
            continue;
        }
        let low = (unit < 0xdc00 && inner.get(at..at + 2) == Some(b"\\u"))
            .then(|| hex4(inner, at + 2))
            .flatten();
        if let Some(low) = low.filter(|low| (0xdc00..0xe000).contains(low)) {
            let pair = 0x1_0000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
            out.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
            at += 6;
            continue;
        }
        match surrogates {
            Surrogates::Refuse => return Err((Code::JsonUnicode, here)),
            Surrogates::Keep if here == 0 && unit >= 0xdc00 => halves.lead_low = Some(unit),
            Surrogates::Keep if at == inner.len() && unit < 0xdc00 => {
                halves.trail_high = Some(unit)
            }
            Surrogates::Keep => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    Ok((out, halves))
}

const fn simple(letter: u8) -> Option<char> {
    match letter {
        b'"' => Some('"'),
        b'\\' => Some('\\'),
        b'/' => Some('/'),
        b'b' => Some('\u{8}'),
        b'f' => Some('\u{c}'),
        b'n' => Some('\n'),
        b'r' => Some('\r'),
        b't' => Some('\t'),
        _ => None,
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0_u16, |unit, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some((unit << 4) | u16::try_from(value).ok()?)
    })
}
