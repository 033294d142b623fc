//! A reader beside a running gate: the log grows and rotates between any two
//! of its looks at the folder.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use common::{FOLDER, event, open};
use ledger::{
    Ledger, Reader,
    files::{Append, Files, Lock, MemoryFiles},
};

/// LIMIT: entries that are written while the reader looks.
const ENTRIES: u64 = 60;

/// Files of which each look lets the gate write something first.
#[derive(Debug)]
struct Busy {
    files: MemoryFiles,
    ledger: Ledger,
    written: AtomicU64,
}

impl Busy {
    /// Enough for a rotation, so that every look sees another newest segment.
    fn write(&self) {
        for _ in 0..3 {
            let number = self.written.load(Ordering::Relaxed);
            if number < ENTRIES {
                self.ledger.append_blocking(event(number)).unwrap();
                self.written.store(number + 1, Ordering::Relaxed);
            }
        }
    }
}

impl Files for Busy {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.write();
        self.files.list(folder)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.write();
        self.files.read(path)
    }
    fn read_from(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.write();
        self.files.read_from(path, offset, bytes_max)
    }
    fn length(&self, path: &Path) -> io::Result<u64> {
        self.files.length(path)
    }
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.files.make_folder(folder)
    }
    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.files.remove_folder(folder)
    }
    fn sync_all(&self, folder: &Path, written: &mut [Box<dyn Append>]) -> io::Result<()> {
        self.files.sync_all(folder, written)
    }
    fn create(&self, path: &Path, reserve_bytes: u64) -> io::Result<Box<dyn Append>> {
        self.files.create(path, reserve_bytes)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        self.files.open(path)
    }
    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.files.overwrite(path, offset, bytes)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.files.sync_folder(folder)
    }
    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.files.lock(folder)
    }
    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        self.files.free_bytes(folder)
    }
}

fn busy() -> Arc<Busy> {
    let files = MemoryFiles::default();
    let ledger = open(&files, 250).unwrap().ledger;
    Arc::new(Busy {
        files,
        ledger,
        written: AtomicU64::new(0),
    })
}

#[test]
fn a_log_that_grows_and_rotates_between_two_looks_has_no_gap() {
    let files = busy();
    let mut reader = Reader::new(files, Path::new(FOLDER));
    let mut next = 0;
    while next < ENTRIES {
        if let Some(entry) = reader.read_next().unwrap() {
            assert_eq!(entry.sequence, next);
            next += 1;
        }
    }
    assert!(reader.read_next().unwrap().is_none());
}

#[test]
fn a_log_is_verified_while_it_grows_and_rotates() {
    let verified = ledger::verify(busy(), Path::new(FOLDER), &mut |_| ()).unwrap();
    assert!(verified.entries > 0);
}
