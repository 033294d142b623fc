//! Where secrets come from: the environment, a file, or a vault. Never the
//! configuration itself.

mod transit;

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use http::Uri;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use terms::Secret;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

pub(super) use transit::Transit;

/// LIMIT: bytes of a secret and of its file.
const SECRET_BYTES_MAX: usize = 4_096;
/// LIMIT: bytes of a vault's answer.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// For a vault to answer.
const VAULT_TIME: Duration = Duration::from_secs(5);

/// A secret that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The secret.
    pub(super) text: Secret<String>,
    /// Since when it is what it is, milliseconds since 1970, if its place tells.
    pub(super) since_ms: Option<u64>,
}

/// A vault that speaks HashiCorp Vault's HTTP API, with its second key-value engine.
#[derive(Debug)]
pub(super) struct Vault {
    agent: ureq::Agent,
    address: String,
    token: Secret<String>,
    namespace: Option<String>,
}

/// Where references lead.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) folder: &'a Path,
    /// Whether the environment is no place for a secret.
    pub(super) strict: bool,
    pub(super) vault: Option<Arc<Vault>>,
}

impl Sources<'_> {
    /// Whether a text is a reference; otherwise what to write.
    pub(super) fn check(&self, reference: &str) -> Result<(), String> {
        if reference.starts_with("env:") {
            return if self.strict {
                Err("`secrets.strict` forbids the environment, which every program that is started inherits; write \"file:path\" or \"vault:path#field\"".to_owned())
            } else {
                Ok(())
            };
        }
        if reference.starts_with("file:") {
            return Ok(());
        }
        if let Some(rest) = reference.strip_prefix("vault:") {
            let (path, field) = rest.split_once('#').unwrap_or((rest, ""));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
            let fits = |text: &str| !text.is_empty() && text.bytes().all(plain);
            if !fits(path) || !fits(field) || path.split('/').any(|part| part == "..") {
                return Err(
                    "a secret in the vault is written as \"vault:secret/data/openai#api_key\""
                        .to_owned(),
                );
            }
            return if self.vault.is_some() {
                Ok(())
            } else {
                Err("no vault is configured; write a [secrets.vault] table".to_owned())
            };
        }
        Err("a key never stands in the configuration; write \"env:NAME\", \"file:path\" or \"vault:path#field\"".to_owned())
    }

    /// Fetches what a reference names.
    pub(super) fn fetch(&self, reference: &str) -> Result<Fetched, String> {
        self.check(reference)?;
        let (text, since_ms) = if let Some(variable) = reference.strip_prefix("env:") {
            (environment(variable)?, None)
        } else if let Some(file) = reference.strip_prefix("file:") {
            file_text(&self.folder.join(file))?
        } else if let (Some(rest), Some(vault)) = (reference.strip_prefix("vault:"), &self.vault) {
            let (path, field) = rest.split_once('#').unwrap_or((rest, ""));
            vault.fetch(path, field)?
        } else {
            return Err("this is no reference".to_owned());
        };
        let text = Secret::new(text.reveal().trim().to_owned());
        let plain = text.reveal().bytes().all(|byte| byte.is_ascii_graphic());
        if text.reveal().is_empty() || text.reveal().len() > SECRET_BYTES_MAX || !plain {
            return Err("what the reference names is not a key: empty, too long, or with blanks or odd characters in it".to_owned());
        }
        Ok(Fetched { text, since_ms })
    }
}

fn environment(variable: &str) -> Result<Secret<String>, String> {
    std::env::var(variable).map(Secret::new).map_err(|_| {
        format!(
            "the environment has no variable `{}`; set it, or name a file with \"file:path\"",
            printable(variable)
        )
    })
}

/// A variable's name is quoted only if it looks like one, not like a key.
fn printable(variable: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if variable.len() <= 64 && variable.bytes().all(plain) {
        variable
    } else {
        "(name not shown)"
    }
}

fn file_text(path: &Path) -> Result<(Secret<String>, Option<u64>), String> {
    let unreadable =
        |error: std::io::Error| format!("the key's file cannot be read: {}", error.kind());
    let facts = std::fs::metadata(path).map_err(unreadable)?;
    if facts.len() > SECRET_BYTES_MAX as u64 {
        return Err(format!(
            "the key's file is larger than {SECRET_BYTES_MAX} bytes"
        ));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let since_ms = facts
        .modified()
        .ok()
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|since| u64::try_from(since.as_millis()).ok());
    Ok((Secret::new(text), since_ms))
}

#[derive(Deserialize)]
struct Answer {
    data: AnswerData,
}

#[derive(Deserialize)]
struct AnswerData {
    data: std::collections::BTreeMap<String, serde_json::Value>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    created_time: String,
}

impl Vault {
    /// A vault at this address.
    pub(super) fn new(
        address: &str,
        token: Secret<String>,
        namespace: Option<String>,
        authorities: &[CertificateDer<'static>],
    ) -> Result<Self, String> {
        let uri: Uri = address
            .parse()
            .map_err(|_| "this is not a URL; write \"https://vault.example:8200\"".to_owned())?;
        let host = uri.host().unwrap_or_default();
        let near = host == "localhost"
            || host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if near => {}
            _ => {
                return Err(
                    "secrets would cross the network in the clear; write https://".to_owned(),
                );
            }
        }
        let mut tls = TlsConfig::builder();
        if !authorities.is_empty() {
            let roots: Vec<Certificate<'static>> = authorities
                .iter()
                .map(|authority| Certificate::from_der(authority).to_owned())
                .collect();
            tls = tls.root_certs(RootCerts::Specific(std::sync::Arc::new(roots)));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(VAULT_TIME))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(tls.build())
            .build()
            .into();
        Ok(Self {
            agent,
            address: address.trim_end_matches('/').to_owned(),
            token,
            namespace,
        })
    }

    /// A request that carries the token.
    fn post(&self, path: &str) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
        let request = self
            .agent
            .post(format!("{}/v1/{path}", self.address))
            .header("content-type", "application/json")
            .header("x-vault-request", "true")
            .header("x-vault-token", self.token.reveal());
        match &self.namespace {
            Some(namespace) => request.header("x-vault-namespace", namespace),
            None => request,
        }
    }

    fn fetch(&self, path: &str, field: &str) -> Result<(Secret<String>, Option<u64>), String> {
        let mut request = self
            .agent
            .get(format!("{}/v1/{path}", self.address))
            .header("x-vault-request", "true")
            .header("x-vault-token", self.token.reveal());
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        let mut response = request
            .call()
            .map_err(|_| "the vault cannot be reached".to_owned())?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            403 => return Err("the vault refuses its token this path (403)".to_owned()),
            404 => return Err("the vault has nothing at this path (404)".to_owned()),
            503 => return Err("the vault is sealed or being looked after (503)".to_owned()),
            other => return Err(format!("the vault answered with status {other}")),
        }
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|_| "the vault's answer broke off or is too large".to_owned())?;
        let odd = || {
            "the vault's answer is not that of a key-value engine of version 2; the path has `data/` after the mount".to_owned()
        };
        let answer: Answer = serde_json::from_str(&text).map_err(|_| odd())?;
        let value = answer.data.data.get(field).and_then(|value| value.as_str());
        let value = value.ok_or_else(|| "the secret in the vault has no such field".to_owned())?;
        let since = answer.data.metadata.created_time.parse::<jiff::Timestamp>();
        let since_ms = since
            .ok()
            .and_then(|at| u64::try_from(at.as_millisecond()).ok());
        Ok((Secret::new(value.to_owned()), since_ms))
    }
}
