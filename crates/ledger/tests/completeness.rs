//! Exactly one `closed` for each `admitted`: what is doubled is a fault with
//! the entry's number, what is missing is named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{check, check_published, check_trusting, close, event, open, open_with, publishing};
use ledger::{EntryFault, VerifyFault, files::MemoryFiles};
use serde_json::json;
use terms::{Act, Event, ExchangeId, FixedClock, Leaf, SeededEntropy};

fn exchange(seed: u64) -> ExchangeId {
    ExchangeId::new(&FixedClock::new(1_000), &SeededEntropy::new(seed))
}

fn admitted(exchange: ExchangeId) -> Leaf {
    let commitment = "00".repeat(32);
    let leaf = json!({
        "type": "admitted", "v": 1, "exchange": exchange, "at_ms": 1_000,
        "caller": {"key": "mk-0123456789ab", "owner": commitment, "source": commitment},
        "request": {
            "dialect": "openai-chat", "vendor": "openai", "model": "m", "stream": false,
            "body_bytes": 2, "sent_bytes": 2, "edited": false, "body": commitment, "tools": 0,
        },
        "policy": {"policy": commitment, "rules": commitment},
        "controls": [], "findings": [], "findings_more": 0,
        "inspected": {
            "bytes": {}, "media_bytes": 0, "opaque_bytes": 0, "unknown_values": 0,
            "unknown_places": [],
        },
        "durability": "before-reply", "rooms": [],
    });
    serde_json::from_value(leaf).unwrap()
}

fn closed(exchange: ExchangeId) -> Leaf {
    let leaf = json!({
        "type": "closed", "v": 1, "exchange": exchange, "at_ms": 1_001, "outcome": "complete",
        "vendor": {"sent": true, "status": 200}, "reply_bytes": 2, "edited": false,
        "logprobs_removed": false, "signature_removed": false, "controls": [],
        "inspected": {
            "bytes": {}, "media_bytes": 0, "opaque_bytes": 0, "unknown_values": 0,
            "unknown_places": [],
        },
        "findings": [], "findings_more": 0,
        "restored": {"restored": 0, "withheld": 0, "foreign": 0},
        "timings": {"total_us": 7}, "rooms": [],
    });
    serde_json::from_value(leaf).unwrap()
}

/// A log of these leaves, closed well, with tiles.
fn log(leaves: Vec<Leaf>) -> MemoryFiles {
    let files = MemoryFiles::default();
    let opened = open_with(&files, publishing(1 << 20)).unwrap();
    for leaf in leaves {
        opened.ledger.append_blocking(leaf).unwrap();
    }
    close(opened);
    files
}

#[test]
fn each_exchange_with_both_halves_leaves_none_open() {
    let (a, b) = (exchange(1), exchange(2));
    let files = log(vec![
        admitted(a),
        admitted(b),
        closed(b),
        event(1),
        closed(a),
    ]);
    for verified in [check_trusting(&files, None), check_published(&files, None)] {
        let verified = verified.unwrap();
        assert_eq!((verified.admitted, verified.closed), (2, 2));
        assert_eq!((verified.first, verified.entries), (0, 5));
        assert_eq!(verified.open, []);
    }
}

#[test]
fn a_missing_closed_is_named() {
    let (a, b, c) = (exchange(1), exchange(2), exchange(3));
    let files = log(vec![admitted(a), admitted(b), admitted(c), closed(b)]);
    let mut missing = vec![a, c];
    missing.sort();
    for verified in [check_trusting(&files, None), check_published(&files, None)] {
        let verified = verified.unwrap();
        assert_eq!((verified.admitted, verified.closed), (3, 1));
        assert_eq!(verified.open, missing);
    }
}

#[test]
fn a_doubled_closed_is_a_fault_with_its_number() {
    let (a, b) = (exchange(1), exchange(2));
    let files = log(vec![
        admitted(a),
        admitted(b),
        closed(a),
        event(1),
        closed(a),
    ]);
    let fault = VerifyFault::ClosedTwice {
        entry: 4,
        exchange: a,
    };
    assert_eq!(check(&files), Err(fault.clone()));
    assert_eq!(check_published(&files, None), Err(fault.clone()));
    let told = fault.to_string();
    assert!(told.contains("entry 4") && told.contains(&a.to_string()));
}

