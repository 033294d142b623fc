//! Connections to vendors: one attempt, no redirects, nothing but what is asked for.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection, HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use terms::{Code, Refusal};
use thiserror::Error;
use tokio::net::TcpStream;
use tower_service::Service;
use wire::Api;

use crate::{settings::Vendor, turns};

/// Idle connections are dropped before vendors drop them, since a request on a
/// dead connection is not tried again.
const IDLE_TIME: Duration = Duration::from_secs(15);
/// LIMIT: idle connections kept for one vendor.
const IDLE_PER_HOST_MAX: usize = 256;

/// Certificates that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a certificate authority of the configuration cannot be used")]
pub struct AuthorityFault(());

/// What was seen of the connection, attached to each reply.
#[derive(Debug, Clone)]
pub(crate) struct TlsSeen(pub(crate) Option<String>);

/// The client that all vendor calls share.
#[derive(Debug, Clone)]
pub struct VendorClient {
    client: Client<ObservedConnector, Full<Bytes>>,
}

impl VendorClient {
    /// A client that trusts the public authorities and these further ones.
    ///
    /// # Errors
    /// When a further authority is no certificate.
    pub fn new(
        extra: Vec<CertificateDer<'static>>,
        connect_time: Duration,
    ) -> Result<Self, AuthorityFault> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for certificate in extra {
            roots.add(certificate).map_err(|_| AuthorityFault(()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| AuthorityFault(()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut plain = HttpConnector::new();
        plain.set_nodelay(true);
        plain.enforce_http(false);
        plain.set_connect_timeout(Some(connect_time));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            // One exchange is at most one call.
            .retry_canceled_requests(false)
            .http1_max_headers(256)
            .build(ObservedConnector(https));
        Ok(Self { client })
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// [`Code::VendorUnreachable`] when no reply came.
    pub(crate) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Refusal> {
        let connection = capture_connection(&mut request);
        let response = self
            .client
            .request(request)
            .await
            .map_err(|_| Refusal::new(Code::VendorUnreachable))?;
        // Two framings: readers disagree about where such a reply ends, so
        // neither it nor anything after it on the connection is believed.
        let framings = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
        if framings
            .iter()
            .all(|name| response.headers().contains_key(name))
        {
            if let Some(connection) = &*connection.connection_metadata() {
                connection.poison();
            }
            return Err(Refusal::new(Code::VendorGarbage));
        }
        Ok(response)
    }
}

/// The request as the vendor gets it: headers built from nothing, the
/// vendor's own key, and an encoding that can be inspected.
pub(crate) fn request(
    vendor: &Vendor,
    path: &str,
    query: Option<&str>,
    passed: &[(http::HeaderName, String)],
    stream: bool,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Refusal> {
    let fault = || Refusal::new(Code::VendorKeyMissing);
    let path = match query {
        Some(query) => format!("{}{path}?{query}", vendor.base_path),
        None => format!("{}{path}", vendor.base_path),
    };
    let path: PathAndQuery = path.parse().map_err(|_| fault())?;
    let uri = Uri::builder()
        .scheme(vendor.scheme.clone())
        .authority(vendor.authority.clone())
        .path_and_query(path)
        .build()
        .map_err(|_| fault())?;
    let (name, value) = match vendor.api {
        Api::OpenAi => (
            header::AUTHORIZATION,
            format!("Bearer {}", vendor.key.reveal()),
        ),
        Api::Anthropic => (
            http::HeaderName::from_static("x-api-key"),
            vendor.key.reveal().clone(),
        ),
    };
    let mut key: HeaderValue = value.parse().map_err(|_| fault())?;
    key.set_sensitive(true);
    let accept = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    let mut request = Request::post(uri)
        .header(header::ACCEPT, accept)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("merestone/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::new(body))
        .map_err(|_| fault())?;
    for (name, value) in passed {
        if let Ok(value) = value.parse() {
            request.headers_mut().insert(name.clone(), value);
        }
    }
    request.headers_mut().insert(name, key);
    Ok(request)
}

/// How the gate authenticates to this API, as a record says it.
pub(crate) const fn authentication(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "bearer",
        Api::Anthropic => "x-api-key",
    }
}

/// Makes connections that remember what TLS they negotiated.
#[derive(Debug, Clone)]
struct ObservedConnector(HttpsConnector<HttpConnector>);

type ConnectError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for ObservedConnector {
    type Response = Observed;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Observed, ConnectError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { Ok(Observed::new(connecting.await?)) })
    }
}

#[derive(Debug)]
struct Observed {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    tls: TlsSeen,
}

impl Observed {
    fn new(stream: MaybeHttpsStream<TokioIo<TcpStream>>) -> Self {
        let seen = match &stream {
            MaybeHttpsStream::Http(_) => None,
            MaybeHttpsStream::Https(tls) => {
                let (_, session) = tls.inner().get_ref();
                let version = session
                    .protocol_version()
                    .map(|version| format!("{version:?}"));
                let group = session
                    .negotiated_key_exchange_group()
                    .map(|group| format!("{:?}", group.name()));
                version.map(|version| {
                    format!("{version} {}", group.unwrap_or_default())
                        .trim_end()
                        .to_owned()
                })
            }
        };
        Self {
            stream,
            tls: TlsSeen(seen),
        }
    }
}

impl Connection for Observed {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.tls.clone())
    }
}

impl Read for Observed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Observed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, turns::some(bytes));
        turns::written(cx, outcome)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let parts = turns::some_parts(parts);
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, &parts);
        turns::written(cx, outcome)
    }
}
