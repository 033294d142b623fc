//! Any bytes as a document, and any document as each dialect's request and reply.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::{Dialect, Document, LeafEdits, LeafKind, Limits, ReplyFacts, Surrogates};

fuzz_target!(|data: &[u8]| {
    for surrogates in [Surrogates::Refuse, Surrogates::Keep] {
        let bytes = Bytes::copy_from_slice(data);
        let Ok(document) = Document::parse(bytes.clone(), &Limits::default(), surrogates) else { continue };
        assert_eq!(wire::apply(&document, LeafEdits::default()), bytes);
        for dialect in Dialect::ALL {
            let _ = dialect.facts(&document);
            dialect.reply_facts(&document, &mut ReplyFacts::default());
            let _ = dialect.walk_reply(&document);
            let walk = dialect.walk_request(&document);
            let mut edits = LeafEdits::default();
            for leaf in walk.leaves.iter().filter(|leaf| leaf.kind == LeafKind::Text && leaf.editable) {
                edits.set(&leaf.at, "x\"\\\u{1f600}\n".to_owned());
            }
            let edited = wire::apply(&document, edits);
            assert!(Document::parse(edited, &Limits { document_bytes_max: usize::MAX >> 1, ..Limits::default() }, Surrogates::Keep).is_ok());
        }
    }
});
