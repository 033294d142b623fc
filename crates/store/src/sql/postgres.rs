//! A PostgreSQL server: one connection, made anew when it is lost.

use std::{future::Future, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use terms::Secret;
use tokio::sync::Mutex;
use tokio_postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode},
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{ROWS_MAX, Row, StoreError, Value};

/// For a connection to be made, and for a statement to be answered.
const WAIT_TIME: Duration = Duration::from_secs(5);
/// Held by the one node that changes the schema; the number is merestone's own.
const SCHEMA_LOCK: i64 = 0x6d65_7265;

/// Where a server is, and how it is connected to.
#[derive(Debug, Clone)]
pub struct PostgresAt {
    /// `postgres://user:password@host:port/database`; it holds a password.
    url: Arc<Secret<String>>,
    tls: Option<Arc<ClientConfig>>,
}

impl PostgresAt {
    /// A server at this URL. Beyond this machine the connection is encrypted
    /// and the server must prove its name, by the public authorities or these.
    ///
    /// # Errors
    /// When the URL or an authority cannot be used. The URL is not quoted.
    pub fn new(
        url: Secret<String>,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, StoreError> {
        let config: Config = url
            .reveal()
            .parse()
            .map_err(|_| StoreError::Unreachable("its URL cannot be read"))?;
        let near = config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                name == "localhost"
                    || name
                        .parse()
                        .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
        });
        let encrypted = !near || config.get_ssl_mode() == SslMode::Require;
        Ok(Self {
            url: Arc::new(url),
            tls: encrypted.then(|| client(authorities)).transpose()?,
        })
    }

    /// Whether it is the same server, account and database.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.url.reveal() == other.url.reveal()
    }

    async fn connect(&self) -> Result<Client, StoreError> {
        let lost = |_| StoreError::Unreachable("no connection");
        let mut config: Config = self.url.reveal().parse().map_err(lost)?;
        config.connect_timeout(WAIT_TIME);
        config.application_name("merestone");
        let Some(tls) = &self.tls else {
            let (client, connection) = config.connect(NoTls).await.map_err(lost)?;
            tokio::spawn(connection);
            return Ok(client);
        };
        config.ssl_mode(SslMode::Require);
        let tls = MakeRustlsConnect::new((**tls).clone());
        let (client, connection) = config.connect(tls).await.map_err(lost)?;
        tokio::spawn(connection);
        Ok(client)
    }
}

fn client(authorities: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, StoreError> {
    let unusable = || StoreError::Unreachable("an authority for its certificate cannot be used");
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for authority in authorities {
        roots.add(authority).map_err(|_| unusable())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A server and the connection to it, if there is one.
#[derive(Debug)]
pub(super) struct Postgres {
    at: PostgresAt,
    client: Mutex<Option<Arc<Client>>>,
}

impl Postgres {
    pub(super) fn new(at: PostgresAt) -> Self {
        Self {
            at,
            client: Mutex::new(None),
        }
    }

    pub(super) async fn run(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = values
            .iter()
            .map(|value| value as &(dyn ToSql + Sync))
            .collect();
        let client = self.client().await?;
        let rows = self.answered(client.query(sql, &parameters)).await?;
        if rows.len() > ROWS_MAX {
            return Err(StoreError::TooManyRows);
        }
        rows.iter().map(read).collect()
    }

    /// Several statements in one simple query are one transaction. One node
    /// at a time: two that create a table at once meet in the catalogue of
    /// the server, IF NOT EXISTS or not.
    pub(super) async fn all(&self, sql: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        let sql = format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK});\n{sql}");
        self.answered(client.batch_execute(&sql)).await
    }

    /// One statement that no transaction may be around.
    pub(super) async fn plain(&self, sql: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        self.answered(client.batch_execute(sql)).await
    }

    /// The connection; a lost one is made anew.
    async fn client(&self) -> Result<Arc<Client>, StoreError> {
        let mut held = self.client.lock().await;
        if let Some(client) = held.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let made = tokio::time::timeout(WAIT_TIME, self.at.connect()).await;
        let client = Arc::new(made.map_err(|_| StoreError::Unreachable("no answer in time"))??);
        *held = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn answered<T>(
        &self,
        query: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(WAIT_TIME, query).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(error
                .code()
                .map_or(StoreError::Unreachable("the connection broke"), |code| {
                    StoreError::Engine(format!("SQLSTATE {}", code.code()))
                })),
            Err(_) => {
                // A connection that does not answer is not asked again.
                self.client.lock().await.take();
                Err(StoreError::Unreachable("no answer in time"))
            }
        }
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        <i64 as ToSql>::accepts(kind) || <String as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        if <i64 as FromSql>::accepts(kind) {
            return i64::from_sql(kind, raw).map(Self::Int);
        }
        String::from_sql(kind, raw).map(Self::Text)
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        <i64 as FromSql>::accepts(kind) || <String as FromSql>::accepts(kind)
    }
}

fn read(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    (0..row.len())
        .map(|column| row.try_get(column).map_err(|_| StoreError::BadRow))
        .collect()
}
