//! Who witnesses the log, and when it alarms that nobody does.

use http::Uri;
use ledger::note::{Algorithm, VerifierKey};

use super::{Fault, bounded};
use crate::config::raw::RawEvidence;

/// LIMIT: witnesses of one log.
const WITNESSES_MAX: usize = 16;
/// How long a checkpoint may be without a witness, if nothing else is said.
const UNWITNESSED_MINUTES_MAX: u64 = 60;

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAt {
    /// Where it is asked, without `/add-checkpoint`.
    pub url: String,
    /// The key of its lines.
    pub key: VerifierKey,
}

/// Who witnesses the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessing {
    /// The witnesses.
    pub witnesses: Vec<WitnessAt>,
    /// After so long without one it alarms, milliseconds.
    pub unwitnessed_ms_max: u64,
}

pub(super) fn witnessing(raw: &RawEvidence) -> Result<Witnessing, Fault> {
    let mut witnesses = Vec::new();
    for word in &raw.witnesses {
        let at = |says: &str| (Some(word.span()), says.to_owned());
        let (url, key) = word
            .get_ref()
            .split_once(' ')
            .ok_or_else(|| at("a witness is written as \"https://its.address its+key\""))?;
        let uri: Uri = url.parse().map_err(|_| at("this is not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.query().is_some() {
            return Err(at("a witness is reached by http or https, without a query"));
        }
        let key = VerifierKey::read(key.trim()).map_err(|fault| at(&fault.to_string()))?;
        if key.algorithm() != Algorithm::Cosignature {
            return Err(at("this is the key of a log; a witness's is of kind 4"));
        }
        if witnesses.len() == WITNESSES_MAX {
            return Err(at("at most 16 witnesses"));
        }
        let url = url.trim_end_matches('/').to_owned();
        witnesses.push(WitnessAt { url, key });
    }
    let minutes = bounded(
        &raw.unwitnessed_minutes_max,
        UNWITNESSED_MINUTES_MAX,
        1,
        1_000_000,
    )?;
    Ok(Witnessing {
        witnesses,
        unwitnessed_ms_max: minutes.saturating_mul(60_000),
    })
}
