//! Tells media from texts that only claim to be media.

use base64::{Engine, engine::general_purpose::STANDARD};

/// What vendors take that nobody here can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Image,
    Sound,
    Film,
    Pdf,
    Archive,
}

/// A check of a medium's first bytes.
type Begins = fn(&[u8]) -> bool;

/// The formats, each with its family. No text begins as one of them does: at
/// least a byte is there that no text has, or a header's own fields fit.
const FORMATS: &[(Family, Begins)] = &[
    (Family::Image, |bytes| {
        bytes.starts_with(b"\x89PNG\r\n\x1a\n")
    }),
    (Family::Image, |bytes| bytes.starts_with(b"\xff\xd8\xff")),
    (Family::Image, gif),
    (Family::Image, |bytes| riff(bytes, b"WEBP")),
    (Family::Sound, |bytes| riff(bytes, b"WAVE")),
    (Family::Sound, id3),
    (Family::Sound, mpeg_frame),
    (Family::Sound, |bytes| bytes.starts_with(b"OggS\0")),
    (Family::Sound, |bytes| {
        bytes.starts_with(b"fLaC\0\0\0\x22") || bytes.starts_with(b"fLaC\x80\0\0\x22")
    }),
    (Family::Film, boxed),
    (Family::Film, |bytes| bytes.starts_with(b"\x1aE\xdf\xa3")),
    (Family::Pdf, pdf),
    (Family::Archive, |bytes| {
        bytes.starts_with(b"PK\x03\x04") && bytes.get(5) == Some(&0)
    }),
];

/// GIF, with a screen of fewer than 8192 lines and columns.
fn gif(bytes: &[u8]) -> bool {
    let magic = bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a");
    magic
        && [7, 9]
            .iter()
            .all(|at| bytes.get(*at).is_some_and(|byte| *byte < 0x20))
}

/// RIFF of a kind; its length is below 512 MiB, or not known.
fn riff(bytes: &[u8], kind: &[u8]) -> bool {
    bytes.starts_with(b"RIFF")
        && bytes.get(8..12) == Some(kind)
        && matches!(bytes.get(7), Some(0..0x20 | 0xff))
}

/// A tag before MPEG audio: version 2 to 4, known flags, a length in 7-bit bytes.
fn id3(bytes: &[u8]) -> bool {
    let seven = |byte: &u8| *byte < 0x80;
    bytes.starts_with(b"ID3")
        && matches!(bytes.get(3), Some(2..=4))
        && bytes.get(5).is_some_and(|flags| flags & 0x0f == 0)
        && bytes
            .get(6..10)
            .is_some_and(|length| length.iter().all(seven))
}

/// The head of a frame of MPEG audio: its sync, and no reserved version,
/// layer, bit rate or sample rate (ISO 11172-3, section 2.4.2.3).
fn mpeg_frame(bytes: &[u8]) -> bool {
    let [0xff, second, third, ..] = bytes else {
        return false;
    };
    second & 0xe0 == 0xe0
        && second & 0x18 != 0x08
        && second & 0x06 != 0
        && third & 0xf0 != 0xf0
        && third & 0x0c != 0x0c
}

/// The first box of MP4 and its kin, below 64 KiB.
fn boxed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0, 0]) && bytes.get(4..8) == Some(&b"ftyp"[..])
}

/// The version and the end of a PDF's first line.
fn pdf(bytes: &[u8]) -> bool {
    let version = bytes.starts_with(b"%PDF-1.") || bytes.starts_with(b"%PDF-2.");
    version
        && bytes.get(7).is_some_and(u8::is_ascii_digit)
        && matches!(bytes.get(8), Some(b'\r' | b'\n' | b' '))
}

/// The families that a declared type may have: a MIME type, or a word such as
/// `mp3`. A type of text, or one that is not known, has none.
fn families(declared: &str) -> &'static [Family] {
    let declared = declared.to_ascii_lowercase();
    let plain = declared.split(';').next().unwrap_or_default().trim();
    match plain.split_once('/') {
        Some(("image", _)) => &[Family::Image, Family::Film],
        Some(("audio", _)) => &[Family::Sound, Family::Film],
        Some(("video", _)) => &[Family::Film],
        Some(("application", "pdf" | "x-pdf")) => &[Family::Pdf],
        Some(("application", "ogg" | "mp4")) => &[Family::Sound, Family::Film],
        Some(("application", kind)) if archive(kind) => &[Family::Archive],
        Some(_) => &[],
        None => match plain {
            "audio" | "wav" | "mp3" | "mpeg" | "mpga" | "flac" | "ogg" | "opus" | "m4a" | "mp4"
            | "webm" | "aac" => &[Family::Sound, Family::Film],
            _ => &[],
        },
    }
}

