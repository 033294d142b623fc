//! Many values in one statement. Its text is fixed, so that both databases
//! keep it prepared; places that are not needed are blank.

use std::{fmt::Write as _, sync::LazyLock};

use super::{VaultFound, VaultKey, VaultRows, VaultValue, number, text, unsigned};
use crate::{StoreError, Value};

/// LIMIT: values of one statement.
pub const BATCH_MAX: usize = 64;

/// `$from`, …, so many of them.
fn places(from: usize) -> String {
    let each = (from..from + BATCH_MAX).map(|place| format!("${place}"));
    each.collect::<Vec<_>>().join(", ")
}

static HELD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT token, expires_ms FROM vault_entry WHERE key_name = $1 AND token IN ({})",
        places(2)
    )
});

static REFRESH: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE vault_entry SET expires_ms = $2 WHERE key_name = $1 AND expires_ms < $2 AND token IN ({})",
        places(3)
    )
});

static FIND: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT e.token, e.scope, p.person, e.sealed, e.expires_ms, p.name, p.wrapped FROM (SELECT b.token, b.key_name, ROW_NUMBER() OVER (PARTITION BY b.token ORDER BY b.expires_ms DESC, b.key_name) AS place FROM vault_entry AS b JOIN vault_person AS q ON q.name = b.key_name AND q.scope = b.scope WHERE b.expires_ms > $1 AND (b.scope = $2 OR $2 = '') AND (q.person = $3 OR $3 = '') AND b.token IN ({})) AS f JOIN vault_entry AS e ON e.token = f.token AND e.key_name = f.key_name JOIN vault_person AS p ON p.name = e.key_name WHERE f.place = 1 ORDER BY e.expires_ms DESC, e.token",
        places(4)
    )
});

static PUT: LazyLock<String> = LazyLock::new(|| {
    let mut rows = String::new();
    for row in 0..BATCH_MAX {
        let (token, sealed) = (4 + 2 * row, 5 + 2 * row);
        let _ = if row == 0 {
            write!(
                rows,
                "SELECT CAST(${token} AS TEXT) AS token, CAST(${sealed} AS TEXT) AS sealed"
            )
        } else {
            write!(
                rows,
                " UNION ALL SELECT CAST(${token} AS TEXT), CAST(${sealed} AS TEXT)"
            )
        };
    }
    format!(
        "INSERT INTO vault_entry (key_name, scope, expires_ms, token, sealed) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), v.token, v.sealed FROM ({rows}) AS v WHERE v.token <> '' ON CONFLICT (token, key_name) DO UPDATE SET sealed = excluded.sealed, expires_ms = excluded.expires_ms"
    )
});

impl VaultRows<'_> {
    /// Which of these tokens a data key has values of, and when each expires.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn held(
        self,
        key: &VaultKey,
        tokens: &[&str],
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let mut held = Vec::with_capacity(tokens.len());
        for some in tokens.chunks(BATCH_MAX) {
            let values = padded(vec![text(&key.name)], some);
            for row in self.0.run(HELD.as_str(), &values).await? {
                match row.as_slice() {
                    [Value::Text(token), Value::Int(expires)] => {
                        held.push((token.clone(), unsigned(*expires)?));
                    }
                    _ => return Err(StoreError::BadRow),
                }
            }
        }
        Ok(held)
    }

    /// Lets values under a data key expire later.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refresh(
        self,
        key: &VaultKey,
        tokens: &[&str],
        expires_ms: u64,
    ) -> Result<(), StoreError> {
        for some in tokens.chunks(BATCH_MAX) {
            let values = padded(vec![text(&key.name), number(expires_ms)], some);
            self.0.run(REFRESH.as_str(), &values).await?;
        }
        Ok(())
    }

    /// Keeps values under a data key, in place of what it has of the same
    /// tokens. No two of them are of one token.
    ///
    /// # Errors
    /// When the store fails, or the data key is gone; what was kept by then
    /// stays.
    pub async fn put(
        self,
        key: &VaultKey,
        scope: &terms::KeyId,
        expires_ms: u64,
        values: &[VaultValue],
    ) -> Result<(), StoreError> {
        for some in values.chunks(BATCH_MAX) {
            let mut bound = vec![text(&key.name), text(scope.as_str()), number(expires_ms)];
            for value in some {
                bound.extend([text(&value.token), text(&value.sealed)]);
            }
            bound.resize(3 + 2 * BATCH_MAX, text(""));
            self.0.run(PUT.as_str(), &bound).await?;
        }
        Ok(())
    }

    /// What there is of these tokens that has not expired, of a virtual key
    /// and a person if they are given: for each token the one that expires
    /// last, whoever else has it too. What expires last goes first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(
        self,
        tokens: &[&str],
        scope: Option<&terms::KeyId>,
        person: Option<&str>,
        now_ms: u64,
    ) -> Result<Vec<VaultFound>, StoreError> {
        // No scope and no mark is blank.
        let whose = [scope.map_or("", terms::KeyId::as_str), person.unwrap_or("")];
        let mut found = Vec::new();
        for some in tokens.chunks(BATCH_MAX) {
            let values = padded(
                [vec![number(now_ms)], whose.map(text).to_vec()].concat(),
                some,
            );
            for row in self.0.run(FIND.as_str(), &values).await? {
                let [
                    Value::Text(token),
                    Value::Text(scope),
                    Value::Text(person),
                    Value::Text(sealed),
                    Value::Int(expires),
                    Value::Text(name),
                    Value::Text(wrapped),
                ] = row.as_slice()
                else {
                    return Err(StoreError::BadRow);
                };
                found.push(VaultFound {
                    token: token.clone(),
                    scope: scope.parse().map_err(|_| StoreError::BadRow)?,
                    person: person.clone(),
                    sealed: sealed.clone(),
                    key: VaultKey {
                        name: name.clone(),
                        wrapped: wrapped.clone(),
                    },
                    expires_ms: unsigned(*expires)?,
                });
            }
        }
        Ok(found)
    }
}

/// Marks after the values that stand first, and blanks up to the last place.
fn padded(first: Vec<Value>, tokens: &[&str]) -> Vec<Value> {
    let mut values = first;
    let places = values.len() + BATCH_MAX;
    values.extend(tokens.iter().map(|token| text(token)));
    values.resize(places, text(""));
    values
}
