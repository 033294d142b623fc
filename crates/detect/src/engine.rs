//! The engine: all detectors over all views of a text, whole or in a stream.

mod explain;
mod hits;
mod look;
mod matches;
mod plan;
mod published;
mod refused;
mod stream;

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use regex::Regex;
use regex_syntax::hir::literal::Extractor;
use terms::{Control, DetectorId, Digest, Direction, Finding, Kind, View};
use thiserror::Error;

use crate::{
    Catalogue, Detector, Profile, Redaction, catalogue::CONTEXT_BYTES, pattern::Pattern, redact,
    template::Filler, view,
};

use look::{Reached, Task};
use plan::Plan;
use published::Published;

pub use explain::Explanation;
use refused::Refusals;
pub use refused::{Refused, Why};
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
    /// Whether the text had more views or findings than may be, or would have
    /// been too much work. Then not everything was looked at, and the text must
    /// not pass.
    pub work_exceeded: bool,
    /// Bytes that were read to look at it, views and second looks included:
    /// at most [`WORK_FACTOR`] for each byte, and a floor for short texts.
    pub work: u64,
}

/// LIMIT: bytes that are read for each byte of a text.
pub const WORK_FACTOR: usize = 512;
/// LIMIT: likewise, of a short text.
const WORK_FLOOR: usize = 4 << 20;
/// LIMIT: findings of one text, one that several patterns or views show counted
/// as often.
pub const FINDINGS_MAX: usize = 128 << 10;

/// Matches of fewer bytes may stand in a long random value by chance.
const SURE_BYTES_MIN: usize = 9;
/// Likewise, unless they begin with as many bytes of their own.
const SURE_LITERAL_BYTES_MIN: usize = 3;

/// A detector that looks.
#[derive(Debug, Clone)]
struct Rule {
    /// Its number.
    number: usize,
    detector: Detector,
    closer: Option<Closer>,
    /// Whether no random bytes will match.
    sure: bool,
    /// Whether it finds what is none once it is published.
    secret: bool,
}

