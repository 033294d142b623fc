//! Any bytes as a log: read or refused, opened or refused; never a panic.
#![no_main]

use std::{path::Path, sync::Arc};

use ledger::{Head, Ledger, Reader, Settings, files::{Files, MemoryFiles}, head, segment, verify};
use libfuzzer_sys::fuzz_target;
use terms::FixedClock;

fuzz_target!(|data: &[u8]| {
    let _ = Head::decode(data);
    let _ = segment::decode_group(data, 0, 0);
    let files = MemoryFiles::default();
    let folder = Path::new("/log");
    let shared: Arc<dyn Files> = Arc::new(files.clone());
    let settings = Settings { folder: folder.to_owned(), ..Settings::default() };
    // Begins the log, so that it has a head; then the head of an open one.
    drop(Ledger::open(Arc::clone(&shared), settings.clone(), Arc::new(FixedClock::new(0))));
    let path = folder.join(head::NAME);
    let mut first = Head::decode(&files.read(&path).expect("a head")).expect("a sound head");
    first.closed = false;
    files.put_file(&path, &first.encode());
    // Half of the runs get a sound header, so that groups are reached, and of
    // these some a sound group around any frames.
    let (kind, rest) = data.split_first().unwrap_or((&1, &[]));
    let mut bytes = Vec::new();
    if kind % 2 == 0 {
        bytes.extend_from_slice(&segment::header(0));
    }
    if kind % 4 == 0 {
        segment::encode_group(0, std::iter::once(rest), &mut bytes);
    }
    bytes.extend_from_slice(rest);
    files.put_file(&folder.join(segment::name(0)), &bytes);
    let _ = verify(Arc::clone(&shared), folder, &mut |_| ());
    let mut reader = Reader::new(Arc::clone(&shared), folder);
    while let Ok(Some(_)) = reader.read_next() {}
    // The power went off: who held the log is gone.
    files.crash(1_000, false);
    let _ = Ledger::open(shared, settings, Arc::new(FixedClock::new(0)));
});
