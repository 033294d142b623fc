//! The published log, read as exports read it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use export::{Feed, Log};
use ledger::{Ledger, Publishing, Settings, files::MemoryFiles, note::LogKey};
use terms::{Act, Event, FixedClock, Leaf, RECORD_VERSION, Secret};

const FOLDER: &str = "/log";

fn key() -> LogKey {
    LogKey::new("log.example/a", Secret::new([7; 32])).unwrap()
}

/// Writes entries; what is published is published at the end.
fn write(files: &MemoryFiles, count: u64) {
    let settings = Settings {
        folder: FOLDER.into(),
        free_bytes_min: 0,
        publishing: Some(Publishing::new(key(), Duration::from_secs(3_600))),
        ..Settings::default()
    };
    let clock = Arc::new(FixedClock::new(1));
    let opened = Ledger::open(Arc::new(files.clone()), settings, clock).unwrap();
    for number in 0..count {
        let event = Event {
            v: RECORD_VERSION,
            at_ms: number,
            act: Act::KeyCreated,
            by: "node".into(),
            subject: format!("mk-{number}"),
            facts: BTreeMap::new(),
        };
        opened.ledger.append_blocking(Leaf::Event(event)).unwrap();
    }
    let ledger = opened.ledger.clone();
    drop(opened);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(ledger.close()).unwrap();
}

#[test]
fn any_part_of_a_log_is_read_whatever_was_published_when() {
    let files = MemoryFiles::default();
    let mut total = 0;
    // Checkpoints of few sizes, and a bundle that becomes full.
    for more in [5, 40, 300] {
        write(&files, more);
        let key = key().verifier().clone();
        let mut feed = Feed::new(Arc::new(files.clone()), Path::new(FOLDER), key);
        total = feed.size().unwrap();
        for until in 1..=total {
            for from in [0, until / 2, until - 1] {
                let read = feed.read(from, until, 1_000, 1 << 20).unwrap();
                let numbers: Vec<u64> = read.iter().map(|item| item.sequence).collect();
                assert_eq!(numbers, (from..until).collect::<Vec<_>>());
            }
        }
    }
    assert!(total > 256);
}
