mod alone;
mod begun;
mod explain;
mod keys;
mod opaque;
mod opened;
mod published;
mod rows;
mod splits;

use proptest::prelude::*;
use terms::Direction;

use super::{Engine, Segment, StreamLimits};
use crate::{Catalogue, template::Filler};

fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE
        .get_or_init(|| Engine::new(Catalogue::embedded().unwrap()).unwrap())
        .clone()
}

const LIMITS: StreamLimits = StreamLimits {
    held_bytes_max: 1 << 16,
};

/// Surroundings in which people paste things.
const CONTEXTS: &[&str] = &[
    "{}",
    "my value is {}, thanks",
    "see ({}) above",
    "is it {}?",
    "it is {}.",
    "**{}**",
    "`{}`",
    "\"{}\"",
    "'{}'",
    "<b>{}</b>",
    "key={}",
    "x: {}\n",
    "“{}”",
    "密钥是{}。",
    "https://h.example/?k={}&x=1",
    "Authorization: Bearer {}",
    "[{}]",
    "{\"a\": \"{}\", \"b\": 1}",
    "- {}\n- next",
    "a\t{}\tb",
];

fn fires(
    engine: &Engine,
    text: &str,
    direction: Direction,
    id: &str,
) -> Vec<std::ops::Range<usize>> {
    let scan = engine.scan(text, direction);
    assert!(!scan.work_exceeded);
    scan.findings
        .into_iter()
        .filter(|finding| finding.detector.as_str() == id)
        .map(|finding| finding.span)
        .collect()
}

