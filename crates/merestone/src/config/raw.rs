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
    pub(super) capture: RawCapture,
    pub(super) vault: Option<RawKeptValues>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) admin: RawAdmin,
    #[serde(default)]
    pub(super) permission: RawPermission,
    #[serde(default)]
    pub(super) rates: RawRates,
    pub(super) lockout: Option<RawLockout>,
    #[serde(default)]
    pub(super) secrets: RawSecrets,
    #[serde(default)]
    pub(super) store: RawStore,
    #[serde(default)]
    pub(super) reload: RawReload,
    pub(super) names: Option<RawNames>,
    #[serde(default)]
    pub(super) when_down: RawWhenDown,
    #[serde(default)]
    pub(super) telemetry: RawTelemetry,
    #[serde(default)]
    pub(super) export: Vec<RawExport>,
}

/// One destination of the ledger's events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExport {
    pub(super) name: Spanned<String>,
    pub(super) to: Spanned<RawSink>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) format: Option<Spanned<RawFormat>>,
    pub(super) token: Option<Spanned<String>>,
    pub(super) authority: Option<Spanned<String>>,
    pub(super) certificate: Option<Spanned<String>>,
    pub(super) key: Option<Spanned<String>>,
    pub(super) index: Option<Spanned<String>>,
    pub(super) subject: Option<Spanned<String>>,
    pub(super) acknowledged: Option<Spanned<bool>>,
    pub(super) begin: Option<RawBegin>,
    pub(super) batch_entries_max: Option<Spanned<u64>>,
    pub(super) lag_minutes_max: Option<Spanned<u64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawSink {
    File,
    Stdout,
    Syslog,
    Splunk,
    Elastic,
    Otlp,
    Nats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawFormat {
    Ocsf,
    Record,
    Cef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawBegin {
    Oldest,
    Now,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTelemetry {
    pub(super) otlp: Option<Spanned<String>>,
}

/// Which redacted values are kept beyond their exchange.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeptValues {
    pub(super) key: Spanned<String>,
    pub(super) kinds: Spanned<Vec<Spanned<String>>>,
    pub(super) comes_back: Option<RawReach>,
    pub(super) days: Option<Spanned<u64>>,
    pub(super) entries_per_key_max: Option<Spanned<u64>>,
    pub(super) entries_max: Option<Spanned<u64>>,
}

/// For whom a kept value comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawReach {
    Key,
    Person,
}

/// A service for names that the operator runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNames {
    pub(super) url: Spanned<String>,
    pub(super) timeout_ms: Option<Spanned<u64>>,
    pub(super) concurrent_max: Option<Spanned<u64>>,
    pub(super) score_min: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) replies: bool,
}

/// What is done when something is down.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWhenDown {
    pub(super) store: Option<RawStoreDown>,
    pub(super) evidence: Option<Spanned<RawWithoutIt>>,
    pub(super) evidence_until: Option<Spanned<String>>,
    pub(super) controls: Option<Spanned<RawWithoutIt>>,
    pub(super) controls_until: Option<Spanned<String>>,
    pub(super) vault: Option<Spanned<RawWithoutIt>>,
    pub(super) vault_until: Option<Spanned<String>>,
    pub(super) names: Option<Spanned<RawWithoutIt>>,
    pub(super) names_until: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawStoreDown {
    LastKeys,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawWithoutIt {
    Closed,
    Open,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAdmin {
    pub(super) listen: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPermission {
    pub(super) policies: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRates {
    pub(super) key: policy::Rates,
    pub(super) model: policy::Rates,
    pub(super) source: policy::Rates,
    pub(super) output_tokens_assumed: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLockout {
    pub(super) failures_max: Option<Spanned<u64>>,
    pub(super) minutes: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSecrets {
    pub(super) strict: bool,
    pub(super) vault: Option<RawVault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVault {
    pub(super) address: Spanned<String>,
    pub(super) token: Spanned<String>,
    pub(super) namespace: Option<String>,
    pub(super) authority: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStore {
    pub(super) url: Option<Spanned<String>>,
    pub(super) authority: Option<Spanned<String>>,
    pub(super) keys_minutes_max: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawReload {
    pub(super) watch: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGate {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) state: Option<String>,
    pub(super) node: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) listen_beyond_loopback: bool,
    pub(super) tls: Option<RawTls>,
    pub(super) profile: Option<RawProfile>,
}

/// A standard whose demands a configuration must meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawProfile {
    Pci,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) certificate: Spanned<String>,
    pub(super) key: Spanned<String>,
    pub(super) caller_authority: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVendor {
    pub(super) api: Spanned<String>,
    pub(super) base_url: Spanned<String>,
    pub(super) key: Spanned<String>,
    pub(super) prefix: Option<Spanned<String>>,
    pub(super) authority: Option<Spanned<String>>,
    pub(super) key_days_max: Option<Spanned<u64>>,
    pub(super) key_when_old: Option<RawWhenOld>,
    pub(super) failures_max: Option<Spanned<u64>>,
    pub(super) pause_seconds: Option<Spanned<u64>>,
    pub(super) capture: Option<Spanned<terms::CaptureMode>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCapture {
    pub(super) tenant_key: Option<Spanned<String>>,
    pub(super) part_bytes_max: Option<Spanned<u64>>,
}

/// What is done when a vendor's key is past its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawWhenOld {
    Alarm,
    Block,
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
    pub(super) durability: Option<Spanned<terms::Durability>>,
    pub(super) free_bytes_min: Option<u64>,
    pub(super) witnesses: Vec<Spanned<String>>,
    pub(super) unwitnessed_minutes_max: Option<Spanned<u64>>,
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
    pub(super) connections_per_source_max: Option<Spanned<u64>>,
    pub(super) connections_per_source_exempt: Vec<Spanned<String>>,
    pub(super) header_seconds_max: Option<Spanned<u64>>,
    pub(super) body_idle_seconds_max: Option<Spanned<u64>>,
    pub(super) body_seconds_max: Option<Spanned<u64>>,
    pub(super) body_bytes_per_second_min: Option<Spanned<u64>>,
    pub(super) connect_seconds_max: Option<Spanned<u64>>,
    pub(super) first_byte_seconds_max: Option<Spanned<u64>>,
    pub(super) reply_idle_seconds_max: Option<Spanned<u64>>,
    pub(super) caller_idle_seconds_max: Option<Spanned<u64>>,
    pub(super) shutdown_seconds_max: Option<Spanned<u64>>,
}
