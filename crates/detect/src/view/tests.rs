//! Readings of a text, by what the engine finds through them.

use std::ops::Range;

use terms::Direction;

use super::views;
use crate::{Catalogue, Engine, Segment, StreamLimits, template::Filler};

fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE
        .get_or_init(|| Engine::new(Catalogue::embedded().unwrap()).unwrap())
        .clone()
}

fn needle(which: usize) -> String {
    let templates = [
        "{luhn:4:16}",
        "219-09-{digits:3}3",
        "ghp_{alnum:36}",
        "{lower:6}.{lower:5}@{lower:7}.org",
    ];
    Filler::new(11 + which as u64).fill(templates[which])
}

fn each(text: &str, form: impl Fn(u8) -> String) -> String {
    text.bytes().map(form).collect()
}

fn joined(text: &str, gap: &str, form: impl Fn(u8) -> String) -> String {
    text.bytes().map(form).collect::<Vec<_>>().join(gap)
}

/// Ways to write a text, by name.
fn spellings(text: &str) -> Vec<(&'static str, String)> {
    let entities = each(text, |byte| format!("&#{byte};"));
    vec![
        ("decimal entities", entities.clone()),
        (
            "entities of HTML",
            each(text, |byte| format!("&#x{byte:x};")),
        ),
        ("zeros before", each(text, |byte| format!("&#x00{byte:X};"))),
        ("without semicolons", each(text, |byte| format!("&#{byte}"))),
        (
            "quoted-printable",
            each(text, |byte| format!("={byte:02X}")),
        ),
        (
            "lines of mail",
            joined(text, "=\r\n", |byte| char::from(byte).to_string()),
        ),
        (
            "lines of a shell",
            joined(text, "\\\n", |byte| char::from(byte).to_string()),
        ),
        ("octal", each(text, |byte| format!("\\{byte:03o}"))),
        ("braces", each(text, |byte| format!("\\u{{{byte:x}}}"))),
        (
            "long",
            each(text, |byte| format!("\\U{:08x}", u32::from(byte))),
        ),
        ("colons", joined(text, ":", |byte| format!("{byte:02x}"))),
        ("blanks", joined(text, " ", |byte| format!("{byte:02X}"))),
        (
            "numbers",
            joined(text, ", ", |byte| format!("0x{byte:02x}")),
        ),
        ("old scripts", each(text, |byte| format!("%u00{byte:02X}"))),
        ("two bytes each", each(text, |byte| format!("{byte:02x}00"))),
        (
            "two bytes each, the other way round",
            each(text, |byte| format!("00{byte:02x}")),
        ),
        (
            "two bytes each in base64",
            base64(&each(text, |byte| format!("{}\0", char::from(byte)))),
        ),
        ("twice", each(&entities, |byte| format!("%{byte:02X}"))),
    ]
}

/// What a stream released, and the stretches of it that were found.
fn streamed(engine: &Engine, pieces: &[&str]) -> (String, Vec<Range<usize>>) {
    let limits = StreamLimits {
        held_bytes_max: 1 << 16,
    };
    let mut scan = engine.stream(Direction::Reply, limits);
    let mut segments = Vec::new();
    for piece in pieces {
        segments.extend(scan.push(piece).unwrap());
    }
    segments.extend(scan.finish());
    let mut text = String::new();
    let mut found = Vec::new();
    for segment in segments {
        match segment {
            Segment::Plain(plain) | Segment::Token(plain) => text.push_str(&plain),
            Segment::Found { text: held, .. } => {
                found.push(text.len()..text.len() + held.as_str().len());
                text.push_str(held.as_str());
            }
        }
    }
    (text, found)
}

#[test]
fn letters_behind_an_equals_sign_are_no_part_of_a_character_alone() {
    let spelt = |text: &str| {
        let views = views(text, false);
        views
            .iter()
            .any(|view| view.text.contains('é') || view.text.contains('\u{fffd}'))
    };
    assert!(spelt("caf=C3=A9 and") && spelt("caf=c3=a9."));
    assert!(!spelt("KEY=fc-0f3a9c81=\nd2e47b56"));
}

