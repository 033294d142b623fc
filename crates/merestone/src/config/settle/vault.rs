//! Which redacted values are kept beyond their exchange, and under which key.

use std::{collections::BTreeSet, sync::Arc};

use detect::{Catalogue, Redaction};
use gate::{VaultReach, VaultRules};
use ledger::seal::Wrap;
use terms::{Control, Kind};

use super::{Fault, bounded, capture};
use crate::config::{
    VendorKeys,
    raw::{RawKeptValues, RawProfile, RawReach},
    secrets::Sources,
};

/// How long a value is kept, if nothing else is said, and at the most.
const DAYS: u64 = 30;
const DAYS_MAX: u64 = 366;
const DAY_MS: u64 = 86_400_000;
/// LIMIT: values of one virtual key and of all, if nothing else is said.
const ENTRIES_PER_KEY: u64 = 100_000;
const ENTRIES: u64 = 1_000_000;

/// The vault of redacted values.
#[derive(Debug, Clone)]
pub struct VaultAt {
    /// Where its key is, as it is written.
    pub reference: String,
    /// Its key, if it was fetched.
    pub holder: Option<Arc<dyn Wrap>>,
    /// What is kept.
    pub rules: VaultRules,
}

impl PartialEq for VaultAt {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference && self.rules == other.rules
    }
}

pub(super) fn settle(
    raw: Option<&RawKeptValues>,
    kinds: BTreeSet<Kind>,
    sources: &Sources<'_>,
    keys: VendorKeys<'_>,
) -> Result<Option<VaultAt>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let rules = VaultRules {
        kinds,
        comes_back: match raw.comes_back {
            None | Some(RawReach::Key) => VaultReach::Key,
            Some(RawReach::Person) => VaultReach::Person,
        },
        age_ms: bounded(&raw.days, DAYS, 1, DAYS_MAX)? * DAY_MS,
        entries_per_key_max: bounded(&raw.entries_per_key_max, ENTRIES_PER_KEY, 1, 10_000_000)?,
        entries_max: bounded(&raw.entries_max, ENTRIES, 1, 100_000_000)?,
    };
    Ok(Some(VaultAt {
        reference: raw.key.get_ref().clone(),
        holder: capture::holder(&raw.key, sources, keys)?,
        rules,
    }))
}

/// The kinds that are kept; none without the table.
pub(super) fn kinds(
    raw: Option<&RawKeptValues>,
    profile: Option<RawProfile>,
    catalogue: &Catalogue,
) -> Result<BTreeSet<Kind>, Fault> {
    let Some(raw) = raw else {
        return Ok(BTreeSet::new());
    };
    let known = known(catalogue);
    let mut kinds = BTreeSet::new();
    for name in raw.kinds.get_ref() {
        let at = |says: String| (Some(name.span()), says);
        let kind = Kind::new(name.get_ref());
        if gate::is_never_kept(&kind) {
            let says = "a card's security code and track data are dropped for good and kept nowhere, not even sealed (PCI DSS 4.0.1, 3.3.1); leave it out";
            return Err(at(says.to_owned()));
        }
        if !known.contains(&kind) {
            let list: Vec<&str> = known.iter().map(Kind::as_str).collect();
            let says = format!(
                "this is no kind that redaction gives tokens for; known: {}",
                list.join(", ")
            );
            return Err(at(says));
        }
        if profile == Some(RawProfile::Pci) && kind.as_str() == "card" {
            let says = "under the PCI profile no card number is kept: the store would be cardholder data (PCI DSS 4.0.1, 3.5.1 and 3.6); leave it out, its token still turns back within its own exchange";
            return Err(at(says.to_owned()));
        }
        kinds.insert(kind);
    }
    if kinds.is_empty() {
        let says = "name at least one kind that is kept, as `kinds = [\"email\", \"person\"]`; without the table nothing is kept";
        return Err((Some(raw.kinds.span()), says.to_owned()));
    }
    Ok(kinds)
}

/// The kinds of which redaction issues tokens.
fn known(catalogue: &Catalogue) -> BTreeSet<Kind> {
    let tokens = |detector: &&detect::Detector| {
        detector.control == Control::Redaction && matches!(detector.redaction, Redaction::Token)
    };
    let detectors = catalogue.detectors().iter().filter(tokens);
    let kinds = detectors.map(|detector| detector.kind.clone());
    kinds.filter(|kind| !gate::is_never_kept(kind)).collect()
}
