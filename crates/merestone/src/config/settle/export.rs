//! Where the ledger's events go.

use std::{collections::BTreeSet, ops::Range, path::PathBuf};

use export::{Begin, Format, Limits, sink::tls::Tls};
use http::Uri;
use rustls_pki_types::{PrivateKeyDer, ServerName, pem::PemObject};
use terms::Secret;
use toml::Spanned;

use super::{Fault, bounded, name, tls};
use crate::config::{
    VendorKeys,
    raw::{RawBegin, RawExport, RawFormat, RawSink},
    secrets::Sources,
};

/// LIMIT: destinations.
const EXPORTS_MAX: usize = 16;
/// LIMIT: bytes of an index' or subject's name.
const WORD_BYTES_MAX: usize = 128;
/// The longest that a destination may be behind, if nothing else is said.
const LAG_MINUTES_MAX: u64 = 15;
/// LIMIT: entries that can be set to go out at once.
const BATCH_ENTRIES_MAX: u64 = 4_096;

/// One destination.
#[derive(Debug, Clone)]
pub struct ExportAt {
    /// Its name.
    pub name: String,
    /// What it is.
    pub sink: SinkAt,
    /// Where its credential, authority, certificate and key are, as it is
    /// written.
    pub references: [Option<String>; 4],
    /// The credential, if there is one and it was fetched.
    pub token: Option<Secret<String>>,
    /// How TLS is spoken to it.
    pub tls: Tls,
    /// How much goes out at once, and where it begins.
    pub limits: Limits,
    /// Behind by more than this it alarms, milliseconds.
    pub lag_ms_max: u64,
}

/// What a destination is.
#[derive(Debug, Clone)]
pub enum SinkAt {
    /// A file.
    File {
        /// Where.
        path: PathBuf,
        /// How.
        format: Format,
    },
    /// Standard output.
    Stdout {
        /// How.
        format: Format,
    },
    /// A syslog receiver.
    Syslog {
        /// The name that its certificate proves.
        host: String,
        /// Its port.
        port: u16,
        /// How.
        format: Format,
    },
    /// Splunk's HTTP event collector.
    Splunk {
        /// Where.
        url: String,
        /// Into which index.
        index: Option<String>,
        /// Whether indexers acknowledge.
        acknowledged: bool,
    },
    /// Elasticsearch or OpenSearch.
    Elastic {
        /// Where.
        url: String,
        /// Into which index or data stream.
        index: String,
    },
    /// An OpenTelemetry collector.
    Otlp {
        /// Where.
        url: String,
    },
    /// NATS JetStream.
    Nats {
        /// Where.
        url: String,
        /// To which subject.
        subject: String,
        /// How.
        format: Format,
    },
}

impl SinkAt {
    /// The spelling in the configuration.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Stdout { .. } => "stdout",
            Self::Syslog { .. } => "syslog",
            Self::Splunk { .. } => "splunk",
            Self::Elastic { .. } => "elastic",
            Self::Otlp { .. } => "otlp",
            Self::Nats { .. } => "nats",
        }
    }
}

/// Whether something may be asked of the vault: for one export, if its
/// credential is there.
pub(super) fn asks_vault(raw: &[RawExport], keys: VendorKeys<'_>) -> bool {
    let name = match keys {
        VendorKeys::Fetch | VendorKeys::TenantOnly => return true,
        VendorKeys::Leave => return false,
        VendorKeys::Export(name) => name,
    };
    let mut named = raw.iter().filter(|one| one.name.get_ref() == name);
    named.any(|one| {
        let token = one.token.as_ref();
        token.is_some_and(|token| token.get_ref().starts_with("vault:"))
    })
}

