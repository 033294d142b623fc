//! TLS towards sinks: rustls, with the well-known authorities or, where some
//! are named, those alone.

use std::{fmt, sync::Arc};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// Why TLS towards a sink cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlsFault {
    /// An authority is no certificate.
    #[error("a certificate of the authority cannot be used")]
    Authority,
    /// The own certificate and its key do not fit.
    #[error("the certificate and its key cannot be used together")]
    Identity,
}

/// What is needed to speak TLS to one sink.
#[derive(Default)]
pub struct Tls {
    /// Authorities that the other side's certificate must come from; the
    /// well-known ones if there are none.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The own certificate, with those above it, and its key.
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Clone for Tls {
    fn clone(&self) -> Self {
        let identity = self.identity.as_ref();
        Self {
            authorities: self.authorities.clone(),
            identity: identity.map(|(chain, key)| (chain.clone(), key.clone_key())),
        }
    }
}

impl Tls {
    /// The settings of rustls.
    ///
    /// # Errors
    /// When a certificate or key cannot be used.
    pub fn client(&self) -> Result<ClientConfig, TlsFault> {
        let mut roots = RootCertStore::empty();
        if self.authorities.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for authority in &self.authorities {
            roots
                .add(authority.clone())
                .map_err(|_| TlsFault::Authority)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsFault::Authority)?
            .with_root_certificates(roots);
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|_| TlsFault::Identity),
        }
    }
}
