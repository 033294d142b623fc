//! The log as its users see it: written, crashed, damaged, opened again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{FOLDER, check, close, event, last_segment, open, read, segments, write};
use ledger::{
    AppendError, Ledger, OpenError, Settings,
    files::{Fault, Files, MemoryFiles},
    recovery_leaves, segment,
};
use proptest::prelude::*;
use terms::FixedClock;

#[test]
fn entries_come_back_in_order_over_many_segments() {
    let files = MemoryFiles::default();
    let opened = open(&files, 500).unwrap();
    assert_eq!(write(&opened.ledger, 50), 50);
    assert!(files.list(Path::new(FOLDER)).unwrap().len() > 5);
    assert_eq!(read(&files), (0..50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_waiters_each_get_a_number_of_their_own() {
    let files = MemoryFiles::default();
    let ledger = open(&files, 1 << 20).unwrap().ledger;
    let waiting: Vec<_> = (0..1_024_u64)
        .map(|number| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.append(event(number)).await.unwrap() })
        })
        .collect();
    let mut numbers = Vec::new();
    for one in waiting {
        numbers.push(one.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_024).collect::<Vec<_>>());
    ledger.close().await.unwrap();
    assert_eq!(check(&files).unwrap().entries, 1_024);
}

#[test]
fn one_process_at_a_time() {
    let files = MemoryFiles::default();
    let opened = open(&files, 500).unwrap();
    assert!(matches!(open(&files, 500), Err(OpenError::Locked(_))));
    drop(opened);
}

