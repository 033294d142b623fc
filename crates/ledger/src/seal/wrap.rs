//! Wrapping: a record's key under a tenant's key, wherever that one is.

use std::fmt;

use terms::{Entropy, ExchangeId, Secret};
use thiserror::Error;

use super::{Context, Frame, KEY_BYTES, RecordKey, SealFault, frame};

/// LIMIT: bytes of a wrapped key. A vault's are about 90, of cloud key
/// services about 200.
pub const WRAPPED_BYTES_MAX: usize = 384;

/// Why a key is not wrapped or unwrapped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WrapFault {
    /// The tenant's key is not the one that wrapped it, or it was changed.
    #[error("the tenant's key does not open this record's key: {0}")]
    Sealed(#[from] SealFault),
    /// The service that holds the tenant's key does not do it.
    #[error("{0}")]
    Service(String),
    /// What it gave is no key, or no wrapped key that can be kept.
    #[error("the service that holds the tenant's key gave something else than a key")]
    Odd,
}

/// A wrapped key, at most [`WRAPPED_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped(Vec<u8>);

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({} bytes)", self.0.len())
    }
}

impl Wrapped {
    /// Takes the bytes.
    ///
    /// # Errors
    /// When there are none or too many.
    pub fn new(bytes: Vec<u8>) -> Result<Self, WrapFault> {
        if bytes.is_empty() || bytes.len() > WRAPPED_BYTES_MAX {
            return Err(WrapFault::Odd);
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Holds a tenant's key and wraps with it. This is all that a key service has
/// to do; one of a cloud is one more type that does.
///
/// A wrapped key must unwrap for the exchange for which it was wrapped and for
/// no other: services that take associated data or an encryption context are
/// given the exchange's name. A service need not commit to its key; what the
/// record's key opens does.
pub trait Wrap: Send + Sync + fmt::Debug {
    /// Wraps a record's key. It may block; it is never called on a thread
    /// that serves others.
    ///
    /// # Errors
    /// When the tenant's key is out of reach.
    fn wrap(
        &self,
        exchange: ExchangeId,
        key: &RecordKey,
        entropy: &dyn Entropy,
    ) -> Result<Wrapped, WrapFault>;

    /// Gives it back.
    ///
    /// # Errors
    /// When the tenant's key is out of reach or another one.
    fn unwrap(&self, exchange: ExchangeId, wrapped: &Wrapped) -> Result<RecordKey, WrapFault>;
}

/// A tenant's key that this process holds.
pub struct LocalKey(Secret<[u8; KEY_BYTES]>);

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey(..)")
    }
}

impl LocalKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(key: Secret<[u8; KEY_BYTES]>) -> Self {
        Self(key)
    }

    /// Reads 64 hexadecimal digits, as `openssl rand -hex 32` writes them.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 2 * KEY_BYTES {
            return None;
        }
        let mut key = [0_u8; KEY_BYTES];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let plain = pair.iter().all(u8::is_ascii_hexdigit);
            let pair = std::str::from_utf8(pair).ok().filter(|_| plain)?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self::new(Secret::new(key)))
    }
}

impl Wrap for LocalKey {
    fn wrap(
        &self,
        exchange: ExchangeId,
        key: &RecordKey,
        entropy: &dyn Entropy,
    ) -> Result<Wrapped, WrapFault> {
        let context = Context::own(exchange, "wrap");
        Wrapped::new(frame::seal(
            self.0.reveal(),
            &context,
            key.reveal(),
            entropy,
        )?)
    }

    fn unwrap(&self, exchange: ExchangeId, wrapped: &Wrapped) -> Result<RecordKey, WrapFault> {
        let context = Context::own(exchange, "wrap");
        let read = Frame::read(wrapped.as_bytes())?;
        let text = frame::open(self.0.reveal(), &context, &read)?;
        let key = text
            .reveal()
            .as_slice()
            .try_into()
            .map_err(|_| WrapFault::Odd)?;
        Ok(RecordKey::from_bytes(Secret::new(key)))
    }
}
