use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use detect::{Catalogue, Engine, Segment, StreamLimits, template::Filler};
use proptest::prelude::*;
use terms::{Control, DetectorId, Direction, Kind, View};
use wire::{Dialect, Document, Limits, Surrogates};

use super::*;

/// The leaves of a message with these text parts.
fn leaves(texts: &[String]) -> Vec<Leaf> {
    let parts: Vec<String> = texts
        .iter()
        .map(|text| format!(r#"{{"type":"text","text":"{text}"}}"#))
        .collect();
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{}]}}]}}"#,
        parts.join(",")
    );
    let document =
        Document::parse(Bytes::from(body), &Limits::default(), Surrogates::Refuse).unwrap();
    let walk = Dialect::OpenAiChat.walk_request(&document);
    let of_a_run = |leaf: &Leaf| leaf.run.is_some();
    walk.leaves.into_iter().filter(of_a_run).collect()
}

fn finding(span: Range<usize>) -> Finding {
    Finding {
        detector: DetectorId::new("card"),
        kind: Kind::new("card"),
        control: Control::Redaction,
        span,
        score: 90,
        view: View::Plain,
    }
}

/// As `rewritten`, by looking at every edit for every part.
fn slowly(run: &[Part<'_>], replaced: &[(Range<usize>, String)]) -> Vec<(usize, String)> {
    let mut texts = Vec::new();
    for part in run {
        let mut out = String::new();
        let mut edited = false;
        let mut at = part.start;
        for (span, with) in replaced {
            if span.start >= part.end() || part.start >= span.end {
                continue;
            }
            edited = true;
            let from = span.start.max(part.start);
            out.push_str(&part.leaf.text[at - part.start..from - part.start]);
            if span.start >= part.start {
                out.push_str(with);
            }
            at = span.end.min(part.end());
        }
        if edited {
            out.push_str(&part.leaf.text[at - part.start..]);
            texts.push((part.index, out));
        }
    }
    texts
}

proptest! {
    #[test]
    fn a_sweep_finds_what_a_look_at_every_part_finds(
        texts in prop::collection::vec("[a-z]{0,4}", 2..12),
        spans in prop::collection::vec((0_usize..48, 1_usize..9), 0..12),
    ) {
        let leaves = leaves(&texts);
        let runs = runs(&leaves);
        let run = &runs[0];
        let bytes = texts.concat().len();
        let findings = spans
            .into_iter()
            .map(|(start, length)| finding(start..(start + length).min(bytes)))
            .filter(|finding| finding.span.start < finding.span.end)
            .collect();
        let mut replaced = Vec::new();
        for cluster in clusters(findings) {
            let span = &cluster.span;
            let seams = run.iter().any(|part| span.start < part.start && part.start < span.end);
            prop_assert_eq!(crosses(span, run), seams);
            let slow: Vec<usize> = run
                .iter()
                .filter(|part| span.start < part.end() && part.start < span.end)
                .map(|part| part.index)
                .collect();
            let fast: Vec<usize> = touched(run, span).map(|part| part.index).collect();
            prop_assert_eq!(fast, slow);
            replaced.push((span.clone(), "X".to_owned()));
        }
        prop_assert_eq!(rewritten(run, &replaced), slowly(run, &replaced));
    }
}

/// Checks that look for words before a value.
const NAMED: &[&str] = &[
    "password",
    "secret",
    "address",
    "argument",
    "pair",
    "token",
    "basic",
    "named",
    "phone-named",
    "person",
    "birth",
    "us-zip",
    "post-code",
    "card-code",
    "card-code-in-triple",
    "card-expiry",
];

#[test]
fn no_value_runs_from_a_key_into_the_text() {
    let catalogue = Catalogue::embedded().unwrap();
    let engine = Engine::new(catalogue.clone()).unwrap();
    let limits = StreamLimits {
        held_bytes_max: 1 << 16,
    };
    let found = |before: &str, text: &str, id: &str| {
        let mut scan = engine.stream(Direction::Reply, limits);
        scan.follows(before);
        let mut segments = scan.push(text).unwrap();
        segments.extend(scan.finish());
        assert_eq!(scan.bytes(), text.len() as u64);
        // A key may be the name of something else.
        let all = segments.iter().filter_map(|segment| match segment {
            Segment::Found { findings, .. } => Some(findings),
            Segment::Plain(_) | Segment::Token(_) => None,
        });
        all.flatten().any(|finding| finding.detector.as_str() == id)
    };
    let plain = leaves(&["a".to_owned(), "b".to_owned()]).remove(0);
    let mut filler = Filler::new(3);
    let mut running = BTreeSet::new();
    for detector in catalogue.detectors() {
        // Words before a match are what keys are for; an opener goes on, and a
        // track has a free text inside.
        let id = detector.id.as_str();
        let check = detector.check().unwrap_or_default();
        let named = !detector.context.is_empty() || NAMED.contains(&check.as_str());
        if detector.control != Control::Redaction
            || named
            || ["private-key", "card-track"].contains(&id)
        {
            continue;
        }
        let example = filler.fill(&detector.examples[0]);
        if example.contains('"') {
            // Of a document, which has keys of its own.
            continue;
        }
        for at in (1..example.len()).filter(|at| example.is_char_boundary(*at)) {
            let (first, second) = example.split_at(at);
            let leaf = Leaf {
                keys: Some(Arc::from(format!("\"{first}\": \""))),
                ..plain.clone()
            };
            let told = leaf.keys.unwrap();
            if found(&told, second, id) != found("", second, id) {
                running.insert(id.to_owned());
            }
        }
    }
    // Names before a value, and texts with free text inside.
    let named = ["putty-key"].map(str::to_owned);
    assert_eq!(running, named.into());
    let leaf = Leaf {
        keys: Some(Arc::from("\"ssn\": \"")),
        ..plain
    };
    let ssn = filler.fill("219099{digits:2}3");
    let told = leaf.keys.unwrap();
    assert!(found(&told, &ssn, "ssn-bare") && !found("", &ssn, "ssn-bare"));
}
