//! The vault's rows: keyed marks, sealed values and wrapped keys. What they
//! mean, and every key, is somebody else's.

mod batch;

use terms::KeyId;

use crate::{Row, Store, StoreError, Value};

pub use batch::BATCH_MAX;

/// LIMIT: rows that one step of a sweep removes.
const SWEEP_MAX: usize = 1_000;

/// A key as it is kept: its name and its wrapped bytes, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    /// The name that it was wrapped for.
    pub name: String,
    /// The wrapped key.
    pub wrapped: String,
}

/// A sealed value to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultValue {
    /// The mark of its token.
    pub token: String,
    /// The sealed value, as text.
    pub sealed: String,
}

/// A sealed value that was found, with the key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultFound {
    /// The mark of its token.
    pub token: String,
    /// The virtual key whose token it is.
    pub scope: KeyId,
    /// The mark of the person whose it is.
    pub person: String,
    /// The sealed value, as text.
    pub sealed: String,
    /// The key that opens it.
    pub key: VaultKey,
    /// When it expires, milliseconds since 1970.
    pub expires_ms: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VaultCount {
    /// Values, those included that have expired and are not swept yet.
    pub entries: u64,
    /// Persons, once for each virtual key that names them.
    pub persons: u64,
    /// When the next of the values expires, milliseconds since 1970.
    pub next_expiry_ms: Option<u64>,
}

/// Whose rows are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultWhose {
    /// Those of a person, by the mark, under whatever key.
    Person(String),
    /// Those of a virtual key, whoever the person.
    Key(KeyId),
}

/// The vault's rows in a store.
#[derive(Debug, Clone, Copy)]
pub struct VaultRows<'a>(&'a Store);

