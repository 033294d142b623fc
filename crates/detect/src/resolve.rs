//! Overlapping findings: which one is told.

use std::{cmp::Reverse, collections::BTreeMap, ops::Range};

use terms::{Control, DetectorId, Finding};

use crate::Detector;

/// What became of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is told.
    Told,
    /// Another one covers some of the same bytes, and is surer, longer or
    /// earlier.
    Overlapped {
        /// The detector of the other one.
        by: DetectorId,
        /// Where the other one stands, in UTF-8 byte offsets of the text.
        span: Range<usize>,
        /// How sure the other one is.
        score: u8,
    },
}

/// A finding, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The finding.
    pub finding: Finding,
    /// What became of it.
    pub outcome: Outcome,
}

/// Of the findings of one control that overlap, the surest; among equally sure
/// ones the longest, then the earliest, then the first by name. The answer
/// does not depend on the order given, and is sorted by place.
///
/// Findings of different controls do not stand against each other: that a
/// text holds an instruction says nothing about the address in it.
#[must_use]
pub fn resolve(findings: Vec<Finding>) -> Vec<Finding> {
    let all = resolve_explained(findings).into_iter();
    all.filter(|each| each.outcome == Outcome::Told)
        .map(|each| each.finding)
        .collect()
}

/// What is told: where, by which detector, how surely.
type Winner = (Range<usize>, DetectorId, u8);

/// Likewise, with those that are not told.
#[must_use]
pub fn resolve_explained(mut findings: Vec<Finding>) -> Vec<Explained> {
    findings.sort_by(|a, b| rank(a).cmp(&rank(b)));
    let mut told: BTreeMap<Control, BTreeMap<usize, Winner>> = BTreeMap::new();
    let mut all: Vec<Explained> = findings
        .into_iter()
        .map(|finding| {
            let told = told.entry(finding.control).or_default();
            // INVARIANT: what is told never overlaps, so the last one that
            // begins before the end is the only one that can.
            let nearest = told.range(..finding.span.end).next_back();
            let outcome = match nearest {
                Some((_, (span, by, score))) if span.end > finding.span.start => {
                    Outcome::Overlapped {
                        by: by.clone(),
                        span: span.clone(),
                        score: *score,
                    }
                }
                Some(_) | None => {
                    let own = (
                        finding.span.clone(),
                        finding.detector.clone(),
                        finding.score,
                    );
                    told.insert(finding.span.start, own);
                    Outcome::Told
                }
            };
            Explained { finding, outcome }
        })
        .collect();
    all.sort_by(|a, b| {
        let place = |each: &Explained| (each.finding.span.start, each.finding.span.end);
        place(a)
            .cmp(&place(b))
            .then_with(|| rank(&a.finding).cmp(&rank(&b.finding)))
    });
    all
}

/// The order in which findings are told. It looks at every part of a finding,
/// so that no two different ones are equal.
fn rank(finding: &Finding) -> impl Ord + '_ {
    (
        Reverse(finding.score),
        Reverse(finding.span.len()),
        finding.span.start,
        finding.detector.as_str(),
        finding.view,
        finding.control,
        finding.kind.as_str(),
    )
}

impl Detector {
    /// The name of the check that a match must pass, as its file spells it;
    /// `None` if the pattern is enough.
    #[must_use]
    pub fn check(&self) -> Option<String> {
        let mut name = String::new();
        for char in format!("{:?}", self.validator).chars() {
            if char.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(char.to_ascii_lowercase());
        }
        (name != "none").then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::{Kind, View};

    use super::*;

    fn finding(id: &str, span: Range<usize>, score: u8, control: Control) -> Finding {
        Finding {
            detector: DetectorId::new(id),
            kind: Kind::new("key"),
            control,
            span,
            score,
            view: View::Plain,
        }
    }

    fn told(findings: Vec<Finding>) -> Vec<String> {
        resolve(findings)
            .iter()
            .map(|finding| finding.detector.to_string())
            .collect()
    }

    #[test]
    fn the_surest_then_the_longest_is_told() {
        let one = |id, span, score| finding(id, span, score, Control::Redaction);
        assert_eq!(
            told(vec![one("long", 0..20, 80), one("sure", 5..9, 90)]),
            ["sure"]
        );
        assert_eq!(
            told(vec![one("short", 5..9, 80), one("long", 0..20, 80)]),
            ["long"]
        );
        assert_eq!(told(vec![one("b", 0..4, 80), one("a", 0..4, 80)]), ["a"]);
        assert_eq!(
            told(vec![one("b", 4..8, 80), one("a", 0..4, 80)]),
            ["a", "b"],
            "neighbours do not overlap"
        );
        let chain = resolve_explained(vec![
            one("a", 0..6, 70),
            one("b", 4..10, 90),
            one("c", 9..12, 80),
        ]);
        let by = Outcome::Overlapped {
            by: DetectorId::new("b"),
            span: 4..10,
            score: 90,
        };
        assert_eq!(
            chain
                .iter()
                .map(|each| each.outcome.clone())
                .collect::<Vec<_>>(),
            [by.clone(), Outcome::Told, by]
        );
    }

    #[test]
    fn controls_do_not_stand_against_each_other() {
        let both = vec![
            finding("order", 0..30, 99, Control::Screening),
            finding("mail", 5..20, 60, Control::Redaction),
        ];
        assert_eq!(told(both), ["order", "mail"]);
    }

    #[test]
    fn checks_have_the_names_of_their_files() {
        let catalogue = crate::Catalogue::embedded().unwrap();
        let check = |id: &str| {
            let mut all = catalogue.detectors().iter();
            all.find(|detector| detector.id.as_str() == id)
                .unwrap()
                .check()
        };
        assert_eq!(
            (check("card").as_deref(), check("private-key")),
            (Some("card"), None)
        );
    }

    fn some() -> impl Strategy<Value = Vec<Finding>> {
        let one = (0_usize..60, 1_usize..20, 50_u8..54, 0_usize..2, "[a-c]");
        let one = one.prop_map(|(start, length, score, control, id)| {
            finding(&id, start..start + length, score, Control::ALL[control])
        });
        proptest::collection::vec(one, 0..30)
    }

    proptest! {
        #[test]
        fn what_is_told_overlaps_nothing_and_covers_every_place(findings in some(), turn in 0_usize..30) {
            let told = resolve(findings.clone());
            for (at, one) in told.iter().enumerate() {
                for other in told.iter().skip(at + 1).filter(|other| other.control == one.control) {
                    prop_assert!(one.span.end <= other.span.start);
                }
            }
            for each in resolve_explained(findings.clone()) {
                if let Outcome::Overlapped { span, score, .. } = each.outcome {
                    prop_assert!(span.start < each.finding.span.end && each.finding.span.start < span.end);
                    prop_assert!(score >= each.finding.score);
                    prop_assert!(told.iter().any(|one| one.span == span && one.control == each.finding.control));
                }
            }
            let mut turned = findings.clone();
            if !turned.is_empty() {
                let by = turn % turned.len();
                turned.rotate_left(by);
            }
            prop_assert_eq!(resolve(turned), told.clone(), "the order does not matter");
            prop_assert_eq!(resolve(told.clone()), told);
        }
    }
}
