//! How callers connect under TLS.

use std::sync::Arc;

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use thiserror::Error;

/// Certificates or a key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlsFault {
    /// Chain and key do not belong together, or are of an unknown kind.
    #[error("the certificate and its key cannot be used together")]
    Certificate,
    /// The callers' authorities cannot be used.
    #[error("the authorities for callers' certificates cannot be used")]
    Authorities,
}

/// The gate's own certificate, and whose certificates it asks callers for.
#[derive(Debug, Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    /// TLS 1.2 and 1.3 with HTTP/2 and HTTP/1.1. With authorities, a caller
    /// without a certificate of theirs does not get in.
    ///
    /// # Errors
    /// When a certificate, key or authority cannot be used.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        caller_authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, TlsFault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsFault::Certificate)?;
        let builder = if caller_authorities.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for authority in caller_authorities {
                roots.add(authority).map_err(|_| TlsFault::Authorities)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|_| TlsFault::Authorities)?;
            builder.with_client_cert_verifier(verifier)
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|_| TlsFault::Certificate)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}
