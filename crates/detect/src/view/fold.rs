//! Compatibility forms, look-alikes and invisible characters.

use unicode_normalization::UnicodeNormalization;

use super::Builder;

/// Letters that look like ASCII ones.
const ALIKE: &[(&str, &str)] = &[
    ("АВЕКМНОРСТУХІЈЅԚԜ", "ABEKMHOPCTYXIJSQW"),
    ("авекмнорстухіјѕԛԝһӏԁ", "abekmhopctyxijsqwhld"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
    ("ανορτυχικ", "avoptuxik"),
    ("‐‑‒–—―−﹣－", "---------"),
    ("․。．", "..."),
    ("∕⁄", "//"),
    ("‚‛`´", "''''"),
];

/// First of ten decimal digits, in scripts that people type.
const ZEROS: &[u32] = &[
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x17e0, 0x1810, 0xa620, 0xa8d0, 0xaa50,
];

/// The folded text; `None` when folding changes nothing.
pub(super) fn fold(text: &str) -> Option<Builder> {
    let mut builder = Builder::default();
    let mut changed = false;
    for (at, char) in text.char_indices() {
        let source = at..at + char.len_utf8();
        if char.is_ascii() {
            builder.push(char, &source);
            continue;
        }
        if let Some(hidden) = tag(char) {
            builder.push(hidden, &source);
            changed = true;
            continue;
        }
        if invisible(char) {
            changed = true;
            continue;
        }
        for form in std::iter::once(char).nfkc() {
            let plain = alike(form);
            changed |= plain != char;
            builder.push(plain, &source);
        }
    }
    changed.then_some(builder)
}

fn alike(char: char) -> char {
    if char.is_ascii() {
        return char;
    }
    let code = u32::from(char);
    if let Some(zero) = ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))
    {
        return char::from_digit(code - zero, 10).unwrap_or(char);
    }
    let pair = ALIKE
        .iter()
        .find_map(|(from, to)| from.chars().zip(to.chars()).find(|(from, _)| *from == char));
    pair.map_or(char, |(_, to)| to)
}

/// A tag character spells an ASCII one invisibly.
fn tag(char: char) -> Option<char> {
    let code = u32::from(char).checked_sub(0xe_0000)?;
    (0x20..0x7f)
        .contains(&code)
        .then(|| char::from_u32(code))
        .flatten()
}

/// Characters that show nothing: joiners, directions, variations, marks.
const fn invisible(char: char) -> bool {
    matches!(
        u32::from_be_bytes((char as u32).to_be_bytes()),
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
            | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff9..=0xfffb | 0x1_d173..=0x1_d17a
            | 0xe_0000..=0xe_0fff | 0x300..=0x34e | 0x350..=0x36f
    )
}
