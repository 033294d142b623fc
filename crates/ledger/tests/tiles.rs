//! Tiles, checkpoints and proofs of a log, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use common::{
    FOLDER, check, check_published, check_trusting, checkpoint, close, event, key, open_with,
    publishing, read, tlog, write,
};
use ledger::{
    CheckpointFault, OpenError, Opened, VerifyFault, canonical,
    files::{Files, MemoryFiles},
    merkle,
    note::{Checkpoint, LogKey, NoteFault},
    proof::{Bundle, BundleFault},
    publish::{self, Builder},
    tile::{Row, Shelf, Tile},
};
use terms::Secret;

const SEGMENT_BYTES: u64 = 4_000;

fn opened(files: &MemoryFiles) -> Opened {
    open_with(files, publishing(SEGMENT_BYTES)).unwrap()
}

/// A closed log with this many entries, all of them published.
fn log(entries: u64) -> MemoryFiles {
    let files = MemoryFiles::default();
    grow(&files, entries);
    files
}

fn grow(files: &MemoryFiles, entries: u64) {
    let opened = opened(files);
    assert_eq!(write(&opened.ledger, entries), entries);
    close(opened);
}

fn shelf(files: &MemoryFiles, size: u64) -> Shelf {
    Shelf::new(Arc::new(files.clone()), &tlog(), size)
}

fn checkpoint_path() -> std::path::PathBuf {
    tlog().join(publish::CHECKPOINT)
}

/// What was published, by path.
fn published(files: &MemoryFiles) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let paths = files
        .paths()
        .into_iter()
        .filter(|path| path.starts_with(tlog()));
    paths
        .map(|path| (path.clone(), files.read(&path).unwrap()))
        .collect()
}

#[test]
fn a_log_is_published_as_it_grows_and_verifies_with_and_without_segments() {
    let files = MemoryFiles::default();
    let mut before: Option<Checkpoint> = None;
    let mut total = 0;
    for more in [0, 1, 254, 1, 1, 255, 300, 3] {
        grow(&files, more);
        total += more;
        let now = checkpoint(&files);
        assert_eq!(now.size, total);
        for verified in [
            check_trusting(&files, before.clone()).unwrap(),
            check_published(&files, before.clone()).unwrap(),
        ] {
            assert_eq!((verified.entries, verified.root), (total, now.root));
            assert_eq!(verified.checkpoint.as_ref(), Some(&now));
        }
        before = Some(now);
    }
    // Partial tiles whose place is full are gone, and drafts are too.
    let names = published(&files);
    assert!(
        names
            .keys()
            .all(|path| !path.display().to_string().contains("000.p")
                || path.starts_with(tlog().join("tile/1")))
    );
    assert!(
        names
            .keys()
            .all(|path| !path.display().to_string().contains("draft"))
    );
}

#[test]
fn every_entry_is_proved_by_a_bundle_and_every_growth_by_tiles() {
    let files = log(700);
    let now = checkpoint(&files);
    let note = files.read(&checkpoint_path()).unwrap();
    let mut shelf = shelf(&files, now.size);
    for index in (0..700).step_by(13).chain([0, 255, 256, 511, 512, 699]) {
        let bundle = Bundle {
            index,
            entry: shelf.entry(index).unwrap(),
            proof: shelf.inclusion(index).unwrap(),
            checkpoint: note.clone(),
        };
        assert_eq!(bundle.entry, canonical::to_bytes(&event(index)).unwrap());
        let bundle = Bundle::read(&bundle.encode()).unwrap();
        let (proved, _) = bundle.verify(key().verifier()).unwrap();
        assert_eq!(proved, now);
        let wrong = Bundle {
            index: (index + 1) % 700,
            ..bundle
        };
        let fault = BundleFault::Inclusion(wrong.index);
        assert_eq!(wrong.verify(key().verifier()), Err(fault));
    }
    assert!(shelf.inclusion(700).is_err() && shelf.entry(700).is_err());
    for old in (0..=700)
        .step_by(7)
        .chain([1, 255, 256, 257, 512, 699, 700])
    {
        let was = (old, shelf.root(old).unwrap());
        let proof = shelf.consistency(old).unwrap();
        assert!(merkle::proves_growth(&proof, was, (700, now.root)), "{old}");
    }
    assert!(shelf.consistency(701).is_err());
}

