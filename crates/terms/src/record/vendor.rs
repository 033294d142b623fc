//! What a record holds of the vendor, and of what it counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was seen of the vendor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VendorSeen {
    /// Whether a connection to the vendor carried the request.
    pub sent: bool,
    /// HTTP status of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The model that the vendor says answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The vendor's fingerprint of its backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The vendor's own name for the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Region, as the vendor's headers name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// TLS version and key exchange; absent on a plain connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// How the gate authenticated, as `bearer` or `x-api-key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    /// Rate-limit headers, as sent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rate_limits: BTreeMap<String, String>,
    /// Finish or stop reasons, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finish: Vec<String>,
    /// The vendor's error type, when it answered with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Tokens as the vendor counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Tokens read. `OpenAI` counts those that came from its cache in;
    /// Anthropic counts them, and those that went into its cache, apart.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens that came from the vendor's cache, if it told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached_tokens: Option<u64>,
    /// Tokens that went into the vendor's cache, if it told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache_written_tokens: Option<u64>,
}
