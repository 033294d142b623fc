//! What a running gate tells of itself to who watches it.

use gate::{Gate, Party, Summary};
use serde::{Deserialize, Serialize};

/// One party's use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartyUse {
    /// `key`, `model` or `source`.
    pub sort: String,
    /// Its name.
    pub name: String,
    /// Requests in the last minute.
    pub requests: u64,
    /// Tokens in the last minute, with those that are set aside.
    pub tokens: u64,
    /// Exchanges now.
    pub in_flight: u64,
}

/// One vendor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VendorState {
    /// Its name.
    pub name: String,
    /// Whether it is left alone after failures.
    pub left_alone: bool,
    /// Age of its key in parts of what is allowed.
    pub key_age_ratio: Option<f64>,
}

/// A moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stats {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Exchanges now.
    pub in_flight: u64,
    /// Entries that wait for the disk.
    pub ledger_waiting: u64,
    /// Milliseconds since the store last confirmed the keys.
    pub keys_age_ms: u64,
    /// Sources that are locked out.
    pub sources_locked: u64,
    /// Switches that are off.
    pub switches_off: u64,
    /// Counts since the start, and times of the newest exchanges.
    pub summary: Summary,
    /// The vendors.
    pub vendors: Vec<VendorState>,
    /// Who uses how much, the busiest first.
    pub parties: Vec<PartyUse>,
}

impl Stats {
    /// Reads a gate.
    pub fn read(gate: &Gate, parties_max: usize) -> Self {
        let readings = gate.readings();
        let vendors = readings.vendors.into_iter();
        let parties = gate.uses(parties_max).into_iter();
        Self {
            at_ms: gate.clock().now_ms(),
            in_flight: readings.in_flight,
            ledger_waiting: readings.ledger_waiting,
            keys_age_ms: readings.keys_age_ms,
            sources_locked: readings.sources_locked,
            switches_off: readings.switches_off,
            summary: gate.metrics().summary(),
            vendors: vendors
                .map(|(name, left_alone, key_age_ratio)| VendorState {
                    name,
                    left_alone,
                    key_age_ratio,
                })
                .collect(),
            parties: parties
                .map(|used| {
                    let (sort, name) = match used.party {
                        Party::Key(key) => ("key", key.to_string()),
                        Party::Model(model) => ("model", model),
                        Party::Source(source) => ("source", source.to_string()),
                    };
                    PartyUse {
                        sort: sort.to_owned(),
                        name,
                        requests: used.requests,
                        tokens: used.tokens,
                        in_flight: used.in_flight,
                    }
                })
                .collect(),
        }
    }
}

/// A look at an invented gate, for tests.
#[cfg(test)]
pub fn sample(at_ms: u64, complete: u64) -> Stats {
    let text = format!(
        r#"{{"at_ms":{at_ms},"in_flight":2,"ledger_waiting":0,"keys_age_ms":10,"sources_locked":0,"switches_off":0,
        "summary":{{"exchanges":{{"openai":{{"complete":{complete}}}}},"refusals":{{"MS-KNOW-001":3}},
        "verdicts":{{"redaction":{{"redact":4}}}},"total_us":[1500,2000,3000]}},
        "vendors":[{{"name":"openai","left_alone":false,"key_age_ratio":0.9}}],
        "parties":[{{"sort":"model","name":"openai/gpt-5","requests":7,"tokens":900,"in_flight":1}}]}}"#
    );
    serde_json::from_str(&text).unwrap()
}
