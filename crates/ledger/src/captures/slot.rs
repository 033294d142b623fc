//! One slot of the table of keys: 512 bytes, a disk's sector, so that it is
//! written or overwritten as a whole.

use terms::{ExchangeId, KeyId};
use thiserror::Error;

use crate::seal::{WRAPPED_BYTES_MAX, Wrapped};

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 512;

const LIVE: &[u8; 8] = b"mstnkey1";
const ERASED: &[u8; 8] = b"mstngone";
/// The public name of a virtual key.
const KEY_BYTES: usize = 15;
/// Where the exchange stands.
const EXCHANGE_AT: usize = 8;
/// Where that begins which an erasure destroys.
const HELD_AT: usize = 8 + 16 + 8 + 8 + 4;

/// A slot that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SlotFault {
    /// Its checksum is wrong: a write that was cut off, or damage.
    #[error("its checksum is wrong")]
    Checksum,
    /// Its checksum is right and it says what no slot says.
    #[error("it is not of this version")]
    Shape,
}

/// What a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The exchange.
    pub exchange: ExchangeId,
    /// When it ended, milliseconds since 1970.
    pub at_ms: u64,
    /// Where its sealed bytes begin.
    pub offset: u64,
    /// How many there are.
    pub length: u32,
    /// The key and whose it is; `None` once it is erased.
    pub held: Option<Held>,
}

/// What an erasure destroys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The virtual key that called.
    pub key: KeyId,
    /// The mark of whom it was made for.
    pub person: [u8; 32],
    /// The record's key, wrapped.
    pub wrapped: Wrapped,
}

impl Slot {
    /// The slot as bytes. Those of an erased one are zero where the key and
    /// its owner's mark were.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SLOT_BYTES] {
        let mut out = Vec::with_capacity(SLOT_BYTES);
        out.extend_from_slice(if self.held.is_some() { LIVE } else { ERASED });
        out.extend_from_slice(&self.exchange.to_bytes());
        out.extend_from_slice(&self.at_ms.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        if let Some(held) = &self.held {
            out.extend_from_slice(held.key.as_str().as_bytes());
            out.extend_from_slice(&held.person);
            let wrapped = held.wrapped.as_bytes();
            let length = u16::try_from(wrapped.len()).unwrap_or_default();
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(wrapped);
        }
        out.resize(SLOT_BYTES - 4, 0);
        let sum = crc32c::crc32c(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        let mut slot = [0; SLOT_BYTES];
        for (to, from) in slot.iter_mut().zip(out) {
            *to = from;
        }
        slot
    }

    /// Reads a slot strictly.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &[u8; SLOT_BYTES]) -> Result<Self, SlotFault> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(SlotFault::Shape)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
            return Err(SlotFault::Checksum);
        }
        let mut rest = Rest(body);
        let magic = rest.take::<8>()?;
        let exchange = ExchangeId::from_bytes(*rest.take()?);
        let at_ms = u64::from_le_bytes(*rest.take()?);
        let offset = u64::from_le_bytes(*rest.take()?);
        let length = u32::from_le_bytes(*rest.take()?);
        let held = match magic {
            LIVE => Some(rest.held()?),
            ERASED => None,
            _ => return Err(SlotFault::Shape),
        };
        if rest.0.iter().any(|byte| *byte != 0) {
            return Err(SlotFault::Shape);
        }
        Ok(Self {
            exchange,
            at_ms,
            offset,
            length,
            held,
        })
    }
}

/// A slot that cannot be read: what it still seems to say. Nothing of it opens,
/// but its key may stand in it, so an erasure goes by what can be made out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Torn<'a>(&'a [u8; SLOT_BYTES]);

impl<'a> Torn<'a> {
    pub(super) const fn new(bytes: &'a [u8; SLOT_BYTES]) -> Self {
        Self(bytes)
    }

