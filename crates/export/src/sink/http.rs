//! Posts to a sink over HTTP, and what its statuses mean.

use std::{
    io::{ErrorKind, Read},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls_pki_types::PrivateKeyDer;
use terms::Secret;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::{Fault, tls::Tls};

/// For a sink to answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// For a connection to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// LIMIT: bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// LIMIT: for how long a sink may ask to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

/// A header that carries the credential, and its value.
pub type Credential = Option<(&'static str, Secret<String>)>;

/// Posts to one sink.
#[derive(Debug)]
pub struct Http {
    agent: ureq::Agent,
    base: String,
    credential: Credential,
}

/// What a sink answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Of the body, without parameters, in lower case; empty if it does not say.
    pub(crate) media_type: String,
    /// For how long it asks to be left alone.
    retry_after: Option<Duration>,
}

impl Http {
    /// A sink at this URL, without a slash at its end.
    #[must_use]
    pub fn new(url: &str, credential: Credential, tls: &Tls) -> Self {
        let owned = |certificate| Certificate::from_der(certificate).to_owned();
        let mut config = TlsConfig::builder();
        if !tls.authorities.is_empty() {
            let roots = tls.authorities.iter().map(|root| owned(root)).collect();
            config = config.root_certs(RootCerts::Specific(Arc::new(roots)));
        }
        if let Some((chain, key)) = &tls.identity {
            let chain: Vec<Certificate<'static>> = chain.iter().map(|one| owned(one)).collect();
            let own = private_key(key).map(|key| ClientCert::new_with_certs(&chain, key));
            config = config.client_cert(own);
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_TIME))
            .timeout_connect(Some(CONNECT_TIME))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(config.build())
            .build()
            .into();
        Self {
            agent,
            base: url.trim_end_matches('/').to_owned(),
            credential,
        }
    }

    /// Posts a body. A redirect is an answer like another: credentials go
    /// nowhere else.
    pub(crate) fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Fault> {
        let down = |why: &str| Fault::Down(why.to_owned());
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((name, value)) = &self.credential {
            request = request.header(*name, value.reveal().as_str());
        }
        let sent = request.send(body);
        let mut response = sent.map_err(|error| Fault::Down(unreached(&error).to_owned()))?;
        let status = response.status().as_u16();
        let said = |name: &str| {
            let value = response.headers().get(name).and_then(|it| it.to_str().ok());
            value.unwrap_or_default().trim().to_ascii_lowercase()
        };
        let media_type = said("content-type");
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let (media_type, retry_after) = (media_type.to_owned(), retry_after(&said("retry-after")));
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        reader
            .take(ANSWER_BYTES_MAX + 1)
            .read_to_end(&mut body)
            .map_err(|_| down("the sink's answer broke off"))?;
        if body.len() as u64 > ANSWER_BYTES_MAX {
            return Err(down("the sink's answer is too large"));
        }
        Ok(Answer {
            status,
            body,
            media_type,
            retry_after,
        })
    }
}

/// What stood in the way, without an address or a header.
fn unreached(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "the sink did not answer in time",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            "the sink's certificate or TLS is not accepted"
        }
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            "the sink's certificate or TLS is not accepted"
        }
        ureq::Error::HostNotFound => "the sink's host is not known",
        _ => "the sink cannot be reached",
    }
}

/// What a status other than success means: whether fewer events may go, or
/// all may later.
pub(crate) fn status_fault(answer: &Answer) -> Fault {
    let says = format!("the sink answered with status {}", answer.status);
    match (answer.status, answer.retry_after) {
        (400 | 413 | 422, _) => Fault::Unfit(says),
        (429 | 503, Some(wait)) => Fault::Busy(says, wait),
        _ => Fault::Down(says),
    }
}

/// RFC 9110 10.2.3. A date is no number of seconds, and answered by the usual
/// pauses.
fn retry_after(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// The key as the HTTP client takes it, by PEM (RFC 7468); `None` for a form
/// that it does not know.
fn private_key(key: &PrivateKeyDer<'static>) -> Option<PrivateKey<'static>> {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Pkcs8(_) => "PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => return None,
    };
    let coded = Secret::new(STANDARD.encode(key.secret_der()));
    let rule = "-".repeat(5);
    let pem = Secret::new(format!(
        "{rule}BEGIN {label}{rule}\n{}\n{rule}END {label}{rule}\n",
        coded.reveal()
    ));
    PrivateKey::from_pem(pem.reveal().as_bytes()).ok()
}

#[cfg(test)]
pub(crate) fn answer(status: u16, retry: &str, media_type: &str, body: &[u8]) -> Answer {
    Answer {
        status,
        body: body.to_vec(),
        media_type: media_type.to_owned(),
        retry_after: retry_after(retry),
    }
}
