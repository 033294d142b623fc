//! The question to a model, and its answer: read, checked, and made findings.

use serde::Deserialize;
use terms::{Control, Finding, Kind, View};

use super::{ANSWER_BYTES_MAX, NamesFault, SPOT_BYTES_MAX, SPOTS_MAX, detector};

/// What a model may say of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpotKind {
    /// A person's name.
    Person,
    /// A postal address, or a part of one.
    Address,
}

/// A span that a model names, as it is written. Members that are not known
/// mean nothing.
#[derive(Debug, Deserialize)]
struct Spot {
    start: usize,
    end: usize,
    kind: SpotKind,
    score: u8,
}

#[derive(Debug, Deserialize)]
struct Answer {
    spots: Vec<Vec<Spot>>,
}

/// The question: `{"texts": ["…"]}`.
#[must_use]
pub fn question(texts: &[&str]) -> Vec<u8> {
    let mut out = b"{\"texts\":".to_vec();
    // Texts in memory can always be written as JSON.
    if serde_json::to_writer(&mut out, texts).is_err() {
        out.extend_from_slice(b"null");
    }
    out.push(b'}');
    out
}

/// What a model finds in each of these texts, in order of place, by UTF-8
/// bytes; less what it is less sure of than `score_min`, 1 to 100.
///
/// # Errors
/// When the answer does not fit the texts. None of it counts then.
pub fn read(answer: &[u8], texts: &[&str], score_min: u8) -> Result<Vec<Vec<Finding>>, NamesFault> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(NamesFault::TooLarge);
    }
    let Answer { spots } = serde_json::from_slice(answer).map_err(|_| NamesFault::NoFit)?;
    if spots.len() != texts.len() {
        return Err(NamesFault::NoFit);
    }
    let each = texts.iter().zip(spots);
    each.map(|(text, spots)| findings(text, spots, score_min))
        .collect()
}

fn findings(text: &str, spots: Vec<Spot>, score_min: u8) -> Result<Vec<Finding>, NamesFault> {
    if spots.len() > SPOTS_MAX || !spots.iter().all(|spot| fits(spot, text)) {
        return Err(NamesFault::NoFit);
    }
    let sure = spots.into_iter().filter(|spot| spot.score >= score_min);
    let mut findings: Vec<Finding> = sure.map(finding).collect();
    sort(&mut findings);
    Ok(findings)
}

/// In order of place, each once: the surest of those that are the same.
pub(super) fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let place = |finding: &Finding| (finding.span.start, finding.span.end);
        (place(a), a.kind.as_str(), b.score).cmp(&(place(b), b.kind.as_str(), a.score))
    });
    findings.dedup_by(|later, earlier| later.span == earlier.span && later.kind == earlier.kind);
}

fn fits(spot: &Spot, text: &str) -> bool {
    let length = text.get(spot.start..spot.end).map_or(0, str::len);
    (1..=SPOT_BYTES_MAX).contains(&length) && (1..=100).contains(&spot.score)
}

fn finding(spot: Spot) -> Finding {
    let kind = match spot.kind {
        SpotKind::Person => "person",
        SpotKind::Address => "address",
    };
    Finding {
        detector: detector(spot.kind),
        kind: Kind::new(kind),
        control: Control::Redaction,
        span: spot.start..spot.end,
        score: spot.score,
        view: View::Plain,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn answer(spots: &Value) -> Vec<u8> {
        json!({ "spots": spots }).to_string().into_bytes()
    }

    fn person(start: usize, end: usize, score: u32) -> Value {
        json!({"start": start, "end": end, "kind": "person", "score": score})
    }

    #[test]
    fn a_question_is_json_of_the_texts_as_they_are() {
        let texts = ["Zoë \"met\"\n", "", "\u{0}b"];
        let asked: Value = serde_json::from_slice(&question(&texts)).unwrap();
        assert_eq!(asked, json!({ "texts": texts }));
    }

    #[test]
    fn spans_come_in_order_and_once() {
        let said = answer(&json!([
            [person(8, 11, 80), person(0, 3, 90), person(8, 11, 85), person(4, 7, 49)],
            [{"start": 0, "end": 6, "kind": "address", "score": 70, "model": "of mine"}],
        ]));
        let found = read(&said, &["Ada met Bob", "1 Road"], 50).unwrap();
        let told = |at: usize| -> Vec<_> {
            let all = found[at].iter();
            all.map(|each| (each.span.clone(), each.score, each.kind.as_str().to_owned()))
                .collect()
        };
        let person = "person".to_owned();
        assert_eq!(told(0), [(0..3, 90, person.clone()), (8..11, 85, person)]);
        assert_eq!(told(1), [(0..6, 70, "address".to_owned())]);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_none() {
        let text = "Zoë met Bob";
        let bad = |said: &[u8]| {
            assert_eq!(read(said, &[text], 1), Err(NamesFault::NoFit), "{said:?}");
        };
        for spot in [
            person(0, 99, 80),
            person(0, 3, 80),
            person(3, 0, 80),
            person(2, 2, 80),
            person(0, 2, 0),
            person(0, 2, 101),
            person(0, 2, 300),
            json!({"start": 0, "end": 2, "kind": "dog", "score": 80}),
            json!({"start": -1, "end": 2, "kind": "person", "score": 80}),
            json!({"start": 0.0, "end": 2, "kind": "person", "score": 80}),
            json!({"start": 0, "kind": "person", "score": 80}),
        ] {
            bad(&answer(&json!([[spot]])));
        }
        bad(&answer(&json!([vec![person(0, 2, 80); SPOTS_MAX + 1]])));
        bad(&answer(&json!([])));
        bad(&answer(&json!([[], []])));
        for said in [
            "",
            "{}",
            "[]",
            "{\"spots\":[[]]} {}",
            "<html>",
            "{\"spots\":null}",
        ] {
            bad(said.as_bytes());
        }
        bad(b"{\"spots\":[[]],\"spots\":[[]]}");
        bad(b"{\"spots\":[[\xff]]}");
        bad(&b"[".repeat(100_000));
        let long = "a".repeat(SPOT_BYTES_MAX + 1);
        let said = answer(&json!([[person(0, long.len(), 80)]]));
        assert_eq!(read(&said, &[&long], 1), Err(NamesFault::NoFit));
        let large = vec![b' '; ANSWER_BYTES_MAX + 1];
        assert_eq!(read(&large, &[text], 1), Err(NamesFault::TooLarge));
    }

    proptest! {
        #[test]
        fn a_span_that_cuts_a_character_is_refused(text in "[aé€😀 ]{1,20}", start in 0_usize..90, end in 0_usize..90) {
            let said = answer(&json!([[person(start, end, 80)]]));
            let whole = start < end
                && end <= text.len()
                && text.is_char_boundary(start)
                && text.is_char_boundary(end);
            match read(&said, &[&text], 1) {
                Ok(found) => {
                    prop_assert!(whole);
                    prop_assert_eq!(found[0][0].span.clone(), start..end);
                }
                Err(fault) => {
                    prop_assert!(!whole);
                    prop_assert_eq!(fault, NamesFault::NoFit);
                }
            }
        }
    }
}