#[test]
fn an_end_torn_at_any_byte_is_cut_and_told() {
    let files = MemoryFiles::default();
    let opened = open(&files, 1 << 20).unwrap();
    write(&opened.ledger, 3);
    let whole = files.read(&last_segment(&files)).unwrap();
    let mut reader_ends = Vec::new();
    let mut at = segment::HEADER_BYTES;
    for sequence in 0..3 {
        reader_ends.push(at);
        at = segment::decode_group(&whole, at, sequence).unwrap().end;
    }
    for bytes in 0..whole.len() {
        let files = files.copy();
        files.cut_file(&last_segment(&files), bytes);
        let opened = open(&files, 1 << 20).unwrap();
        let left = reader_ends
            .iter()
            .skip(1)
            .chain([&whole.len()])
            .filter(|end| **end <= bytes)
            .count() as u64;
        assert_eq!(opened.entries, left, "{bytes} bytes");
        let sound = if left == 0 {
            segment::HEADER_BYTES.min(bytes)
        } else {
            *reader_ends.get(left as usize).unwrap_or(&whole.len())
        };
        let expected = if bytes < segment::HEADER_BYTES {
            bytes
        } else {
            bytes - sound
        };
        assert_eq!(opened.tail_cut_bytes, expected as u64, "{bytes} bytes");
        opened.ledger.append_blocking(event(9)).unwrap();
        assert_eq!(read(&files).len() as u64, left + 1);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_never_taken_for_an_entry() {
    let files = MemoryFiles::default();
    let opened = open(&files, 400).unwrap();
    write(&opened.ledger, 14);
    let names = files.list(Path::new(FOLDER)).unwrap();
    assert!(names.len() >= 3);
    let truth = read(&files);
    for name in &names {
        let path = Path::new(FOLDER).join(name);
        let last = path == last_segment(&files);
        for at in 0..files.read(&path).unwrap().len() {
            for bit in 0..8 {
                let damaged = files.copy();
                damaged.flip(&path, at, 1 << bit);
                match check(&damaged) {
                    Err(_) => {}
                    Ok(verified) => {
                        // Only the very last entry may pass for a torn end,
                        // and that is told.
                        assert!(
                            last && verified.tail_bytes > 0,
                            "{name} byte {at} bit {bit}"
                        );
                        assert_eq!(
                            verified.entries as usize,
                            truth.len() - 1,
                            "{name} byte {at} bit {bit}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_missing_segment_is_found() {
    let files = MemoryFiles::default();
    let opened = open(&files, 400).unwrap();
    write(&opened.ledger, 14);
    let all = segments(&files);
    assert!(all.len() >= 3);
    for path in all.iter().take(all.len() - 1) {
        let files = files.copy();
        files.remove(path).unwrap();
        assert!(
            matches!(open(&files, 400), Err(OpenError::Unsound(_))),
            "{}",
            path.display()
        );
    }
    close(opened);
    files.remove(all.last().unwrap()).unwrap();
    assert!(matches!(open(&files, 400), Err(OpenError::Rollback(_))));
    assert!(check(&files).is_err());
}

#[test]
fn a_failing_disk_stops_everything_and_loses_nothing_acknowledged() {
    for fault in [Fault::Sync(4), Fault::Space(700), Fault::ShortWrite(5)] {
        let files = MemoryFiles::default();
        let opened = open(&files, 1 << 20).unwrap();
        files.fail(Some(fault));
        let acknowledged = write(&opened.ledger, 20);
        assert!(acknowledged < 20, "{fault:?}");
        files.fail(None);
        // Never tried again, even if the disk is well by now.
        assert_eq!(
            opened.ledger.append_blocking(event(0)),
            Err(AppendError::Failed),
            "{fault:?}"
        );
        assert!(matches!(opened.ledger.reserve(), Err(AppendError::Failed)));
        drop(opened);
        files.crash(1_000, false);
        let opened = open(&files, 1 << 20).unwrap();
        assert!(opened.entries >= acknowledged, "{fault:?}");
        assert_eq!(
            read(&files)[..acknowledged as usize],
            (0..acknowledged).collect::<Vec<_>>()
        );
    }
}

#[test]
fn below_the_low_water_mark_nothing_is_reserved() {
    let files = MemoryFiles::default();
    let settings = Settings {
        folder: PathBuf::from(FOLDER),
        free_bytes_min: 1_000_000,
        ..Settings::default()
    };
    let opened = Ledger::open(
        Arc::new(files.clone()),
        settings,
        Arc::new(FixedClock::new(1)),
    )
    .unwrap();
    files.fail(Some(Fault::Space(1_000_100)));
    assert!(matches!(opened.ledger.reserve(), Err(AppendError::NoSpace)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_acknowledged_is_lost_when_the_power_fails(count in 1_u64..30, segment_bytes in 200_u64..2_000, keep in 0_u16..=1_000, garble: bool) {
        let files = MemoryFiles::default();
        let opened = open(&files, segment_bytes).unwrap();
        opened.ledger.mark_running().unwrap();
        prop_assert_eq!(write(&opened.ledger, count), count);
        drop(opened);
        files.crash(keep, garble);
        let opened = open(&files, segment_bytes).unwrap();
        prop_assert!(opened.unclean);
        prop_assert_eq!(opened.entries, count);
        for leaf in recovery_leaves(&opened, &FixedClock::new(99)) {
            opened.ledger.append_blocking(leaf).unwrap();
        }
        prop_assert_eq!(&read(&files)[..count as usize], &(0..count).collect::<Vec<_>>()[..]);
    }
}

#[test]
fn the_crash_test_would_notice_a_sync_that_lies() {
    let files = MemoryFiles::default();
    let opened = open(&files, 1 << 20).unwrap();
    files.fail(Some(Fault::LyingSync));
    assert_eq!(write(&opened.ledger, 10), 10);
    drop(opened);
    files.crash(0, false);
    assert!(open(&files, 1 << 20).unwrap().entries < 10);
}

#[tokio::test]
async fn a_clean_close_leaves_no_mark() {
    let files = MemoryFiles::default();
    let opened = open(&files, 1 << 20).unwrap();
    opened.ledger.mark_running().unwrap();
    opened.ledger.append(event(1)).await.unwrap();
    opened.ledger.close().await.unwrap();
    let opened = open(&files, 1 << 20).unwrap();
    assert!(!opened.unclean && opened.entries == 1);
    assert!(recovery_leaves(&opened, &FixedClock::new(2)).is_empty());
}
