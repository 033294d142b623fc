//! Everything that a pattern matched is told: found, or let go for a reason.

use std::{collections::BTreeSet, sync::OnceLock};

use proptest::prelude::*;
use regex::Regex;
use terms::Direction;

use super::{engine, needle};
use crate::{Catalogue, Engine, Explanation, Profile, Why, template::Filler};

fn both() -> (Engine, Engine) {
    static LEFT_OUT: OnceLock<Engine> = OnceLock::new();
    let left_out = LEFT_OUT.get_or_init(|| {
        let catalogue = Catalogue::embedded().unwrap();
        Engine::left_out(&catalogue, Profile::Prompt).unwrap()
    });
    (engine(), left_out.clone())
}

fn whys(explained: &Explanation, id: &str) -> Vec<Why> {
    let own = explained.refused.iter();
    own.filter(|refused| refused.detector.as_str() == id)
        .map(|refused| refused.why)
        .collect()
}

/// The counter-examples are what nearly is one: where the pattern matches, the
/// detector says why it is none.
#[test]
fn every_match_is_told_or_explained() {
    let catalogue = Catalogue::embedded().unwrap();
    let (engine, left_out) = both();
    let mut filler = Filler::new(3);
    let mut seen = BTreeSet::new();
    let mut silent = Vec::new();
    for detector in catalogue.detectors() {
        let patterns: Vec<Regex> = detector
            .patterns
            .iter()
            .filter_map(|pattern| Regex::new(pattern.text()).ok())
            .collect();
        let examples = detector.examples.iter();
        for template in examples.chain(&detector.counter_examples) {
            // As it is, with a letter before it, and with one behind.
            let text = filler.fill(template);
            for text in [text.clone(), format!("x{text}"), format!("{text}x")] {
                let direction = *detector.directions.first().unwrap();
                let explained = engine.explain(&text, direction, Some(&left_out));
                if explained.more {
                    // Too much to try, which is said; only of one long word.
                    assert!(text.len() > 2_000, "{template}");
                    continue;
                }
                seen.extend(explained.refused.iter().map(|refused| refused.why));
                let id = &detector.id;
                for found in patterns.iter().flat_map(|pattern| pattern.find_iter(&text)) {
                    // No candidate begins in the middle of a row of digits.
                    let digit = |at: Option<usize>| {
                        at.and_then(|at| text.as_bytes().get(at))
                            .is_some_and(u8::is_ascii_digit)
                    };
                    if digit(found.start().checked_sub(1)) && digit(Some(found.start())) {
                        continue;
                    }
                    let over = |span: &std::ops::Range<usize>| {
                        span.start < found.end() && found.start() < span.end
                    };
                    let findings = explained.scan.findings.iter();
                    let told = findings
                        .filter(|each| each.detector == *id)
                        .any(|each| over(&each.span));
                    let refused = explained.refused.iter();
                    let explained = refused
                        .filter(|each| each.detector == *id)
                        .any(|each| over(&each.span));
                    if !told && !explained {
                        silent.push(format!(
                            "{id}: {template} in {text:?} at {:?}",
                            found.range()
                        ));
                    }
                }
            }
        }
    }
    silent.dedup();
    assert!(silent.is_empty(), "{silent:#?}");
    for why in [
        Why::Validator,
        Why::Placeholder,
        Why::Before,
        Why::Neighbour,
        Why::Context,
        Why::Direction,
    ] {
        assert!(seen.contains(&why), "{why:?} was never told: {seen:?}");
    }
}

/// A detector with these settings of its own.
fn detector(id: &str, pattern: &str, own: &str) -> String {
    format!(
        "id = \"{id}\"\nkind = \"key\"\ntitle = \"of a test\"\ncontrol = \"redaction\"\ndirections = [\"request\"]\ndefault_action = \"redact\"\npatterns = [\"{pattern}\"]\nexamples = [\"a\"]\ncounter_examples = [\"b\"]\n{own}\n"
    )
}

