//! What operators and the node did: API Activity 6003 of the gate's own side.

use serde_json::{Value, json};
use terms::{Act, Event, HeadCount};

use super::{Class, FAILURE, SUCCESS};

/// OCSF: API Activity.
const CREATE: u32 = 1;
const READ: u32 = 2;
const UPDATE: u32 = 3;
const DELETE: u32 = 4;

pub(super) fn call(entry: &Event) -> Class {
    let class = match entry.act {
        Act::KeyCreated | Act::HoldSet => Class::new(CREATE),
        Act::ConfigLoaded | Act::ConfigRefused | Act::SwitchesRefused => Class::new(UPDATE),
        Act::Revealed | Act::VaultRevealed => Class::new(READ),
        Act::KeyRevoked | Act::Pruned | Act::Erased | Act::VaultErased | Act::HoldLifted => {
            Class::new(DELETE)
        }
        Act::GateReady => Class::other("Start"),
        Act::GateStopped => Class::other("Stop"),
        Act::AdminDenied => Class::other("Deny"),
        Act::SwitchedOff
        | Act::SwitchedOn
        | Act::SourceLocked
        | Act::VendorKeyAged
        | Act::VendorKeySeen
        | Act::Degraded
        | Act::Recovered
        | Act::CanaryShown
        | Act::TailCut => Class::other("Note"),
    };
    let refused = matches!(
        entry.act,
        Act::ConfigRefused | Act::SwitchesRefused | Act::AdminDenied
    );
    let class = class
        .with("actor", actor(entry))
        .with(
            "api",
            json!({ "operation": entry.act, "service": { "name": "merestone" } }),
        )
        .with("src_endpoint", json!({ "name": "node" }))
        .with(
            "resources",
            json!([{ "name": entry.subject, "type": "merestone" }]),
        )
        .with("status_id", if refused { FAILURE } else { SUCCESS });
    told(class, entry)
}

/// That a day's head-count was recorded. The rows stand in the log.
pub(super) fn counted(entry: &HeadCount) -> Class {
    Class::new(CREATE)
        .with("actor", json!({ "app_name": "merestone" }))
        .with(
            "api",
            json!({ "operation": "head-count", "service": { "name": "merestone" } }),
        )
        .with("src_endpoint", json!({ "name": "node" }))
        .with(
            "resources",
            json!([{ "name": entry.day, "type": "merestone" }]),
        )
        .with("status_id", SUCCESS)
}

/// Who did it: the node, a key, or a commitment to an account.
pub(super) fn actor(entry: &Event) -> Value {
    if entry.by == "node" {
        json!({ "app_name": "merestone" })
    } else {
        json!({ "user": { "uid": entry.by } })
    }
}

/// The event as it stands in the log.
pub(super) fn told(class: Class, entry: &Event) -> Class {
    class
        .own("act", entry.act.word())
        .own("subject", entry.subject.as_str())
        .own("by", entry.by.as_str())
        .own("facts", json!(entry.facts))
}
