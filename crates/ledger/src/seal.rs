//! Sealing: each record's content under a key of its own, which a tenant's key
//! wraps. Pure: no files, no clock. The format stands in `docs/specs/captures.md`.
//!
//! AES-GCM alone does not commit to its key: a ciphertext can be built that
//! opens under two keys to two texts. So each frame carries a commitment to the
//! key, derived beside the key that encrypts, and it is compared before
//! anything is opened.

pub mod content;
mod frame;
mod wrap;

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use terms::{CapturePart, Commitment, Entropy, ExchangeId, Secret};
use thiserror::Error;

pub use content::Content;
pub use frame::{FRAME_OVERHEAD_BYTES, Frame};
pub use wrap::{LocalKey, WRAPPED_BYTES_MAX, Wrap, WrapFault, Wrapped};

/// LIMIT: bytes of one sealed text.
pub const TEXT_BYTES_MAX: usize = 64 << 20;
/// Bytes of every key here.
pub const KEY_BYTES: usize = 32;

const DOMAIN: &[u8] = b"merestone seal v1";

/// Why something sealed does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealFault {
    /// The bytes are no frame of this version.
    #[error("these are not sealed bytes of this version")]
    Shape,
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("the text is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// It was sealed under another key, or for another exchange or part.
    #[error("this was sealed under another key, or for another exchange or part")]
    OtherKey,
    /// It was changed.
    #[error("the sealed bytes were changed")]
    Changed,
}

/// What something is sealed for; it opens for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    exchange: ExchangeId,
    purpose: &'a str,
    /// What else it is bound to, where an exchange's name is not enough.
    beside: &'a [u8],
}

impl<'a> Context<'a> {
    /// A part of an exchange.
    #[must_use]
    pub const fn part(exchange: ExchangeId, part: CapturePart) -> Context<'static> {
        Context {
            exchange,
            purpose: part.word(),
            beside: &[],
        }
    }

    /// Something in the vault of redacted values: `purpose` says what, `key`
    /// names the data key, and `beside` is what else the entry is bound to.
    #[must_use]
    pub const fn vault(key: ExchangeId, purpose: VaultPurpose, beside: &'a [u8]) -> Self {
        Self {
            exchange: key,
            purpose: purpose.word(),
            beside,
        }
    }

    const fn own(exchange: ExchangeId, purpose: &'a str) -> Self {
        Self {
            exchange,
            purpose,
            beside: &[],
        }
    }

    fn info(&self, what: &str) -> Vec<u8> {
        let mut info = DOMAIN.to_vec();
        for word in [what, self.purpose] {
            // Lengths first, so that no two contexts read alike.
            info.push(u8::try_from(word.len()).unwrap_or(u8::MAX));
            info.extend_from_slice(word.as_bytes());
        }
        info.extend_from_slice(&self.exchange.to_bytes());
        info.extend_from_slice(self.beside);
        info
    }
}

/// What a key of the vault does. No word of it is one of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultPurpose {
    /// Seals a value.
    Value,
    /// Marks a token.
    Token,
    /// Marks a person.
    Person,
}

impl VaultPurpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Value => "vault-value",
            Self::Token => "vault-token",
            Self::Person => "vault-person",
        }
    }
}

/// The key of one record. It seals and opens, and is nowhere in the clear but
/// in memory.
#[derive(Clone)]
pub struct RecordKey(Secret<[u8; KEY_BYTES]>);

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey(..)")
    }
}

impl RecordKey {
    /// A new one.
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut key = [0; KEY_BYTES];
        entropy.fill(&mut key);
        Self::from_bytes(Secret::new(key))
    }

    /// One that was unwrapped.
    #[must_use]
    pub const fn from_bytes(key: Secret<[u8; KEY_BYTES]>) -> Self {
        Self(key)
    }

    /// The key itself, for a service that wraps it.
    #[must_use]
    pub const fn reveal(&self) -> &[u8; KEY_BYTES] {
        self.0.reveal()
    }

    /// Seals a text for one part of one exchange.
    ///
    /// # Errors
    /// When it is too long.
    pub fn seal(
        &self,
        context: &Context<'_>,
        text: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealFault> {
        frame::seal(self.reveal(), context, text, entropy)
    }

    /// Opens what was sealed for it.
    ///
    /// # Errors
    /// When the key is not the one that the frame commits to, or the frame was
    /// changed.
    pub fn open(
        &self,
        context: &Context<'_>,
        frame: &Frame<'_>,
    ) -> Result<Secret<Vec<u8>>, SealFault> {
        frame::open(self.reveal(), context, frame)
    }

    /// Commits to a text with a salt that only this key gives: without the key
    /// no guess can be checked.
    #[must_use]
    pub fn commit(&self, context: &Context<'_>, text: &[u8]) -> Commitment {
        let salt = derived(self.reveal(), &context.info("text"));
        let mut mac = mac(&salt);
        mac.update(text);
        Commitment(mac.finalize().into_bytes().into())
    }

    /// The salt of the record's other commitments ([`crate::commit`]).
    #[must_use]
    pub fn salt(&self, exchange: ExchangeId) -> Secret<[u8; KEY_BYTES]> {
        let context = Context::own(exchange, "record");
        Secret::new(derived(self.reveal(), &context.info("salt")))
    }
}

/// A key for one purpose, by HKDF-SHA-256 (RFC 5869) without a salt.
fn derived<const N: usize>(key: &[u8; KEY_BYTES], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    // It fails beyond 255 hashes; there are three at most.
    let filled = Hkdf::<Sha256>::new(None, key).expand(info, &mut out);
    debug_assert!(filled.is_ok(), "a few hashes can always be derived");
    out
}

fn mac(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block)
}

#[cfg(test)]
mod tests;
