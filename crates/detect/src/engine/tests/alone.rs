//! Each detector alone, so that no other holds back for it.

use terms::Direction;

use super::{LIMITS, Segment};
use crate::{Catalogue, Engine, template::Filler};

/// The stretches that were found in a text that came in pieces, and whether
/// its pieces made the text again.
fn found(engine: &Engine, pieces: &[&str], direction: Direction) -> (Vec<(usize, usize)>, bool) {
    let mut scan = engine.stream(direction, LIMITS);
    let mut segments = Vec::new();
    for piece in pieces {
        segments.extend(scan.push(piece).unwrap());
    }
    segments.extend(scan.finish());
    let (mut text, mut found) = (String::new(), Vec::new());
    for segment in segments {
        match segment {
            Segment::Plain(part) | Segment::Token(part) => text.push_str(&part),
            Segment::Found { text: held, .. } => {
                found.push((text.len(), text.len() + held.as_str().len()));
                text.push_str(held.as_str());
            }
        }
    }
    (found, text == pieces.concat())
}

#[test]
fn nothing_of_an_example_is_let_go_at_any_cut() {
    let catalogue = Catalogue::embedded().unwrap().switched(|_| true);
    let mut filler = Filler::new(7);
    let mut leaks = Vec::new();
    for detector in catalogue.detectors() {
        let alone = catalogue.clone().switched(|other| other.id == detector.id);
        let engine = Engine::new(alone).unwrap();
        let direction = detector.directions[0];
        for example in &detector.examples {
            let text = format!("see {} now", filler.fill(example));
            let (whole, _) = found(&engine, &[&text], direction);
            for at in (1..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let (left, right) = text.split_at(at);
                let (cut, same) = found(&engine, &[left, right], direction);
                assert!(same);
                if cut != whole {
                    leaks.push(format!("{}: {example} at {at}", detector.id.as_str()));
                    break;
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}
