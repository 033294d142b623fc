//! What the tests of the log share.

#![allow(dead_code, reason = "each file of tests uses its part")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ledger::{
    Ledger, OpenError, Opened, Publishing, Reader, Settings, Trust, Verified, VerifyFault,
    files::{Files, MemoryFiles},
    note::{Checkpoint, LogKey},
    publish, segment, verify, verify_published, verify_trusting,
};
use terms::{Act, Event, FixedClock, Leaf, RECORD_VERSION, Secret};

pub const FOLDER: &str = "/log";

pub fn event(number: u64) -> Leaf {
    Leaf::Event(Event {
        v: RECORD_VERSION,
        at_ms: number,
        act: Act::KeyCreated,
        by: "node".into(),
        subject: format!("mk-{number}"),
        facts: BTreeMap::new(),
    })
}

pub fn settings(segment_bytes: u64) -> Settings {
    Settings {
        folder: PathBuf::from(FOLDER),
        segment_bytes,
        free_bytes_min: 0,
        // Heads come from beginnings and ends only, however slow the machine.
        head_time: Duration::from_secs(86_400),
        ..Settings::default()
    }
}

/// The key of the log of these tests.
pub fn key() -> LogKey {
    LogKey::new("log.example/a", Secret::new([7; 32])).unwrap()
}

/// With tiles and checkpoints. They are whole once the log was closed.
pub fn publishing(segment_bytes: u64) -> Settings {
    Settings {
        publishing: Some(Publishing::new(key(), Duration::from_millis(1))),
        ..settings(segment_bytes)
    }
}

pub fn trust(since: Option<Checkpoint>) -> Trust {
    Trust {
        key: Some(key().verifier().clone()),
        since,
        ..Trust::default()
    }
}

/// Where tiles and checkpoint stand.
pub fn tlog() -> PathBuf {
    Path::new(FOLDER).join(publish::FOLDER)
}

pub fn checkpoint(files: &MemoryFiles) -> Checkpoint {
    let key = key();
    let found = publish::checkpoint_of(files, Path::new(FOLDER), Some(key.verifier()));
    found.unwrap().unwrap()
}

/// Checks segments and tiles.
pub fn check_trusting(
    files: &MemoryFiles,
    since: Option<Checkpoint>,
) -> Result<Verified, VerifyFault> {
    let shared = Arc::new(files.clone());
    verify_trusting(shared, Path::new(FOLDER), &trust(since), &mut |_| ())
}

/// Checks what was published, as whoever has nothing else.
pub fn check_published(
    files: &MemoryFiles,
    since: Option<Checkpoint>,
) -> Result<Verified, VerifyFault> {
    let shared: Arc<dyn Files> = Arc::new(files.clone());
    verify_published(&shared, &tlog(), &trust(since), &mut |_| ())
}

pub fn open(files: &MemoryFiles, segment_bytes: u64) -> Result<Opened, OpenError> {
    open_with(files, settings(segment_bytes))
}

pub fn open_with(files: &MemoryFiles, settings: Settings) -> Result<Opened, OpenError> {
    Ledger::open(
        Arc::new(files.clone()),
        settings,
        Arc::new(FixedClock::new(1)),
    )
}

pub fn check(files: &MemoryFiles) -> Result<Verified, VerifyFault> {
    verify(Arc::new(files.clone()), Path::new(FOLDER), &mut |_| ())
}

pub fn reader(files: &MemoryFiles) -> Reader {
    Reader::new(Arc::new(files.clone()), Path::new(FOLDER))
}

pub fn read(files: &MemoryFiles) -> Vec<u64> {
    let mut reader = reader(files);
    let mut times = Vec::new();
    while let Some(entry) = reader.read_next().unwrap() {
        assert_eq!(entry.sequence, times.len() as u64);
        times.push(entry.leaf.at_ms());
    }
    times
}

/// Writes entries one by one; answers how many were acknowledged.
pub fn write(ledger: &Ledger, count: u64) -> u64 {
    (0..count)
        .take_while(|number| ledger.append_blocking(event(*number)).is_ok())
        .count() as u64
}

/// Ends the writing in good order.
pub fn close(opened: Opened) {
    let ledger = opened.ledger.clone();
    drop(opened);
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(ledger.close())
        .unwrap();
}

/// Returns when nobody holds the log any more: its thread has ended.
pub fn wait_for_end(files: &MemoryFiles) {
    while files.lock(Path::new(FOLDER)).unwrap().is_none() {
        std::thread::yield_now();
    }
}

/// Everything on the disk.
pub fn snapshot(files: &MemoryFiles) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(FOLDER);
    let names = files.list(folder).unwrap();
    names
        .into_iter()
        .map(|name| {
            let bytes = files.read(&folder.join(&name)).unwrap();
            (name, bytes)
        })
        .collect()
}

/// The segments, oldest first.
pub fn segments(files: &MemoryFiles) -> Vec<PathBuf> {
    let folder = Path::new(FOLDER);
    let names = files.list(folder).unwrap();
    names
        .iter()
        .filter(|name| segment::first_of(name).is_some())
        .map(|name| folder.join(name))
        .collect()
}

pub fn last_segment(files: &MemoryFiles) -> PathBuf {
    segments(files).pop().unwrap()
}
