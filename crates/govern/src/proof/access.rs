//! Rows that rest on keys and what was granted to them.

use terms::Code;

use super::{Computed, count, disorder};
use crate::{Facts, State};

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
            "{} came after the revocation of the key (first entry {first})",
            count(access.after_revocation.count, "exchange")
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

/// Row 47: calls only under known keys, and grants that restrict something.
pub(super) fn key_grants(facts: &Facts) -> Computed {
    let access = &facts.access;
    let refused = facts.refusals_of(&[Code::VendorDenied, Code::ModelDenied]);
    let mut faults = faults(facts);
    faults.extend(disorder(facts));
    if access.admitted.count == 0 {
        faults.push("no exchange was admitted in the window".to_owned());
    }
    let keys = access.restricted_keys();
    if keys == 0 && refused == 0 {
        faults.push("no key is limited to some vendors or models, and no call was refused for its vendor or model".to_owned());
    }
    if !faults.is_empty() {
        return Computed::gap(faults);
    }
    let says = format!(
        "all of {} came under keys of the ledger, {} of them under keys with a restriction; {} in use is limited to some vendors or models; {} refused for their vendor or model",
        count(access.admitted.count, "exchange"),
        access.restricted,
        format_args!("{keys} of {}", count(access.live_keys(), "key")),
        count(refused, "call"),
    );
    Computed {
        state: State::Enforced,
        population: access.admitted,
        ..Computed::gap(vec![says])
    }
}
