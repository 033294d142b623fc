//! One narrow door to the database: SQL text and values in, rows out.

use std::{path::Path, sync::Mutex};

use rusqlite::types::{ToSqlOutput, ValueRef};
use thiserror::Error;

/// LIMIT: rows that one statement may return.
const ROWS_MAX: usize = 100_000;

/// Migrations in order; a database remembers how many it has had.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_keys.sql")];

/// A value that goes in or comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Absent.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// One row, column by column.
pub type Row = Vec<Value>;

/// Why the store could not do it. Holds no value that was passed in.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database engine refused.
    #[error("the key store failed: {}", code(.0))]
    Engine(#[from] rusqlite::Error),
    /// The database was written by a newer merestone.
    #[error(
        "the key store was written by a newer merestone (schema {found}, this one knows {known}); use the newer binary"
    )]
    TooNew {
        /// Schema number in the file.
        found: i64,
        /// Highest number that this build knows.
        known: i64,
    },
    /// A row is not what this build wrote.
    #[error("the key store holds a row that cannot be read")]
    BadRow,
    /// The statement returned more rows than allowed.
    #[error("the key store returned more than {ROWS_MAX} rows")]
    TooManyRows,
    /// Another thread failed while it held the store.
    #[error("the key store is not usable after an earlier failure")]
    Poisoned,
}

/// The engine's own code, without its message: messages may quote values.
fn code(error: &rusqlite::Error) -> String {
    error
        .sqlite_error_code()
        .map_or_else(|| "no engine code".to_owned(), |code| format!("{code:?}"))
}

/// A SQLite database file.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<rusqlite::Connection>,
}

impl Store {
    /// Opens or creates the file and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or is newer than this build.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::with(rusqlite::Connection::open(path)?)
    }

    /// A store that lives in memory only, for tests and the demo.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::with(rusqlite::Connection::open_in_memory()?)
    }

    fn with(mut connection: rusqlite::Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        migrate(&mut connection)?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    /// Runs one statement. Values are bound as `$1`, `$2`, …
    ///
    /// # Errors
    /// When the engine refuses, or the answer has more rows than allowed.
    pub fn run(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection.lock().map_err(|_| StoreError::Poisoned)?;
        let mut statement = connection.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut answer = statement.query(rusqlite::params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = answer.next()? {
            if rows.len() == ROWS_MAX {
                return Err(StoreError::TooManyRows);
            }
            rows.push(
                (0..columns)
                    .map(|column| read(row.get_ref(column)?))
                    .collect::<Result<_, _>>()?,
            );
        }
        Ok(rows)
    }
}

fn read(value: ValueRef<'_>) -> Result<Value, StoreError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Int(number)),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| StoreError::BadRow)?;
            Ok(Value::Text(text.to_owned()))
        }
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(StoreError::BadRow),
    }
}

fn migrate(connection: &mut rusqlite::Connection) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    let done = usize::try_from(found).map_err(|_| StoreError::BadRow)?;
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.db");
        drop(Store::open(&path).unwrap());
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        assert!(matches!(
            Store::open(&path),
            Err(StoreError::TooNew { found: 99, .. })
        ));
    }

    #[test]
    fn an_error_does_not_quote_values() {
        let store = Store::in_memory().unwrap();
        let error = store
            .run(
                "INSERT INTO nowhere VALUES ($1)",
                &[Value::Text("quoted".into())],
            )
            .unwrap_err();
        assert!(!error.to_string().contains("quoted") && !error.to_string().contains("nowhere"));
    }
}
