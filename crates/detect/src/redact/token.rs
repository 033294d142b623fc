//! Tokens: letters and digits that stand for a value, the same for the same
//! caller and value, told from others by two check letters.

mod recall;

use std::{collections::HashMap, fmt};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use terms::{Kind, Secret};
use thiserror::Error;

use super::Spelled;

/// LIMIT: tokens of one exchange.
const TOKENS_MAX: usize = 10_000;
/// LIMIT: bytes of the values of one exchange.
const VALUES_BYTES_MAX: usize = 8 << 20;
/// Characters of the code: 120 bits.
const CODE_CHARS: usize = 24;
const CHECK_CHARS: usize = 2;
/// The longest token.
pub const TOKEN_BYTES_MAX: usize = 2 + KIND_CHARS_MAX + CODE_CHARS + CHECK_CHARS;
/// LIMIT: letters of a kind. INVARIANT: no catalogue has longer ones, so no
/// token is longer than [`TOKEN_BYTES_MAX`].
pub(crate) const KIND_CHARS_MAX: usize = 12;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The pattern of tokens of these kinds: also of altered and shortened ones,
/// so that they can be told.
#[must_use]
pub fn token_pattern(kinds: &[&str]) -> String {
    let mut kinds: Vec<String> = kinds.iter().map(|kind| kind.to_ascii_uppercase()).collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.len()));
    kinds.dedup();
    format!(
        "(?i-u:MS(?:{})[a-z2-7]{{6,{}}})",
        kinds.join("|"),
        CODE_CHARS + CHECK_CHARS
    )
}

/// The node's key for tokens.
#[derive(Debug, Clone)]
pub struct TokenKey(Secret<[u8; 32]>);

impl TokenKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }
}

/// Too many values, or two values with one code (one in 2^60 at the limit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an exchange holds more redacted values than allowed")]
pub struct TokenLimit(());

/// A value that a token of this exchange stands for.
pub struct Issued {
    kind: Kind,
    spelled: Spelled,
}

impl Issued {
    /// What the value is.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The value, as it stood in the request.
    #[must_use]
    pub fn value(&self) -> &str {
        self.spelled.written()
    }

    /// The value, as it is read at each place.
    #[must_use]
    pub const fn spelled(&self) -> &Spelled {
        &self.spelled
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issued({})", self.kind)
    }
}

/// The tokens of one exchange. Nobody else holds the way back.
#[derive(Debug)]
pub struct Tokens {
    key: TokenKey,
    scope: String,
    issued: HashMap<String, Issued>,
    bytes: usize,
}

impl Tokens {
    /// No tokens yet, in a scope: the caller's key, so that a value keeps its
    /// token over the turns of a conversation.
    #[must_use]
    pub fn new(key: &TokenKey, scope: &str) -> Self {
        Self {
            key: key.clone(),
            scope: scope.to_owned(),
            issued: HashMap::new(),
            bytes: 0,
        }
    }

    /// Whose tokens they are.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The token for a value, which this exchange can turn back.
    ///
    /// # Errors
    /// When there are too many.
    pub fn issue(&mut self, kind: &Kind, value: &str) -> Result<String, TokenLimit> {
        self.issue_spelled(kind, Spelled::plain(value))
    }

    /// The token for a value that means another text in a string of a
    /// document. A value that stands at two places is put back where both say
    /// what it must be.
    ///
    /// # Errors
    /// When there are too many.
    pub fn issue_spelled(&mut self, kind: &Kind, spelled: Spelled) -> Result<String, TokenLimit> {
        let token = self.form(b"issue", kind, spelled.written());
        match self.issued.get_mut(&token) {
            Some(known) if known.value() == spelled.written() => {
                known.spelled.meet(&spelled);
                return Ok(token);
            }
            Some(_) => return Err(TokenLimit(())),
            None => {}
        }
        let kind = kind.clone();
        self.insert(token.clone(), Issued { kind, spelled })?;
        Ok(token)
    }

    fn insert(&mut self, token: String, issued: Issued) -> Result<(), TokenLimit> {
        let bytes = self.bytes.saturating_add(issued.spelled.bytes());
        if self.issued.len() >= TOKENS_MAX || bytes > VALUES_BYTES_MAX {
            return Err(TokenLimit(()));
        }
        self.bytes = bytes;
        self.issued.insert(token, issued);
        Ok(())
    }

