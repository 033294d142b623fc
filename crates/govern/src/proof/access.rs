//! Rows that rest on keys and what was granted to them.

use super::{Computed, count, disorder};
use crate::{Facts, State, facts::Span};

/// What speaks against the claim that every caller was known and entitled.
pub(super) fn faults(facts: &Facts) -> Vec<String> {
    let access = &facts.access;
    let mut faults = Vec::new();
    if let Some(first) = access.unknown.first {
        faults.push(format!(
            "{} came under a key whose making is not in the ledger (first entry {first})",
            count(access.unknown.count, "exchange")
        ));
    }
    if let Some(first) = access.after_revocation.first {
        faults.push(format!(
            "{} came after the revocation of the key and was admitted all the same (first entry {first})",
            count(access.after_revocation.count, "exchange")
        ));
    }
    if let Some(first) = access.after_expiry.first {
        faults.push(format!(
            "{} came after the end of the key's time (first entry {first})",
            count(access.after_expiry.count, "exchange")
        ));
    }
    if access.keys_more > 0 {
        faults.push(format!(
            "the ledger knows more keys than can be counted ({} beyond)",
            access.keys_more
        ));
    }
    faults
}

/// Row 47: calls only under known keys, and a restriction at work: exchanges
/// under keys that are limited, or calls that a limit refused.
pub(super) fn key_grants(facts: &Facts) -> Computed {
    let access = &facts.access;
    let mut faults = faults(facts);
    faults.extend(disorder(facts));
    if access.admitted.count == 0 {
        faults.push("no exchange was admitted in the window".to_owned());
    }
    let keys: Vec<Span> = access.restricted(facts.period.to_ms).collect();
    let used = keys.iter().filter(|span| span.count > 0).count();
    let limited: Span = keys.iter().copied().collect();
    let population: Span = [limited, access.denied].into_iter().collect();
    if population.count == 0 {
        let what = if keys.is_empty() {
            "no key is limited to some vendors or models (revoked and expired ones aside)"
        } else {
            "no exchange came under a key that is limited to some vendors or models"
        };
        faults.push(format!(
            "{what}, and no call was refused for its vendor or model"
        ));
    }
    if !faults.is_empty() {
        return Computed::gap(faults);
    }
    let says = format!(
        "all of {} came under keys of the ledger that were in force; {} of them under {} still in force and limited to some vendors or models; {} refused for their vendor or model",
        count(access.admitted.count, "exchange"),
        limited.count,
        count(used as u64, "key"),
        count(access.denied.count, "call"),
    );
    Computed {
        state: State::Enforced,
        population,
        ..Computed::gap(vec![says])
    }
}
