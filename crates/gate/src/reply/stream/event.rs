//! Events as they are let in and as they are written.

use bytes::BytesMut;
use terms::{Code, Refusal};
use wire::{Document, EventWalk, sse};

/// An event that was read, before its texts are looked at.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) event: sse::Event,
    pub(super) document: Option<Document>,
    pub(super) walk: EventWalk,
}

/// LIMIT: bytes of an event's name.
const NAME_BYTES_MAX: usize = 64;

pub(super) fn plain_name(name: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let fits = name.len() <= NAME_BYTES_MAX && name.bytes().all(plain);
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(Code::VendorGarbage))
    }
}

/// Writes the event in its plainest form: its name and its data, nothing
/// else that a vendor may have put beside them.
pub(super) fn write(event: &sse::Event, data: &[u8], out: &mut BytesMut) {
    if let Some(name) = &event.event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    // A document has no line break inside its strings; those between its
    // values become blanks.
    out.extend_from_slice(b"data: ");
    out.extend(data.iter().map(|byte| {
        if matches!(byte, b'\n' | b'\r') {
            b' '
        } else {
            *byte
        }
    }));
    out.extend_from_slice(b"\n\n");
}

pub(super) fn array(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![b'['];
    out.extend(entries.join(&b','));
    out.push(b']');
    out
}
