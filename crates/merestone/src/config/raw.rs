//! The file as it is written, before it means anything.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) gate: RawGate,
    #[serde(default)]
    pub(super) vendors: BTreeMap<Spanned<String>, RawVendor>,
    #[serde(default)]
    pub(super) controls: RawControls,
    #[serde(default)]
    pub(super) restore: RawRestore,
    #[serde(default)]
    pub(super) inspection: RawInspection,
    #[serde(default)]
    pub(super) evidence: RawEvidence,
    #[serde(default)]
    pub(super) limits: RawLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGate {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) state: Option<String>,
    pub(super) node: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) listen_beyond_loopback: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVendor {
    pub(super) api: Spanned<String>,
    pub(super) base_url: Spanned<String>,
    pub(super) key: Spanned<String>,
    pub(super) prefix: Option<Spanned<String>>,
    pub(super) authority: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawControls {
    pub(super) screening: RawControl,
    pub(super) redaction: RawControl,
    pub(super) sanitising: RawControl,
    pub(super) leakage: RawControl,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawControl {
    pub(super) mode: Option<Spanned<terms::Mode>>,
    pub(super) until: Option<Spanned<String>>,
    pub(super) actions: BTreeMap<Spanned<String>, terms::Action>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRestore {
    pub(super) tools: BTreeMap<String, Vec<Spanned<String>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawPassage {
    Count,
    Refuse,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawInspection {
    pub(super) media: Option<RawPassage>,
    pub(super) opaque: Option<RawPassage>,
    pub(super) remote_features: Option<RawPassage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEvidence {
    pub(super) durability: Option<terms::Durability>,
    pub(super) free_bytes_min: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) body_bytes_max: Option<Spanned<u64>>,
    pub(super) reply_bytes_max: Option<Spanned<u64>>,
    pub(super) header_bytes_max: Option<Spanned<u64>>,
    pub(super) json_depth_max: Option<Spanned<u64>>,
    pub(super) json_values_max: Option<Spanned<u64>>,
    pub(super) held_bytes_max: Option<Spanned<u64>>,
    pub(super) in_flight_bytes_max: Option<Spanned<u64>>,
    pub(super) in_flight_max: Option<Spanned<u64>>,
    pub(super) connections_max: Option<Spanned<u64>>,
    pub(super) header_seconds_max: Option<Spanned<u64>>,
    pub(super) body_idle_seconds_max: Option<Spanned<u64>>,
    pub(super) connect_seconds_max: Option<Spanned<u64>>,
    pub(super) first_byte_seconds_max: Option<Spanned<u64>>,
    pub(super) reply_idle_seconds_max: Option<Spanned<u64>>,
    pub(super) caller_idle_seconds_max: Option<Spanned<u64>>,
    pub(super) shutdown_seconds_max: Option<Spanned<u64>>,
}