#[test]
fn a_log_that_was_put_back_or_exchanged_does_not_open() {
    let files = log(20);
    let older = files.copy();
    grow(&files, 30);
    let newer = files.read(&checkpoint_path()).unwrap();
    // Everything but the checkpoint is from before: its head fits.
    older.put_file(&checkpoint_path(), &newer);
    let short = CheckpointFault::Short {
        expected: 50,
        found: 20,
    };
    match open_with(&older, publishing(SEGMENT_BYTES)) {
        Err(OpenError::Checkpoint(fault)) => assert_eq!(fault, short),
        other => panic!("{other:?}"),
    }
    assert_eq!(check(&older), Err(VerifyFault::Checkpoint(short)));
    // Another log of the same length.
    let other = MemoryFiles::default();
    let opened = opened(&other);
    for number in 100..150 {
        opened.ledger.append_blocking(event(number)).unwrap();
    }
    close(opened);
    assert!(check_trusting(&other, None).is_ok());
    assert_eq!(
        check_trusting(&other, Some(checkpoint(&files))),
        Err(VerifyFault::Growth(CheckpointFault::Other(50)))
    );
    assert_eq!(
        check_published(&other, Some(checkpoint(&files))),
        Err(VerifyFault::Growth(CheckpointFault::Other(50)))
    );
    other.put_file(&checkpoint_path(), &newer);
    match open_with(&other, publishing(SEGMENT_BYTES)) {
        Err(OpenError::Checkpoint(fault)) => assert_eq!(fault, CheckpointFault::Other(50)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_checkpoint_of_another_key_or_log_is_refused() {
    let files = log(3);
    let now = checkpoint(&files);
    let other = LogKey::new("log.example/a", Secret::new([8; 32])).unwrap();
    files.put_file(&checkpoint_path(), &now.sign(&other).encode());
    let unsigned = CheckpointFault::Note(NoteFault::Unsigned);
    match open_with(&files, publishing(SEGMENT_BYTES)) {
        Err(OpenError::Checkpoint(fault)) => assert_eq!(fault, unsigned),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        check_trusting(&files, None),
        Err(VerifyFault::Checkpoint(unsigned.clone()))
    );
    assert_eq!(
        check_published(&files, None),
        Err(VerifyFault::Checkpoint(unsigned))
    );
}

#[test]
fn what_is_missing_or_damaged_at_the_edge_is_built_again() {
    let files = log(300);
    let whole = published(&files);
    let last = [
        Tile {
            row: Row::Level(0),
            index: 1,
            width: 44,
        },
        Tile {
            row: Row::Level(1),
            index: 0,
            width: 1,
        },
        Tile {
            row: Row::Entries,
            index: 1,
            width: 44,
        },
    ];
    for tile in last {
        let path = tlog().join(tile.path());
        let damaged = files.copy();
        damaged.flip(&path, 20, 1);
        assert!(check(&damaged).is_err());
        let gone = files.copy();
        gone.remove(&path).unwrap();
        assert!(check(&gone).is_err());
        for broken in [damaged, gone] {
            close(opened(&broken));
            assert!(published(&broken) == whole, "{}", path.display());
            check_trusting(&broken, None).unwrap();
        }
    }
    // Without any checkpoint it is built from the first entry on.
    let bare = files.copy();
    for path in whole.keys() {
        bare.remove(path).unwrap();
    }
    close(opened(&bare));
    assert_eq!(checkpoint(&bare), checkpoint(&files));
    check_trusting(&bare, None).unwrap();
    check_published(&bare, None).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_is_located_or_changes_nothing() {
    let files = log(12);
    let now = checkpoint(&files);
    let used = |path: &Path| {
        let text = path.display().to_string();
        !text.contains(".p/") || text.ends_with(".p/12")
    };
    for path in files.paths() {
        for at in 0..files.read(&path).unwrap().len() {
            let flipped = files.copy();
            flipped.flip(&path, at, 1 << (at % 8));
            let what = format!("{} byte {at}", path.display());
            let judged = check_trusting(&flipped, None);
            assert_eq!(judged.is_err(), used(&path), "{what}");
            if path.starts_with(tlog()) {
                let judged = check_published(&flipped, None);
                assert_eq!(judged.is_err(), used(&path), "{what}");
            }
            // Opened, it is the log that it was, and sound again; or refused.
            if let Ok(opened) = open_with(&flipped, publishing(SEGMENT_BYTES)) {
                assert_eq!(opened.entries, 12, "{what}");
                close(opened);
                assert_eq!(checkpoint(&flipped), now, "{what}");
                check_trusting(&flipped, None).unwrap();
                check_published(&flipped, None).unwrap();
                assert_eq!(read(&flipped), (0..12).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn the_first_bad_entry_is_named() {
    let files = log(600);
    let bundle = Tile {
        row: Row::Entries,
        index: 1,
        width: 256,
    };
    let path = tlog().join(bundle.path());
    let bytes = files.read(&path).unwrap();
    // Entry 300 says something else; its leaf hash does not.
    let length = bytes.len() / 256;
    let at = length * 44 + length / 2;
    let changed = files.copy();
    changed.flip(&path, at, 1);
    let named = |fault: VerifyFault| match fault {
        VerifyFault::Tile { entry, path, .. } => (entry, path),
        other => panic!("{other:?}"),
    };
    let expected = (300, "tile/entries/001".to_owned());
    assert_eq!(named(check(&changed).unwrap_err()), expected);
    assert_eq!(
        named(check_published(&changed, None).unwrap_err()),
        expected
    );
    // The leaf tile too: whoever has the segments still names the entry, and
    // whoever has none names the tile whose hash the level above does not have.
    let leaves = Tile {
        row: Row::Level(0),
        index: 1,
        width: 256,
    };
    let leaf_path = tlog().join(leaves.path());
    let entry = shelf(&changed, 600).entry(300).unwrap();
    let mut hashes = changed.read(&leaf_path).unwrap();
    hashes[44 * 32..45 * 32].copy_from_slice(&merkle::leaf_hash(&entry).0);
    changed.put_file(&leaf_path, &hashes);
    assert_eq!(named(check(&changed).unwrap_err()).0, 300);
    let fault = check_published(&changed, None).unwrap_err();
    if !matches!(fault, VerifyFault::Entry { entry: 300, .. }) {
        assert_eq!(named(fault), (256, "tile/0/001".to_owned()));
    }
}

#[test]
fn a_round_that_fails_signs_nothing_and_is_made_up_for() {
    use ledger::files::Fault;
    for fault in [
        Fault::Sync(1),
        Fault::Sync(3),
        Fault::ShortWrite(2),
        Fault::Space(100),
        Fault::Power(4),
    ] {
        let files = MemoryFiles::default();
        let opened = open_with(&files, common::settings(SEGMENT_BYTES)).unwrap();
        assert_eq!(write(&opened.ledger, 300), 300);
        let shared: Arc<dyn Files> = Arc::new(files.clone());
        let mut builder = Builder::open(shared, Path::new(FOLDER), key()).unwrap();
        files.fail(Some(fault));
        assert!(builder.round(300).is_err(), "{fault:?}");
        assert!(builder.signed().is_none());
        assert!(files.read(&checkpoint_path()).is_err());
        files.fail(None);
        builder.round(300).unwrap().unwrap();
        assert_eq!(builder.round(300), Ok(None));
        check_published(&files, None).unwrap();
        drop(opened);
    }
}

#[test]
fn an_entry_that_is_changed_before_it_is_published_does_not_get_into_the_tree() {
    let files = MemoryFiles::default();
    let hour = std::time::Duration::from_secs(3_600);
    let settings = ledger::Settings {
        publishing: Some(ledger::Publishing::new(key(), hour)),
        ..common::settings(SEGMENT_BYTES)
    };
    let opened = open_with(&files, settings).unwrap();
    // The first round is over; the next comes with the end.
    while files.read(&checkpoint_path()).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(write(&opened.ledger, 1), 1);
    let path = common::last_segment(&files);
    let whole = files.read(&path).unwrap();
    let mut changed = canonical::to_bytes(&event(0)).unwrap();
    let at = whole
        .windows(changed.len())
        .position(|part| part == changed);
    let last = changed.len() - 2;
    changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
    let mut bytes = ledger::segment::header(0).to_vec();
    ledger::segment::encode_group(0, [changed.as_slice()].into_iter(), &mut bytes);
    assert!(at.is_some() && bytes.len() == whole.len());
    files.put_file(&path, &bytes);
    close(opened);
    let acknowledged = merkle::leaf_hash(&canonical::to_bytes(&event(0)).unwrap());
    assert_eq!(checkpoint(&files).root, acknowledged);
}
