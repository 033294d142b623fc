//! Virtual keys: made, listed and revoked.

use policy::Grant;
use serde::Serialize;
use terms::{Clock, Entropy, KeyId};

use crate::{KeyHash, Row, Store, StoreError, Value, VirtualKey};

/// A virtual key as the store keeps it: everything but the key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyRecord {
    /// Public name.
    pub id: KeyId,
    /// Hash of the key, as 64 hexadecimal digits.
    #[serde(skip)]
    pub hash_hex: String,
    /// The person or application that it was made for.
    pub owner: String,
    /// What it may do.
    pub allowed: Grant,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
    /// When it stops working by itself.
    pub expires_ms: Option<u64>,
    /// When it was revoked.
    pub revoked_ms: Option<u64>,
}

/// A key just made: the only time that it is seen.
#[derive(Debug)]
pub struct NewKey {
    /// The key itself.
    pub key: VirtualKey,
    /// What the store keeps of it.
    pub record: KeyRecord,
}

/// The keys in a store.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a>(&'a Store);

impl<'a> Keys<'a> {
    /// The keys in this store.
    #[must_use]
    pub const fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Makes a key.
    ///
    /// # Errors
    /// When the store fails; then no key was made.
    pub fn create(
        self,
        owner: &str,
        allowed: Grant,
        expires_ms: Option<u64>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<NewKey, StoreError> {
        let key = VirtualKey::generate(entropy);
        let hash = VirtualKey::hash(key.reveal()).map_err(|_| StoreError::BadRow)?;
        let record = KeyRecord {
            id: KeyId::new(entropy),
            hash_hex: KeyHash::to_hex(hash),
            owner: owner.to_owned(),
            allowed,
            created_ms: clock.now_ms(),
            expires_ms,
            revoked_ms: None,
        };
        let allowed = serde_json::to_string(&record.allowed).map_err(|_| StoreError::BadRow)?;
        self.0.run(
            "INSERT INTO virtual_key (id, hash, owner, allowed, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                Value::Text(record.id.to_string()),
                Value::Text(record.hash_hex.clone()),
                Value::Text(record.owner.clone()),
                Value::Text(allowed),
                number(Some(record.created_ms)),
                number(record.expires_ms),
            ],
        )?;
        Ok(NewKey { key, record })
    }

    /// Every key, oldest first, revoked and expired ones included.
    ///
    /// # Errors
    /// When the store fails or holds a row that cannot be read.
    pub fn list(self) -> Result<Vec<KeyRecord>, StoreError> {
        self.0
            .run(
                "SELECT id, hash, owner, allowed, created_ms, expires_ms, revoked_ms FROM virtual_key ORDER BY created_ms, id",
                &[],
            )?
            .iter()
            .map(|row| read(row).ok_or(StoreError::BadRow))
            .collect()
    }

    /// Revokes a key. Answers whether there was one to revoke; a second
    /// revocation changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub fn revoke(self, id: &KeyId, clock: &dyn Clock) -> Result<bool, StoreError> {
        let rows = self.0.run(
            "UPDATE virtual_key SET revoked_ms = $1 WHERE id = $2 AND revoked_ms IS NULL RETURNING id",
            &[number(Some(clock.now_ms())), Value::Text(id.to_string())],
        )?;
        Ok(!rows.is_empty())
    }
}

fn number(value: Option<u64>) -> Value {
    value.map_or(Value::Null, |number| {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    })
}

fn read(row: &Row) -> Option<KeyRecord> {
    let [
        Value::Text(id),
        Value::Text(hash),
        Value::Text(owner),
        Value::Text(allowed),
        Value::Int(created),
        expires,
        revoked,
    ] = row.as_slice()
    else {
        return None;
    };
    Some(KeyRecord {
        id: id.parse().ok()?,
        hash_hex: hash.clone(),
        owner: owner.clone(),
        allowed: serde_json::from_str(allowed).ok()?,
        created_ms: u64::try_from(*created).ok()?,
        expires_ms: optional(expires)?,
        revoked_ms: optional(revoked)?,
    })
}

fn optional(value: &Value) -> Option<Option<u64>> {
    match value {
        Value::Null => Some(None),
        Value::Int(number) => u64::try_from(*number).ok().map(Some),
        Value::Text(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::{FixedClock, SeededEntropy};

    #[test]
    fn a_key_is_made_listed_and_revoked_once() {
        let store = Store::in_memory().unwrap();
        let (clock, entropy) = (FixedClock::new(1_000), SeededEntropy::new(1));
        let keys = Keys::new(&store);
        let allowed = Grant::new(vec!["openai".into()], vec!["gpt-*".parse().unwrap()]).unwrap();
        let new = keys
            .create("team-a", allowed.clone(), Some(5_000), &clock, &entropy)
            .unwrap();
        let listed = keys.list().unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].allowed, allowed);
        assert_eq!(listed[0].expires_ms, Some(5_000));
        assert_eq!(
            listed[0].hash_hex,
            VirtualKey::hash(new.key.reveal()).unwrap().to_hex()
        );
        assert!(keys.revoke(&new.record.id, &clock).unwrap());
        assert!(!keys.revoke(&new.record.id, &clock).unwrap());
        assert_eq!(keys.list().unwrap()[0].revoked_ms, Some(1_000));
    }

    #[test]
    fn the_key_itself_is_nowhere_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("keys.db")).unwrap();
        let new = Keys::new(&store)
            .create(
                "a",
                Grant::default(),
                None,
                &FixedClock::new(1),
                &SeededEntropy::new(2),
            )
            .unwrap();
        drop(store);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let needle = new.key.reveal().as_bytes();
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
    }
}