    /// Whether nothing was ever written there.
    pub(super) fn is_blank(self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    pub(super) fn exchange(self) -> ExchangeId {
        let mut exchange = [0; 16];
        let from = self.0.get(EXCHANGE_AT..).unwrap_or_default();
        for (to, from) in exchange.iter_mut().zip(from) {
            *to = *from;
        }
        ExchangeId::from_bytes(exchange)
    }

    /// Whether something stands where a key would.
    pub(super) fn may_hold_key(self) -> bool {
        let held = self.0.get(HELD_AT..SLOT_BYTES - 4);
        held.is_some_and(|held| held.iter().any(|byte| *byte != 0))
    }

    pub(super) fn is_of_key(self, key: &KeyId) -> bool {
        self.has(HELD_AT, key.as_str().as_bytes())
    }

    pub(super) fn is_of_person(self, person: &[u8; 32]) -> bool {
        self.has(HELD_AT + KEY_BYTES, person)
    }

    fn has(self, at: usize, bytes: &[u8]) -> bool {
        self.0.get(at..).is_some_and(|rest| rest.starts_with(bytes))
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], SlotFault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SlotFault::Shape)?;
        self.0 = rest;
        Ok(taken)
    }

    fn held(&mut self) -> Result<Held, SlotFault> {
        let key = std::str::from_utf8(self.take::<KEY_BYTES>()?).map_err(|_| SlotFault::Shape)?;
        let key = key.parse().map_err(|_| SlotFault::Shape)?;
        let person = *self.take()?;
        let length = usize::from(u16::from_le_bytes(*self.take()?));
        let (wrapped, rest) = self.0.split_at_checked(length).ok_or(SlotFault::Shape)?;
        self.0 = rest;
        let wrapped = Wrapped::new(wrapped.to_vec()).map_err(|_| SlotFault::Shape)?;
        Ok(Held {
            key,
            person,
            wrapped,
        })
    }
}

const _: () = assert!(
    8 + 16 + 8 + 8 + 4 + KEY_BYTES + 32 + 2 + WRAPPED_BYTES_MAX + 4 <= SLOT_BYTES,
    "the largest slot fits"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::SeededEntropy;

    use super::*;

    proptest! {
        #[test]
        fn a_slot_reads_back_and_an_erased_one_holds_no_key(
            seed in any::<u64>(),
            (at_ms, offset, length) in any::<(u64, u64, u32)>(),
            person in any::<[u8; 32]>(),
            wrapped in prop::collection::vec(1_u8.., 1..=WRAPPED_BYTES_MAX),
            at in 0..SLOT_BYTES,
            bit in 0_u8..8,
        ) {
            let slot = Slot {
                exchange: ExchangeId::from_bytes([7; 16]),
                at_ms,
                offset,
                length,
                held: Some(Held {
                    key: KeyId::new(&SeededEntropy::new(seed)),
                    person,
                    wrapped: Wrapped::new(wrapped).unwrap(),
                }),
            };
            let bytes = slot.to_bytes();
            prop_assert_eq!(Slot::read(&bytes), Ok(slot.clone()));
            let mut changed = bytes;
            changed[at] ^= 1 << bit;
            prop_assert_eq!(Slot::read(&changed), Err(SlotFault::Checksum));
            let erased = Slot { held: None, ..slot };
            let bytes = erased.to_bytes();
            prop_assert!(bytes[44..SLOT_BYTES - 4].iter().all(|byte| *byte == 0));
            prop_assert_eq!(Slot::read(&bytes), Ok(erased));
        }

        #[test]
        fn any_bytes_with_a_right_checksum_read_or_do_not(
            mut bytes in prop::collection::vec(any::<u8>(), SLOT_BYTES - 4),
            live in any::<bool>(),
        ) {
            bytes[..8].copy_from_slice(if live { LIVE } else { ERASED });
            bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
            let bytes: [u8; SLOT_BYTES] = bytes.try_into().unwrap();
            if let Ok(slot) = Slot::read(&bytes) {
                prop_assert_eq!(slot.to_bytes(), bytes);
            }
        }
    }
}