#[test]
fn every_example_is_found_in_every_context_and_no_counter_example_is() {
    let catalogue = Catalogue::embedded().unwrap().switched(|_| true);
    let engine = Engine::new(catalogue.clone()).unwrap();
    let mut filler = Filler::new(42);
    let mut wrong = Vec::new();
    for detector in catalogue.detectors() {
        let id = detector.id.as_str();
        let contexts = if detector.fixed_contexts {
            &["{}"]
        } else {
            CONTEXTS
        };
        for direction in &detector.directions {
            for example in &detector.examples {
                let whole = filler.fill(example);
                for context in contexts {
                    let text = context.replacen("{}", &whole, 1);
                    if fires(&engine, &text, *direction, id).is_empty() {
                        wrong.push(format!("{id}: {example} is not found in {context}"));
                    }
                }
            }
            for counter in &detector.counter_examples {
                let text = filler.fill(counter);
                if !fires(&engine, &text, *direction, id).is_empty() {
                    wrong.push(format!("{id}: {counter} is found"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One of each of four kinds of needle.
fn needle(which: usize, seed: u64) -> String {
    let templates = [
        "{luhn:4:16}",
        "219-09-{digits:3}3",
        "ghp_{alnum:36}",
        "{lower:6}.{lower:5}@{lower:7}.org",
    ];
    Filler::new(seed).fill(templates[which % templates.len()])
}

fn hexed(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            out.push(if index <= chunk.len() {
                char::from(ALPHABET[(word >> (18 - 6 * index)) as usize & 63])
            } else {
                '='
            });
        }
    }
    out
}

/// Ways to write a text.
const WAYS: usize = 14;

fn encoded(text: &str, how: usize) -> String {
    match how {
        0 => text.to_owned(),
        1 => text
            .chars()
            .map(|char| format!("\\u{:04x}", u32::from(char)))
            .collect(),
        2 => text
            .chars()
            .map(|char| char::from_u32(u32::from(char) + 0xfee0).unwrap())
            .collect(),
        3 => text
            .chars()
            .map(|char| format!("{char}\u{200b}"))
            .collect::<String>()
            .trim_end_matches('\u{200b}')
            .to_owned(),
        4 => text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        5 => hexed(text),
        6 => base64(text),
        7 => base64(&format!("note {text} end")),
        8 => text.bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
        9 => encoded(&encoded(text, 1), 6),
        10 => encoded(&encoded(text, 4), 5),
        // Characters of several bytes, of which a part of a stream may hold some.
        11 => encoded(&encoded(text, 2), 4),
        12 => encoded(&encoded(text, 2), 5),
        _ => encoded(&encoded(text, 3), 6),
    }
}

#[test]
fn every_encoding_of_a_needle_is_found_whole() {
    let engine = engine();
    for which in 0..4 {
        for how in 0..WAYS {
            for before in ["", "x ", "see: ", "a=", "é "] {
                let encoded = encoded(&needle(which, 7 + how as u64), how);
                let text = format!("{before}{encoded} end");
                let scan = engine.scan(&text, Direction::Request);
                let (start, end) = (before.len(), before.len() + encoded.len());
                let whole = |finding: &terms::Finding| {
                    // Inside a longer encoded text, what holds the needle is enough.
                    how == 7 || (finding.span.start <= start && finding.span.end >= end)
                };
                assert!(
                    scan.findings.iter().any(whole),
                    "needle {which}, encoding {how}, after {before:?}: {:?}",
                    scan.findings
                );
            }
        }
    }
}

#[test]
fn prose_and_code_are_left_alone() {
    let engine = engine();
    for text in [
        "The quick brown fox jumps over the lazy dog. On 2026-11-23 at 10:15 we shipped version 1.2.3-rc4 of it.",
        "fn main() { let id = 0x1234_5678; println!(\"{id:?} {}\", 1_699_999_999_999_u64); } // see src/lib.rs:42",
        "Order 20260101123456, invoice INV-2026-000123, build 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.",
        "uuid 123e4567-e89b-12d3-a456-426614174000 and 10.0.0.1, 192.168.1.1:8080; ratio 3.14159265358979",
        "Größe, naïve, 東京, Ελλάδα, Москва: ordinary words in many scripts.",
    ] {
        for direction in Direction::ALL {
            let scan = engine.scan(text, *direction);
            assert!(scan.findings.is_empty(), "{text}: {:?}", scan.findings);
        }
    }
}

/// What a stream released, piece by piece, and what it found.
fn streamed(engine: &Engine, pieces: &[&str]) -> (String, Vec<(std::ops::Range<usize>, String)>) {
    let mut scan = engine.stream(Direction::Reply, LIMITS);
    let mut segments = Vec::new();
    for piece in pieces {
        segments.extend(scan.push(piece).unwrap());
    }
    segments.extend(scan.finish());
    let mut text = String::new();
    let mut found = Vec::new();
    for segment in segments {
        match segment {
            Segment::Plain(plain) => text.push_str(&plain),
            Segment::Token(token) => text.push_str(&token),
            Segment::Found { text: held, .. } => {
                let start = text.len();
                text.push_str(held.as_str());
                found.push((start..text.len(), held.as_str().to_owned()));
            }
        }
    }
    (text, found)
}

#[test]
fn every_split_of_a_needle_finds_it_whole() {
    let engine = engine();
    for which in 0..4 {
        for how in 0..WAYS {
            let encoded = encoded(&needle(which, 3), how);
            let text = format!("Here: {encoded} and on.");
            let whole = streamed(&engine, &[&text]);
            assert_eq!(whole.0, text);
            assert!(!whole.1.is_empty(), "needle {which}, encoding {how}");
            for at in (1..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let (left, right) = text.split_at(at);
                assert_eq!(
                    streamed(&engine, &[left, right]),
                    whole,
                    "needle {which}, encoding {how}, split at {at}"
                );
            }
            let chars: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<&str> = chars.iter().map(String::as_str).collect();
            assert_eq!(
                streamed(&engine, &pieces),
                whole,
                "needle {which}, encoding {how}, char by char"
            );
        }
    }
}

#[test]
fn a_placeholder_is_whole_at_every_split_whatever_follows() {
    let engine = engine();
    for code in [
        "k54w4zsfvxliguyd6bm472ue44",
        "abcdefghijklmnopqrstuvwx22",
        "aaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        for after in [" to", " 4111 1111", "4 5", "@x", ".com", "-22"] {
            let text = format!("card MSCARD{code}{after} end");
            for at in 1..text.len() {
                let mut scan = engine.stream(Direction::Reply, LIMITS);
                let mut segments = scan.push(&text[..at]).unwrap();
                segments.extend(scan.push(&text[at..]).unwrap());
                segments.extend(scan.finish());
                let token = format!("MSCARD{code}");
                let whole = segments
                    .iter()
                    .filter(|segment| matches!(segment, Segment::Token(text) if *text == token))
                    .count();
                let inside = segments.iter().any(|segment| matches!(segment, Segment::Found { text, .. } if text.as_str().contains(&token)));
                assert!(whole == 1 || inside, "{text} at {at}: {segments:?}");
            }
        }
    }
}

#[test]
fn what_runs_over_a_seam_is_found_where_it_can_still_be_held() {
    let engine = engine();
    for which in 0..4 {
        let needle = needle(which, 5);
        for at in 1..needle.len() {
            let (before, after) = needle.split_at(at);
            for pieces in [1, 3, 100] {
                let mut scan = engine.stream(Direction::Reply, LIMITS);
                scan.follows(&format!("see {before}"));
                let chars: Vec<char> = format!("{after} ok").chars().collect();
                let mut segments = Vec::new();
                for piece in chars.chunks(pieces) {
                    segments.extend(scan.push(&piece.iter().collect::<String>()).unwrap());
                }
                segments.extend(scan.finish());
                let found: String = segments
                    .iter()
                    .filter_map(|segment| match segment {
                        Segment::Found { text, .. } => Some(text.as_str()),
                        _ => None,
                    })
                    .collect();
                assert!(
                    found.contains(after),
                    "needle {which} at {at}, pieces {pieces}: {segments:?}"
                );
            }
        }
        // A digit before the seam does not hide what stands whole after it.
        let mut scan = engine.stream(Direction::Reply, LIMITS);
        scan.follows("order 9");
        let mut segments = scan.push(&needle).unwrap();
        segments.extend(scan.finish());
        assert!(segments.iter().any(
            |segment| matches!(segment, Segment::Found { text, .. } if text.as_str() == needle)
        ));
    }
}

#[test]
fn plain_prose_is_not_held_beyond_its_last_words() {
    let engine = engine();
    let mut scan = engine.stream(Direction::Reply, LIMITS);
    for word in "It was the best of times, it was the worst of times. "
        .repeat(20)
        .split_inclusive(' ')
    {
        scan.push(word).unwrap();
        assert!(
            scan.held_bytes() <= word.len(),
            "{} bytes held after {word:?}",
            scan.held_bytes()
        );
    }
}

#[test]
fn a_long_text_of_long_words_is_no_excess() {
    let engine = engine();
    let text = "A considerably longer paragraph with international responsibilities follows. "
        .repeat(4_000);
    let scan = engine.scan(&text, Direction::Request);
    assert!(!scan.work_exceeded && scan.findings.is_empty());
}

#[test]
fn a_forged_placeholder_hides_nothing() {
    let engine = engine();
    let text = "MSEMAILbobsmith@example.org";
    assert!(
        streamed(&engine, &[text])
            .1
            .iter()
            .any(|(_, found)| found == text)
    );
}

#[test]
fn the_worst_texts_stay_within_the_bound_of_views() {
    let engine = engine();
    let digits = "4111 ".repeat(40_000);
    let run = "a".repeat(200_000);
    let escapes = "\\u0034%34".repeat(20_000);
    let brackets = "![".repeat(50_000);
    for text in [digits, run, escapes, brackets] {
        let scan = engine.scan(&text, Direction::Reply);
        assert_eq!(scan.bytes, text.len() as u64);
    }
}

/// Texts that are drawn; `MERESTONE_LONG` draws enough to meet what is rare.
fn draws() -> u32 {
    match std::env::var_os("MERESTONE_LONG") {
        Some(_) => 500_000,
        None => 60,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(draws()))]
    #[test]
    fn any_split_finds_the_same(
        parts in prop::collection::vec((0_usize..4, 0_usize..WAYS, "[a-z0-9 .,%\\\\é\u{200b}<(!-]{0,12}"), 1..4),
        seed: u64,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let engine = engine();
        let text: String = parts.iter().map(|(which, how, noise)| format!("{noise}{} ", encoded(&needle(*which, seed), *how))).collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        at.dedup();
        let pieces: Vec<&str> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        prop_assert_eq!(streamed(&engine, &pieces), streamed(&engine, &[&text]));
    }
}

/// What looks like one of four kinds of needle and is none.
fn twin(which: usize, seed: u64) -> String {
    let mut filler = Filler::new(seed);
    match which % 4 {
        0 => {
            let number = filler.fill("{luhn:4:16}");
            let last = number.as_bytes()[15] - b'0';
            let wrong = format!("{}{}", &number[..15], (last + 1) % 10);
            let gap = ["", " ", "-"][usize::try_from(seed % 3).unwrap()];
            let groups: Vec<&str> = (0..16).step_by(4).map(|at| &wrong[at..at + 4]).collect();
            groups.join(gap)
        }
        1 => filler.fill("000-{digits:2}-{digits:4}"),
        2 => filler.fill("ghp_{lower:6}"),
        _ => filler.fill("{lower:5}.{lower:7}{digits:2} at {lower:6}-{lower:4}"),
    }
}

#[test]
fn no_encoding_of_a_twin_is_found() {
    let engine = engine();
    for seed in 0..60 {
        for which in 0..4 {
            for how in 0..WAYS {
                let text = format!("note {} end", encoded(&twin(which, seed), how));
                for direction in Direction::ALL {
                    let findings = engine.scan(&text, *direction).findings;
                    assert!(findings.is_empty(), "{text}: {findings:?}");
                }
            }
        }
    }
}

#[test]
fn how_strange_a_text_is_does_not_hide_a_part_of_it() {
    let engine = engine();
    let text = "+\\\\\\TY\\\\DY\0\0\0KE+\\\\\\TY\\\\-";
    let whole = streamed(&engine, &[text]);
    assert!(!whole.1.is_empty());
    for at in 0..=text.len() {
        let (left, right) = text.split_at(at);
        assert_eq!(streamed(&engine, &[left, right]), whole, "at {at}");
    }
    for how in 0..WAYS {
        let noise = "\u{1}\u{2}\u{3}".repeat(40);
        let text = format!("{noise} {} {noise}", encoded(&needle(0, 8), how));
        assert!(
            !engine.scan(&text, Direction::Request).findings.is_empty(),
            "encoding {how}"
        );
    }
}

#[test]
fn what_stands_before_a_text_gives_context_words_and_nothing_else() {
    let engine = engine();
    let mut filler = Filler::new(11);
    let ssn = filler.fill("219099{digits:2}3");
    let secret = filler.fill("{base64:40}");
    for (keys, text, id) in [
        ("\"ssn\": \"", &ssn, "ssn-bare"),
        ("\"person\": {\"SSN\": \"", &ssn, "ssn-bare"),
        ("\"aws_secret_access_key\": \"", &secret, "aws-secret-key"),
        (
            "\"prod\": {\"secretAccessKey\": \"",
            &secret,
            "aws-secret-key",
        ),
    ] {
        for direction in Direction::ALL {
            let found = engine.scan_after(keys, text, *direction);
            let finding = found
                .findings
                .iter()
                .find(|finding| finding.detector.as_str() == id);
            assert_eq!(finding.unwrap().span, 0..text.len(), "{keys}");
            assert_eq!(found.bytes, text.len() as u64);
            assert!(engine.scan(text, *direction).findings.is_empty());
        }
    }
    // As far away as in one text.
    let far = format!("{} {ssn}", "x ".repeat(80));
    let scan = engine.scan_after("ssn: ", &far, Direction::Request);
    assert!(scan.findings.is_empty(), "{:?}", scan.findings);
    // What stands before is not found, and what runs over only here.
    let card = needle(0, 5);
    let scan = engine.scan_after(&card, " and", Direction::Request);
    assert!(scan.findings.is_empty(), "{:?}", scan.findings);
    let (first, second) = card.split_at(8);
    let scan = engine.scan_after(first, second, Direction::Request);
    assert_eq!(scan.findings[0].span, 0..second.len());
}
