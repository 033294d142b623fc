//! The engine: all detectors over all views of a text, whole or in a stream.

mod alive;
mod matches;
mod stream;

use std::{collections::BTreeMap, fmt, sync::Arc};

use regex::Regex;
use regex_syntax::hir::literal::Extractor;
use terms::{Control, DetectorId, Digest, Direction, Finding, View};
use thiserror::Error;

use crate::{Catalogue, Detector, Profile, Redaction, redact, template::Filler, view};

use alive::Alive;

pub use stream::{Held, HeldTooMuch, Segment, StreamLimits, StreamScan};

/// A catalogue that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("detector `{0}` cannot be compiled")]
pub struct EngineFault(String);

/// What was found in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The findings, in order; they may overlap.
    pub findings: Vec<Finding>,
    /// Bytes that were looked at.
    pub bytes: u64,
    /// Whether the text had more views than may be made. Then not everything
    /// was looked at, and the text must not pass.
    pub work_exceeded: bool,
}

/// Matches of fewer bytes may stand in a long random value by chance.
const SURE_BYTES_MIN: usize = 9;
/// Likewise, unless they begin with as many bytes of their own.
const SURE_LITERAL_BYTES_MIN: usize = 3;

/// A compiled detector.
#[derive(Debug, Clone)]
struct Rule {
    detector: Detector,
    patterns: Vec<Regex>,
    closer: Option<Closer>,
    /// Whether no random bytes will match.
    sure: bool,
}

/// Whether a pattern is long, or begins with letters of its own.
fn sure(pattern: &str) -> bool {
    let Ok(hir) = regex_syntax::parse(pattern) else {
        return false;
    };
    let bytes = hir.properties().minimum_len().unwrap_or(0);
    let literal = Extractor::new().extract(&hir).min_literal_len();
    bytes >= SURE_BYTES_MIN || literal.is_some_and(|bytes| bytes >= SURE_LITERAL_BYTES_MIN)
}

/// What ends a match that an opener begins.
#[derive(Debug, Clone)]
struct Closer {
    pattern: Regex,
    /// The longest that it can be, if it can be told from its own bytes alone.
    bytes_max: Option<usize>,
}

impl Closer {
    fn new(pattern: &str) -> Option<Self> {
        let hir = regex_syntax::parse(pattern).ok()?;
        let alone = hir.properties().look_set().is_empty();
        Some(Self {
            pattern: Regex::new(pattern).ok()?,
            bytes_max: hir.properties().maximum_len().filter(|_| alone),
        })
    }
}

#[derive(Debug)]
struct Inner {
    rules: Vec<Rule>,
    token: Regex,
    alive: BTreeMap<Direction, Alive>,
    digest: Digest,
    redactions: BTreeMap<DetectorId, Redaction>,
}

/// All detectors, ready to look. Clones share them.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

impl Engine {
    /// Prepares the detectors of a catalogue that are switched on, for prompts
    /// and replies.
    ///
    /// # Errors
    /// When a detector cannot be used.
    pub fn new(catalogue: Catalogue) -> Result<Self, EngineFault> {
        Self::with_profile(catalogue, Profile::Prompt)
    }

    /// Likewise, for texts of this profile.
    ///
    /// # Errors
    /// When a detector cannot be used.
    pub fn with_profile(catalogue: Catalogue, profile: Profile) -> Result<Self, EngineFault> {
        let kinds: Vec<&str> = catalogue
            .detectors()
            .iter()
            .map(|detector| detector.kind.as_str())
            .collect();
        let token_pattern = redact::token_pattern(&kinds);
        let fault = |id: &str| EngineFault(id.to_owned());
        let mut rules = Vec::new();
        let looks =
            |detector: &&Detector| detector.enabled && detector.profiles.contains(&profile);
        for detector in catalogue.detectors().iter().filter(looks) {
            let compiled = detector
                .patterns
                .iter()
                .map(|pattern| Regex::new(pattern))
                .collect::<Result<_, _>>();
            let closer = match detector.closer.as_deref() {
                Some(closer) => {
                    Some(Closer::new(closer).ok_or_else(|| fault(detector.id.as_str()))?)
                }
                None => None,
            };
            rules.push(Rule {
                patterns: compiled.map_err(|_| fault(detector.id.as_str()))?,
                closer,
                sure: detector.patterns.iter().all(|pattern| sure(pattern)),
                detector: detector.clone(),
            });
        }
        let alive = alive(&rules, &token_pattern).ok_or_else(|| fault("all"))?;
        let redactions = catalogue
            .detectors()
            .iter()
            .map(|detector| (detector.id.clone(), detector.redaction.clone()))
            .collect();
        let token = Regex::new(&token_pattern).map_err(|_| fault("token"))?;
        Ok(Self(Arc::new(Inner {
            rules,
            token,
            alive,
            digest: catalogue.digest(),
            redactions,
        })))
    }

