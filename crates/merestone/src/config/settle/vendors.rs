//! Vendor accounts: where they are and where their keys come from.

use std::{collections::BTreeMap, net::IpAddr, path::Path};

use gate::Vendor;
use http::{Uri, uri::Scheme};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use terms::Secret;
use toml::Spanned;
use wire::Api;

use super::{Fault, name};
use crate::config::{VendorKeys, raw::RawVendor};

/// LIMIT: bytes of a vendor's key and of its file.
const KEY_BYTES_MAX: usize = 4_096;

pub(super) fn settle(
    raw: BTreeMap<Spanned<String>, RawVendor>,
    folder: &Path,
    keys: VendorKeys,
) -> Result<(Vec<Vendor>, Vec<CertificateDer<'static>>), Fault> {
    if raw.is_empty() {
        let says = "no vendor is configured; write for example [vendors.openai] with api, base_url and key";
        return Err((None, says.to_owned()));
    }
    let mut vendors: Vec<Vendor> = Vec::new();
    let mut authorities = Vec::new();
    for (title, vendor) in raw {
        let settled = one(&title, &vendor, folder, keys)?;
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
            authorities.extend(certificates(file, folder)?);
        }
        vendors.push(settled);
    }
    Ok((vendors, authorities))
}

fn one(
    title: &Spanned<String>,
    raw: &RawVendor,
    folder: &Path,
    keys: VendorKeys,
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
    Ok(Vendor {
        name: name(title, "a vendor's name")?,
        api,
        scheme,
        authority,
        base_path,
        prefix,
        key: key(&raw.key, folder, keys)?,
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

/// A key comes from the environment or a file, never from the configuration.
fn key(
    reference: &Spanned<String>,
    folder: &Path,
    keys: VendorKeys,
) -> Result<Secret<String>, Fault> {
    let fault = |says: &str| (Some(reference.span()), says.to_owned());
    let named = reference.get_ref().starts_with("env:") || reference.get_ref().starts_with("file:");
    if named && keys == VendorKeys::Leave {
        return Ok(Secret::new(String::new()));
    }
    let text = if let Some(variable) = reference.get_ref().strip_prefix("env:") {
        std::env::var(variable).map_err(|_| {
            fault(&format!(
                "the environment has no variable `{}`; set it, or name a file with \"file:path\"",
                printable(variable)
            ))
        })?
    } else if let Some(file) = reference.get_ref().strip_prefix("file:") {
        let text = std::fs::read_to_string(folder.join(file));
        text.map_err(|error| fault(&format!("the key's file cannot be read: {}", error.kind())))?
    } else {
        return Err(fault(
            "a key never stands in the configuration; write \"env:NAME\" or \"file:path\"",
        ));
    };
    let text = text.trim().to_owned();
    if text.is_empty()
        || text.len() > KEY_BYTES_MAX
        || !text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(fault(
            "what the reference names is not a key: empty, too long, or with blanks or odd characters in it",
        ));
    }
    Ok(Secret::new(text))
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

fn certificates(
    file: &Spanned<String>,
    folder: &Path,
) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let fault = || {
        (
            Some(file.span()),
            "this file cannot be read as PEM certificates".to_owned(),
        )
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(folder.join(file.get_ref()))
        .map_err(|_| fault())?
        .collect();
    found.map_err(|_| fault()).and_then(|found| {
        if found.is_empty() {
            Err(fault())
        } else {
            Ok(found)
        }
    })
}