    /// A text of the same form that nobody can turn back.
    #[must_use]
    pub fn mask(&self, kind: &Kind, value: &str) -> String {
        self.form(b"mask", kind, value)
    }

    /// What a token stands for, if this exchange issued it as it stands.
    #[must_use]
    pub fn resolve(&self, token: &str) -> Option<&Issued> {
        self.issued.get(token)
    }

    /// The kind that the letters of a token or mask name, whoever made it.
    #[must_use]
    pub fn kind_of(token: &str) -> Option<Kind> {
        let code = token.len().checked_sub(CODE_CHARS + CHECK_CHARS)?;
        let name = token.strip_prefix("MS")?.get(..code.checked_sub(2)?)?;
        let upper = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
        upper.then(|| Kind::new(&name.to_ascii_lowercase()))
    }

    fn form(&self, domain: &[u8], kind: &Kind, value: &str) -> String {
        let mut token = format!("MS{}", kind.as_str().to_ascii_uppercase());
        let code = self.code(&[
            domain,
            self.scope.as_bytes(),
            kind.as_str().as_bytes(),
            value.as_bytes(),
        ]);
        base32(&code, CODE_CHARS, &mut token);
        let check = self.code(&[b"check", token.as_bytes()]);
        base32(&check, CHECK_CHARS, &mut token);
        token
    }

    fn code(&self, parts: &[&[u8]]) -> [u8; 32] {
        code(&self.key, parts)
    }
}

fn code(key: &TokenKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(key.0.reveal()) {
        *to = *from;
    }
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Five bits a character, from the first bits on.
fn base32(bytes: &[u8], chars: usize, out: &mut String) {
    for index in 0..chars {
        let bit = index * 5;
        let high = u16::from(bytes.get(bit / 8).copied().unwrap_or(0)) << 8;
        let word = high | u16::from(bytes.get(bit / 8 + 1).copied().unwrap_or(0));
        let value = usize::from((word >> (11 - bit % 8)) & 31);
        out.push(ALPHABET.get(value).copied().map_or('a', char::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(scope: &str) -> Tokens {
        Tokens::new(&TokenKey::new(Secret::new([9; 32])), scope)
    }

    proptest! {
        #[test]
        fn a_token_is_letters_and_digits_and_turns_back(value in ".{1,40}") {
            let mut tokens = tokens("a");
            let kind = Kind::new("email");
            let token = tokens.issue(&kind, &value).unwrap();
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric()) && token.len() == 2 + 5 + 26);
            prop_assert_eq!(tokens.resolve(&token).unwrap().value(), &value);
            prop_assert_eq!(tokens.issue(&kind, &value).unwrap(), token.clone());
            prop_assert!(tokens.resolve(&token.to_lowercase()).is_none());
            prop_assert!(tokens.resolve(&token[..token.len() - 1]).is_none());
            prop_assert_ne!(tokens.mask(&kind, &value), token);
        }
    }

    #[test]
    fn scopes_kinds_and_values_keep_apart() {
        let (email, card) = (Kind::new("email"), Kind::new("card"));
        let token = tokens("a").issue(&email, "x").unwrap();
        assert_ne!(token, tokens("b").issue(&email, "x").unwrap());
        assert_ne!(token[7..], tokens("a").issue(&card, "x").unwrap()[6..]);
        let pattern = regex::Regex::new(&token_pattern(&["email", "card"])).unwrap();
        assert_eq!(
            pattern.find(&format!("x{token}y")).unwrap().range(),
            1..1 + token.len()
        );
        assert!(pattern.find("the MS-DOS card email").is_none());
        assert_eq!(Tokens::kind_of(&token), Some(email));
        for text in ["", "MS", "MSéaa", &token[1..], &token[..token.len() - 1]] {
            assert_ne!(Tokens::kind_of(text), Some(Kind::new("email")), "{text}");
        }
    }

    #[test]
    fn values_are_bounded() {
        let mut tokens = tokens("a");
        let kind = Kind::new("email");
        for number in 0..TOKENS_MAX {
            tokens.issue(&kind, &number.to_string()).unwrap();
        }
        assert!(tokens.issue(&kind, "one more").is_err());
        assert!(tokens.issue(&kind, "0").is_ok());
    }
}
