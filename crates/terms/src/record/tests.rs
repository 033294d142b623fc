//! What a reader of records refuses.

use serde_json::{Value, json};

use super::*;

/// One record of each type.
fn records() -> Vec<Value> {
    let hash = "a5".repeat(32);
    let exchange = format!("mx-{:032x}", 7);
    let caller = json!({"key": "mk-0123456789ab", "owner": hash, "source": hash});
    let version = json!({"policy": hash, "rules": hash});
    let inspected = json!({"bytes": {}, "media_bytes": 0, "opaque_bytes": 0, "unknown_values": 0, "unknown_places": []});
    let looked = |mut record: Value| {
        for (name, value) in [
            ("exchange", json!(exchange)),
            ("at_ms", json!(1)),
            ("controls", json!([])),
            ("inspected", inspected.clone()),
            ("findings", json!([])),
            ("findings_more", json!(0)),
            ("rooms", json!([])),
        ] {
            record[name] = value;
        }
        record
    };
    let request = json!({
        "dialect": "openai-chat", "vendor": "openai", "model": "m", "stream": false, "body_bytes": 1,
        "sent_bytes": 1, "edited": false, "body": hash, "tools": 0,
    });
    vec![
        looked(
            json!({"type": "admitted", "v": 1, "caller": caller, "request": request, "policy": version, "durability": "before-reply"}),
        ),
        looked(json!({
            "type": "closed", "v": 1, "outcome": "complete", "vendor": {"sent": true}, "reply_bytes": 0,
            "edited": false, "logprobs_removed": false, "signature_removed": false,
            "restored": {"restored": 0, "withheld": 0, "foreign": 0}, "timings": {"total_us": 1},
        })),
        looked(
            json!({"type": "refused", "v": 1, "caller": caller, "code": "MS-ARRIVE-001", "policy": version}),
        ),
        json!({"type": "refused-summary", "v": 1, "from_ms": 1, "to_ms": 1, "code": "MS-ARRIVE-001", "reference": exchange, "network": hash, "count": 1}),
        json!({"type": "event", "v": 1, "at_ms": 1, "act": "gate-ready", "by": "node", "subject": "gate", "facts": {}}),
        json!({"type": "unclean-start", "v": 1, "at_ms": 1, "from_ms": 1, "open": 0}),
    ]
}

#[test]
fn a_version_that_is_not_known_is_no_record() {
    for record in records() {
        let read = |v: Value| {
            let mut record = record.clone();
            record["v"] = v;
            serde_json::from_value::<Leaf>(record)
        };
        read(json!(RECORD_VERSION)).unwrap();
        for other in [
            json!(0),
            json!(2),
            json!(99),
            json!(-1),
            json!("1"),
            json!(null),
        ] {
            assert!(read(other.clone()).is_err(), "{} {other}", record["type"]);
        }
    }
}

/// A reader refuses what the page does not name.
#[test]
fn the_page_names_every_act_and_outcome() {
    let page = include_str!("../../../../docs/specs/record.md");
    let acts = page.split("## Facts of events").nth(1).unwrap();
    for act in crate::Act::ALL {
        assert!(acts.contains(&format!("`{act}`")), "{act}");
    }
    for outcome in Outcome::ALL {
        assert!(page.contains(&format!("`{outcome}`")), "{outcome}");
    }
}
