//! A door for a model that the operator supplies: names and places in prose.
//!
//! Patterns find a name only behind a phrase or a title. A model may find the
//! others; none is part of this crate. What it says is checked before it counts.

use std::{fmt, ops::Range};

use terms::{Control, DetectorId, Finding, Kind, View};
use thiserror::Error;

/// LIMIT: spans that a model may name in one text.
pub const SPOTS_MAX: usize = 4_096;
/// LIMIT: bytes of one span: no name and no address is longer.
pub const SPOT_BYTES_MAX: usize = 512;

/// What a model may say of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpotKind {
    /// A person's name.
    Person,
    /// A postal address, or a part of one.
    Address,
}

/// A span that a model names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What it is.
    pub kind: SpotKind,
    /// How sure the model is, 1 to 100.
    pub score: u8,
}

/// A model that gave no answer, or one that does not fit the text. Then the text
/// was not looked at, and must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NamesFault {
    /// The model failed or took too long.
    #[error("the model for names gave no answer")]
    NoAnswer,
    /// A span lies outside the text, cuts a character, or is too long; a score
    /// is not 1 to 100; or there are too many.
    #[error("the model for names gave an answer that does not fit the text")]
    NoFit,
}

/// A model for names and addresses.
pub trait NameModel: fmt::Debug + Send + Sync {
    /// The spans of a text that are names or addresses, in any order.
    ///
    /// # Errors
    /// When the model cannot answer. It must not block for ever: whoever calls
    /// it waits.
    fn spots(&self, text: &str) -> Result<Vec<Spot>, NamesFault>;
}

/// What a model finds in a text, in order of place.
///
/// # Errors
/// When it gives no answer, or one that does not fit.
pub fn find(model: &dyn NameModel, text: &str) -> Result<Vec<Finding>, NamesFault> {
    let spots = model.spots(text)?;
    if spots.len() > SPOTS_MAX || !spots.iter().all(|spot| fits(spot, text)) {
        return Err(NamesFault::NoFit);
    }
    let mut findings: Vec<Finding> = spots.into_iter().map(finding).collect();
    findings.sort_by_key(|finding| (finding.span.start, finding.span.end));
    findings.dedup_by(|later, earlier| later.span == earlier.span && later.kind == earlier.kind);
    Ok(findings)
}

fn fits(spot: &Spot, text: &str) -> bool {
    let length = text.get(spot.span.clone()).map_or(0, str::len);
    (1..=SPOT_BYTES_MAX).contains(&length) && (1..=100).contains(&spot.score)
}

fn finding(spot: Spot) -> Finding {
    let (detector, kind) = match spot.kind {
        SpotKind::Person => ("person-model", "person"),
        SpotKind::Address => ("address-model", "address"),
    };
    Finding {
        detector: DetectorId::new(detector),
        kind: Kind::new(kind),
        control: Control::Redaction,
        span: spot.span,
        score: spot.score,
        view: View::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Says(Result<Vec<Spot>, NamesFault>);

    impl NameModel for Says {
        fn spots(&self, _text: &str) -> Result<Vec<Spot>, NamesFault> {
            self.0.clone()
        }
    }

    fn spot(span: Range<usize>, score: u8) -> Spot {
        let kind = SpotKind::Person;
        Spot { span, kind, score }
    }

    #[test]
    fn spans_come_in_order_and_once() {
        let model = Says(Ok(vec![spot(8..11, 80), spot(0..3, 90), spot(8..11, 80)]));
        let findings = find(&model, "Ada met Bob").unwrap();
        let spans: Vec<_> = findings
            .iter()
            .map(|finding| finding.span.clone())
            .collect();
        assert_eq!(spans, [0..3, 8..11]);
        assert!(
            findings
                .iter()
                .all(|finding| finding.kind.as_str() == "person")
        );
    }

    #[test]
    fn an_answer_that_does_not_fit_is_none() {
        let text = "Zoë met Bob";
        let reversed = Range { start: 3, end: 0 };
        for bad in [
            spot(0..99, 80),
            spot(0..3, 80),
            spot(reversed, 80),
            spot(2..2, 80),
            spot(0..2, 0),
            spot(0..2, 101),
        ] {
            assert_eq!(find(&Says(Ok(vec![bad])), text), Err(NamesFault::NoFit));
        }
        let many = vec![spot(0..2, 80); SPOTS_MAX + 1];
        assert_eq!(find(&Says(Ok(many)), text), Err(NamesFault::NoFit));
        let long = "a".repeat(SPOT_BYTES_MAX + 1);
        assert_eq!(
            find(&Says(Ok(vec![spot(0..long.len(), 80)])), &long),
            Err(NamesFault::NoFit)
        );
        let silent = Says(Err(NamesFault::NoAnswer));
        assert_eq!(find(&silent, text), Err(NamesFault::NoAnswer));
    }
}
