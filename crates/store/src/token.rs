//! The form of a virtual key: `mst_`, 43 characters for 256 random bits, 6 for a checksum.

use std::fmt;

use sha2::{Digest as _, Sha256};
use terms::{Entropy, Secret};
use thiserror::Error;

const PREFIX: &str = "mst_";
const BODY_CHARS: usize = 43;
const CHECK_CHARS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A text that is not a virtual key: wrong prefix, length or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not a merestone key")]
pub struct MalformedKey(());

/// SHA-256 of a virtual key: what is stored and looked up. A fast hash is
/// right here, since a key has 256 random bits and cannot be guessed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash as 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// A virtual key in the clear: shown once, when it is made, and never stored.
#[derive(Debug)]
pub struct VirtualKey(Secret<String>);

impl VirtualKey {
    /// A new key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = [0_u8; 32];
        entropy.fill(&mut random);
        let body = base62(&random, BODY_CHARS);
        let check = base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECK_CHARS);
        Self(Secret::new(format!("{PREFIX}{body}{check}")))
    }

    /// The text, for the one place that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Hashes a text that has the form of a key. The checksum is checked
    /// first, so that random guesses cost no look-up.
    ///
    /// # Errors
    /// When prefix, length, alphabet or checksum are wrong.
    pub fn hash(text: &str) -> Result<KeyHash, MalformedKey> {
        let rest = text.strip_prefix(PREFIX).ok_or(MalformedKey(()))?;
        let (body, check) = rest.split_at_checked(BODY_CHARS).ok_or(MalformedKey(()))?;
        let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let expected = base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECK_CHARS);
        if !plain || check != expected {
            return Err(MalformedKey(()));
        }
        Ok(KeyHash(Sha256::digest(text.as_bytes()).into()))
    }
}

/// Big-endian bytes in base 62, padded to a fixed width.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut digits: Vec<u8> = Vec::with_capacity(width);
    let mut number = bytes.to_vec();
    for _ in 0..width {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        let digit = usize::try_from(remainder)
            .ok()
            .and_then(|index| ALPHABET.get(index));
        digits.push(digit.copied().unwrap_or(b'0'));
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(*digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use terms::SeededEntropy;

    proptest! {
        #[test]
        fn a_new_key_is_well_formed_and_one_change_breaks_it(seed: u64, at in 4_usize..53, with in "[0-9A-Za-z]") {
            let key = VirtualKey::generate(&SeededEntropy::new(seed));
            let text = key.reveal();
            prop_assert_eq!(text.len(), 53);
            prop_assert!(VirtualKey::hash(text).is_ok());
            let mut changed = text.to_owned();
            changed.replace_range(at..=at, &with);
            prop_assert_eq!(VirtualKey::hash(&changed).is_ok(), changed == text);
        }
    }

    #[test]
    fn other_texts_are_not_keys() {
        for text in [
            "",
            "mst_",
            "sk-x",
            "mst_é",
            &"mst_".repeat(13),
            &format!("mst_{}", "é".repeat(30)),
        ] {
            assert!(VirtualKey::hash(text).is_err());
        }
    }

    #[test]
    fn base62_is_exact() {
        assert_eq!(base62(&[0], 2), "00");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[1, 0], 2), "48");
        assert_eq!(base62(&[255; 32], 43).len(), 43);
    }
}
