//! Virtual keys: made, listed and revoked.

use policy::Grant;
use serde::{Deserialize, Serialize};
use terms::{Clock, Entropy, KeyId};

use crate::{KeyHash, Row, Store, StoreError, Value, VirtualKey};

/// A virtual key as the store keeps it: everything but the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Public name.
    pub id: KeyId,
    /// Hash of the key, as 64 hexadecimal digits.
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
    /// The key by which it was made; it never holds longer than that one.
    pub made_by: Option<KeyId>,
}

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The person or application that it is for.
    pub owner: String,
    /// What it may do.
    pub allowed: Grant,
    /// When it stops working by itself, milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// The key by which it is made, if by one.
    pub made_by: Option<KeyId>,
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
    pub async fn create(
        self,
        wanted: Wanted,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<NewKey, StoreError> {
        let key = VirtualKey::generate(entropy);
        let hash = VirtualKey::hash(key.reveal()).map_err(|_| StoreError::BadRow)?;
        let record = KeyRecord {
            id: KeyId::new(entropy),
            hash_hex: KeyHash::to_hex(hash),
            owner: wanted.owner,
            allowed: wanted.allowed,
            created_ms: clock.now_ms(),
            expires_ms: wanted.expires_ms,
            revoked_ms: None,
            made_by: wanted.made_by,
        };
        let allowed = serde_json::to_string(&record.allowed).map_err(|_| StoreError::BadRow)?;
        self.0.run(
            "INSERT INTO virtual_key (id, hash, owner, allowed, created_ms, expires_ms, made_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                Value::Text(record.id.to_string()),
                Value::Text(record.hash_hex.clone()),
                Value::Text(record.owner.clone()),
                Value::Text(allowed),
                number(Some(record.created_ms)),
                number(record.expires_ms),
                text(record.made_by.as_ref()),
            ],
        ).await?;
        self.changed().await?;
        Ok(NewKey { key, record })
    }

    /// Every key, oldest first, revoked and expired ones included.
    ///
    /// # Errors
    /// When the store fails or holds a row that cannot be read.
    pub async fn list(self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = self.0.run(
            "SELECT id, hash, owner, allowed, created_ms, expires_ms, revoked_ms, made_by FROM virtual_key ORDER BY created_ms, id",
            &[],
        );
        let rows = rows.await?;
        rows.iter()
            .map(|row| read(row).ok_or(StoreError::BadRow))
            .collect()
    }

    /// Revokes a key. Answers whether there was one to revoke; a second
    /// revocation changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke(self, id: &KeyId, clock: &dyn Clock) -> Result<bool, StoreError> {
        let values = [number(Some(clock.now_ms())), Value::Text(id.to_string())];
        let rows = self.0.run(
            "UPDATE virtual_key SET revoked_ms = $1 WHERE id = $2 AND revoked_ms IS NULL RETURNING id",
            &values,
        );
        let revoked = !rows.await?.is_empty();
        if revoked {
            self.changed().await?;
        }
        Ok(revoked)
    }

    /// A number that moves with every change of a key.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn number(self) -> Result<i64, StoreError> {
        let rows = self
            .0
            .run("SELECT number FROM key_change WHERE id = 1", &[])
            .await?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Int(number)]) => Ok(*number),
            _ => Err(StoreError::BadRow),
        }
    }

    async fn changed(self) -> Result<(), StoreError> {
        self.0
            .run(
                "UPDATE key_change SET number = number + 1 WHERE id = 1",
                &[],
            )
            .await?;
        Ok(())
    }
}

fn text(value: Option<&KeyId>) -> Value {
    value.map_or(Value::Null, |id| Value::Text(id.to_string()))
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
        made_by,
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
        made_by: match made_by {
            Value::Null => None,
            Value::Text(id) => Some(id.parse().ok()?),
            Value::Int(_) => return None,
        },
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

    #[tokio::test]
    async fn the_key_itself_is_nowhere_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("keys.db")).await.unwrap();
        let wanted = Wanted {
            owner: "a".into(),
            allowed: Grant::default(),
            expires_ms: None,
            made_by: None,
        };
        let new = Keys::new(&store)
            .create(wanted, &FixedClock::new(1), &SeededEntropy::new(2))
            .await
            .unwrap();
        drop(store);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let needle = new.key.reveal().as_bytes();
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
    }
}