impl Rule {
    fn new(number: usize, detector: &Detector) -> Result<Self, EngineFault> {
        let closer = match detector.closer.as_deref() {
            Some(closer) => Some(
                Closer::new(closer).ok_or_else(|| EngineFault(detector.id.as_str().to_owned()))?,
            ),
            None => None,
        };
        let mut patterns = detector.patterns.iter();
        Ok(Self {
            number,
            closer,
            sure: patterns.all(|pattern| sure(pattern.text())),
            secret: published::can_be(&detector.kind),
            detector: detector.clone(),
        })
    }
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
    plan: Plan,
    token: Regex,
    token_pattern: Arc<Pattern>,
    published: Published,
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
        Self::those(&catalogue, |detector| detector.looks(profile))
    }

    /// The detectors of a catalogue that are kept, switched on or not.
    fn those(catalogue: &Catalogue, keep: impl Fn(&Detector) -> bool) -> Result<Self, EngineFault> {
        let kinds: Vec<&str> = catalogue
            .detectors()
            .iter()
            .map(|detector| detector.kind.as_str())
            .collect();
        let token_text = redact::token_pattern(&kinds);
        let rules = catalogue
            .detectors()
            .iter()
            .filter(|detector| keep(detector))
            .enumerate()
            .map(|(number, detector)| Rule::new(number, detector))
            .collect::<Result<Vec<_>, _>>()?;
        let fault = |what: &str| EngineFault(what.to_owned());
        let token = Regex::new(&token_text).map_err(|_| fault("token"))?;
        let token_pattern = Pattern::new(&token_text, false).map_err(|_| fault("token"))?;
        let redactions = catalogue
            .detectors()
            .iter()
            .map(|detector| (detector.id.clone(), detector.redaction.clone()))
            .collect();
        Ok(Self(Arc::new(Inner {
            plan: Plan::new(&rules, &token_pattern).ok_or_else(|| fault("all"))?,
            published: Published::of(catalogue.detectors()),
            rules,
            token,
            token_pattern,
            digest: catalogue.digest(),
            redactions,
        })))
    }

    /// The same detectors, less those of controls that are left out; `None` if
    /// they cannot be put together.
    #[must_use]
    pub fn only(&self, keep: impl Fn(Control) -> bool) -> Option<Self> {
        self.only_those(|detector| keep(detector.control))
    }

    /// Likewise, those of kinds that are kept.
    #[must_use]
    pub fn only_kinds(&self, keep: impl Fn(&Kind) -> bool) -> Option<Self> {
        self.only_those(|detector| keep(&detector.kind))
    }

    fn only_those(&self, keep: impl Fn(&Detector) -> bool) -> Option<Self> {
        let inner = &self.0;
        let kept = inner.rules.iter().filter(|rule| keep(&rule.detector));
        let rules: Vec<Rule> = kept
            .enumerate()
            .map(|(number, rule)| Rule {
                number,
                ..rule.clone()
            })
            .collect();
        Some(Self(Arc::new(Inner {
            plan: Plan::new(&rules, &inner.token_pattern)?,
            published: inner.published.clone(),
            rules,
            token: inner.token.clone(),
            token_pattern: Arc::clone(&inner.token_pattern),
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
    /// which detectors find their context words and the names of secrets. What
    /// begins there and ends here is found, as far as it lies here; what lies
    /// there is not, and its bytes do not count.
    #[must_use]
    pub fn scan_after(&self, before: &str, text: &str, direction: Direction) -> Scan {
        self.look(before, text, Some(direction), false).0
    }

    /// Looks at a text with the detectors of both directions.
    #[must_use]
    pub fn scan_either(&self, text: &str) -> Scan {
        self.look("", text, None, false).0
    }

    /// Whether something in a text looks like a placeholder of this product.
    #[must_use]
    pub fn has_token(&self, text: &str) -> bool {
        matches::has_token(self, text)
    }

    /// Whether no detector finds anything in a text, whichever way it goes.
    #[must_use]
    pub fn is_clean(&self, text: &str) -> bool {
        let scan = self.scan_either(text);
        scan.findings.is_empty() && !scan.work_exceeded
    }

    fn look(
        &self,
        before: &str,
        text: &str,
        direction: Option<Direction>,
        explain: bool,
    ) -> (Scan, Refusals) {
        let mut scan = Scan {
            findings: Vec::new(),
            bytes: 0,
            work_exceeded: false,
            work: 0,
        };
        let mut refused = Refusals::default();
        if direction.is_some_and(|direction| !self.looks(direction)) {
            // Nothing looks: no byte counts as looked at.
            return (scan, refused);
        }
        scan.bytes = text.len() as u64;
        let before = look::tail(before, CONTEXT_BYTES);
        let text = match before {
            "" => Cow::Borrowed(text),
            _ => Cow::Owned([before, text].concat()),
        };
        let task = Task {
            direction,
            from: before.len(),
            seam: (!before.is_empty()).then_some(before.len()),
            explain,
        };
        let mut work_left = work_max(&text);
        let mut plain = None;
        let mut reached = Reached::new(self);
        let made = view::each(&text, false, None, |view| {
            let seen = look::in_view(self, view, task, plain.as_ref(), work_left, &mut reached);
            scan.findings
                .extend(seen.found.into_iter().map(|found| found.finding));
            scan.work_exceeded |= seen.failed;
            scan.work += seen.work as u64;
            work_left = work_left.saturating_sub(seen.work);
            // What was found stays: where the operator lets such texts pass, it
            // is still carried out.
            if scan.findings.len() > FINDINGS_MAX {
                (scan.work_exceeded, work_left) = (true, 0);
            }
            refused.extend(seen.refused);
            plain.get_or_insert(seen.hits);
            // Nothing more would be found.
            explain || work_left > 0 || !scan.work_exceeded
        });
        scan.work_exceeded |= made.exceeded;
        reached.leave();
        matches::widen(&text, &mut scan.findings);
        for finding in &mut scan.findings {
            finding.span.start = finding.span.start.saturating_sub(before.len());
            finding.span.end = finding.span.end.saturating_sub(before.len());
        }
        matches::dedupe(&mut scan.findings);
        (scan, refused)
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
    pub fn samples(
        &self,
        control: Control,
        direction: Direction,
    ) -> impl Iterator<Item = Sample> + '_ {
        let rules = self.0.rules.iter().map(|rule| &rule.detector);
        let serving = rules.filter(move |detector| {
            detector.control == control && detector.directions.contains(&direction)
        });
        serving.filter_map(|detector| {
            Some(Sample {
                detector: detector.id.clone(),
                kind: detector.kind.clone(),
                text: Filler::new(1).fill(detector.examples.first()?),
            })
        })
    }
}

/// An example of a detector, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The detector that is to find it.
    pub detector: DetectorId,
    /// What it is.
    pub kind: Kind,
    /// The text.
    pub text: String,
}

/// LIMIT: the work that a text may be.
fn work_max(text: &str) -> usize {
    text.len().saturating_mul(WORK_FACTOR).max(WORK_FLOOR)
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} detectors", self.0.rules.len())
    }
}

#[cfg(test)]
mod tests;
