//! The disk fails at every step, one after the other, in a log with tiles and
//! checkpoint: reads that fail, writes and syncs that fail, no space at every
//! byte, writes that end early. What follows is a refusal or the whole truth.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{collections::BTreeMap, path::PathBuf};

use common::{
    check_published, check_trusting, checkpoint, close, event, open_with, publishing, read, reader,
    wait_for_end, write,
};
use ledger::{
    OpenError,
    files::{Fault, Files, MemoryFiles},
};
use terms::Leaf;

const SEGMENT_BYTES: u64 = 400;
const ENTRIES: u64 = 14;

/// A log of several segments, with tiles; it goes on after a restart.
fn log() -> MemoryFiles {
    let files = MemoryFiles::default();
    let opened = open_with(&files, publishing(SEGMENT_BYTES)).unwrap();
    assert_eq!(write(&opened.ledger, ENTRIES), ENTRIES);
    close(opened);
    files
}

fn everything(files: &MemoryFiles) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = files.paths().into_iter();
    paths
        .map(|path| (path.clone(), files.read(&path).unwrap()))
        .collect()
}

/// Does something with each read failing in turn, until none is left to fail.
/// Answers how often it was refused.
fn with_each_read(files: &MemoryFiles, mut done: impl FnMut(&MemoryFiles, u64) -> bool) -> u64 {
    let mut refused = 0;
    for number in 1..1_000 {
        let files = files.copy();
        files.fail(Some(Fault::Read(number)));
        refused += u64::from(!done(&files, number));
        if files.fault().is_some() {
            return refused;
        }
    }
    panic!("there is no end of reads");
}

#[test]
fn a_read_that_fails_is_a_refusal_and_never_another_log() {
    let files = log();
    let truth = check_trusting(&files, None).unwrap();
    let refused = with_each_read(&files, |files, number| {
        let judged = check_trusting(files, Some(truth.checkpoint.clone().unwrap()));
        if let Ok(verified) = &judged {
            assert_eq!(*verified, truth, "read {number}");
        }
        judged.is_ok()
    });
    assert!(refused > 10, "{refused}");
    let published = check_published(&files, None).unwrap();
    let refused = with_each_read(&files, |files, number| {
        let judged = check_published(files, None);
        if let Ok(verified) = &judged {
            assert_eq!(*verified, published, "read {number}");
        }
        judged.is_ok()
    });
    assert!(refused > 3, "{refused}");
    let refused = with_each_read(&files, |files, number| {
        let mut reader = reader(files);
        let mut next = 0;
        loop {
            match reader.read_next() {
                Ok(Some(entry)) => {
                    assert_eq!(entry.leaf, event(next), "read {number}");
                    next += 1;
                }
                Ok(None) => {
                    assert_eq!(next, ENTRIES, "read {number}");
                    return true;
                }
                Err(_) => return false,
            }
        }
    });
    assert!(refused > 5, "{refused}");
}

#[test]
fn a_log_that_cannot_be_read_now_does_not_open_or_is_whole() {
    let files = log();
    let mut refused = 0;
    for number in 1..400 {
        let files = files.copy();
        let before = everything(&files);
        files.fail(Some(Fault::Read(number)));
        match open_with(&files, publishing(SEGMENT_BYTES)) {
            Err(OpenError::Locked(_)) => panic!("read {number}: nobody has it"),
            Err(_) => {
                refused += 1;
                files.fail(None);
                assert_eq!(everything(&files), before, "read {number}");
            }
            Ok(opened) => {
                assert_eq!(opened.entries, ENTRIES, "read {number}");
                let placed = opened.ledger.append_blocking(event(ENTRIES));
                let ledger = opened.ledger.clone();
                drop(opened);
                let ended = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap()
                    .block_on(ledger.close());
                wait_for_end(&files);
                files.fail(None);
                assert!(
                    placed == Ok(ENTRIES) || ended.is_err(),
                    "read {number}: {placed:?}"
                );
                judge(
                    &files,
                    ENTRIES + u64::from(placed.is_ok()),
                    &format!("read {number}"),
                );
            }
        }
    }
    assert!(refused > 10, "{refused}");
}

/// With the disk well again: everything acknowledged is there, opens, and is
/// published.
fn judge(files: &MemoryFiles, acknowledged: u64, what: &str) {
    let opened = open_with(files, publishing(SEGMENT_BYTES))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(opened.entries >= acknowledged, "{what}: {}", opened.entries);
    let entries = opened.entries;
    close(opened);
    let found = read(files);
    assert_eq!(found, (0..entries).collect::<Vec<_>>(), "{what}");
    for judged in [check_trusting(files, None), check_published(files, None)] {
        let verified = judged.unwrap_or_else(|fault| panic!("{what}: {fault}"));
        assert_eq!(verified.entries, entries, "{what}");
    }
    assert_eq!(checkpoint(files).size, entries, "{what}");
}

#[test]
fn every_write_sync_and_byte_of_space_may_fail_with_tiles_too() {
    let steps = (1..80).flat_map(|number| {
        [
            Fault::Sync(number),
            Fault::ShortWrite(number),
            Fault::Power(number),
        ]
    });
    let bytes = (0..9_000).step_by(47).map(Fault::Space);
    let mut failed = [0; 4];
    for fault in steps.chain(bytes) {
        let files = log();
        let opened = open_with(&files, publishing(SEGMENT_BYTES)).unwrap();
        files.fail(Some(fault));
        let acknowledged = ENTRIES
            + (0..ENTRIES)
                .take_while(|more| opened.ledger.append_blocking(event(ENTRIES + more)).is_ok())
                .count() as u64;
        let ledger = opened.ledger.clone();
        drop(opened);
        let ended = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(ledger.close());
        wait_for_end(&files);
        let place = match fault {
            Fault::Sync(_) => 0,
            Fault::ShortWrite(_) => 1,
            Fault::Power(_) => 2,
            Fault::Space(_) | Fault::Read(_) | Fault::LyingSync => 3,
        };
        failed[place] += u32::from(ended.is_err());
        files.fail(None);
        judge(&files, acknowledged, &format!("{fault:?}"));
        files.crash(0, false);
        judge(&files, acknowledged, &format!("{fault:?}, then no power"));
    }
    assert!(failed.iter().all(|count| *count > 10), "{failed:?}");
}

#[test]
fn a_bit_flipped_in_any_byte_never_gives_another_record() {
    let files = log();
    let truth = everything(&files);
    for (path, bytes) in &truth {
        for at in 0..bytes.len() {
            let flipped = files.copy();
            flipped.flip(path, at, 1 << (at % 8));
            let mut reader = reader(&flipped);
            let mut next = 0;
            // Up to the fault, nothing but what was written.
            while let Ok(Some(entry)) = reader.read_next() {
                let is_own = matches!(&entry.leaf, Leaf::Event(found) if found.at_ms == next);
                assert!(
                    is_own && entry.leaf == event(next),
                    "{} byte {at}",
                    path.display()
                );
                next += 1;
            }
        }
    }
}
