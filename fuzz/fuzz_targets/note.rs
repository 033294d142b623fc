//! Any bytes as a note, key, proof, tile, or a witness's answer: read or
//! refused; what reads back is written as it was read.
#![no_main]

use ledger::{note::{Checkpoint, LogKey, Note, VerifierKey}, proof::Bundle, tile, witness};
use libfuzzer_sys::fuzz_target;
use terms::Secret;

fuzz_target!(|data: &[u8]| {
    let key = LogKey::new("log.example/a", Secret::new([1; 32])).expect("a key");
    if let Ok(note) = Note::read(data) {
        assert_eq!(Note::read(&note.encode()).as_ref(), Ok(&note));
        let _ = note.verify(key.verifier());
        if let Ok(checkpoint) = Checkpoint::read(&note.text) {
            assert_eq!(checkpoint.text(), note.text);
            let witness = key.as_witness();
            let asked = (&note, &checkpoint, 0);
            let _ = witness::reply(200, data, asked, &witness);
            let _ = witness::reply(409, data, asked, &witness);
        }
    }
    if let Ok(bundle) = Bundle::read(data) {
        assert_eq!(Bundle::read(&bundle.encode()).as_ref(), Ok(&bundle));
        assert!(bundle.verify(key.verifier()).is_err());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = LogKey::read(text);
        if let Ok(key) = VerifierKey::read(text) {
            assert_eq!(VerifierKey::read(&key.to_string()), Ok(key));
        }
    }
    let width = u16::from(data.first().copied().unwrap_or(0)) + 1;
    let _ = tile::decode_entries(data, width);
    let _ = tile::decode_hashes(data, width);
});
