//! Fills templates with seeded random values, so that no file has to hold a
//! text that looks like a real key or card.

/// A small seeded generator (SplitMix64). Not for keys.
#[derive(Debug, Clone)]
pub struct Filler(u64);

const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
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
    /// names no algorithm). Braces that name nothing
    /// stay as they are.
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

    /// Three parts as a JSON web token has them; only with `alg` is it one.
    fn jwt(&mut self, header: &str) -> String {
        format!(
            "{header}.eyJ{}.{}",
            self.chars(&format!("{DIGITS}{LOWER}{UPPER}"), 40),
            self.chars(&format!("{DIGITS}{LOWER}{UPPER}-_"), 43)
        )
    }
}
