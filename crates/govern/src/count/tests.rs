use serde_json::{Value, json};
use terms::{ExchangeId, FixedClock, Leaf, SeededEntropy};

use super::*;

/// 2026-11-26 12:00 UTC.
pub(crate) const NOON_MS: u64 = 1_795_694_400_000;

pub(crate) fn exchange(seed: u64) -> ExchangeId {
    ExchangeId::new(&FixedClock::new(NOON_MS + seed), &SeededEntropy::new(seed))
}

/// Sets members of an object, those of objects in it by `/` paths.
fn with(mut leaf: Value, members: &[(&str, Value)]) -> Leaf {
    for (path, value) in members {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = leaf.pointer_mut(parent).unwrap();
        parent[name] = value.clone();
    }
    serde_json::from_value(leaf).unwrap()
}

fn nothing_inspected() -> Value {
    json!({"bytes": {}, "media_bytes": 0, "opaque_bytes": 0, "unknown_values": 0, "unknown_places": []})
}

pub(crate) fn admitted(seed: u64, members: &[(&str, Value)]) -> Leaf {
    let commitment = "00".repeat(32);
    let leaf = json!({
        "type": "admitted", "v": 1, "exchange": exchange(seed), "at_ms": NOON_MS + seed,
        "caller": {"key": "mk-0123456789ab", "owner": commitment, "source": commitment},
        "request": {
            "dialect": "openai-chat", "vendor": "openai", "model": "gpt", "stream": false,
            "body_bytes": 100, "sent_bytes": 100, "edited": false, "body": commitment, "tools": 0,
        },
        "policy": {"policy": commitment, "rules": commitment}, "controls": [], "findings": [],
        "findings_more": 0, "inspected": nothing_inspected(), "durability": "before-reply",
        "rooms": [],
    });
    with(leaf, members)
}

pub(crate) fn closed(seed: u64, members: &[(&str, Value)]) -> Leaf {
    let leaf = json!({
        "type": "closed", "v": 1, "exchange": exchange(seed), "at_ms": NOON_MS + seed + 1,
        "outcome": "complete", "vendor": {"sent": true, "status": 200, "model": "gpt-1"},
        "usage": {"input_tokens": 10, "output_tokens": 4, "cached_tokens": 0},
        "reply_bytes": 2, "edited": false, "logprobs_removed": false, "signature_removed": false,
        "controls": [], "inspected": nothing_inspected(), "findings": [], "findings_more": 0,
        "restored": {"restored": 0, "withheld": 0, "foreign": 0}, "timings": {"total_us": 7},
        "rooms": [],
    });
    with(leaf, members)
}

fn count(days: Days, leaves: &[Leaf]) -> HeadCounts {
    let mut counting = Counting::new(days);
    leaves.iter().for_each(|leaf| counting.add(leaf));
    counting.end()
}

fn only(counts: &HeadCounts) -> Tally {
    assert_eq!(counts.groups.len(), 1, "{counts:?}");
    *counts.groups.values().next().unwrap()
}

#[test]
fn exchanges_are_counted_by_day_key_vendor_and_model_that_answered() {
    let day = 86_400_000_u64;
    let leaves = [
        admitted(1, &[]),
        closed(1, &[("/usage/cached_tokens", json!(3))]),
        admitted(2, &[("/caller/key", json!("mk-ba9876543210"))]),
        closed(2, &[]),
        admitted(3, &[("/at_ms", json!(NOON_MS - day))]),
        // It ended on the next day: it belongs to the day of its arrival.
        closed(3, &[]),
        admitted(4, &[("/request/vendor", json!("other"))]),
        closed(4, &[]),
        admitted(5, &[]),
        closed(5, &[("/vendor/model", json!("gpt-2"))]),
    ];
    let counts = count(Days::default(), &leaves);
    assert_eq!(counts.groups.len(), 5);
    let first = Group {
        day: "2026-11-26".parse().unwrap(),
        key: "mk-0123456789ab".into(),
        vendor: "openai".into(),
        model: "gpt-1".into(),
    };
    let tally = Tally {
        admitted: 1,
        closed: 1,
        requests: 1,
        input_tokens: 10,
        output_tokens: 4,
        cached_tokens: 3,
        ..Tally::default()
    };
    assert_eq!(counts.groups.get(&first), Some(&tally));
    assert_eq!(counts.total().requests, 5);
    let yesterday: Day = "2026-11-25".parse().unwrap();
    let days = Days {
        since: Some(yesterday),
        until: Some(yesterday),
    };
    assert_eq!(only(&count(days, &leaves)).requests, 1);
}

