//! Damage to a log: cut, exchanged, deleted, added to. What was acknowledged
//! is there after the next opening, or it is refused and nothing is changed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use common::{
    FOLDER, check, close, event, last_segment, open, open_with, read, reader, segments, settings,
    snapshot, wait_for_end, write,
};
use ledger::{
    Head, HeadFault, OpenError, VerifyFault,
    files::{Fault, Files, MemoryFiles},
    head, recovery_leaves, segment,
};
use terms::{FixedClock, Leaf};

/// Of each segment, few entries.
const SEGMENT_BYTES: u64 = 400;
const ENTRIES: u64 = 14;

/// A log of several segments, closed well or left as a crash leaves it.
fn log(clean: bool) -> MemoryFiles {
    let files = MemoryFiles::default();
    let opened = open(&files, SEGMENT_BYTES).unwrap();
    opened.ledger.mark_running().unwrap();
    assert_eq!(write(&opened.ledger, ENTRIES), ENTRIES);
    assert!(segments(&files).len() >= 3);
    if clean {
        close(opened);
    } else {
        drop(opened);
        wait_for_end(&files);
    }
    files
}

/// The log is not opened, and not a byte of it is changed by trying to.
fn refused(files: &MemoryFiles, what: &str) -> OpenError {
    let before = snapshot(files);
    let error = match open(files, SEGMENT_BYTES) {
        Err(error) => error,
        Ok(opened) => panic!("{what}: opened with {} entries", opened.entries),
    };
    assert_eq!(snapshot(files), before, "{what}");
    assert!(check(files).is_err(), "{what}");
    error
}

fn head_of(files: &MemoryFiles) -> Head {
    Head::decode(&files.read(&head_path()).unwrap()).unwrap()
}

fn head_path() -> PathBuf {
    Path::new(FOLDER).join(head::NAME)
}

#[test]
fn after_a_clean_stop_no_end_may_be_missing() {
    let files = log(true);
    for path in segments(&files) {
        for bytes in 0..files.read(&path).unwrap().len() {
            let cut = files.copy();
            cut.cut_file(&path, bytes);
            refused(&cut, &format!("{} cut to {bytes}", path.display()));
        }
        let gone = files.copy();
        gone.remove(&path).unwrap();
        refused(&gone, &path.display().to_string());
    }
}

#[test]
fn after_a_crash_only_the_newest_segment_may_end_early() {
    let files = log(false);
    let newest = last_segment(&files);
    let first = segment::first_of(newest.file_name().unwrap().to_str().unwrap()).unwrap();
    for path in segments(&files) {
        for bytes in 0..files.read(&path).unwrap().len() {
            let what = format!("{} cut to {bytes}", path.display());
            let cut = files.copy();
            cut.cut_file(&path, bytes);
            if path != newest {
                refused(&cut, &what);
                continue;
            }
            check(&cut).unwrap();
            let opened = open(&cut, SEGMENT_BYTES).unwrap();
            assert!(opened.unclean && opened.entries >= first, "{what}");
            let kept = opened.entries;
            assert_eq!(opened.ledger.append_blocking(event(99)), Ok(kept), "{what}");
            let entries = read(&cut);
            assert_eq!(entries[..kept as usize], (0..kept).collect::<Vec<_>>());
            assert_eq!(entries[kept as usize..], [99]);
        }
    }
}

#[test]
fn after_a_clean_stop_a_flipped_bit_anywhere_is_a_fault() {
    let files = log(true);
    for name in files.list(Path::new(FOLDER)).unwrap() {
        let path = Path::new(FOLDER).join(&name);
        for at in 0..files.read(&path).unwrap().len() {
            let flipped = files.copy();
            flipped.flip(&path, at, 1 << (at % 8));
            refused(&flipped, &format!("{name} byte {at}"));
        }
    }
}

#[test]
fn after_a_clean_stop_nothing_may_stand_behind_the_end() {
    let files = log(true);
    let newest = last_segment(&files);
    let bytes = files.read(&newest).unwrap();
    let next = head_of(&files).entries;
    let mut group = Vec::new();
    segment::encode_group(next, std::iter::once(&b"{}"[..]), &mut group);
    for more in [vec![0; 4_096], vec![0xa5; 100], group] {
        let longer = files.copy();
        longer.put_file(&newest, &[&bytes[..], &more[..]].concat());
        refused(&longer, "something behind the end");
    }
    // A further entry that is sound by itself.
    let payload = first_payload(&files);
    let mut group = Vec::new();
    segment::encode_group(next, std::iter::once(&payload[..]), &mut group);
    files.put_file(&newest, &[&bytes[..], &group[..]].concat());
    assert!(matches!(
        refused(&files, "one entry more"),
        OpenError::Rollback(HeadFault::Longer { .. })
    ));
}