fn archive(kind: &str) -> bool {
    kind.starts_with("vnd.openxmlformats-officedocument.")
        || kind.starts_with("vnd.oasis.opendocument.")
        || matches!(kind, "zip" | "x-zip-compressed" | "epub+zip")
}

/// Whether a base64 text is a medium of the declared type: its alphabet fits
/// throughout, and it begins as a format of that type does.
pub(crate) fn is_medium(declared: &str, base64: &str) -> bool {
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
    let families = families(declared);
    FORMATS
        .iter()
        .any(|(family, begins)| families.contains(family) && begins(&bytes))
}

/// A data URL whose data is base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataUrl<'u> {
    /// Everything up to the comma and with it.
    pub(crate) head: &'u str,
    /// The type that it declares, parameters included.
    pub(crate) declared: &'u str,
    /// The base64.
    pub(crate) data: &'u str,
}

/// Takes a data URL apart.
pub(crate) fn data_url(url: &str) -> Option<DataUrl<'_>> {
    let (scheme, rest) = url.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("data") {
        return None;
    }
    let (declared, data) = rest.split_once(',')?;
    let head = url.get(..url.len().checked_sub(data.len())?)?;
    declared
        .to_ascii_lowercase()
        .ends_with(";base64")
        .then_some(DataUrl {
            head,
            declared,
            data,
        })
}

/// Whether a value looks like one that only its issuer can read.
pub(crate) fn is_opaque(text: &str) -> bool {
    text.len() >= 16
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(declared: &str, bytes: &[u8]) -> bool {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().max(48), b'x');
        is_medium(declared, &STANDARD.encode(bytes))
    }

    #[test]
    fn a_medium_is_one_by_its_type_and_its_first_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        assert!(medium("image/png", png) && medium("IMAGE/PNG; charset=x", png));
        // A photograph that calls itself another picture is one all the same.
        assert!(medium("image/jpeg", png));
        for declared in [
            "text/plain",
            "text/html",
            "",
            "png",
            "application/json",
            "application/pdf",
        ] {
            assert!(!medium(declared, png), "{declared}");
        }
        let cases: [(&str, &[u8]); 11] = [
            ("image/gif", b"GIF89a\x01\0\x01\0\x80"),
            ("image/webp", b"RIFF\x24\x08\0\0WEBPVP8 "),
            ("wav", b"RIFF\xff\xff\xff\xffWAVEfmt "),
            ("audio/mpeg", b"ID3\x04\0\0\0\0\x01\x7f"),
            ("mp3", b"\xff\xfb\x90\x64"),
            ("audio/ogg", b"OggS\0\x02"),
            ("flac", b"fLaC\0\0\0\x22"),
            ("video/mp4", b"\0\0\0\x20ftypisom"),
            ("image/heic", b"\0\0\0\x18ftypheic"),
            ("application/pdf", b"%PDF-1.7\n"),
            ("application/zip", b"PK\x03\x04\x14\0"),
        ];
        for (declared, bytes) in cases {
            assert!(medium(declared, bytes), "{declared}");
        }
    }

    #[test]
    fn a_text_that_begins_like_a_medium_is_none() {
        let cases: [(&str, &[u8]); 11] = [
            ("image/webp", b"My notesWEBP the card is"),
            ("image/webp", b"RIFFnoteWEBP the card is"),
            ("audio/mpeg", b"ID3 is my tag, the card is"),
            ("application/pdf", b"%PDF-like notes: the card is"),
            ("application/pdf", b"%PDF-1.like notes"),
            ("image/gif", b"GIF89a the card is"),
            ("audio/ogg", b"OggS the card is"),
            ("flac", b"fLaC the card is"),
            ("video/mp4", b"see ftyp the card is"),
            ("application/zip", b"PK\x03\x04 the card"),
            ("mp3", b"\xff\xff\xff the card"),
        ];
        for (declared, text) in cases {
            assert!(!medium(declared, text), "{declared}: {text:?}");
        }
    }

    #[test]
    fn a_data_url_has_a_head() {
        let url = data_url("data:image/png;note=x;BASE64,AAAA").unwrap();
        assert_eq!(url.head, "data:image/png;note=x;BASE64,");
        assert_eq!(
            (url.declared, url.data),
            ("image/png;note=x;BASE64", "AAAA")
        );
        assert_eq!(data_url("data:text/plain,x"), None);
        assert_eq!(data_url("https://x/y"), None);
    }
}
