//! How content is sealed: the tenant's key, and how much is kept.

use std::{collections::BTreeMap, sync::Arc};

use gate::PART_BYTES_MAX;
use ledger::seal::{LocalKey, Wrap};
use terms::CaptureMode;
use toml::Spanned;

use super::{Fault, bounded};
use crate::config::{
    VendorKeys,
    raw::{RawCapture, RawVendor},
    secrets::{Sources, Transit},
};

/// How content is sealed.
#[derive(Debug, Clone)]
pub struct CaptureAt {
    /// Where the tenant's key is, as it is written.
    pub reference: Option<String>,
    /// The tenant's key, if one is named and was fetched.
    pub tenant: Option<Arc<dyn Wrap>>,
    /// LIMIT: bytes of one sealed part.
    pub part_bytes_max: usize,
}

impl PartialEq for CaptureAt {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference && self.part_bytes_max == other.part_bytes_max
    }
}

pub(super) fn settle(
    raw: &RawCapture,
    vendors: &BTreeMap<Spanned<String>, RawVendor>,
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<CaptureAt, Fault> {
    let default = u64::try_from(PART_BYTES_MAX).unwrap_or(u64::MAX);
    let part_bytes_max = bounded(&raw.part_bytes_max, default, 1_024, 16 << 20)?;
    let Some(reference) = &raw.tenant_key else {
        let asking = vendors.values().find_map(|vendor| {
            let mode = vendor.capture.as_ref()?;
            (*mode.get_ref() != CaptureMode::Nothing).then(|| mode.span())
        });
        if let Some(span) = asking {
            let says = "what is captured is sealed under a key of yours; write for example `tenant_key = \"file:tenant.key\"` in a [capture] table";
            return Err((Some(span), says.to_owned()));
        }
        return Ok(CaptureAt {
            reference: None,
            tenant: None,
            part_bytes_max: usize::try_from(part_bytes_max).unwrap_or(PART_BYTES_MAX),
        });
    };
    Ok(CaptureAt {
        reference: Some(reference.get_ref().clone()),
        tenant: holder(reference, sources, keys)?,
        part_bytes_max: usize::try_from(part_bytes_max).unwrap_or(PART_BYTES_MAX),
    })
}

/// Who holds a key that wraps others, unless it is left where it is.
pub(super) fn holder(
    reference: &Spanned<String>,
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<Option<Arc<dyn Wrap>>, Fault> {
    let at = |says: String| (Some(reference.span()), says);
    if let Some(place) = reference.get_ref().strip_prefix("transit:") {
        let transit = Transit::new(place, sources.vault.as_ref()).map_err(at)?;
        return Ok(keys.of_tenant().then(|| Arc::new(transit) as Arc<dyn Wrap>));
    }
    sources.check(reference.get_ref()).map_err(at)?;
    if !keys.of_tenant() {
        return Ok(None);
    }
    let fetched = sources.fetch(reference.get_ref()).map_err(at)?;
    let key = LocalKey::read(fetched.text.reveal());
    let key = key.ok_or_else(|| {
        at("such a key is 64 hexadecimal digits, as `openssl rand -hex 32` writes them".to_owned())
    })?;
    Ok(Some(Arc::new(key)))
}
