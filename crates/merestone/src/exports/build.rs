//! Makes a sink of what is configured.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use base64::Engine as _;
use export::{
    Sink,
    sink::{
        ElasticSink, FileSink, NatsSettings, NatsSink, OtlpSink, SplunkSettings, SplunkSink,
        StdoutSink, SyslogSink,
        http::{Credential, Http},
    },
};
use rustls_pki_types::ServerName;
use terms::Secret;

use crate::{
    config::{ExportAt, SinkAt},
    source::SystemEntropy,
};

/// For an indexer of Splunk to acknowledge.
const ACKNOWLEDGE_TIME: Duration = Duration::from_secs(60);

/// The sink of a destination, not yet connected.
///
/// # Errors
/// When its name or TLS cannot be used.
pub fn sink(at: ExportAt, node: &str) -> anyhow::Result<Box<dyn Sink>> {
    let http = |url: &str, credential: Credential| Http::new(url, credential, &at.tls);
    let token = at.token.clone();
    Ok(match at.sink {
        SinkAt::File { path, format } => Box::new(FileSink::new(&path, format)),
        SinkAt::Stdout { format } => Box::new(StdoutSink::new(format)),
        SinkAt::Syslog { host, port, format } => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(bare.to_owned())
                .context("the receiver's name cannot be proved by a certificate")?;
            Box::new(SyslogSink::new(
                format!("{host}:{port}"),
                name,
                Arc::new(at.tls.client()?),
                node.to_owned(),
                format,
            ))
        }
        SinkAt::Splunk {
            url,
            index,
            acknowledged,
        } => {
            let settings = SplunkSettings {
                index,
                host: node.to_owned(),
                acknowledged,
                acknowledge_time: ACKNOWLEDGE_TIME,
            };
            let credential = token.map(|token| authorization("Splunk", token.reveal()));
            let http = http(&url, credential);
            Box::new(SplunkSink::new(http, settings, Arc::new(SystemEntropy)))
        }
        SinkAt::Elastic { url, index } => {
            let credential = token.map(|token| {
                let text = token.reveal();
                if text.contains(':') {
                    let coded = base64::engine::general_purpose::STANDARD.encode(text);
                    authorization("Basic", &coded)
                } else {
                    authorization("ApiKey", text)
                }
            });
            Box::new(ElasticSink::new(http(&url, credential), index))
        }
        SinkAt::Otlp { url } => {
            let credential = token.map(|token| authorization("Bearer", token.reveal()));
            Box::new(OtlpSink::new(http(&url, credential), node.to_owned()))
        }
        SinkAt::Nats {
            url,
            subject,
            format,
        } => Box::new(NatsSink::new(NatsSettings {
            url,
            subject,
            credential: token,
            tls: at.tls,
            format,
        })),
    })
}

fn authorization(scheme: &str, credential: &str) -> (&'static str, Secret<String>) {
    (
        "authorization",
        Secret::new(format!("{scheme} {credential}")),
    )
}