    /// The same detectors, less those of controls that are left out; `None` if
    /// they cannot be put together.
    #[must_use]
    pub fn only(&self, keep: impl Fn(Control) -> bool) -> Option<Self> {
        let inner = &self.0;
        let rules: Vec<Rule> = inner
            .rules
            .iter()
            .filter(|rule| keep(rule.detector.control))
            .cloned()
            .collect();
        Some(Self(Arc::new(Inner {
            alive: alive(&rules, inner.token.as_str())?,
            rules,
            token: inner.token.clone(),
            digest: inner.digest,
            redactions: inner.redactions.clone(),
        })))
    }

    fn looks(&self, direction: Direction) -> bool {
        let mut rules = self.0.rules.iter();
        rules.any(|rule| rule.detector.directions.contains(&direction))
    }

    /// Looks at a whole text. What is found in an encoded run is the whole
    /// run, since half of one means nothing; a stream, which may have let the
    /// run's beginning go, gives the part that holds the match.
    #[must_use]
    pub fn scan(&self, text: &str, direction: Direction) -> Scan {
        self.scan_after("", text, direction)
    }

    /// Likewise, of a text before which this stands: the keys of a value, in
    /// which detectors find their context words. Nothing is found in it, no
    /// match runs over into it, and its bytes do not count.
    #[must_use]
    pub fn scan_after(&self, before: &str, text: &str, direction: Direction) -> Scan {
        if !self.looks(direction) {
            // Nothing looks: no byte counts as looked at.
            return Scan {
                findings: Vec::new(),
                bytes: 0,
                work_exceeded: false,
            };
        }
        let views = view::views(text, false);
        let mut findings = Vec::new();
        for view in &views.views {
            findings.extend(
                matches::in_view(self, view, direction, 0, None, before)
                    .into_iter()
                    .map(|found| found.finding),
            );
        }
        for finding in &mut findings {
            matches::widen(text, finding);
        }
        matches::dedupe(&mut findings);
        Scan {
            findings,
            bytes: text.len() as u64,
            work_exceeded: views.exceeded,
        }
    }

    /// Likewise, of a value that calls itself opaque. Where it is one run of
    /// base64 or less, any long one holds an e-mail address by chance once
    /// decoded; there only detectors count whose matches chance does not make.
    #[must_use]
    pub fn scan_opaque(&self, text: &str, direction: Direction) -> Scan {
        let mut scan = self.scan(text, direction);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
        if text.bytes().all(fits) {
            scan.findings
                .retain(|finding| finding.view == View::Plain || self.is_sure(&finding.detector));
        }
        scan
    }

    fn is_sure(&self, detector: &DetectorId) -> bool {
        let mut rules = self.0.rules.iter();
        rules.any(|rule| rule.sure && rule.detector.id == *detector)
    }

    /// Begins to look at a text that comes piece by piece.
    #[must_use]
    pub fn stream(&self, direction: Direction, limits: StreamLimits) -> StreamScan {
        StreamScan::new(self.clone(), direction, limits)
    }

    /// Hash of the detectors.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What stands in place of a detector's matches.
    #[must_use]
    pub fn redaction(&self, detector: &DetectorId) -> Option<&Redaction> {
        self.0.redactions.get(detector)
    }

    /// One filled-in example of each detector that serves this control in this
    /// direction: what a canary shows.
    #[must_use]
    pub fn samples(&self, control: Control, direction: Direction) -> Vec<String> {
        let rules = self.0.rules.iter().map(|rule| &rule.detector);
        let serving = rules.filter(|detector| {
            detector.control == control && detector.directions.contains(&direction)
        });
        serving
            .filter_map(|detector| detector.examples.first())
            .map(|example| Filler::new(1).fill(example))
            .collect()
    }
}

/// For each direction, what tells how far back a match may begin.
fn alive(rules: &[Rule], token_pattern: &str) -> Option<BTreeMap<Direction, Alive>> {
    let mut alive = BTreeMap::new();
    for direction in Direction::ALL {
        let rules = rules
            .iter()
            .filter(|rule| rule.detector.directions.contains(direction));
        let patterns: Vec<&str> = rules
            .flat_map(|rule| rule.detector.patterns.iter().map(String::as_str))
            .chain([token_pattern])
            .collect();
        alive.insert(*direction, Alive::new(&patterns)?);
    }
    Some(alive)
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} detectors", self.0.rules.len())
    }
}

#[cfg(test)]
mod tests;
