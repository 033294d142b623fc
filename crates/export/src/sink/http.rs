//! Posts to a sink over HTTP, and what its statuses mean.

use std::{
    io::{ErrorKind, Read},
    sync::Arc,
    time::Duration,
};

use rustls_pki_types::CertificateDer;
use terms::Secret;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::Fault;

/// For a sink to answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// For a connection to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// LIMIT: bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

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
}

impl Http {
    /// A sink at this URL, without a slash at its end.
    #[must_use]
    pub fn new(url: &str, credential: Credential, authorities: &[CertificateDer<'static>]) -> Self {
        let mut config = TlsConfig::builder();
        if !authorities.is_empty() {
            let roots = authorities.iter();
            let roots: Vec<Certificate<'static>> = roots
                .map(|root| Certificate::from_der(root).to_owned())
                .collect();
            config = config.root_certs(RootCerts::Specific(Arc::new(roots)));
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
        let broken = || Fault::Down("the sink's answer broke off or is too large".to_owned());
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
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        reader
            .take(ANSWER_BYTES_MAX + 1)
            .read_to_end(&mut body)
            .map_err(|_| broken())?;
        if body.len() as u64 > ANSWER_BYTES_MAX {
            return Err(broken());
        }
        Ok(Answer { status, body })
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
pub(crate) fn status_fault(status: u16) -> Fault {
    let says = format!("the sink answered with status {status}");
    match status {
        400 | 413 | 422 => Fault::Unfit(says),
        _ => Fault::Down(says),
    }
}
