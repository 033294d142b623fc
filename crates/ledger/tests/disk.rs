//! The log on a real disk.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use common::{close, settings, write};
use ledger::{Ledger, Settings, files::DiskFiles};
use terms::FixedClock;

fn on_disk_bytes(folder: &Path) -> u64 {
    let blocks = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().metadata().unwrap().blocks();
    fs::read_dir(folder).unwrap().map(blocks).sum::<u64>() * 512
}

#[test]
fn what_was_set_aside_is_given_back_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        folder: folder.path().to_owned(),
        ..settings(8 << 20)
    };
    let opened = Ledger::open(Arc::new(DiskFiles), settings, Arc::new(FixedClock::new(1))).unwrap();
    write(&opened.ledger, 3);
    let open = on_disk_bytes(folder.path());
    close(opened);
    let closed = on_disk_bytes(folder.path());
    assert!(closed < 1 << 20, "{closed} bytes of {open} were kept");
}
