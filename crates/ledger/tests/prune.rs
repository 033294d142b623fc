//! Pruned logs: the entries are gone, what they were is still proved, and
//! nothing goes without the log's own word.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{path::Path, sync::Arc};

use common::{
    FOLDER, check_published, check_trusting, checkpoint, close, event, key, open_with, publishing,
    reader, segments, tlog, write,
};
use ledger::{
    OpenError, Opened, PruneError, VerifyFault, canonical,
    files::{Fault, Files, MemoryFiles},
    merkle,
    prune::{self, IndexFault, PruneFault},
    segment,
    tile::{Row, Shelf, Tile},
};
use terms::{Leaf, SeededEntropy};

fn opened(files: &MemoryFiles) -> Opened {
    open_with(files, publishing(4_000)).unwrap()
}

fn log(entries: u64) -> MemoryFiles {
    let files = MemoryFiles::default();
    let opened = opened(&files);
    assert_eq!(write(&opened.ledger, entries), entries);
    close(opened);
    files
}

fn pruned(opened: &Opened, wanted: u64) -> Result<u64, PruneError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let Leaf::Event(told) = event(5) else {
        panic!("no event")
    };
    runtime.block_on(opened.ledger.prune(wanted, told))
}

fn bundle(index: u64) -> std::path::PathBuf {
    let tile = Tile {
        row: Row::Entries,
        index,
        width: 256,
    };
    tlog().join(tile.path())
}

fn first_segment(files: &MemoryFiles) -> u64 {
    let path = segments(files).remove(0);
    segment::first_of(path.file_name().unwrap().to_str().unwrap()).unwrap()
}

#[test]
fn what_is_pruned_is_gone_and_still_proved() {
    let files = log(1_000);
    let before = checkpoint(&files);
    let older = {
        let mut shelf = Shelf::new(Arc::new(files.clone()), &tlog(), 1_000);
        (100, shelf.root(100).unwrap())
    };
    let node = opened(&files);
    assert_eq!(pruned(&node, 700).unwrap(), 512);
    assert!(files.read(&bundle(0)).is_err() && files.read(&bundle(1)).is_err());
    assert!(files.read(&bundle(2)).is_ok());
    let first = first_segment(&files);
    assert!(first > 400 && first <= 512, "{first}");
    close(node);
    // It opens, grows, and verifies, with and without segments.
    let node = opened(&files);
    assert_eq!(node.entries, 1_001);
    assert_eq!(write(&node.ledger, 300), 300);
    close(node);
    let verified = check_trusting(&files, Some(before.clone())).unwrap();
    assert_eq!((verified.entries, verified.first), (1_301, first));
    let verified = check_published(&files, Some(before)).unwrap();
    assert_eq!((verified.entries, verified.first), (1_301, 512));
    assert_eq!(reader(&files).read_next().unwrap().unwrap().sequence, first);
    // Entry 100 is gone; that it was there is proved by who kept it.
    let now = checkpoint(&files);
    let mut shelf = Shelf::new(Arc::new(files.clone()), &tlog(), now.size);
    assert!(shelf.entry(100).is_err());
    let leaf = merkle::leaf_hash(&canonical::to_bytes(&event(100)).unwrap());
    let proof = shelf.inclusion(100).unwrap();
    assert!(merkle::proves_inclusion(
        &proof, 100, leaf, now.size, now.root
    ));
    let proof = shelf.consistency(100).unwrap();
    assert!(merkle::proves_growth(&proof, older, (now.size, now.root)));
}

#[test]
fn a_hold_stops_it_until_it_is_lifted() {
    let files = log(600);
    let folder = Path::new(FOLDER);
    prune::hold(&files, folder, "case 12").unwrap();
    let node = opened(&files);
    assert_eq!(pruned(&node, 512), Err(PruneError::Prune(PruneFault::Held)));
    assert!(files.read(&bundle(0)).is_ok() && first_segment(&files) == 0);
    assert_eq!(checkpoint(&files).size, 600);
    prune::lift(&files, folder).unwrap();
    assert_eq!(
        pruned(&node, 601),
        Err(PruneError::Prune(PruneFault::Beyond(600)))
    );
    assert_eq!(pruned(&node, 512), Ok(512));
    close(node);
    check_trusting(&files, None).unwrap();
}

#[test]
fn entries_that_are_missing_without_a_word_are_a_fault() {
    let files = log(600);
    files.put_file(&tlog().join(prune::MINIMUM), b"512\n");
    // Nothing is gone yet, and nothing goes: the file alone is no word.
    let alone = PruneFault::Index(IndexFault::Untold {
        minimum: 512,
        told: 0,
    });
    assert_eq!(
        check_trusting(&files, None),
        Err(VerifyFault::Pruned(alone.clone()))
    );
    match open_with(&files, publishing(4_000)) {
        Err(OpenError::Pruned(fault)) => assert_eq!(fault, alone),
        other => panic!("{other:?}"),
    }
    assert_eq!(first_segment(&files), 0);
    assert!(files.read(&bundle(0)).is_ok());
    for path in segments(&files) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if segment::first_of(name).unwrap() < 400 {
            files.remove(&path).unwrap();
        }
    }
    let first = first_segment(&files);
    let untold = PruneFault::Untold(first);
    assert_eq!(
        check_trusting(&files, None),
        Err(VerifyFault::Pruned(untold.clone()))
    );
    match open_with(&files, publishing(4_000)) {
        Err(OpenError::Pruned(fault)) => assert_eq!(fault, untold),
        other => panic!("{other:?}"),
    }
    let published = log(600);
    published.put_file(&tlog().join(prune::MINIMUM), b"512\n");
    published.remove(&bundle(0)).unwrap();
    assert_eq!(
        check_published(&published, None),
        Err(VerifyFault::Pruned(PruneFault::Untold(256)))
    );
}

