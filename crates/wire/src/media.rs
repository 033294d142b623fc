//! Tells media from texts that only claim to be media.

use base64::{Engine, engine::general_purpose::STANDARD};

/// First bytes of the media that vendors take, with their offset.
const MAGIC: &[(usize, &[u8])] = &[
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (8, b"WEBP"),
    (8, b"WAVE"),
    (0, b"%PDF-"),
    (0, b"ID3"),
    (0, b"\xff\xfb"),
    (0, b"\xff\xf3"),
    (0, b"\xff\xf2"),
    (0, b"OggS"),
    (0, b"fLaC"),
    (4, b"ftyp"),
    (0, b"PK\x03\x04"),
    (0, b"\x1aE\xdf\xa3"),
];

/// Whether a base64 text is a medium: its alphabet fits throughout, and it
/// begins as one of the known formats does.
pub(crate) fn is_medium(base64: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&byte);
    if !base64.bytes().all(plain) {
        return false;
    }
    let Some(head) = base64.get(..32) else {
        return false;
    };
    let Ok(bytes) = STANDARD.decode(head) else {
        return false;
    };
    MAGIC
        .iter()
        .any(|(at, magic)| bytes.get(*at..at + magic.len()) == Some(*magic))
}

/// The base64 part of a data URL.
pub(crate) fn data_url(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("data") {
        return None;
    }
    let (head, data) = rest.split_once(',')?;
    head.to_ascii_lowercase()
        .ends_with(";base64")
        .then_some(data)
}

/// Whether a value looks like one that only its issuer can read.
pub(crate) fn is_opaque(text: &str) -> bool {
    text.len() >= 16
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte))
}
