//! What stands in the vault: marks under the vault's own key, and values that
//! are padded and sealed for one mark, person and virtual key.

use ledger::seal::{Context, Frame, RecordKey, SealFault, VaultPurpose};
use terms::{Commitment, Entropy, ExchangeId, KeyId, Secret};
use zeroize::Zeroizing;

use super::VaultPerson;

/// A sealed value is as long as the next multiple of this, so that its length
/// tells little.
const PAD_BYTES: usize = 64;
/// What follows the value; blanks (zeros) follow that (ISO/IEC 7816-4).
const END: u8 = 0x80;

/// The vault's own key. It seals nothing; it marks tokens and persons.
#[derive(Debug)]
pub(super) struct Root {
    name: ExchangeId,
    key: RecordKey,
}

impl Root {
    pub(super) const fn new(name: ExchangeId, key: RecordKey) -> Self {
        Self { name, key }
    }

    /// The mark of a token.
    pub(super) fn token(&self, token: &str) -> Commitment {
        let context = Context::vault(self.name, VaultPurpose::Token, &[]);
        self.key.commit(&context, token.as_bytes())
    }

    /// The mark of a person.
    pub(super) fn person(&self, person: VaultPerson<'_>) -> Commitment {
        let (what, name) = match person {
            VaultPerson::Named(name) => (b"named".as_slice(), name),
            VaultPerson::Key(key) => (b"key".as_slice(), key.as_str()),
        };
        // Who is called like a key is no key.
        let context = Context::vault(self.name, VaultPurpose::Person, what);
        self.key.commit(&context, name.as_bytes())
    }
}

/// What a value is sealed for. It opens for nothing else, so a row that is put
/// under another person, virtual key or token is worth nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The name of the data key.
    pub(super) key: ExchangeId,
    /// The mark of the token.
    pub(super) token: &'a Commitment,
    /// The mark of the person, as it is written in the store.
    pub(super) person: &'a str,
    /// The virtual key.
    pub(super) scope: &'a KeyId,
}

impl Place<'_> {
    fn beside(&self) -> Vec<u8> {
        let mut beside = self.token.0.to_vec();
        // The length goes first, so that no two places read alike.
        beside.extend_from_slice(&(self.person.len() as u64).to_be_bytes());
        beside.extend_from_slice(self.person.as_bytes());
        beside.extend_from_slice(self.scope.as_str().as_bytes());
        beside
    }
}

/// Seals a value for one place, under its data key.
pub(super) fn seal(
    key: &RecordKey,
    place: Place<'_>,
    value: &Secret<String>,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealFault> {
    let mut text = Zeroizing::new(Vec::with_capacity(value.reveal().len() + PAD_BYTES));
    text.extend_from_slice(value.reveal().as_bytes());
    text.push(END);
    let padded = text.len().next_multiple_of(PAD_BYTES);
    text.resize(padded, 0);
    key.seal(
        &Context::vault(place.key, VaultPurpose::Value, &place.beside()),
        &text,
        entropy,
    )
}

/// Opens what was sealed for this place.
pub(super) fn open(
    key: &RecordKey,
    place: Place<'_>,
    sealed: &[u8],
) -> Result<Secret<String>, SealFault> {
    let frame = Frame::read(sealed)?;
    let beside = place.beside();
    let context = Context::vault(place.key, VaultPurpose::Value, &beside);
    let text = key.open(&context, &frame)?;
    let value = text.reveal().iter().rposition(|byte| *byte != 0);
    let (value, end) = text
        .reveal()
        .split_at_checked(value.unwrap_or_default())
        .ok_or(SealFault::Shape)?;
    if end.first() != Some(&END) {
        return Err(SealFault::Shape);
    }
    let value = std::str::from_utf8(value).map_err(|_| SealFault::Shape)?;
    Ok(Secret::new(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::SeededEntropy;

    use super::*;

    fn name(number: u8) -> ExchangeId {
        ExchangeId::from_bytes([number; 16])
    }

    fn key(byte: u8) -> RecordKey {
        RecordKey::from_bytes(Secret::new([byte; 32]))
    }

    fn mark(byte: u8) -> Commitment {
        Commitment([byte; 32])
    }

    fn scope(number: u8) -> KeyId {
        format!("mk-{number:012}").parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_value_opens_for_its_own_place_only(value in ".{0,200}", at in 0_usize..10_000, flip in 1_u8..) {
            let secret = Secret::new(value.clone());
            let (scopes, marks) = ([scope(1), scope(2)], [mark(1), mark(2)]);
            let own = Place { key: name(1), token: &marks[0], person: "p", scope: &scopes[0] };
            let sealed = seal(&key(1), own, &secret, &SeededEntropy::new(1)).unwrap();
            let opened = open(&key(1), own, &sealed).unwrap();
            prop_assert_eq!(opened.reveal(), &value);
            prop_assert!(open(&key(2), own, &sealed).is_err());
            for other in [
                Place { key: name(2), ..own },
                Place { token: &marks[1], ..own },
                Place { person: "q", ..own },
                Place { person: "pm", ..own },
                Place { scope: &scopes[1], ..own },
            ] {
                prop_assert!(open(&key(1), other, &sealed).is_err());
            }
            let mut altered = sealed.clone();
            let at = at % altered.len();
            altered[at] ^= flip;
            prop_assert!(open(&key(1), own, &altered).is_err());
            prop_assert!(open(&key(1), own, &sealed[..at]).is_err());
        }
    }

    #[test]
    fn lengths_tell_little() {
        let length = |value: &str| {
            let value = Secret::new(value.to_owned());
            let place = Place {
                key: name(1),
                token: &mark(1),
                person: "p",
                scope: &scope(1),
            };
            let sealed = seal(&key(1), place, &value, &SeededEntropy::new(1));
            sealed.unwrap().len()
        };
        assert_eq!(length(""), length(&"x".repeat(PAD_BYTES - 1)));
        assert!(length("") < length(&"x".repeat(PAD_BYTES)));
    }

    #[test]
    fn a_person_and_a_key_of_one_name_are_two() {
        let root = Root::new(name(1), key(1));
        let id = "mk-000000000001".parse().unwrap();
        let (named, keyed) = (
            root.person(VaultPerson::Named("mk-000000000001")),
            root.person(VaultPerson::Key(&id)),
        );
        assert_ne!(named, keyed);
        assert_ne!(root.token("mk-000000000001"), named);
        assert_ne!(
            named,
            Root::new(name(1), key(2)).person(VaultPerson::Named("mk-000000000001"))
        );
    }
}
