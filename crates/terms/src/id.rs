//! Names for exchanges and keys, and the two kinds of fingerprint.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use crate::{Clock, Entropy};

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not a well-formed identifier")]
pub struct IdError(());

/// Name of one exchange: `mx-` and 32 hexadecimal digits, the first twelve of
/// which are the time in milliseconds, so that names sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(u128);

impl ExchangeId {
    /// A new name from the time and 80 random bits.
    #[must_use]
    pub fn new(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let mut random = [0_u8; 16];
        entropy.fill(&mut random);
        let low = u128::from_be_bytes(random) & ((1 << 80) - 1);
        Self((u128::from(clock.now_ms()) << 80) | low)
    }

    /// The name as 16 bytes, the most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The name with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The time that the name holds, milliseconds since 1970.
    #[must_use]
    pub fn at_ms(self) -> u64 {
        u64::try_from(self.0 >> 80).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mx-{:032x}", self.0)
    }
}

impl FromStr for ExchangeId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("mx-").ok_or(IdError(()))?;
        let plain = digits.len() == 32
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !plain {
            return Err(IdError(()));
        }
        u128::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_| IdError(()))
    }
}

/// Public name of a virtual key: `mk-` and 12 hexadecimal digits. It is not
/// the key and opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// A new name from 48 random bits.
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut random = [0_u8; 6];
        entropy.fill(&mut random);
        let digits: String = random.iter().map(|b| format!("{b:02x}")).collect();
        Self(format!("mk-{digits}"))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("mk-").ok_or(IdError(()))?;
        let plain = digits.len() == 12
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError(()))
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The hexadecimal digits of 32 bytes.
fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [b'0'; 64];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    out
}

macro_rules! bytes32 {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(std::str::from_utf8(&hex(&self.0)).map_err(|_| fmt::Error)?)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.as_bytes();
                if digits.len() != 64 {
                    return Err(IdError(()));
                }
                let mut bytes = [0_u8; 32];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let pair = std::str::from_utf8(pair).map_err(|_| IdError(()))?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| IdError(()))?;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                let digits = hex(&self.0);
                let text = std::str::from_utf8(&digits).map_err(serde::ser::Error::custom)?;
                out.serialize_str(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                String::deserialize(input)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

bytes32! {
    /// SHA-256 of something that is no secret: a rule set, a policy, a tree head.
    Digest
}

bytes32! {
    /// Keyed code (HMAC-SHA-256) of something that a record may not hold in
    /// the clear. Only who has the node's commitment key can check a guess.
    Commitment
}

macro_rules! serde_by_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                String::deserialize(input)?
                    .parse()
                    .map_err(D::Error::custom)
            }
        }
    };
}

serde_by_text!(ExchangeId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FixedClock, SeededEntropy};

    #[test]
    fn an_exchange_id_reads_back_and_sorts_by_time() {
        let entropy = SeededEntropy::new(7);
        let early = ExchangeId::new(&FixedClock::new(1_000), &entropy);
        let late = ExchangeId::new(&FixedClock::new(1_001), &entropy);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!("mx-1".parse::<ExchangeId>().is_err());
        assert!(
            early
                .to_string()
                .to_uppercase()
                .parse::<ExchangeId>()
                .is_err()
        );
    }

    #[test]
    fn a_digest_reads_back() {
        let digest = Digest([0xa5; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("zz".repeat(32).parse::<Digest>().is_err());
        assert!("é".repeat(32).parse::<Digest>().is_err());
    }
}