#[test]
fn every_spelling_is_found_whole_and_at_every_split() {
    let engine = engine();
    for which in 0..4 {
        for (name, spelled) in spellings(&needle(which)) {
            let text = format!("see: {spelled} and on");
            let (start, end) = (5, 5 + spelled.len());
            let scan = engine.scan(&text, Direction::Reply);
            assert!(
                scan.findings
                    .iter()
                    .any(|finding| finding.span.start <= start && finding.span.end >= end),
                "needle {which}, {name}: {:?}",
                scan.findings
            );
            let whole = streamed(&engine, &[&text]);
            assert_eq!(whole.0, text);
            for at in 1..text.len() {
                let (left, right) = text.split_at(at);
                assert_eq!(
                    streamed(&engine, &[left, right]),
                    whole,
                    "needle {which}, {name}, split at {at}"
                );
            }
        }
    }
}

#[test]
fn names_of_characters_are_read_and_tags_stay_text() {
    let engine = engine();
    let found = |text: &str, id: &str| {
        let scan = engine.scan(text, Direction::Reply);
        scan.findings
            .iter()
            .any(|finding| finding.detector.as_str() == id)
    };
    assert!(found(
        "bob&period;smith&commat;mail&#46;example&period;org",
        "email"
    ));
    assert!(found(
        "write to bob\\_smith\\@mail\\.example\\.org",
        "email"
    ));
    for text in ["&lt;script&gt;", "&#60;script&#62;", "&#x3c;iframe&#x3e;"] {
        assert!(!found(text, "markup-active"), "{text}");
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(text: &str) -> String {
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            out.push(char::from(BASE64[(word >> (18 - 6 * index)) as usize & 63]));
        }
    }
    out
}

#[test]
fn base64_goes_on_over_lines() {
    let engine = engine();
    for which in 0..4 {
        // The needle begins at every place before the first line's end.
        for before in 30..57 {
            let note = format!(
                "{} {} and so on",
                "word ".repeat(12)[..before].trim_end(),
                needle(which)
            );
            for (width, end) in [(76, "\n"), (64, "\r\n"), (76, "\n    ")] {
                let lines: Vec<String> = base64(&note)
                    .as_bytes()
                    .chunks(width)
                    .map(|line| String::from_utf8(line.to_vec()).unwrap())
                    .collect();
                let text = format!("see: {} .", lines.join(end));
                let found = engine.scan(&text, Direction::Request).findings;
                assert!(
                    !found.is_empty(),
                    "needle {which} at {before}, width {width}"
                );
                let chars: Vec<String> = text.chars().map(String::from).collect();
                let pieces: Vec<&str> = chars.iter().map(String::as_str).collect();
                let (said, found) = streamed(&engine, &pieces);
                assert!(
                    said == text && !found.is_empty(),
                    "needle {which} at {before}"
                );
            }
        }
    }
}

#[test]
fn ordinary_pairs_entities_and_assignments_are_no_needles() {
    let engine = engine();
    for text in [
        "row 00:1a:2b:3c:4d:5e:6f, row 06 12 34 56 78 90, at 10:15:30 on 20-11-23",
        "let x=10; let y =20; url?id=173456789012345678&page=40 &copy; AT&T &lt;b&gt;",
        "regex \\d{4}\\.\\d{2} and C:\\new\\table, C:\\100\\200; a &amp; b",
    ] {
        for direction in Direction::ALL {
            let scan = engine.scan(text, *direction);
            assert!(scan.findings.is_empty(), "{text}: {:?}", scan.findings);
        }
    }
}

#[test]
fn a_text_that_changes_from_byte_to_byte_is_not_read_without_end() {
    // A view of it would take fifty times its size.
    let made = |count: usize| super::each(&"%41.".repeat(count), false, None, |_| true);
    assert!(!made(1 << 10).exceeded);
    assert!(made((2 << 20) + 1).exceeded);
}

#[test]
fn a_character_may_span_very_many_zeros() {
    // Characters of two bytes whose zeros are left out.
    let digits = "4111111111111111";
    let zeros = 22_000;
    let accent = [vec![0xc3], vec![0; zeros], vec![0xa9]].concat();
    let wide = digits.bytes().flat_map(|digit| [digit, 0]);
    let bytes = accent.into_iter().chain(wide);
    let text: String = bytes.map(|byte| format!("{byte:02x} ")).collect();
    let all = views(&text, false);
    let view = all.iter().find(|view| view.text.contains(digits)).unwrap();
    let at = view.text.find(digits).unwrap();
    let first = 3 * (zeros + 2);
    let source = view.source(&(at..at + digits.len()));
    assert_eq!(source, first..first + 3 * 30 + 2);
}
