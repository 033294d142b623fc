//! One narrow door to the database: SQL text and values in, rows out. The same
//! text runs on SQLite and on PostgreSQL.

mod postgres;
mod sqlite;

use std::path::Path;

use thiserror::Error;

pub use postgres::PostgresAt;

/// LIMIT: rows that one statement may return.
const ROWS_MAX: usize = 100_000;

/// Migrations in order; a database remembers how many it has had. They only go
/// forward: an older binary refuses a database that had more.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_keys.sql"),
    include_str!("../migrations/0002_makers.sql"),
    include_str!("../migrations/0003_vendor_keys.sql"),
    include_str!("../migrations/0004_vault.sql"),
];

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

/// One row, column by column.
pub type Row = Vec<Value>;

/// Why the store could not do it. Holds no value that was passed in.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database engine refused; its own code, without its message, since
    /// messages may quote values.
    #[error("the store failed: {0}")]
    Engine(String),
    /// The database cannot be reached.
    #[error("the store cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The database was written by a newer merestone.
    #[error(
        "the store was written by a newer merestone (schema {found}, this one knows {known}); use the newer binary"
    )]
    TooNew {
        /// Schema number in the database.
        found: i64,
        /// Highest number that this build knows.
        known: i64,
    },
    /// A row is not what this build wrote.
    #[error("the store holds a row that cannot be read")]
    BadRow,
    /// The statement returned more rows than allowed.
    #[error("the store returned more than {ROWS_MAX} rows")]
    TooManyRows,
}

#[derive(Debug)]
enum Driver {
    Sqlite(sqlite::Sqlite),
    Postgres(Box<postgres::Postgres>),
}

/// A database.
#[derive(Debug)]
pub struct Store(Driver);

impl Store {
    /// Opens or creates a SQLite file and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or is newer than this build.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::migrated(Driver::Sqlite(sqlite::Sqlite::open(path)?)).await
    }

    /// A store that lives in memory only, for tests and the demo.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Self::migrated(Driver::Sqlite(sqlite::Sqlite::in_memory()?)).await
    }

    /// Connects to a PostgreSQL server and brings the schema up to date.
    ///
    /// # Errors
    /// When the server cannot be reached or its schema is newer than this build.
    pub async fn connect(at: PostgresAt) -> Result<Self, StoreError> {
        let store = Self::later(at);
        store.migrate().await?;
        Ok(store)
    }

    /// The same without a first call: for a node that starts while the server
    /// is down. [`Store::migrate`] is to be called once it is back.
    #[must_use]
    pub fn later(at: PostgresAt) -> Self {
        Self(Driver::Postgres(Box::new(postgres::Postgres::new(at))))
    }

    async fn migrated(driver: Driver) -> Result<Self, StoreError> {
        let store = Self(driver);
        store.migrate().await?;
        Ok(store)
    }

    /// Runs one statement. Values are bound as `$1`, `$2`, …
    ///
    /// # Errors
    /// When the engine refuses, or the answer has more rows than allowed.
    pub async fn run(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &self.0 {
            Driver::Sqlite(sqlite) => sqlite.run(sql, values).await,
            Driver::Postgres(postgres) => postgres.run(sql, values).await,
        }
    }

    /// Runs several statements in one transaction; all of them, or none.
    async fn all(&self, sql: String) -> Result<(), StoreError> {
        match &self.0 {
            Driver::Sqlite(sqlite) => sqlite.all(sql).await,
            Driver::Postgres(postgres) => postgres.all(&sql).await,
        }
    }

    /// Leaves nothing of what was removed from these tables, as far as the
    /// engine can. SQLite: deleted rows are overwritten in their pages, and
    /// the journal that held them before is emptied. PostgreSQL: dead rows are
    /// vacuumed; its own journal and its backups are out of reach.
    ///
    /// # Errors
    /// When the engine fails, or somebody reads and keeps it from doing so.
    pub(crate) async fn scrub(&self, tables: &[&'static str]) -> Result<(), StoreError> {
        match &self.0 {
            Driver::Sqlite(sqlite) => sqlite.scrub().await,
            Driver::Postgres(postgres) => {
                for table in tables {
                    postgres.plain(&format!("VACUUM {table}")).await?;
                }
                Ok(())
            }
        }
    }

    /// Brings the schema up to date. Two processes that do it at once do not
    /// meet: each step is one transaction that first takes its number.
    ///
    /// # Errors
    /// When the database cannot be reached, or is newer than this build.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.all(
            "CREATE TABLE IF NOT EXISTS schema_step (step BIGINT NOT NULL PRIMARY KEY)".to_owned(),
        )
        .await?;
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        loop {
            let found = self.step().await?;
            if found > known {
                return Err(StoreError::TooNew { found, known });
            }
            let done = usize::try_from(found).map_err(|_| StoreError::BadRow)?;
            let Some(migration) = MIGRATIONS.get(done) else {
                return Ok(());
            };
            let step = format!(
                "INSERT INTO schema_step (step) VALUES ({});\n{migration}",
                found + 1
            );
            if let Err(error) = self.all(step).await {
                // Somebody else was there first; or it is a true failure.
                if self.step().await? == found {
                    return Err(error);
                }
            }
        }
    }

    async fn step(&self) -> Result<i64, StoreError> {
        let rows = self
            .run("SELECT COALESCE(MAX(step), 0) FROM schema_step", &[])
            .await?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Int(step)]) => Ok(*step),
            _ => Err(StoreError::BadRow),
        }
    }
}

#[cfg(test)]
mod tests;