#[test]
fn what_was_not_sent_refused_or_cut_short_is_counted_apart() {
    let leaves = [
        admitted(1, &[]),
        closed(
            1,
            &[
                ("/vendor", json!({"sent": false})),
                ("/usage", json!(null)),
                ("/outcome", json!("vendor-failed")),
            ],
        ),
        admitted(2, &[]),
        closed(
            2,
            &[
                ("/vendor", json!({"sent": true, "status": 429})),
                ("/usage", json!(null)),
                ("/outcome", json!("vendor-error")),
            ],
        ),
        admitted(3, &[]),
        closed(
            3,
            &[
                ("/vendor", json!({"sent": true, "status": 200})),
                ("/usage", json!(null)),
                ("/outcome", json!("caller-gone")),
            ],
        ),
        admitted(4, &[]),
        // Named by the recovery after a crash.
        closed(
            4,
            &[
                ("/vendor", json!({"sent": false})),
                ("/usage", json!(null)),
                ("/outcome", json!("node-stopped")),
            ],
        ),
        admitted(5, &[]),
        admitted(6, &[("/request/dialect", json!("anthropic-count-tokens"))]),
        closed(6, &[("/vendor", json!({"sent": true, "status": 200}))]),
        closed(7, &[]),
    ];
    let counts = count(Days::default(), &leaves);
    let tally = Tally {
        admitted: 6,
        closed: 5,
        requests: 3,
        without_usage: 3,
        without_usage_bytes: 300,
        open: 1,
        vendor_refused: 1,
        unsent: 1,
        counting: 1,
        ..Tally::default()
    };
    assert_eq!(only(&counts), tally);
    assert_eq!(counts.of_pruned, 1);
}

#[test]
fn groups_beyond_the_limit_are_counted_together() {
    let mut counting = Counting::new(Days::default());
    for number in 0..GROUPS_MAX as u64 + 3 {
        let group = Group {
            day: Day::of_seconds(number * DAY_SECONDS),
            key: String::new(),
            vendor: String::new(),
            model: String::new(),
        };
        counting.counts.slot(group).requests += 1;
    }
    let counts = counting.end();
    assert_eq!((counts.groups.len(), counts.rest.requests), (GROUPS_MAX, 3));
    assert_eq!(counts.total().requests, GROUPS_MAX as u64 + 3);
}

#[test]
fn days_are_read_and_written_as_people_write_them() {
    for text in ["1970-01-01", "2024-02-29", "2026-11-26"] {
        let day: Day = text.parse().unwrap();
        assert_eq!(day.to_string(), text);
        assert_eq!(Day::of_seconds(day.starts_seconds()), day);
        assert_eq!(day.next().before(), day);
        assert_eq!(Day::of_ms(day.next().starts_seconds() * 1_000 - 1), day);
    }
    for text in [
        "",
        "2026-13-01",
        "2025-02-29",
        "26-11-26",
        "1969-12-31",
        "2026-11-26T00",
        "2026/11/26",
    ] {
        assert!(text.parse::<Day>().is_err(), "{text}");
    }
}

#[test]
fn refusals_that_were_counted_are_their_keys_or_nobodys() {
    let commitment = "00".repeat(32);
    let summary = |members: &[(&str, Value)]| {
        let leaf = json!({
            "type": "refused-summary", "v": 1, "from_ms": NOON_MS, "to_ms": NOON_MS + 9,
            "code": "MS-ARRIVE-006", "reference": exchange(1), "network": commitment, "count": 5,
        });
        with(leaf, members)
    };
    let of_key = summary(&[("/key", json!("mk-0123456789ab")), ("/count", json!(7))]);
    let counts = count(Days::default(), &[summary(&[]), of_key]);
    assert_eq!(counts.strangers, 5);
    let refused: Vec<_> = counts
        .groups
        .iter()
        .map(|(group, tally)| (group.key.as_str(), tally.refused))
        .collect();
    assert_eq!(refused, [("mk-0123456789ab", 7)]);
}
