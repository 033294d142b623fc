//! The operator's service for names and addresses.

use std::{net::IpAddr, time::Duration};

use gate::NamesAt;
use http::Uri;
use terms::{Action, Control, DetectorId};
use toml::Spanned;

use super::{Fault, bounded};
use crate::config::raw::RawNames;

/// What holds if nothing else is said.
const TIMEOUT_MS: u64 = 2_000;
const CONCURRENT_MAX: u64 = 16;
const SCORE_MIN: u64 = 50;

pub(super) fn settle(raw: Option<&RawNames>) -> Result<Option<NamesAt>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let small = |value: &Option<Spanned<u64>>, default, most| {
        let number = bounded(value, default, 1, most)?;
        usize::try_from(number).map_err(|_| (None, "too large for this machine".to_owned()))
    };
    let score_min = small(&raw.score_min, SCORE_MIN, 100)?;
    Ok(Some(NamesAt {
        url: url(&raw.url)?,
        time_max: Duration::from_millis(bounded(&raw.timeout_ms, TIMEOUT_MS, 10, 60_000)?),
        concurrent_max: small(&raw.concurrent_max, CONCURRENT_MAX, 4_096)?,
        score_min: u8::try_from(score_min).unwrap_or(100),
        replies: raw.replies,
    }))
}

/// The URL of the service: texts cross no network in the clear.
fn url(text: &Spanned<String>) -> Result<Uri, Fault> {
    let at = |says: &str| (Some(text.span()), says.to_owned());
    let unusable = "write where the service is asked, as \"http://127.0.0.1:8080/names\"";
    let uri: Uri = text.get_ref().parse().map_err(|_| at(unusable))?;
    let authority = uri.authority().ok_or_else(|| at(unusable))?;
    if authority.as_str().contains('@') {
        return Err(at("the URL of the service holds no credentials"));
    }
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let address = host.parse::<IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if loopback => Ok(uri),
        Some("http") => Err(at(
            "prompts would cross the network in the clear; write https://, or an address of this machine",
        )),
        _ => Err(at(unusable)),
    }
}

/// Likewise, of a URL that stands in no file.
///
/// # Errors
/// When it is none, or texts would cross the network in the clear.
pub fn names_url(text: &str) -> anyhow::Result<Uri> {
    url(&Spanned::new(0..text.len(), text.to_owned())).map_err(|(_, says)| anyhow::anyhow!(says))
}

/// What is done by default about what the service finds: there is always an
/// answer, so that an action can be chosen before the service is.
pub(super) fn actions(control: Control) -> impl Iterator<Item = (DetectorId, Action)> {
    let all = detect::names::DETECTORS.into_iter();
    all.filter(move |_| control == Control::Redaction)
        .map(|(name, action)| (DetectorId::new(name), action))
}
