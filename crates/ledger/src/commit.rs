//! Commitments: keyed codes that let a field be shown later without standing
//! in the record now.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use terms::{Commitment, ExchangeId, Secret, worked};

const DOMAIN: &[u8] = b"merestone record v1";
const SALTED: &[u8] = b"merestone salted v1";
const PERSON: &[u8] = b"merestone person v1";
/// Bytes that are hashed at once.
const PART_BYTES: usize = 16 << 10;

/// The node's key. Each exchange gets a key of its own from it, so that equal
/// values in two records do not show as equal.
#[derive(Debug, Clone)]
pub struct CommitmentKey(Secret<[u8; 32]>);

impl CommitmentKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The key for a record that has a salt of its own: who has the node's key
    /// and not the salt can check no guess.
    #[must_use]
    pub fn salted(&self, salt: &Secret<[u8; 32]>) -> Self {
        let mut mac = keyed(self.0.reveal());
        mac.update(SALTED);
        mac.update(salt.reveal());
        Self(Secret::new(mac.finalize().into_bytes().into()))
    }

    /// The mark by which what belongs to one person is found again: the same
    /// for all records, so it stands in none.
    #[must_use]
    pub fn person(&self, owner: &str) -> [u8; 32] {
        let mut mac = keyed(self.0.reveal());
        mac.update(PERSON);
        mac.update(owner.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Commits to one field of one exchange's record.
    #[must_use]
    pub fn commit(&self, exchange: &ExchangeId, field: &str, value: &[u8]) -> Commitment {
        let mut running = self.start(exchange, field);
        for part in value.chunks(PART_BYTES) {
            running.update(part);
            worked(part.len());
        }
        running.finish()
    }

    /// Commits to a value that comes piece by piece.
    #[must_use]
    pub fn start(&self, exchange: &ExchangeId, field: &str) -> Running {
        let mut outer = keyed(self.0.reveal());
        outer.update(DOMAIN);
        outer.update(exchange.to_string().as_bytes());
        let own: [u8; 32] = outer.finalize().into_bytes().into();
        let mut mac = keyed(&own);
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field.as_bytes());
        Running(mac)
    }
}

/// A commitment in the making.
#[derive(Clone)]
pub struct Running(Hmac<Sha256>);

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running(..)")
    }
}

impl Running {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The commitment to all pieces.
    #[must_use]
    pub fn finish(self) -> Commitment {
        Commitment(self.0.finalize().into_bytes().into())
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // A key of 32 bytes is always accepted; `new` (block-sized keys) says so
    // without a result, after zero padding.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::{FixedClock, SeededEntropy};

    #[test]
    fn commitments_differ_by_record_field_and_value_and_not_by_pieces() {
        let key = CommitmentKey::new(Secret::new([7; 32]));
        let (clock, entropy) = (FixedClock::new(1), SeededEntropy::new(1));
        let (one, two) = (
            ExchangeId::new(&clock, &entropy),
            ExchangeId::new(&clock, &entropy),
        );
        let base = key.commit(&one, "owner", b"ab");
        assert_eq!(base, key.commit(&one, "owner", b"ab"));
        assert_ne!(base, key.commit(&two, "owner", b"ab"));
        assert_ne!(base, key.commit(&one, "ownera", b"b"));
        assert_ne!(
            base,
            CommitmentKey::new(Secret::new([8; 32])).commit(&one, "owner", b"ab")
        );
        let mut running = key.start(&one, "owner");
        running.update(b"a");
        running.update(b"b");
        assert_eq!(running.finish(), base);
    }

    #[test]
    fn a_salt_makes_another_key() {
        let key = CommitmentKey::new(Secret::new([7; 32]));
        let id = ExchangeId::from_bytes([1; 16]);
        let salted = key.salted(&Secret::new([1; 32]));
        let commit = |key: &CommitmentKey| key.commit(&id, "owner", b"ab");
        assert_ne!(commit(&key), commit(&salted));
        assert_ne!(commit(&salted), commit(&key.salted(&Secret::new([2; 32]))));
        assert_eq!(commit(&salted), commit(&key.salted(&Secret::new([1; 32]))));
        assert_ne!(key.person("a"), key.person("b"));
    }
}