#[test]
fn a_closed_without_an_admitted_and_a_doubled_admitted_are_faults() {
    let (a, b) = (exchange(1), exchange(2));
    assert_eq!(
        check(&log(vec![admitted(a), closed(b)])),
        Err(VerifyFault::NeverAdmitted {
            entry: 1,
            exchange: b
        })
    );
    for leaves in [
        vec![admitted(a), admitted(a)],
        vec![admitted(a), closed(a), admitted(a)],
    ] {
        let entry = leaves.len() as u64 - 1;
        let fault = VerifyFault::AdmittedTwice { entry, exchange: a };
        assert_eq!(check(&log(leaves)), Err(fault));
    }
}

#[test]
fn after_a_crash_the_next_start_closes_what_was_open() {
    let (a, b) = (exchange(1), exchange(2));
    let files = MemoryFiles::default();
    let opened = open(&files, 1 << 20).unwrap();
    opened.ledger.mark_running().unwrap();
    for leaf in [admitted(a), admitted(b), closed(b)] {
        opened.ledger.append_blocking(leaf).unwrap();
    }
    drop(opened);
    common::wait_for_end(&files);
    assert_eq!(check(&files).unwrap().open, [a]);
    let opened = open(&files, 1 << 20).unwrap();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(opened.recover(&FixedClock::new(9)))
        .unwrap();
    close(opened);
    let verified = check(&files).unwrap();
    assert_eq!((verified.open.len(), verified.closed), (0, 2));
}

fn refused(exchange: ExchangeId) -> Leaf {
    let commitment = "00".repeat(32);
    let leaf = json!({
        "type": "refused", "v": 1, "exchange": exchange, "at_ms": 1_000,
        "caller": {"key": "mk-0123456789ab", "owner": commitment, "source": commitment},
        "code": "MS-ARRIVE-002", "policy": {"policy": commitment, "rules": commitment},
        "controls": [], "findings": [], "findings_more": 0,
        "inspected": {
            "bytes": {}, "media_bytes": 0, "opaque_bytes": 0, "unknown_values": 0,
            "unknown_places": [],
        },
        "rooms": [],
    });
    serde_json::from_value(leaf).unwrap()
}

fn act(act: Act) -> Leaf {
    let Leaf::Event(event) = event(3) else {
        panic!("no event")
    };
    Leaf::Event(Event { act, ..event })
}

#[test]
fn a_refused_exchange_has_no_other_entry() {
    let a = exchange(1);
    for leaves in [
        vec![refused(a), refused(a)],
        vec![refused(a), admitted(a)],
        vec![admitted(a), refused(a)],
        vec![refused(a), closed(a)],
        vec![admitted(a), closed(a), refused(a)],
    ] {
        let entry = leaves.len() as u64 - 1;
        let files = log(leaves);
        let fault = VerifyFault::SecondFate { entry, exchange: a };
        assert_eq!(check_trusting(&files, None), Err(fault.clone()));
        assert_eq!(check_published(&files, None), Err(fault));
    }
    let sound = log(vec![refused(a), admitted(exchange(2))]);
    assert_eq!(check_trusting(&sound, None).unwrap().refused, 1);
}

#[test]
fn nothing_is_open_where_a_gate_begins_or_has_stopped() {
    let a = exchange(1);
    for begins in [Act::GateReady, Act::GateStopped] {
        let files = log(vec![admitted(a), act(begins), closed(a)]);
        let fault = VerifyFault::OpenAt {
            entry: 1,
            act: begins,
            exchange: a,
        };
        assert_eq!(check_trusting(&files, None), Err(fault.clone()));
        assert_eq!(check_published(&files, None), Err(fault));
        let sound = log(vec![admitted(a), closed(a), act(begins), act(Act::Pruned)]);
        check_trusting(&sound, None).unwrap();
    }
    // Other entries may come while one runs.
    let sound = log(vec![admitted(a), act(Act::ConfigLoaded), event(1)]);
    assert_eq!(check_trusting(&sound, None).unwrap().open, [a]);
}

#[test]
fn an_entry_of_another_version_is_a_fault() {
    let Leaf::Event(sound) = event(3) else {
        panic!("no event")
    };
    for v in [0, 2, 99] {
        let leaf = Leaf::Event(Event { v, ..sound.clone() });
        let files = log(vec![event(1), leaf]);
        assert!(check_trusting(&files, None).is_err(), "{v}");
        let fault = VerifyFault::Entry {
            entry: 1,
            fault: EntryFault::Record,
        };
        assert_eq!(check_published(&files, None), Err(fault), "{v}");
    }
}