#[test]
fn a_minimum_index_that_cannot_be_is_a_fault() {
    let files = log(1_000);
    let node = opened(&files);
    pruned(&node, 600).unwrap();
    close(node);
    let beyond = |minimum, size| IndexFault::Beyond { minimum, size };
    let told = |minimum, told| IndexFault::Untold { minimum, told };
    for (text, fault) in [
        ("513\n", IndexFault::Form),
        ("0512\n", IndexFault::Form),
        ("512", IndexFault::Form),
        ("x\n", IndexFault::Form),
        ("", IndexFault::Form),
        ("1280\n", beyond(1_280, 1_001)),
        ("768\n", told(768, 512)),
    ] {
        let files = files.copy();
        files.put_file(&tlog().join(prune::MINIMUM), text.as_bytes());
        let fault = VerifyFault::Pruned(PruneFault::Index(fault));
        assert_eq!(check_trusting(&files, None), Err(fault.clone()), "{text}");
        assert_eq!(check_published(&files, None), Err(fault), "{text}");
        let before = common::snapshot(&files);
        assert!(open_with(&files, publishing(4_000)).is_err(), "{text}");
        assert_eq!(common::snapshot(&files), before, "{text}");
        assert!(files.read(&bundle(2)).is_ok(), "{text}");
    }
}

/// The first segment is kept while it holds one entry that stays: what it
/// still holds of the others is not published again.
#[test]
fn what_was_pruned_does_not_come_back_when_tiles_are_built_again() {
    for segment_bytes in [4_000, 1 << 20] {
        let files = MemoryFiles::default();
        let node = open_with(&files, publishing(segment_bytes)).unwrap();
        write(&node.ledger, 1_000);
        // Published to its end: no more than that may be pruned.
        close(node);
        let node = open_with(&files, publishing(segment_bytes)).unwrap();
        assert_eq!(pruned(&node, 600).unwrap(), 512);
        close(node);
        let size = checkpoint(&files).size;
        let edge = Tile {
            row: Row::Level(0),
            index: 3,
            width: u16::try_from(size % 256).unwrap(),
        };
        files.flip(&tlog().join(edge.path()), 40, 1);
        assert!(check_trusting(&files, None).is_err());
        close(open_with(&files, publishing(segment_bytes)).unwrap());
        assert!(files.read(&bundle(0)).is_err(), "{segment_bytes}");
        assert!(files.read(&bundle(1)).is_err(), "{segment_bytes}");
        assert!(files.read(&bundle(2)).is_ok());
        check_trusting(&files, None).unwrap();
        assert_eq!(check_published(&files, None).unwrap().first, 512);
    }
}

#[test]
fn a_pruned_log_with_other_hashes_before_it_is_a_fault() {
    let files = log(600);
    let node = opened(&files);
    pruned(&node, 512).unwrap();
    close(node);
    let leaves = Tile {
        row: Row::Level(0),
        index: 0,
        width: 256,
    };
    files.flip(&tlog().join(leaves.path()), 500, 1);
    assert!(check_trusting(&files, None).is_err());
    assert!(check_published(&files, None).is_err());
    let above = Tile {
        row: Row::Level(1),
        index: 0,
        width: 2,
    };
    files.flip(&tlog().join(above.path()), 5, 1);
    assert!(open_with(&files, publishing(4_000)).is_err());
}

#[test]
fn pruning_goes_on_after_a_power_cut_at_any_step() {
    let base = log(800);
    let entropy = SeededEntropy::new(3);
    let mut cut = 0;
    for step in 1..60 {
        let files = base.copy();
        let node = opened(&files);
        files.fail(Some(Fault::Power(step)));
        let done = pruned(&node, 700).is_ok();
        drop(node);
        common::wait_for_end(&files);
        files.fail(None);
        files.crash_pages(&entropy);
        cut += usize::from(!done);
        check_trusting(&files, Some(checkpoint(&base))).unwrap();
        close(opened(&files));
        check_trusting(&files, Some(checkpoint(&base))).unwrap();
        check_published(&files, Some(checkpoint(&base))).unwrap();
        let begun = files.read(&tlog().join(prune::MINIMUM)).is_ok();
        assert_eq!(files.read(&bundle(0)).is_err(), begun, "step {step}");
        assert_eq!(files.read(&bundle(1)).is_err(), begun, "step {step}");
        assert_eq!(first_segment(&files) > 400, begun, "step {step}");
    }
    assert!(cut > 5, "{cut} were cut off");
    // The key is what these logs are signed with.
    assert_eq!(checkpoint(&base).origin, key().verifier().name());
}