pub(super) fn settle(
    raw: &[RawExport],
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<Vec<ExportAt>, Fault> {
    let mut names = BTreeSet::new();
    let mut exports = Vec::new();
    for one in raw {
        let at = |says: &str| (Some(one.name.span()), says.to_owned());
        if exports.len() == EXPORTS_MAX {
            return Err(at("at most 16 exports"));
        }
        if !names.insert(one.name.get_ref()) {
            return Err(at("two exports have this name"));
        }
        exports.push(settle_one(one, sources, keys)?);
    }
    Ok(exports)
}

fn settle_one(
    raw: &RawExport,
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<ExportAt, Fault> {
    fitting(raw)?;
    let fetched = keys.of_export(raw.name.get_ref());
    let written = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.get_ref().clone());
    Ok(ExportAt {
        name: name(&raw.name, "an export's name")?,
        sink: sink(raw, sources)?,
        references: [&raw.token, &raw.authority, &raw.certificate, &raw.key].map(written),
        token: token(raw.token.as_ref(), sources, fetched)?,
        tls: if fetched {
            identity(raw, sources)?
        } else {
            Tls::default()
        },
        limits: Limits {
            batch_entries_max: usize::try_from(bounded(
                &raw.batch_entries_max,
                256,
                1,
                BATCH_ENTRIES_MAX,
            )?)
            .unwrap_or(1),
            begin: match raw.begin {
                None | Some(RawBegin::Oldest) => Begin::Oldest,
                Some(RawBegin::Now) => Begin::Now,
            },
            ..Limits::default()
        },
        lag_ms_max: bounded(&raw.lag_minutes_max, LAG_MINUTES_MAX, 1, 1_000_000)? * 60_000,
    })
}

/// A setting's name, its place if it is there, and the destinations that it is
/// for.
type Given<'a> = (&'a str, Option<Range<usize>>, &'a [RawSink]);

/// That a destination has no setting which means nothing for it.
fn fitting(raw: &RawExport) -> Result<(), Fault> {
    use RawSink::{Elastic, File, Nats, Otlp, Splunk, Stdout, Syslog};
    let to = *raw.to.get_ref();
    let given: [Given<'_>; 9] = [
        (
            "url",
            span(raw.url.as_ref()),
            &[Syslog, Splunk, Elastic, Otlp, Nats],
        ),
        ("path", span(raw.path.as_ref()), &[File]),
        (
            "format",
            raw.format.as_ref().map(Spanned::span),
            &[File, Stdout, Syslog, Nats],
        ),
        (
            "token",
            span(raw.token.as_ref()),
            &[Splunk, Elastic, Otlp, Nats],
        ),
        (
            "authority",
            span(raw.authority.as_ref()),
            &[Syslog, Splunk, Elastic, Otlp, Nats],
        ),
        (
            "certificate",
            span(raw.certificate.as_ref()),
            &[Syslog, Splunk, Elastic, Otlp, Nats],
        ),
        ("index", span(raw.index.as_ref()), &[Splunk, Elastic]),
        ("subject", span(raw.subject.as_ref()), &[Nats]),
        (
            "acknowledged",
            raw.acknowledged.as_ref().map(Spanned::span),
            &[Splunk],
        ),
    ];
    for (name, place, fits) in given {
        if place.is_some() && !fits.contains(&to) {
            let says = format!("`{name}` means nothing for this destination; leave it out");
            return Err((place, says));
        }
    }
    Ok(())
}

fn span(text: Option<&Spanned<String>>) -> Option<Range<usize>> {
    text.map(Spanned::span)
}

fn sink(raw: &RawExport, sources: &Sources<'_>) -> Result<SinkAt, Fault> {
    let missing = |says: &str| (Some(raw.to.span()), says.to_owned());
    let url = |schemes: &[&str], near: &str| {
        let text = raw
            .url
            .as_ref()
            .ok_or_else(|| missing("say where it is: `url = \"...\"`"))?;
        address(text, schemes, near)
    };
    let over_http = || url(&["https"], "http").map(|(text, _)| text);
    Ok(match raw.to.get_ref() {
        RawSink::File => {
            let path = raw
                .path
                .as_ref()
                .ok_or_else(|| missing("name the file: `path = \"events.jsonl\"`"))?;
            SinkAt::File {
                path: sources.folder.join(path.get_ref()),
                format: format(raw),
            }
        }
        RawSink::Stdout => SinkAt::Stdout {
            format: format(raw),
        },
        RawSink::Syslog => {
            let (_, uri) = url(&["tls"], "tls")?;
            let bare = uri.host().unwrap_or_default();
            let bare = bare.trim_start_matches('[').trim_end_matches(']');
            if ServerName::try_from(bare).is_err() {
                return Err(missing(
                    "no certificate can prove the name of the host in `url`",
                ));
            }
            SinkAt::Syslog {
                host: uri.host().unwrap_or_default().to_owned(),
                port: uri.port_u16().unwrap_or(6514),
                format: format(raw),
            }
        }
        RawSink::Splunk => {
            if raw.token.is_none() {
                return Err(missing("Splunk asks for a token: `token = \"file:path\"`"));
            }
            SinkAt::Splunk {
                url: over_http()?,
                index: raw.index.as_ref().map(word).transpose()?,
                acknowledged: raw.acknowledged.as_ref().is_none_or(|word| *word.get_ref()),
            }
        }
        RawSink::Elastic => SinkAt::Elastic {
            url: over_http()?,
            index: raw
                .index
                .as_ref()
                .ok_or_else(|| missing("name the index: `index = \"ai-gate\"`"))
                .and_then(word)?,
        },
        RawSink::Otlp => SinkAt::Otlp { url: over_http()? },
        RawSink::Nats => SinkAt::Nats {
            url: url(&["tls"], "nats")?.0,
            subject: match &raw.subject {
                None => "merestone.events".to_owned(),
                Some(subject) => word(subject)?,
            },
            format: format(raw),
        },
    })
}

fn format(raw: &RawExport) -> Format {
    match raw.format.as_ref().map(Spanned::get_ref) {
        None | Some(RawFormat::Ocsf) => Format::Ocsf,
        Some(RawFormat::Record) => Format::Record,
        Some(RawFormat::Cef) => Format::Cef,
    }
}

/// A URL without a credential in it; in the clear for this machine only.
fn address(text: &Spanned<String>, schemes: &[&str], near: &str) -> Result<(String, Uri), Fault> {
    let at = |says: String| (Some(text.span()), says);
    let uri: Uri = text
        .get_ref()
        .parse()
        .map_err(|_| at("this is not a URL".to_owned()))?;
    let authority = uri.authority().map(http::uri::Authority::as_str);
    if authority.is_none_or(|authority| authority.contains('@')) || uri.query().is_some() {
        let says = "a URL has a host, and neither a credential nor a query in it; a credential is named by `token`";
        return Err(at(says.to_owned()));
    }
    let host = uri.host().unwrap_or_default();
    let on_this_machine = host == "localhost"
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let scheme = uri.scheme_str().unwrap_or_default();
    if schemes.contains(&scheme) || (scheme == near && on_this_machine) {
        let text = text.get_ref().trim_end_matches('/').to_owned();
        Ok((text, uri))
    } else {
        Err(at(format!(
            "events would cross the network in the clear, or this destination does not speak so; write {}://",
            schemes.join(":// or ")
        )))
    }
}

/// The name of an index or subject: nothing that another syntax could mind.
fn word(text: &Spanned<String>) -> Result<String, Fault> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let name = text.get_ref();
    let fits = (1..=WORD_BYTES_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && !name.split('.').any(str::is_empty);
    if fits {
        Ok(name.clone())
    } else {
        Err((
            Some(text.span()),
            format!("1 to {WORD_BYTES_MAX} letters, digits, hyphens, underscores and single dots"),
        ))
    }
}

fn token(
    reference: Option<&Spanned<String>>,
    sources: &Sources<'_>,
    fetched: bool,
) -> Result<Option<Secret<String>>, Fault> {
    let Some(reference) = reference else {
        return Ok(None);
    };
    let at = |says: String| (Some(reference.span()), says);
    sources.check(reference.get_ref()).map_err(at)?;
    if !fetched {
        return Ok(None);
    }
    let fetched = sources.fetch(reference.get_ref()).map_err(at)?;
    Ok(Some(fetched.text))
}

fn identity(raw: &RawExport, sources: &Sources<'_>) -> Result<Tls, Fault> {
    let authorities = match &raw.authority {
        Some(file) => tls::certificates(file, sources.folder)?,
        None => Vec::new(),
    };
    let identity = match (&raw.certificate, &raw.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let chain = tls::certificates(certificate, sources.folder)?;
            let path = sources.folder.join(key.get_ref());
            let read = PrivateKeyDer::from_pem_file(path).map_err(|_| {
                let says = "this file cannot be read as a private key in PEM";
                (Some(key.span()), says.to_owned())
            })?;
            Some((chain, read))
        }
        (Some(one), None) | (None, Some(one)) => {
            let says = "`certificate` and `key` go together";
            return Err((Some(one.span()), says.to_owned()));
        }
    };
    let settled = Tls {
        authorities,
        identity,
    };
    settled
        .client()
        .map_err(|fault| (Some(raw.name.span()), fault.to_string()))?;
    Ok(settled)
}
