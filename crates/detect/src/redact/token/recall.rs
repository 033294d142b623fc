//! Tokens beyond their exchange: which texts are tokens of this node at all,
//! and how one comes back with its value from where it was kept.

use std::ops::Range;

use subtle::ConstantTimeEq;
use terms::Kind;

use super::{
    ALPHABET, CHECK_CHARS, CODE_CHARS, Issued, TokenKey, TokenLimit, Tokens, base32, code,
};
use crate::redact::Spelled;

/// LIMIT: letters of a kind's name.
const KIND_CHARS_MAX: usize = 12;
const START: &str = "MS";

impl TokenKey {
    /// Whether a text is a token, or a mask, that this key made, as it stands.
    /// Whose it is and what it stands for, this does not tell.
    #[must_use]
    pub fn made(&self, token: &str) -> bool {
        let at = token.len().saturating_sub(CHECK_CHARS);
        let (Some((head, check)), Some(_)) = (token.split_at_checked(at), kind(token)) else {
            return false;
        };
        let mut own = String::with_capacity(CHECK_CHARS);
        base32(
            &code(self, &[b"check", head.as_bytes()]),
            CHECK_CHARS,
            &mut own,
        );
        own.as_bytes().ct_eq(check.as_bytes()).into()
    }
}

impl Tokens {
    /// The tokens that this node made and this exchange does not know, in a
    /// text: at most `most`, each once. Its check letters spare everything
    /// else a look into a vault.
    #[must_use]
    pub fn unknown_in(&self, text: &str, most: usize) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (at, _) in text.match_indices(START) {
            if found.len() >= most {
                break;
            }
            let Some(token) = candidate(text, at).and_then(|range| text.get(range)) else {
                continue;
            };
            let known = self.resolve(token).is_some() || found.iter().any(|one| one == token);
            if !known && self.key.made(token) {
                found.push(token.to_owned());
            }
        }
        found
    }

    /// Takes a token back with the value that was kept for it. Answers whether
    /// it did: only if the value gives this very token in this very scope,
    /// whoever says so.
    ///
    /// # Errors
    /// When there are too many.
    pub fn recall(&mut self, token: &str, value: &str) -> Result<bool, TokenLimit> {
        let Some(kind) = kind(token) else {
            return Ok(false);
        };
        let own = self.form(b"issue", &kind, value);
        if !bool::from(own.as_bytes().ct_eq(token.as_bytes())) {
            return Ok(false);
        }
        if self.resolve(token).is_none() {
            let spelled = Spelled::from_elsewhere(value);
            self.insert(own, Issued { kind, spelled })?;
        }
        Ok(true)
    }
}

/// The kind that a token's own letters name, if its form is one's.
fn kind(token: &str) -> Option<Kind> {
    let name = token.strip_prefix(START)?;
    let name = name.get(..name.len().checked_sub(CODE_CHARS + CHECK_CHARS)?)?;
    let plain = !name.is_empty()
        && name.len() <= KIND_CHARS_MAX
        && name.bytes().all(|byte| byte.is_ascii_uppercase());
    plain.then(|| Kind::new(&name.to_ascii_lowercase()))
}

/// Where the token that begins here would end.
fn candidate(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.as_bytes().get(at + START.len()..)?;
    let kind = rest
        .iter()
        .take(KIND_CHARS_MAX + 1)
        .take_while(|byte| byte.is_ascii_uppercase())
        .count();
    let code = rest.get(kind..kind + CODE_CHARS + CHECK_CHARS)?;
    let fits =
        (1..=KIND_CHARS_MAX).contains(&kind) && code.iter().all(|byte| ALPHABET.contains(byte));
    fits.then(|| at..at + START.len() + kind + CODE_CHARS + CHECK_CHARS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::Secret;

    use super::*;

    fn tokens(key: u8, scope: &str) -> Tokens {
        Tokens::new(&TokenKey::new(Secret::new([key; 32])), scope)
    }

    proptest! {
        #[test]
        fn a_token_is_told_from_what_only_looks_like_one(value in ".{1,40}", at in 0_usize..33, other in 0_usize..32, around in "[ -~]{0,20}") {
            let kind = Kind::new("email");
            let mut own = tokens(9, "a");
            let token = own.issue(&kind, &value).unwrap();
            let key = |byte| TokenKey::new(Secret::new([byte; 32]));
            prop_assert!(key(9).made(&token));
            prop_assert!(key(9).made(&own.mask(&kind, &value)));
            prop_assert!(!key(9).made(&token[1..]) && !key(9).made(&token.to_lowercase()));
            let mut altered = token.clone().into_bytes();
            altered[at] = ALPHABET[other];
            let altered = String::from_utf8(altered).unwrap();
            // Two letters: one in a thousand passes, and is no secret.
            prop_assume!(altered != token && !key(8).made(&token));
            prop_assume!([8, 9].iter().all(|byte| !key(*byte).made(&altered)));
            let text = format!("{around}{token}.{altered}{around}{token}");
            prop_assert_eq!(tokens(9, "b").unknown_in(&text, 9), vec![token.clone()]);
            prop_assert!(tokens(9, "b").unknown_in(&text, 0).is_empty());
            prop_assert!(tokens(8, "a").unknown_in(&text, 9).is_empty());
            prop_assert!(own.unknown_in(&text, 9).is_empty());
        }

        #[test]
        fn only_its_own_value_comes_back_and_only_in_its_scope(value in ".{1,40}", other in ".{1,40}") {
            let kind = Kind::new("email");
            let token = tokens(9, "a").issue(&kind, &value).unwrap();
            let mut later = tokens(9, "a");
            prop_assert!(value == other || !later.recall(&token, &other).unwrap());
            prop_assert!(value == other || later.resolve(&token).is_none());
            prop_assert!(later.recall(&token, &value).unwrap());
            let back = later.resolve(&token).unwrap();
            prop_assert_eq!((back.value(), back.kind()), (value.as_str(), &kind));
            prop_assert_eq!(back.spelled().at(1).is_some(), !value.contains('\\'));
            let mut foreign = tokens(9, "b");
            prop_assert!(!foreign.recall(&token, &value).unwrap());
            prop_assert!(foreign.resolve(&token).is_none());
            let mask = later.mask(&kind, &value);
            prop_assert!(!later.recall(&mask, &value).unwrap());
        }
    }

    #[test]
    fn what_this_exchange_issued_stays_as_it_is() {
        let kind = Kind::new("email");
        let mut own = tokens(9, "a");
        let token = own.issue(&kind, "a\\u002eb").unwrap();
        assert_eq!(
            own.resolve(&token).unwrap().spelled().at(1),
            Some("a\\u002eb")
        );
        assert!(own.recall(&token, "a\\u002eb").unwrap());
        assert_eq!(
            own.resolve(&token).unwrap().spelled().at(1),
            Some("a\\u002eb")
        );
        assert!(!own.recall("MS", "x").unwrap() && !own.recall("é", "x").unwrap());
    }

    #[test]
    fn what_comes_back_counts_against_the_same_limit() {
        let (kind, mut own) = (Kind::new("email"), tokens(9, "a"));
        for number in 0..super::super::TOKENS_MAX {
            own.issue(&kind, &number.to_string()).unwrap();
        }
        let token = tokens(9, "a").issue(&kind, "one more").unwrap();
        assert!(own.recall(&token, "one more").is_err());
    }
}
