//! Keys of notes: the log's own, which signs, and those by which others check.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use terms::Secret;
use thiserror::Error;

use super::Signature;

/// LIMIT: bytes of a key's name.
const NAME_BYTES_MAX: usize = 255;
/// What the text of a log's own key begins with, as Go's `note` package has it.
const PRIVATE: &str = "PRIVATE+KEY+";
/// Before the time in what a witness signs.
const COSIGNATURE: &str = "cosignature/v1\ntime ";
/// LIMIT: seconds since 1970 in a witness's line, by c2sp.org/tlog-cosignature.
const COSIGNED_SECONDS_MAX: u64 = i64::MAX as u64;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// The name cannot be one.
    #[error("a log's name is like `example.com/log`: up to 255 bytes, no blanks and no plus sign")]
    Name,
    /// The text has not the form of a key.
    #[error("this is no key; one looks like `name+12345678+base64`")]
    Form,
    /// The key's number is not the one that follows from the rest.
    #[error("the key's number does not fit the rest of it; was a part changed?")]
    Number,
    /// A kind of key that is not known here.
    #[error("keys of this kind are not known here; Ed25519 ones are (kinds 1 and 4)")]
    Kind,
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 over the text: logs.
    Log,
    /// Ed25519 over the text and a time: witnesses, `cosignature/v1`.
    Cosignature,
}

impl Algorithm {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Cosignature => 4,
        }
    }
}

/// Whether a text can be a key's name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name
            .chars()
            .any(|char| char.is_whitespace() || char.is_control() || char == '+')
}

fn id(name: &str, algorithm: Algorithm, public: &[u8; 32]) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([b'\n', algorithm.byte()]);
    hash.update(public);
    let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
    [a, b, c, d]
}

