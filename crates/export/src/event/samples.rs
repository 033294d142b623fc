//! Entries for tests, as the log holds them.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use terms::{Act, Leaf};

use super::{Context, Event, LogName, events};

pub(crate) fn hex(digit: char) -> String {
    digit.to_string().repeat(64)
}

pub(crate) fn exchange(number: u64) -> String {
    format!("mx-{number:032x}")
}

pub(crate) fn leaf(value: Value) -> Leaf {
    serde_json::from_value(value).unwrap()
}

fn caller() -> Value {
    json!({ "key": "mk-0123456789ab", "owner": hex('a'), "source": hex('b') })
}

fn request(model: &str) -> Value {
    json!({
        "dialect": "openai-chat", "vendor": "openai", "model": model, "stream": true,
        "body_bytes": 10, "sent_bytes": 10, "edited": false, "body": hex('c'), "tools": 1,
    })
}

fn inspected() -> Value {
    json!({ "bytes": { "turn": 12 }, "media_bytes": 0, "opaque_bytes": 0,
            "unknown_values": 0, "unknown_places": [] })
}

pub(crate) fn finding(action: &str) -> Value {
    json!({ "detector": "card", "kind": "card", "control": "redaction", "slot": "tool-result",
            "place": "messages[0]", "view": "plain", "action": action, "count": 1 })
}

pub(crate) fn admitted(number: u64, model: &str, findings: &[Value]) -> Leaf {
    leaf(json!({
        "type": "admitted", "v": 1, "exchange": exchange(number), "at_ms": 1_700_000_000_000_u64,
        "caller": caller(), "request": request(model),
        "policy": { "policy": hex('d'), "rules": hex('e') },
        "controls": [{ "control": "redaction", "mode": "shadow", "bytes": 12,
                       "verdict": "pass", "would": "redact", "findings": 1 }],
        "inspected": inspected(), "findings": findings, "findings_more": 0,
        "durability": "before-reply", "rooms": [],
    }))
}

pub(crate) fn closed(number: u64, outcome: &str, status: u16, findings: &[Value]) -> Leaf {
    leaf(json!({
        "type": "closed", "v": 1, "exchange": exchange(number), "at_ms": 1_700_000_001_000_u64,
        "outcome": outcome, "vendor": { "sent": true, "status": status, "model": "gpt-seen" },
        "usage": { "input_tokens": 7, "output_tokens": 5 }, "reply_bytes": 20,
        "edited": false, "logprobs_removed": false, "signature_removed": false,
        "controls": [], "inspected": inspected(), "findings": findings, "findings_more": 0,
        "restored": { "restored": 0, "withheld": 0, "foreign": 0 },
        "timings": { "total_us": 5_000 }, "rooms": [],
    }))
}

pub(crate) fn refused(number: u64, code: &str, with_request: bool) -> Leaf {
    let mut value = json!({
        "type": "refused", "v": 1, "exchange": exchange(number), "at_ms": 1_700_000_000_500_u64,
        "caller": caller(), "code": code, "policy": { "policy": hex('d'), "rules": hex('e') },
        "controls": [], "inspected": inspected(), "findings": [finding("block")],
        "findings_more": 0, "rooms": [],
    });
    if with_request {
        value["request"] = request("gpt");
    }
    leaf(value)
}

pub(crate) fn summary(code: &str) -> Leaf {
    leaf(json!({
        "type": "refused-summary", "v": 1, "from_ms": 1_700_000_000_000_u64,
        "to_ms": 1_700_000_000_900_u64, "code": code, "reference": exchange(9),
        "network": hex('f'), "count": 41,
    }))
}

pub(crate) fn summary_of_key(code: &str, key: &str) -> Leaf {
    let mut value = serde_json::to_value(summary(code)).unwrap();
    value["key"] = json!(key);
    leaf(value)
}

pub(crate) fn act(act: Act, subject: &str, facts: &[(&str, &str)]) -> Leaf {
    Leaf::Event(terms::Event {
        v: 1,
        at_ms: 1_700_000_002_000,
        act,
        by: "node".to_owned(),
        subject: subject.to_owned(),
        facts: facts
            .iter()
            .map(|(name, fact)| ((*name).to_owned(), (*fact).to_owned()))
            .collect(),
    })
}

pub(crate) fn unclean() -> Leaf {
    leaf(json!({ "type": "unclean-start", "v": 1, "at_ms": 3, "from_ms": 2, "open": 1 }))
}

/// Any sort of entry, with texts that formats must escape.
pub(crate) fn any_leaf() -> impl Strategy<Value = Leaf> {
    let text = "\\PC{0,12}|[\\\\|=\"\\]\n\r\u{0}\u{1f}]{0,6}";
    let words = prop::sample::select(vec!["allow", "flag", "redact", "block"]);
    prop_oneof![
        (any::<u64>(), text, words.clone()).prop_map(|(number, model, action)| admitted(
            number,
            &model,
            &[finding(action)]
        )),
        (any::<u64>(), 100_u16..600, words).prop_map(|(number, status, action)| closed(
            number,
            "blocked",
            status,
            &[finding(action)]
        )),
        (any::<u64>(), any::<bool>()).prop_map(|(number, with)| refused(
            number,
            "MS-SCREEN-001",
            with
        )),
        Just(summary("MS-KNOW-003")),
        Just(summary_of_key("MS-ARRIVE-006", "mk-0123456789ab")),
        (prop::sample::select(Act::ALL.to_vec()), text, text)
            .prop_map(|(what, subject, fact)| act(what, &subject, &[("fact", &fact)])),
        Just(unclean()),
    ]
}

/// Events of entries that follow each other.
pub(crate) fn made(leaves: &[Leaf]) -> Vec<Event> {
    let log = Arc::new(LogName::new("test.example/log"));
    let mut context = Context::default();
    let mut out = Vec::new();
    for (sequence, leaf) in (0_u64..).zip(leaves) {
        let half = context.take(sequence, leaf);
        out.extend(events(
            &log,
            sequence,
            &Arc::new(leaf.clone()),
            half.as_ref(),
        ));
    }
    out
}
