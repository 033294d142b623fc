//! Any bytes as a stream, whole and split: the same events.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::{Dialect, Document, Limits, StreamMapper, Surrogates, sse::Decoder};

fuzz_target!(|data: &[u8]| {
    let Some((split, data)) = data.split_first() else { return };
    let at = usize::from(*split) % (data.len() + 1);
    let mut whole = Decoder::new(1 << 20);
    let mut parts = Decoder::new(1 << 20);
    let Ok(events) = whole.push(data) else { return };
    let mut split = Vec::new();
    for piece in [&data[..at], &data[at..]] {
        let may_end = parts.may_end(piece);
        let ended = parts.push(piece).expect("a part of what fits fits");
        assert!(may_end || ended.is_empty(), "an event ended unannounced");
        split.extend(ended);
    }
    assert_eq!(events, split);
    for dialect in Dialect::ALL {
        let mut mapper = StreamMapper::new(*dialect);
        for event in &events {
            let document = Document::parse(Bytes::copy_from_slice(event.data.as_bytes()), &Limits::default(), Surrogates::Keep).ok();
            let _ = mapper.map(event, document.as_ref());
        }
        let _ = mapper.refusal_end();
    }
});
