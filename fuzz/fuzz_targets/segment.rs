//! Any bytes as a log: read or refused, opened or refused; never a panic.
#![no_main]

use std::{path::Path, sync::Arc};

use ledger::{Ledger, Reader, Settings, files::{Files, MemoryFiles}, segment, verify};
use libfuzzer_sys::fuzz_target;
use terms::FixedClock;

fuzz_target!(|data: &[u8]| {
    let files = MemoryFiles::default();
    let folder = Path::new("/log");
    let mut file = files.create(&folder.join(segment::name(0)), 0).expect("a new file");
    // Half of the runs get a sound header, so that frames are reached.
    if data.first().is_some_and(|byte| byte % 2 == 0) {
        file.append(&segment::header(0)).expect("a header");
    }
    file.append(data.get(1..).unwrap_or_default()).expect("bytes");
    let shared: Arc<dyn Files> = Arc::new(files);
    let _ = verify(Arc::clone(&shared), folder, &mut |_| ());
    let mut reader = Reader::new(Arc::clone(&shared), folder);
    while let Ok(Some(_)) = reader.read_next() {}
    let settings = Settings { folder: folder.to_owned(), ..Settings::default() };
    let _ = Ledger::open(shared, settings, Arc::new(FixedClock::new(0)));
});
