//! Why what a pattern found is no finding.

use std::collections::BTreeMap;

use terms::{DetectorId, Direction, Finding};

use super::{Engine, EngineFault, Refused, Scan, Why, refused::Refusals};
use crate::{Catalogue, Detector, Profile};

/// What was found in a text, and what was let go.
#[derive(Debug)]
pub struct Explanation {
    /// What a scan says.
    pub scan: Scan,
    /// The matches that are no findings, in order of place. One that begins in
    /// a finding of the same pattern is none of them.
    pub refused: Vec<Refused>,
    /// Whether there were more than are told, or it was too much work to find
    /// them all.
    pub more: bool,
}

impl Detector {
    /// Whether it looks at texts of this profile.
    pub(super) fn looks(&self, profile: Profile) -> bool {
        self.enabled && self.profiles.contains(&profile)
    }
}

impl Engine {
    /// The detectors of a catalogue that [`Engine::with_profile`] leaves out.
    ///
    /// # Errors
    /// When a detector cannot be used.
    pub fn left_out(catalogue: &Catalogue, profile: Profile) -> Result<Self, EngineFault> {
        Self::those(catalogue, |detector| !detector.looks(profile))
    }

    /// Looks at a text and tells each match that is no finding, and why; also
    /// what detectors would find that look in the other direction, and those
    /// of an engine that was left out.
    #[must_use]
    pub fn explain(
        &self,
        text: &str,
        direction: Direction,
        left_out: Option<&Self>,
    ) -> Explanation {
        let scan = self.scan(text, direction);
        // More is tried to explain, which may be too much where a scan is not.
        let (tried, mut refused) = self.look("", text, Some(direction), true);
        refused.more |= tried.work_exceeded;
        let other = match direction {
            Direction::Request => Direction::Reply,
            Direction::Reply => Direction::Request,
        };
        let (turned, _) = self.look("", text, Some(other), false);
        refused.more |= turned.work_exceeded;
        let all = self.detectors();
        for finding in turned.findings {
            let own = all.get(&finding.detector);
            if own.is_some_and(|own| !own.directions.contains(&direction)) {
                refused.push(refusal(finding, Why::Direction));
            }
        }
        if let Some(left_out) = left_out {
            let (without, _) = left_out.look("", text, None, false);
            refused.more |= without.work_exceeded;
            let all = left_out.detectors();
            for finding in without.findings {
                let own = all.get(&finding.detector);
                let why = if own.is_some_and(|own| own.enabled) {
                    Why::Profile
                } else {
                    Why::Off
                };
                refused.push(refusal(finding, why));
            }
        }
        let Refusals { list, more } = told(refused, &scan.findings);
        Explanation {
            scan,
            refused: list,
            more,
        }
    }

    fn detectors(&self) -> BTreeMap<&DetectorId, &Detector> {
        let rules = self.0.rules.iter().map(|rule| &rule.detector);
        rules.map(|detector| (&detector.id, detector)).collect()
    }
}

fn refusal(finding: Finding, why: Why) -> Refused {
    Refused {
        detector: finding.detector,
        kind: finding.kind,
        span: finding.span,
        why,
    }
}

/// Less what the same detector found there after all: by another pattern, or
/// through another view.
fn told(mut refused: Refusals, findings: &[Finding]) -> Refusals {
    let mut found: BTreeMap<&DetectorId, BTreeMap<usize, usize>> = BTreeMap::new();
    for finding in findings {
        let ends = found.entry(&finding.detector).or_default();
        let end = ends.entry(finding.span.start).or_default();
        *end = (*end).max(finding.span.end);
    }
    // Findings of one detector overlap each other seldom, and then little: the
    // nearest tells.
    refused.list.retain(|refused| {
        let nearest = found
            .get(&refused.detector)
            .and_then(|ends| ends.range(..refused.span.end).next_back());
        nearest.is_none_or(|(_, end)| *end <= refused.span.start)
    });
    refused.sort();
    refused
}
