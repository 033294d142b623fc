//! What the ledger says about rows that it cannot prove.

use terms::Code;

use super::{access, controls, count, vendor};
use crate::{Facts, Remark, State};

/// Calls that were refused before the caller was known.
const STRANGER_CODES: &[Code] = &[
    Code::KeyMissing,
    Code::KeyMalformed,
    Code::KeyUnknown,
    Code::KeyRevoked,
    Code::KeyExpired,
    Code::KeyAmbiguous,
];

/// The remark; `None` when there is nothing to say.
pub(super) fn say(remark: Remark, facts: &Facts) -> Option<String> {
    match remark {
        Remark::PromptsRedacted => {
            let row = controls::redaction(facts);
            (row.state != State::Gap)
                .then(|| format!("redaction of prompts is {} (row 25)", row.state))
        }
        Remark::StrangersRefused => {
            let refused = facts.refusals_of(STRANGER_CODES);
            (refused > 0).then(|| {
                format!(
                    "{} without a valid key were refused",
                    count(refused, "call")
                )
            })
        }
        Remark::CallsRecorded => {
            let admitted = facts.access.admitted.count;
            (admitted > 0).then(|| {
                format!(
                    "our own log holds {} of the window",
                    count(admitted, "exchange")
                )
            })
        }
        Remark::KeysOnly => {
            let admitted = facts.access.admitted;
            let refused = facts.refusals_of(&[Code::VendorDenied, Code::ModelDenied]);
            (admitted.count > 0).then(|| {
                let mut says = vec![format!(
                    "asking goes by key: {} admitted, {} refused for their vendor or model",
                    count(admitted.count, "exchange"),
                    count(refused, "call")
                )];
                says.extend(access::faults(facts));
                says.join("; ")
            })
        }
        Remark::StoreFlags => {
            let flags = &facts.vendor.stores;
            (!flags.is_empty())
                .then(|| format!("the retention flag of our requests: {}", flags.list()))
        }
        Remark::RateLimitsOnly => {
            (facts.vendor.limits.count > 0).then(|| vendor::rate_limits_seen(facts))
        }
        Remark::ModelsReturned => {
            let (same, other) = (facts.vendor.model_same, facts.vendor.model_other);
            (same.saturating_add(other) > 0).then(|| {
                format!(
                    "{} named the model asked for, {other} named another one",
                    count(same, "reply")
                )
            })
        }
        Remark::CardsFound => {
            let epoch = &facts.current;
            let kinds = [
                &epoch.kinds_redacted,
                &epoch.kinds_flagged,
                &epoch.kinds_allowed,
                &epoch.kinds_refused,
            ];
            let [redacted, flagged, allowed, refused] = kinds.map(|labels| labels.of("card"));
            [redacted, flagged, allowed, refused].iter().any(|count| *count > 0).then(|| {
                format!("card numbers: {redacted} replaced before sending, {flagged} sent with a flag, {allowed} allowed by the policy, {refused} in refused requests")
            })
        }
    }
}
