//! Vendor accounts: where they are and where their keys come from.

use std::{collections::BTreeMap, net::IpAddr, sync::atomic::AtomicU64};

use gate::{Breaker, BreakerRule, KeyAge, Vendor};
use http::{Uri, uri::Scheme};
use rustls_pki_types::CertificateDer;
use terms::{CaptureMode, Secret};
use toml::Spanned;
use wire::Api;

use super::{Fault, bounded, name, tls::certificates};
use crate::config::{
    VendorKeys,
    raw::{RawVendor, RawWhenOld},
    secrets::Sources,
};

/// LIMIT: fewest bytes of a vendor's key. No vendor's are so short; replies are
/// searched for it, and a shorter text could stand in any of them.
const KEY_BYTES_MIN: usize = 8;

pub(super) fn settle(
    raw: BTreeMap<Spanned<String>, RawVendor>,
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<(Vec<Vendor>, Vec<CertificateDer<'static>>), Fault> {
    if raw.is_empty() {
        let says = "no vendor is configured; write for example [vendors.openai] with api, base_url and key";
        return Err((None, says.to_owned()));
    }
    let mut vendors: Vec<Vendor> = Vec::new();
    let mut authorities = Vec::new();
    for (title, vendor) in raw {
        let settled = one(&title, &vendor, sources, keys)?;
        let twin = vendors
            .iter()
            .find(|other| other.api == settled.api && other.prefix == settled.prefix);
        if let Some(twin) = twin {
            let says = format!(
                "`{}` has the same API and prefix; give one of them a `prefix` of its own, as \"/{}\"",
                twin.name, settled.name
            );
            return Err((Some(title.span()), says));
        }
        if let Some(file) = &vendor.authority {
            authorities.extend(certificates(file, sources.folder)?);
        }
        vendors.push(settled);
    }
    Ok((vendors, authorities))
}

fn one(
    title: &Spanned<String>,
    raw: &RawVendor,
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<Vendor, Fault> {
    let api = match raw.api.get_ref().as_str() {
        "openai" => Api::OpenAi,
        "anthropic" => Api::Anthropic,
        _ => {
            return Err((
                Some(raw.api.span()),
                "this API is not known; write \"openai\" or \"anthropic\"".to_owned(),
            ));
        }
    };
    let (uri, scheme) = base(&raw.base_url)?;
    let authority = uri
        .authority()
        .cloned()
        .ok_or_else(|| unusable(&raw.base_url))?;
    let mut base_path = uri.path().trim_end_matches('/').to_owned();
    // The official SDKs' own base URL for OpenAI ends in /v1; both are taken.
    if api == Api::OpenAi {
        base_path = base_path.trim_end_matches("/v1").to_owned();
    }
    let prefix = raw.prefix.as_ref().map_or(Ok(String::new()), prefix)?;
    let (key, since_ms) = key(&raw.key, sources, keys)?;
    Ok(Vendor {
        name: name(title, "a vendor's name")?,
        api,
        scheme,
        authority,
        base_path,
        prefix,
        key,
        key_age: key_age(raw, since_ms)?,
        capture: raw
            .capture
            .as_ref()
            .map_or(CaptureMode::Nothing, |mode| *mode.get_ref()),
        breaker: Breaker::new(breaker(raw)?),
        used_ms: AtomicU64::new(0),
    })
}

fn unusable(url: &Spanned<String>) -> Fault {
    (
        Some(url.span()),
        "this is not a URL with a host; write for example \"https://api.openai.com\"".to_owned(),
    )
}

fn base(url: &Spanned<String>) -> Result<(Uri, Scheme), Fault> {
    let uri: Uri = url.get_ref().parse().map_err(|_| unusable(url))?;
    let host = uri.host().ok_or_else(|| unusable(url))?;
    if uri.query().is_some()
        || uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err((
            Some(url.span()),
            "a base URL has neither a query nor credentials".to_owned(),
        ));
    }
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok((uri, Scheme::HTTPS)),
        Some("http") if loopback => Ok((uri, Scheme::HTTP)),
        Some("http") => Err((
            Some(url.span()),
            "prompts and the vendor's key would cross the network in the clear; write https://"
                .to_owned(),
        )),
        Some(_) | None => Err(unusable(url)),
    }
}

fn prefix(text: &Spanned<String>) -> Result<String, Fault> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-/".contains(&byte);
    let value = text.get_ref();
    let fits = value.starts_with('/')
        && !value.ends_with('/')
        && !value.contains("//")
        && value.len() <= 64
        && value.bytes().all(plain);
    if fits {
        Ok(value.clone())
    } else {
        Err((Some(text.span()), "a prefix is a path as \"/eu\": lower-case letters, digits and hyphens, no slash at its end".to_owned()))
    }
}

/// The key, and since when it is what it is.
fn key(
    reference: &Spanned<String>,
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<(Secret<String>, Option<u64>), Fault> {
    let at = |says: String| (Some(reference.span()), says);
    sources.check(reference.get_ref()).map_err(at)?;
    if keys != VendorKeys::Fetch {
        return Ok((Secret::new(String::new()), None));
    }
    let fetched = sources.fetch(reference.get_ref()).map_err(at)?;
    if fetched.text.reveal().len() < KEY_BYTES_MIN {
        return Err(at(format!(
            "what the reference names has fewer than {KEY_BYTES_MIN} bytes: replies are searched for the vendor's keys, and so short a text stands in any reply; give the vendor's real key"
        )));
    }
    Ok((fetched.text, fetched.since_ms))
}

fn key_age(raw: &RawVendor, since_ms: Option<u64>) -> Result<KeyAge, Fault> {
    let days = raw.key_days_max.as_ref();
    let days = days
        .map(|_| bounded(&raw.key_days_max, 0, 1, 3_650))
        .transpose()?;
    Ok(KeyAge {
        since_ms,
        age_ms_max: days.map(|days| days * 86_400_000),
        block: raw.key_when_old == Some(RawWhenOld::Block),
    })
}

fn breaker(raw: &RawVendor) -> Result<BreakerRule, Fault> {
    let base = BreakerRule::default();
    let failures = bounded(
        &raw.failures_max,
        u64::from(base.failures_max),
        0,
        1_000_000,
    )?;
    Ok(BreakerRule {
        failures_max: u32::try_from(failures).unwrap_or(u32::MAX),
        time_ms: bounded(&raw.pause_seconds, base.time_ms / 1_000, 1, 3_600)? * 1_000,
    })
}
