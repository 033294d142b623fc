//! Fills templates with seeded random values, so that no file has to hold a
//! text that looks like a real key or card.

use bech32::Hrp;
use serde::{
    Deserialize as _,
    de::{
        IntoDeserializer as _,
        value::{Error, StrDeserializer},
    },
};

use crate::validate::Number;

/// A small seeded generator (SplitMix64). Not for keys.
#[derive(Debug, Clone)]
pub struct Filler(u64);

/// LIMIT: draws until a value is valid.
const DRAWS_MAX: usize = 100_000;
const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Filler {
    /// The same seed fills in the same values.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn chars(&mut self, alphabet: &str, count: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..count)
            .filter_map(|_| {
                let index =
                    usize::try_from(self.next() % alphabet.len().max(1) as u64).unwrap_or(0);
                alphabet.get(index).copied()
            })
            .collect()
    }

    /// Fills a template: `{alnum:36}`, `{hex:32}`, `{digits:9}`, `{lower:8}`,
    /// `{upper:16}`, `{base32:16}`, `{url:48}` (letters, digits, `-`, `_`),
    /// `{base64:40}`, `{luhn:4:16}` (a first digit, then the length),
    /// `{iban:DE}`, `{dash}` (five hyphens), `{jwt}`, `{nojwt}` (a header that
    /// names no algorithm), `{valid:nl-bsn:9}` (so many digits, drawn until this
    /// number is valid) or `{valid:es-nif:########@}` (`#` a digit, `@` an
    /// upper-case letter, `*` either, all else as it stands), `{base58:00}` (an
    /// address with this first byte), `{ripple}`, `{segwit:bc}`, `{bech32:addr:57}`
    /// (so many bytes), `{ethereum}`, `{b58:93}` (letters of base 58). Braces that
    /// name nothing stay as they are.
    #[must_use]
    pub fn fill(&mut self, template: &str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            match after
                .split_once('}')
                .and_then(|(name, after)| Some((self.value(name)?, after)))
            {
                Some((value, after)) => {
                    out.push_str(&value);
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let mut parts = name.split(':');
        let kind = parts.next()?;
        let first = parts.next();
        let second = parts.next();
        let count = || {
            first
                .and_then(|text| text.parse::<usize>().ok())
                .filter(|count| *count <= 4_096)
        };
        match kind {
            "alnum" => Some(self.chars(&format!("{DIGITS}{LOWER}{UPPER}"), count()?)),
            "hex" => Some(self.chars("0123456789abcdef", count()?)),
            "digits" => Some(self.chars(DIGITS, count()?)),
            "lower" => Some(self.chars(LOWER, count()?)),
            "upper" => Some(self.chars(&format!("{UPPER}{DIGITS}"), count()?)),
            "base32" => Some(self.chars("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", count()?)),
            "url" => Some(self.chars(&format!("{DIGITS}{LOWER}{UPPER}-_"), count()?)),
            "base64" => Some(self.chars(&format!("{DIGITS}{LOWER}{UPPER}+/"), count()?)),
            "luhn" => self.luhn(first?, second?.parse().ok().filter(|length| *length <= 32)?),
            "iban" => self.iban(first?),
            "valid" => self.valid(first?, second?),
            "base58" => self.base58(u8::from_str_radix(first?, 16).ok()?),
            "ripple" => self.based(bs58::Alphabet::RIPPLE, 0),
            "b58" => self.chars(BASE58, count()?).into(),
            "bech32" => self.bech32(first?, second?.parse().ok().filter(|count| *count <= 64)?),
            "segwit" => self.segwit(first?),
            "ethereum" => Some(format!(
                "0x{}",
                crate::validate::checksummed(&self.chars("0123456789abcdef", 40))
            )),
            "dash" => Some("-".repeat(5)),
            // The base64 of `{"alg":"HS256","typ":"JWT"}`, in two parts.
            "jwt" => Some(self.jwt(&["eyJhbGciOiJIUzI1NiIs", "InR5cCI6IkpXVCJ9"].concat())),
            // Of `{"typ":"note","x":"JWT"}`.
            "nojwt" => Some(self.jwt(&["eyJ0eXAiOiJub3RlIiwi", "eCI6IkpXVCJ9"].concat())),
            _ => None,
        }
    }

    fn luhn(&mut self, first: &str, length: usize) -> Option<String> {
        let body = length.checked_sub(first.len() + 1)?;
        let digits = format!("{first}{}", self.chars(DIGITS, body));
        (0..10)
            .map(|check| format!("{digits}{check}"))
            .find(|number| crate::validate::luhn(number))
    }

    fn iban(&mut self, country: &str) -> Option<String> {
        let length = crate::validate::iban_length(country)?;
        let body = self.chars(DIGITS, length.checked_sub(4)?);
        (0..100)
            .map(|check| format!("{country}{check:02}{body}"))
            .find(|iban| crate::validate::iban(iban).is_some())
    }

    /// A number of this form that is valid.
    fn valid(&mut self, name: &str, form: &str) -> Option<String> {
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        let number = Number::deserialize(name).ok()?;
        let form = match form.parse::<usize>() {
            Ok(count) => "#".repeat(Some(count).filter(|count| *count <= 64)?),
            Err(_) => form.to_owned(),
        };
        (0..DRAWS_MAX)
            .map(|_| self.formed(&form))
            .find(|text| number.fits(text))
    }

    fn formed(&mut self, form: &str) -> String {
        form.chars()
            .map(|char| match char {
                '#' => self.chars(DIGITS, 1),
                '@' => self.chars(UPPER, 1),
                '*' => self.chars(&format!("{UPPER}{DIGITS}"), 1),
                char => char.to_string(),
            })
            .collect()
    }

    fn bytes(&mut self) -> [u8; 20] {
        std::array::from_fn(|_| u8::try_from(self.next() & 0xff).unwrap_or(0))
    }

    fn base58(&mut self, version: u8) -> Option<String> {
        self.based(bs58::Alphabet::BITCOIN, version)
    }

    fn bech32(&mut self, network: &str, count: usize) -> Option<String> {
        let bytes: Vec<u8> = std::iter::repeat_with(|| self.bytes())
            .flatten()
            .take(count)
            .collect();
        let mut out = String::new();
        bech32::encode_lower_to_fmt::<bech32::Bech32, _>(
            &mut out,
            Hrp::parse(network).ok()?,
            &bytes,
        )
        .ok()?;
        Some(out)
    }

    fn based(&mut self, alphabet: &bs58::Alphabet, version: u8) -> Option<String> {
        let mut out = [0; 40];
        let length = bs58::encode([&[version][..], &self.bytes()].concat())
            .with_alphabet(alphabet)
            .with_check()
            .onto(&mut out[..])
            .ok()?;
        String::from_utf8(out.get(..length)?.to_vec()).ok()
    }

    fn segwit(&mut self, network: &str) -> Option<String> {
        let network = Hrp::parse(network).ok()?;
        let mut out = String::new();
        bech32::segwit::encode_lower_to_fmt_unchecked(
            &mut out,
            network,
            bech32::segwit::VERSION_0,
            &self.bytes(),
        )
        .ok()?;
        Some(out)
    }

    /// Three parts as a JSON web token has them; only with `alg` is it one.
    fn jwt(&mut self, header: &str) -> String {
        format!(
            "{header}.eyJ{}.{}",
            self.chars(&format!("{DIGITS}{LOWER}{UPPER}"), 40),
            self.chars(&format!("{DIGITS}{LOWER}{UPPER}-_"), 43)
        )
    }
}
