//! Any text, whole and split: the same findings, nothing lost, nothing added.
#![no_main]

use std::sync::OnceLock;

use detect::{Catalogue, Engine, Segment, StreamLimits};
use libfuzzer_sys::fuzz_target;
use terms::Direction;

static ENGINE: OnceLock<Engine> = OnceLock::new();

fn run(engine: &Engine, pieces: &[&str]) -> Option<(String, Vec<(usize, usize)>)> {
    let mut scan = engine.stream(Direction::Reply, StreamLimits { held_bytes_max: 1 << 20 });
    let mut segments = Vec::new();
    for piece in pieces {
        segments.extend(scan.push(piece).ok()?);
    }
    segments.extend(scan.finish());
    if scan.work_exceeded() {
        return None;
    }
    let (mut text, mut found) = (String::new(), Vec::new());
    for segment in segments {
        match segment {
            Segment::Plain(plain) => text.push_str(&plain),
            Segment::Token(token) => text.push_str(&token),
            Segment::Found { text: held, .. } => {
                found.push((text.len(), text.len() + held.as_str().len()));
                text.push_str(held.as_str());
            }
        }
    }
    Some((text, found))
}

fuzz_target!(|data: (u16, &str)| {
    let engine = ENGINE.get_or_init(|| Engine::new(Catalogue::embedded().expect("the catalogue")).expect("the engine"));
    let (at, text) = data;
    let _ = engine.scan(text, Direction::Request);
    let mut at = usize::from(at) % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let (Some(whole), Some(split)) = (run(engine, &[text]), run(engine, &[&text[..at], &text[at..]])) else { return };
    assert_eq!(whole.0, text);
    assert_eq!(split.0, text);
    // Where matches overlap in chains, a split may merge them otherwise; what
    // is covered must be covered all the same.
    let covered = |spans: &[(usize, usize)], at: usize| spans.iter().any(|(start, end)| (*start..*end).contains(&at));
    for (start, end) in &whole.1 {
        assert!((*start..*end).any(|at| covered(&split.1, at)), "a finding is lost by a split");
    }
});
