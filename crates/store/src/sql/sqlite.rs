//! The embedded database.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::types::{ToSqlOutput, ValueRef};

use super::{ROWS_MAX, Row, StoreError, Value};

/// How long a statement waits for another process.
const BUSY_TIME: Duration = Duration::from_secs(5);

/// How long emptying the journal waits for who reads. Every other statement
/// waits behind it, so it is not long.
const SCRUB_TIME: Duration = Duration::from_millis(100);

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        // Of its own words: the engine's may quote values.
        let says = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => "its file is not a database".to_owned(),
            Some(ErrorCode::CannotOpen) => "its file cannot be opened".to_owned(),
            Some(ErrorCode::DiskFull) => "its disk is full".to_owned(),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                "its file cannot be written".to_owned()
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process holds its file".to_owned()
            }
            Some(code) => format!("{code:?}"),
            None => "no engine code".to_owned(),
        };
        Self::Engine(says)
    }
}

/// A SQLite database. Statements run on threads that may wait.
#[derive(Debug)]
pub(super) struct Sqlite(Arc<Mutex<rusqlite::Connection>>);

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::with(rusqlite::Connection::open(path)?)
    }

    pub(super) fn in_memory() -> Result<Self, StoreError> {
        Self::with(rusqlite::Connection::open_in_memory()?)
    }

    fn with(connection: rusqlite::Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(BUSY_TIME)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // What is deleted is overwritten in its page.
        connection.pragma_update(None, "secure_delete", "ON")?;
        // A person's values go with the person's key.
        connection.pragma_update(None, "foreign_keys", "ON")?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    pub(super) async fn run(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let values = values.to_vec();
        self.apart(move |connection| query(connection, sql, &values))
            .await
    }

    pub(super) async fn all(&self, sql: String) -> Result<(), StoreError> {
        self.apart(move |connection| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            transaction.execute_batch(&sql)?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Writes the journal's pages into the file and empties the journal.
    pub(super) async fn scrub(&self) -> Result<(), StoreError> {
        self.apart(|connection| {
            connection.busy_timeout(SCRUB_TIME)?;
            let busy: rusqlite::Result<i64> =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            connection.busy_timeout(BUSY_TIME)?;
            if busy? == 0 {
                Ok(())
            } else {
                Err(StoreError::Engine(
                    "another process reads its file, so its journal was not emptied".to_owned(),
                ))
            }
        })
        .await
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            // A transaction that was not ended is rolled back when dropped, so
            // the connection is sound even after a panic.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        })
        .await
        .map_err(|_| StoreError::Engine("the work was broken off".to_owned()))?
    }
}

fn query(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    // To SQLite `$2` is a name, numbered by where it stands first; the number
    // that it says is the one that counts, as in PostgreSQL.
    for index in 1..=statement.parameter_count() {
        let number: Option<usize> = statement
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$'))
            .and_then(|number| number.parse().ok());
        let value = number
            .and_then(|number| number.checked_sub(1))
            .and_then(|number| values.get(number))
            .ok_or_else(|| StoreError::Engine("a parameter has no value".to_owned()))?;
        statement.raw_bind_parameter(index, value)?;
    }
    let mut answer = statement.raw_query();
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
