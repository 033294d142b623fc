//! The gate's own certificate.

use std::path::Path;

use gate::{ServerTls, TlsFault};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use toml::Spanned;

use super::Fault;
use crate::config::raw::RawTls;

pub(super) fn settle(raw: &RawTls, folder: &Path) -> Result<ServerTls, Fault> {
    let chain = certificates(&raw.certificate, folder)?;
    let key = PrivateKeyDer::from_pem_file(folder.join(raw.key.get_ref())).map_err(|_| {
        let says = "this file cannot be read as a private key in PEM";
        (Some(raw.key.span()), says.to_owned())
    })?;
    let authorities = match &raw.caller_authority {
        Some(file) => certificates(file, folder)?,
        None => Vec::new(),
    };
    ServerTls::new(chain, key, authorities).map_err(|fault| {
        let place = match fault {
            TlsFault::Certificate => Some(raw.certificate.span()),
            TlsFault::Authorities => raw.caller_authority.as_ref().map(Spanned::span),
        };
        (place, fault.to_string())
    })
}

/// Reads the certificates of a PEM file; at least one.
pub(super) fn certificates(
    file: &Spanned<String>,
    folder: &Path,
) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let fault = || {
        let says = "this file cannot be read as PEM certificates";
        (Some(file.span()), says.to_owned())
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(folder.join(file.get_ref()))
        .map_err(|_| fault())?
        .collect();
    let found = found.map_err(|_| fault())?;
    if found.is_empty() {
        Err(fault())
    } else {
        Ok(found)
    }
}
