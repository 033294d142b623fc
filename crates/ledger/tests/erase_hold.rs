//! A legal hold that is set while keys are being destroyed.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ledger::{
    captures::{CaptureFault, Captures, Table, Which, Wish},
    files::{Append, Files, Lock, MemoryFiles},
    prune,
    seal::{LocalKey, RecordKey, Wrap, content},
};
use terms::{CapturePart, ExchangeId, FixedClock, KeyId, Secret, SeededEntropy};

const FOLDER: &str = "/state/captures";
const LEDGER: &str = "/state/ledger";

/// A disk on which somebody sets a hold once so many keys are destroyed.
#[derive(Debug)]
struct Held {
    files: MemoryFiles,
    left: AtomicU64,
}

impl Files for Held {
    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.files.overwrite(path, offset, bytes)?;
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            prune::hold(&self.files, Path::new(LEDGER), "case")?;
        }
        Ok(())
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.files.list(folder)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.read(path)
    }
    fn read_from(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.files.read_from(path, offset, bytes_max)
    }
    fn length(&self, path: &Path) -> io::Result<u64> {
        self.files.length(path)
    }
    fn create(&self, path: &Path, reserve_bytes: u64) -> io::Result<Box<dyn Append>> {
        self.files.create(path, reserve_bytes)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        self.files.open(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
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

#[tokio::test]
async fn the_next_key_stays_and_what_is_gone_is_told() {
    let files = MemoryFiles::default();
    let clock = Arc::new(FixedClock::new(5));
    let captures = Captures::open(Arc::new(files.clone()), FOLDER.into(), 0, clock).unwrap();
    let (entropy, tenant) = (SeededEntropy::new(3), LocalKey::new(Secret::new([9; 32])));
    let key = KeyId::new(&entropy);
    for number in 1..6_u8 {
        let (exchange, record) = (
            ExchangeId::from_bytes([number; 16]),
            RecordKey::new(&entropy),
        );
        let parts: [(CapturePart, &[u8]); 1] = [(CapturePart::Request, b"text")];
        let wish = Wish {
            exchange,
            at_ms: 6,
            key: key.clone(),
            person: [1; 32],
            wrapped: tenant.wrap(exchange, &record, &entropy).unwrap(),
            sealed: content::seal(&record, exchange, &parts, &entropy).unwrap(),
        };
        let room = captures.room(wish.sealed.len()).await.unwrap();
        captures.keep(wish, room).await.unwrap();
    }
    let held = Held {
        files: files.clone(),
        left: AtomicU64::new(2),
    };
    let table = Table::new(Arc::new(held), FOLDER.into());
    let mut erasure = table.erasure(Which::Key(key)).unwrap();
    let step = erasure.step(Path::new(LEDGER)).unwrap().unwrap();
    assert_eq!(step.gone.len(), 2);
    step.told().unwrap();
    let stopped = erasure.step(Path::new(LEDGER)).unwrap_err();
    assert_eq!(stopped, CaptureFault::Held);
    for number in 1..6_u8 {
        let found = table.find(ExchangeId::from_bytes([number; 16])).unwrap();
        assert_eq!(found.unwrap().slot.held.is_some(), number > 2);
    }
    // Lifted, it goes on where it was only if it is asked again.
    prune::lift(&files, Path::new(LEDGER)).unwrap();
}