fn first_payload(files: &MemoryFiles) -> Vec<u8> {
    reader(files).read_next().unwrap().unwrap().payload
}

#[test]
fn a_segment_of_nothing_or_of_anything_is_no_sound_log() {
    for clean in [true, false] {
        let files = log(clean);
        for path in segments(&files).iter().skip(1) {
            files.remove(path).unwrap();
        }
        let first = Path::new(FOLDER).join(segment::name(0));
        let mut noise = segment::header(0).to_vec();
        noise.extend((0..10_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
        for bytes in [Vec::new(), segment::header(0).to_vec(), noise] {
            files.put_file(&first, &bytes);
            refused(&files, &format!("{} bytes", bytes.len()));
        }
        files.remove(&first).unwrap();
        assert!(matches!(
            refused(&files, "no segment"),
            OpenError::Rollback(HeadFault::Short { found: 0, .. })
        ));
    }
}

#[test]
fn a_stray_segment_is_refused_and_stays() {
    for clean in [true, false] {
        let files = log(clean);
        let folder = Path::new(FOLDER);
        let copy = files.read(&segments(&files)[0]).unwrap();
        let mut names: Vec<String> = (0..ENTRIES + 40)
            .filter(|number| *number != ENTRIES)
            .map(segment::name)
            .collect();
        names.extend([
            segment::name(u64::MAX),
            "3.seg".to_owned(),
            "x.seg".to_owned(),
        ]);
        for name in names {
            if files.read(&folder.join(&name)).is_ok() {
                continue;
            }
            for bytes in [&copy[..], &copy[..16], b""] {
                let strayed = files.copy();
                strayed.put_file(&folder.join(&name), bytes);
                refused(&strayed, &format!("{name} of {} bytes", bytes.len()));
            }
        }
    }
}

#[test]
fn an_empty_next_segment_costs_nothing() {
    for bytes in [&b""[..], b"mstnlog"] {
        let files = log(false);
        let next = Path::new(FOLDER).join(segment::name(ENTRIES));
        files.put_file(&next, bytes);
        let opened = open(&files, SEGMENT_BYTES).unwrap();
        assert_eq!(opened.entries, ENTRIES);
        assert_eq!(opened.tail_cut_bytes, bytes.len() as u64);
        assert_eq!(opened.ledger.append_blocking(event(ENTRIES)), Ok(ENTRIES));
        assert_eq!(read(&files), (0..=ENTRIES).collect::<Vec<_>>());

        // After a clean stop nobody can have begun it.
        let files = log(true);
        files.put_file(&next, bytes);
        refused(&files, "a next segment after a clean stop");
    }
    // As long as a header, it is not what a crash can leave.
    let files = log(false);
    let next = Path::new(FOLDER).join(segment::name(ENTRIES));
    files.put_file(&next, &[0; segment::HEADER_BYTES]);
    refused(&files, "a header of zeros");
}

#[test]
fn no_space_while_a_segment_is_begun_costs_nothing() {
    // The disk fills up at each byte of some groups and of the rotations
    // between them.
    for space in 0..1_200 {
        let files = MemoryFiles::default();
        let opened = open(&files, 300).unwrap();
        opened.ledger.mark_running().unwrap();
        files.fail(Some(Fault::Space(space)));
        let acknowledged = write(&opened.ledger, 20);
        assert!(acknowledged < 20);
        drop(opened);
        wait_for_end(&files);
        files.fail(None);
        let opened = open(&files, 300).unwrap();
        assert!(opened.entries >= acknowledged, "{space} bytes");
        let kept = opened.entries;
        assert_eq!(opened.ledger.append_blocking(event(kept)), Ok(kept));
        assert_eq!(read(&files), (0..=kept).collect::<Vec<_>>());
    }
}

#[test]
fn a_log_that_was_put_back_is_refused() {
    let files = log(true);
    let old = files.copy();
    let opened = open(&files, SEGMENT_BYTES).unwrap();
    write(&opened.ledger, 1);
    close(opened);
    // Older segments beside the newer head, and the newest one cut clean.
    for path in segments(&files) {
        if let Ok(bytes) = old.read(&path) {
            files.put_file(&path, &bytes);
        } else {
            files.remove(&path).unwrap();
        }
    }
    let error = refused(&files, "an older log");
    assert!(matches!(
        error,
        OpenError::Rollback(HeadFault::Short {
            expected: 15,
            found: 14
        })
    ));
    assert!(
        error
            .to_string()
            .contains("copy of the whole ledger folder")
    );
}

#[test]
fn another_log_in_this_ones_place_is_refused() {
    let files = log(true);
    let other = MemoryFiles::default();
    let opened = open(&other, SEGMENT_BYTES).unwrap();
    for number in 0..ENTRIES {
        opened
            .ledger
            .append_blocking(event(1_000 + number))
            .unwrap();
    }
    close(opened);
    let keep = files.read(&head_path()).unwrap();
    for path in segments(&files) {
        files.remove(&path).unwrap();
    }
    for path in segments(&other) {
        files.put_file(&path, &other.read(&path).unwrap());
    }
    files.put_file(&head_path(), &keep);
    assert!(matches!(
        refused(&files, "another log"),
        OpenError::Rollback(HeadFault::Other(ENTRIES))
    ));
}

#[test]
fn a_missing_or_broken_head_is_a_fault_and_an_empty_folder_is_none() {
    for clean in [true, false] {
        let files = log(clean);
        let bare = files.copy();
        bare.remove(&head_path()).unwrap();
        assert!(matches!(
            refused(&bare, "no head"),
            OpenError::Rollback(HeadFault::Missing)
        ));
        assert_eq!(check(&bare), Err(VerifyFault::Head(HeadFault::Missing)));
        files.put_file(&head_path(), b"");
        assert!(matches!(
            refused(&files, "an empty head"),
            OpenError::Rollback(HeadFault::Damaged)
        ));
    }
    let files = MemoryFiles::default();
    assert_eq!(check(&files).unwrap().entries, 0);
    let opened = open(&files, SEGMENT_BYTES).unwrap();
    assert!(!opened.unclean && opened.entries == 0);
    // From here on there is one.
    assert_eq!(head_of(&files).entries, 0);
}

#[test]
fn the_head_follows_a_log_in_which_nothing_more_happens() {
    let files = MemoryFiles::default();
    let mut settings = settings(1 << 20);
    settings.head_time = Duration::from_millis(20);
    let opened = open_with(&files, settings).unwrap();
    write(&opened.ledger, 5);
    let mut waited = 0;
    while head_of(&files).entries < 5 {
        assert!(waited < 2_000, "the head does not follow");
        std::thread::sleep(Duration::from_millis(5));
        waited += 1;
    }
    assert!(!head_of(&files).closed);
    // Covered by the head, the last entry is no torn end any more.
    drop(opened);
    wait_for_end(&files);
    let newest = last_segment(&files);
    let bytes = files.read(&newest).unwrap().len();
    files.flip(&newest, bytes - 1, 1);
    assert!(matches!(
        refused(&files, "the last entry"),
        OpenError::Unsound(_)
    ));
}

#[test]
fn a_head_that_cannot_be_written_fails_the_log() {
    let files = MemoryFiles::default();
    let mut settings = settings(1 << 20);
    settings.head_time = Duration::ZERO;
    let opened = open_with(&files, settings).unwrap();
    // Head, segment, group; then the head that covers the group.
    files.fail(Some(Fault::Sync(4)));
    assert_eq!(write(&opened.ledger, 20), 1);
    assert!(opened.ledger.reserve().is_err());
}

#[test]
fn only_who_set_the_mark_of_a_running_gate_takes_it_away() {
    let files = log(false);
    // A command of its own writes something and ends well.
    let opened = open(&files, SEGMENT_BYTES).unwrap();
    assert!(opened.unclean);
    write(&opened.ledger, 1);
    close(opened);
    let opened = open(&files, SEGMENT_BYTES).unwrap();
    assert!(opened.unclean, "the trace of the crash is still there");
    // Another one tells of the crash in the log.
    let leaves = recovery_leaves(&opened, &FixedClock::new(5)).len();
    let told = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(opened.recover(&FixedClock::new(5)));
    assert_eq!(told, Ok(leaves));
    close(opened);
    let opened = open(&files, SEGMENT_BYTES).unwrap();
    assert!(!opened.unclean);
    drop(opened);
    let mut reader = reader(&files);
    let mut unclean = 0;
    while let Some(entry) = reader.read_next().unwrap() {
        unclean += usize::from(matches!(entry.leaf, Leaf::UncleanStart(_)));
    }
    assert_eq!(unclean, 1);
}

#[test]
fn a_reader_follows_a_log_over_its_rotations() {
    let files = MemoryFiles::default();
    let opened = open(&files, 300).unwrap();
    let ledger = opened.ledger.clone();
    let writing = std::thread::spawn(move || write(&ledger, 400));
    let mut reader = reader(&files);
    let mut next = 0;
    while next < 400 {
        match reader.read_next().unwrap() {
            Some(entry) => {
                assert_eq!(entry.sequence, next);
                next += 1;
            }
            None => std::thread::yield_now(),
        }
    }
    assert_eq!(writing.join().unwrap(), 400);
    drop(opened);
}