/// A key by which signatures are checked.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    algorithm: Algorithm,
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: &str, algorithm: Algorithm, key: VerifyingKey) -> Self {
        Self {
            name: name.to_owned(),
            id: id(name, algorithm, key.as_bytes()),
            algorithm,
            key,
        }
    }

    /// Reads `name+number+base64`.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn read(text: &str) -> Result<Self, KeyFault> {
        let (name, number, algorithm, bytes) = parts(text)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyFault::Form)?;
        if key.is_weak() {
            return Err(KeyFault::Form);
        }
        let key = Self::new(name, algorithm, key);
        if key.id == number {
            Ok(key)
        } else {
            Err(KeyFault::Number)
        }
    }

    /// Its name; for a log's key, the origin of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// What it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether these bytes of a signature are this key's for this text.
    #[must_use]
    pub fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Log => self.strict(text.as_bytes(), signature),
            Algorithm::Cosignature => {
                signature
                    .split_first_chunk::<8>()
                    .is_some_and(|(time, signature)| {
                        let seconds = u64::from_be_bytes(*time);
                        let message = format!("{COSIGNATURE}{seconds}\n{text}");
                        seconds <= COSIGNED_SECONDS_MAX
                            && self.strict(message.as_bytes(), signature)
                    })
            }
        }
    }

    fn strict(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u32::from_be_bytes(self.id);
        let key = [&[self.algorithm.byte()], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{number:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// The parts of `name+number+base64`.
type Parts<'t> = (&'t str, [u8; 4], Algorithm, [u8; 32]);

fn parts(text: &str) -> Result<Parts<'_>, KeyFault> {
    let (name, rest) = text.split_once('+').ok_or(KeyFault::Form)?;
    let (number, bytes) = rest.split_once('+').ok_or(KeyFault::Form)?;
    if !is_name(name) {
        return Err(KeyFault::Name);
    }
    let hex = number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(number, 16).map_err(|_| KeyFault::Form)?;
    let bytes = STANDARD.decode(bytes).map_err(|_| KeyFault::Form)?;
    let (kind, bytes) = bytes.split_first().ok_or(KeyFault::Form)?;
    let algorithm = match kind {
        1 => Algorithm::Log,
        4 => Algorithm::Cosignature,
        _ => return Err(KeyFault::Kind),
    };
    let bytes = bytes.try_into().map_err(|_| KeyFault::Form)?;
    if hex {
        Ok((name, number.to_be_bytes(), algorithm, bytes))
    } else {
        Err(KeyFault::Form)
    }
}

/// The key by which a log signs its checkpoints.
#[derive(Clone)]
pub struct LogKey {
    key: SigningKey,
    verifier: VerifierKey,
}

impl LogKey {
    /// The key of the log with this name, from 32 random bytes.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn new(name: &str, seed: Secret<[u8; 32]>) -> Result<Self, KeyFault> {
        if !is_name(name) {
            return Err(KeyFault::Name);
        }
        let key = SigningKey::from_bytes(seed.reveal());
        let verifier = VerifierKey::new(name, Algorithm::Log, key.verifying_key());
        Ok(Self { key, verifier })
    }

    /// Reads what [`LogKey::encode`] writes.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(text: &str) -> Result<Self, KeyFault> {
        let rest = text.strip_prefix(PRIVATE).ok_or(KeyFault::Form)?;
        let (name, number, algorithm, seed) = parts(rest)?;
        if algorithm != Algorithm::Log {
            return Err(KeyFault::Kind);
        }
        let key = Self::new(name, Secret::new(seed))?;
        if key.verifier.id == number {
            Ok(key)
        } else {
            Err(KeyFault::Number)
        }
    }

    /// The key as a text, for its file: the form of Go's `note` package.
    #[must_use]
    pub fn encode(&self) -> Secret<String> {
        let number = u32::from_be_bytes(self.verifier.id);
        let key = Secret::new([&[1], &self.key.as_bytes()[..]].concat());
        Secret::new(format!(
            "{PRIVATE}{}+{number:08x}+{}",
            self.verifier.name,
            STANDARD.encode(key.reveal())
        ))
    }

    /// The key by which others check.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a text.
    #[must_use]
    pub fn sign(&self, text: &str) -> Signature {
        Signature {
            name: self.verifier.name.clone(),
            id: self.verifier.id,
            bytes: self.key.sign(text.as_bytes()).to_bytes().to_vec(),
        }
    }

    /// Signs a text as a witness does, for tests of those who ask one.
    #[must_use]
    pub fn cosign(&self, text: &str, seconds: u64) -> Signature {
        let verifier = self.as_witness();
        let message = format!("{COSIGNATURE}{seconds}\n{text}");
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        Signature {
            name: verifier.name,
            id: verifier.id,
            bytes: [&seconds.to_be_bytes()[..], &signature].concat(),
        }
    }

    /// The key by which [`LogKey::cosign`] is checked.
    #[must_use]
    pub fn as_witness(&self) -> VerifierKey {
        let public = self.key.verifying_key();
        VerifierKey::new(&self.verifier.name, Algorithm::Cosignature, public)
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.verifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_tell_nothing() {
        let key = LogKey::new("log.example/a", Secret::new([7; 32])).unwrap();
        let text = key.encode();
        let again = LogKey::read(text.reveal()).unwrap();
        assert_eq!(again.verifier(), key.verifier());
        assert_eq!(again.sign("a\n"), key.sign("a\n"));
        let public = key.verifier().to_string();
        assert_eq!(VerifierKey::read(&public).unwrap(), *key.verifier());
        assert!(!format!("{key:?}").contains(text.reveal()));
        assert!(!format!("{key:?}").contains("BwcHBwcH"));
        let witness = key.as_witness();
        assert_ne!(witness.id(), key.verifier().id());
        assert_eq!(VerifierKey::read(&witness.to_string()).unwrap(), witness);
    }

    /// The example key of Go's `note` package documentation.
    #[test]
    fn the_key_of_go_is_read() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key = VerifierKey::read(text).unwrap();
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(key.to_string(), text);
    }

    #[test]
    fn odd_keys_are_refused() {
        let good = LogKey::new("a", Secret::new([7; 32])).unwrap();
        let text = good.verifier().to_string();
        let fault = |text: &str| VerifierKey::read(text).unwrap_err();
        assert_eq!(fault(&text.replacen('a', "b", 1)), KeyFault::Number);
        assert_eq!(fault("a+12345678"), KeyFault::Form);
        assert_eq!(fault(&text.replacen('a', "a ", 1)), KeyFault::Name);
        assert_eq!(fault("a+1234567+AQ=="), KeyFault::Form);
        assert_eq!(fault("a+12345678+Ag=="), KeyFault::Kind);
        // The neutral element: anybody's signature would fit.
        let weak = [&[1, 1][..], &[0; 31]].concat();
        let weak = format!("a+00000000+{}", STANDARD.encode(weak));
        assert_eq!(fault(&weak), KeyFault::Form);
        assert_eq!(
            LogKey::new("a b", Secret::new([7; 32])).unwrap_err(),
            KeyFault::Name
        );
    }

    #[test]
    fn a_cosignature_holds_for_its_text_and_time() {
        let witness = LogKey::new("w", Secret::new([3; 32])).unwrap();
        let line = witness.cosign("text\n", 5);
        let key = witness.as_witness();
        assert!(line.is_of(&key) && key.verifies("text\n", &line.bytes));
        assert!(!key.verifies("other\n", &line.bytes));
        let mut later = line.bytes.clone();
        later[7] ^= 1;
        assert!(!key.verifies("text\n", &later));
        assert!(!key.verifies("text\n", &line.bytes[..8]));
        assert!(!witness.verifier().verifies("text\n", &line.bytes));
        let last = witness.cosign("text\n", COSIGNED_SECONDS_MAX);
        assert!(key.verifies("text\n", &last.bytes));
        let beyond = witness.cosign("text\n", COSIGNED_SECONDS_MAX + 1);
        assert!(!key.verifies("text\n", &beyond.bytes));
    }
}