#[test]
fn reasons_that_no_detector_of_the_catalogue_gives_yet() {
    let files = [
        (
            "code",
            "acmecode[0-9]{6}",
            "score = 80\nprofiles = [\"code\"]",
        ),
        ("off", "acmeoff[0-9]{6}", "score = 80\nenabled = false"),
        ("dull", "acmedull[a-z]{12}", "score = 80\nentropy_min = 30"),
        (
            "weak",
            "acmeweak[0-9]{6}",
            "score = 40\ncontext = [\"ticket\"]\ncontext_score = 80",
        ),
    ]
    .map(|(id, pattern, own)| (format!("{id}.toml"), detector(id, pattern, own)));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let catalogue = Catalogue::from_toml(&files).unwrap();
    let left_out = Engine::left_out(&catalogue, Profile::Prompt).unwrap();
    let engine = Engine::new(catalogue).unwrap();
    let text = "acmecode123456 acmeoff123456 acmedullaaaaaaaaaaaa acmeweak123456";
    let explained = engine.explain(text, Direction::Request, Some(&left_out));
    assert!(explained.scan.findings.is_empty());
    let told: Vec<(&str, Why)> = explained
        .refused
        .iter()
        .map(|refused| (refused.detector.as_str(), refused.why))
        .collect();
    assert_eq!(
        told,
        [
            ("code", Why::Profile),
            ("off", Why::Off),
            ("dull", Why::Entropy),
            ("weak", Why::Score),
        ]
    );
    let named = engine.explain(&format!("ticket {text}"), Direction::Request, None);
    assert_eq!(named.scan.findings.len(), 1, "{named:?}");
}

#[test]
fn reasons_are_the_true_ones() {
    let (engine, left_out) = both();
    let explain = |text: &str| engine.explain(text, Direction::Request, Some(&left_out));
    let mut filler = Filler::new(5);
    let number = filler.fill("{luhn:4:16}");
    let last = number.as_bytes()[15] - b'0';
    let wrong = format!("{}{}", &number[..15], (last + 1) % 10);
    let explained = explain(&format!("card {wrong}"));
    assert!(whys(&explained, "card").contains(&Why::Validator));
    assert!(explained.scan.findings.is_empty());
    let image = "![a](https://pictures.example/a.png?data=abcdefghijklmnopqrstuvwxyz)";
    let explained = explain(image);
    assert!(
        explained
            .refused
            .iter()
            .any(|refused| refused.why == Why::Direction)
    );
}

#[test]
fn what_is_let_go_is_bounded() {
    let (engine, _) = both();
    let mut filler = Filler::new(9);
    let many: String = (0..12_000)
        .map(|_| filler.fill("000-{digits:2}-{digits:4} "))
        .collect();
    let explained = engine.explain(&many, Direction::Request, None);
    assert!(explained.more && explained.refused.len() <= 10_000);
    assert!(!explained.scan.work_exceeded);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn to_explain_changes_nothing(
        parts in prop::collection::vec((0_usize..4, "[a-z0-9 .,:=%\\\\é-]{0,10}"), 1..5),
        seed: u64,
    ) {
        let (engine, left_out) = both();
        let text: String = parts.iter().map(|(which, noise)| format!("{noise}{}", needle(*which, seed))).collect();
        let explained = engine.explain(&text, Direction::Request, Some(&left_out));
        prop_assert_eq!(&explained.scan, &engine.scan(&text, Direction::Request));
        for refused in &explained.refused {
            prop_assert!(text.get(refused.span.clone()).is_some_and(|part| !part.is_empty()));
            for finding in &explained.scan.findings {
                let over = finding.span.start < refused.span.end && refused.span.start < finding.span.end;
                prop_assert!(!over || finding.detector != refused.detector, "{:?}", refused);
            }
        }
    }
}
