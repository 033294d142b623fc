//! An opener whose closer is still to come.

use proptest::prelude::*;
use terms::Direction;

use super::{LIMITS, Segment, StreamLimits, engine, streamed};
use crate::template::Filler;

/// A text with a private key in it, whose closer may be missing.
fn armoured(closed: bool, inside: &str) -> String {
    let close = if closed {
        "{dash}END RSA PRIVATE KEY{dash}"
    } else {
        ""
    };
    let template =
        format!("see {{dash}}BEGIN RSA PRIVATE KEY{{dash}}\n{inside}\n{close} and a@b.example on");
    Filler::new(4).fill(&template)
}

#[test]
fn an_open_key_is_looked_at_for_its_closer_alone() {
    let engine = engine();
    let text = armoured(true, &"wxyz ".repeat(2_000));
    let mut scan = engine.stream(Direction::Reply, LIMITS);
    let mut released = Vec::new();
    for piece in text.as_bytes().chunks(5) {
        released.extend(scan.push(std::str::from_utf8(piece).unwrap()).unwrap());
    }
    assert!(scan.looks < 60, "{} looks", scan.looks);
    released.extend(scan.finish());
    let found: Vec<&str> = released
        .iter()
        .filter_map(|segment| match segment {
            Segment::Found { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(found[0].starts_with('-') && found[0].ends_with('-'));
    assert_eq!(found[1..], ["a@b.example"]);
    // What is held stays limited.
    let limits = StreamLimits {
        held_bytes_max: 512,
    };
    let mut scan = engine.stream(Direction::Reply, limits);
    let pieces = text.as_bytes().chunks(5);
    let refused = pieces
        .map(|piece| scan.push(std::str::from_utf8(piece).unwrap()))
        .position(|pushed| pushed.is_err());
    assert!(
        refused.is_some_and(|at| (512 / 5..540 / 5).contains(&at)),
        "{refused:?}"
    );
}

#[test]
fn lines_of_a_key_without_a_key_are_none() {
    let engine = engine();
    let found = |inside: &str| {
        let text = armoured(true, inside);
        let pieces: Vec<&str> = text.split_inclusive('\n').collect();
        let whole = streamed(&engine, &[&text]);
        assert_eq!(streamed(&engine, &pieces), whole);
        let mut findings = engine.scan(&text, Direction::Reply).findings.into_iter();
        findings.any(|finding| finding.kind.as_str() == "key")
    };
    for inside in ["", "anything", "...", "<your key>"] {
        assert!(!found(inside), "{inside}");
    }
    assert!(found("{base64:64}") && found("{base64:12}") && found("M I I E o w I B A A K C"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn an_open_key_is_found_alike_at_any_split(
        inside in "[a-zé\u{200b} \n%-]{0,60}",
        closed: bool,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let engine = engine();
        let dashes = armoured(closed, &inside);
        for text in [dashes.clone(), format!("{dashes} {dashes}")] {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            at.dedup();
            let pieces: Vec<&str> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(streamed(&engine, &pieces), streamed(&engine, &[&text]));
        }
    }
}

#[test]
fn what_stands_behind_an_opener_is_covered_too() {
    let engine = engine();
    let mut filler = Filler::new(9);
    let key = filler
        .fill("{dash}BEGIN RSA PRIVATE KEY{dash} {base64:64} {dash}END RSA PRIVATE KEY{dash}");
    let open = filler.fill("{dash}BEGIN PRIVATE KEY{dash}\n");
    let words = "word and word ".repeat(1_500);
    let body = filler.fill("{base64:64}\n").repeat(400);
    for (text, from, upto) in [
        (format!("{key}{key}"), 0, 2 * key.len()),
        (format!("{key} {key}"), key.len() + 1, 2 * key.len() + 1),
        // One without a closer hides no other.
        (
            format!("{open}{words}{open}abc"),
            open.len() + words.len(),
            0,
        ),
        // Its lines belong to it however many.
        (format!("{open}{body}"), 0, 0),
    ] {
        let upto = if upto == 0 { text.len() } else { upto };
        let scan = engine.scan(&text, Direction::Request);
        let mut covered: Vec<_> = scan
            .findings
            .iter()
            .map(|found| found.span.clone())
            .collect();
        covered.sort_by_key(|span| span.start);
        let mut at = from;
        for span in covered {
            if span.start <= at {
                at = at.max(span.end);
            }
        }
        assert!(at >= upto, "{at} of {upto}");
    }
}