impl<'a> VaultRows<'a> {
    /// The rows in this store.
    #[must_use]
    pub const fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// The vault's own key; none before the first use.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn root(self) -> Result<Option<VaultKey>, StoreError> {
        let rows = self
            .0
            .run("SELECT name, wrapped FROM vault_root WHERE id = 1", &[])
            .await?;
        rows.first().map(key).transpose()
    }

    /// Enters the vault's own key, unless there is one; answers the one in force.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(self, new: &VaultKey) -> Result<VaultKey, StoreError> {
        self.0.run(
            "INSERT INTO vault_root (id, name, wrapped) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING",
            &[text(&new.name), text(&new.wrapped)],
        ).await?;
        self.root().await?.ok_or(StoreError::BadRow)
    }

    /// The data key of a person under a virtual key.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn data_key(
        self,
        scope: &KeyId,
        person: &str,
    ) -> Result<Option<VaultKey>, StoreError> {
        let values = [text(scope.as_str()), text(person)];
        let rows = self.0.run(
            "SELECT name, wrapped FROM vault_person WHERE scope = $1 AND person = $2",
            &values,
        );
        rows.await?.first().map(key).transpose()
    }

    /// Enters a data key, unless the person has one under that virtual key;
    /// answers the one in force.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_data_key(
        self,
        scope: &KeyId,
        person: &str,
        new: &VaultKey,
        now_ms: u64,
    ) -> Result<VaultKey, StoreError> {
        self.0.run(
            "INSERT INTO vault_person (name, scope, person, wrapped, used_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, person) DO NOTHING",
            &[text(&new.name), text(scope.as_str()), text(person), text(&new.wrapped), number(now_ms)],
        ).await?;
        let held = self.data_key(scope, person).await?;
        held.ok_or(StoreError::BadRow)
    }

    /// Says that a data key is about to be used, so that no sweep takes it;
    /// answers whether it is there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn touch(self, key: &VaultKey, now_ms: u64) -> Result<bool, StoreError> {
        let values = [text(&key.name), number(now_ms)];
        let rows = self.0.run(
            "UPDATE vault_person SET used_ms = $2 WHERE name = $1 RETURNING name",
            &values,
        );
        Ok(!rows.await?.is_empty())
    }

    /// How many values there are of a virtual key, or of all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn entries(self, scope: Option<&KeyId>) -> Result<u64, StoreError> {
        let rows = match scope {
            Some(scope) => {
                self.0
                    .run(
                        "SELECT COUNT(*) FROM vault_entry WHERE scope = $1",
                        &[text(scope.as_str())],
                    )
                    .await?
            }
            None => self.0.run("SELECT COUNT(*) FROM vault_entry", &[]).await?,
        };
        first_number(&rows)
    }

    /// How much there is in all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count(self) -> Result<VaultCount, StoreError> {
        let next = self
            .0
            .run("SELECT MIN(expires_ms) FROM vault_entry", &[])
            .await?;
        let persons = self.0.run("SELECT COUNT(*) FROM vault_person", &[]).await?;
        Ok(VaultCount {
            entries: self.entries(None).await?,
            persons: first_number(&persons)?,
            next_expiry_ms: first_number(&next).ok(),
        })
    }

    /// Destroys the data keys that are meant, and with them the values under
    /// them; answers how many values and how many keys.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn erase(self, whose: &VaultWhose) -> Result<(u64, u64), StoreError> {
        let (count, destroy, value) = match whose {
            VaultWhose::Person(person) => (
                "SELECT COUNT(*) FROM vault_entry WHERE key_name IN (SELECT name FROM vault_person WHERE person = $1)",
                "DELETE FROM vault_person WHERE person = $1 RETURNING name",
                text(person),
            ),
            VaultWhose::Key(scope) => (
                "SELECT COUNT(*) FROM vault_entry WHERE key_name IN (SELECT name FROM vault_person WHERE scope = $1)",
                "DELETE FROM vault_person WHERE scope = $1 RETURNING name",
                text(scope.as_str()),
            ),
        };
        let value = std::slice::from_ref(&value);
        let entries = first_number(&self.0.run(count, value).await?)?;
        let keys = self.0.run(destroy, value).await?.len() as u64;
        Ok((entries, keys))
    }

    /// Removes values that have expired, and data keys of nothing that were
    /// not used since; at most a thousand of each. Answers how many values and
    /// how many keys.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(
        self,
        now_ms: u64,
        unused_since_ms: u64,
    ) -> Result<(usize, usize), StoreError> {
        let most = Value::Int(i64::try_from(SWEEP_MAX).unwrap_or(i64::MAX));
        let gone = self.0.run(
            "DELETE FROM vault_entry WHERE (token, key_name) IN (SELECT token, key_name FROM vault_entry WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2) RETURNING key_name",
            &[number(now_ms), most.clone()],
        ).await?;
        let keys = self.0.run(
            "DELETE FROM vault_person WHERE name IN (SELECT name FROM vault_person WHERE used_ms < $1 AND NOT EXISTS (SELECT 1 FROM vault_entry WHERE vault_entry.key_name = vault_person.name) LIMIT $2) RETURNING name",
            &[number(unused_since_ms), most],
        ).await?;
        Ok((gone.len(), keys.len()))
    }

    /// Makes sure that no file of the database keeps what was removed, as far
    /// as the database can.
    ///
    /// # Errors
    /// When the store fails, or somebody reads and keeps it from doing so.
    pub async fn scrub(self) -> Result<(), StoreError> {
        self.0.scrub(&["vault_entry", "vault_person"]).await
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::BadRow)
}

fn first_number(rows: &[Row]) -> Result<u64, StoreError> {
    match rows.first().map(Vec::as_slice) {
        Some([Value::Int(number)]) => unsigned(*number),
        _ => Err(StoreError::BadRow),
    }
}

fn key(row: &Row) -> Result<VaultKey, StoreError> {
    match row.as_slice() {
        [Value::Text(name), Value::Text(wrapped)] => Ok(VaultKey {
            name: name.clone(),
            wrapped: wrapped.clone(),
        }),
        _ => Err(StoreError::BadRow),
    }
}
