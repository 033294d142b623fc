//! The catalogue: detectors as data, checked when they are loaded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use terms::{Action, Control, DetectorId, Digest, Direction, Kind, Slot};
use thiserror::Error;

use crate::{boundary::Boundary, pattern::Pattern, redact::KIND_CHARS_MAX, validate::Validator};

static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/detectors.rs"));

/// LIMIT: bytes before a match in which context words are looked for; a
/// stream keeps as many.
pub(crate) const CONTEXT_BYTES: usize = 128;

/// LIMIT: published values of one detector.
const PUBLISHED_MAX: usize = 1_024;
/// LIMIT: context words of one detector.
const CONTEXT_WORDS_MAX: usize = 128;
/// What scores less is not reported.
pub(crate) const SCORE_MIN: u8 = 50;

/// What kind of text is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Prompts and replies: values stand in prose, markup and quotes.
    #[default]
    Prompt,
    /// Source code and configuration.
    Code,
}

impl Profile {
    /// Both.
    pub const ALL: &[Self] = &[Self::Prompt, Self::Code];
}

/// A detector that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("detector file {file}: {says}")]
pub struct CatalogueFault {
    file: String,
    says: String,
}

/// What stands in place of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redaction {
    /// A token that can be turned back.
    Token,
    /// This text.
    Fixed(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    kind: String,
    title: String,
    control: Control,
    directions: Vec<Direction>,
    default_action: Action,
    #[serde(default)]
    slot_actions: BTreeMap<String, Action>,
    score: u8,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    closer: Option<String>,
    #[serde(default)]
    left: Boundary,
    #[serde(default)]
    right: Boundary,
    #[serde(default)]
    validator: Validator,
    #[serde(default)]
    context: Vec<String>,
    #[serde(default)]
    context_score: Option<u8>,
    #[serde(default)]
    entropy_min: u8,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    profiles: Option<Vec<Profile>>,
    #[serde(default)]
    replacement: Option<String>,
    #[serde(default)]
    fixed_contexts: bool,
    #[serde(default)]
    published: Vec<Digest>,
    examples: Vec<String>,
    counter_examples: Vec<String>,
}

const fn yes() -> bool {
    true
}

/// One detector.
#[derive(Debug, Clone)]
pub struct Detector {
    /// Its name.
    pub id: DetectorId,
    /// What it finds.
    pub kind: Kind,
    /// What it finds, in words.
    pub title: String,
    /// The control that it serves.
    pub control: Control,
    /// Where it looks.
    pub directions: Vec<Direction>,
    /// What is done about a finding unless the policy says otherwise.
    pub default_action: Action,
    /// What is done instead in some slots.
    pub slot_actions: BTreeMap<Slot, Action>,
    /// What stands in place of a match.
    pub redaction: Redaction,
    /// Templates of texts that it must find.
    pub examples: Vec<String>,
    /// Templates of texts that it must not find.
    pub counter_examples: Vec<String>,
    /// Whether its examples are whole texts that cannot stand in others.
    pub fixed_contexts: bool,
    /// Whether it looks unless somebody switches it on: one that fires on
    /// clean text too often does not.
    pub enabled: bool,
    /// SHA-256 of values that are no secrets, since everybody can read them:
    /// no detector of keys or passwords finds them.
    pub(crate) published: Vec<Digest>,
    /// In which texts it looks.
    pub profiles: Vec<Profile>,
    /// How sure a finding is, 1 to 100.
    pub score: u8,
    /// Likewise, with one of the context words before it; `None` where there is
    /// no finding without them.
    pub context_score: Option<u8>,
    /// Words that stand before a match, in lower case.
    pub context: Vec<String>,
    /// Tenths of a bit of entropy that each character has at least.
    pub(crate) entropy_min: u8,
    pub(crate) patterns: Vec<Arc<Pattern>>,
    pub(crate) closer: Option<String>,
    pub(crate) left: Boundary,
    pub(crate) right: Boundary,
    pub(crate) validator: Validator,
}

impl Detector {
    /// Whether a match counts only behind one of the context words.
    pub(crate) const fn needs_context(&self) -> bool {
        !self.context.is_empty() && self.context_score.is_none()
    }
}

/// All detectors of a build or a test.
#[derive(Debug, Clone)]
pub struct Catalogue {
    detectors: Vec<Detector>,
    digest: Digest,
}

impl Catalogue {
    /// The catalogue that this build carries.
    ///
    /// # Errors
    /// When a file of it cannot be used, which a test rules out.
    pub fn embedded() -> Result<Self, CatalogueFault> {
        Self::from_toml(EMBEDDED)
    }

    /// A catalogue from files: their names and texts.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn from_toml(files: &[(&str, &str)]) -> Result<Self, CatalogueFault> {
        let mut detectors = Vec::new();
        let mut ids = BTreeSet::new();
        let mut hash = Sha256::new();
        for (file, text) in files {
            let fault = |says: String| CatalogueFault {
                file: (*file).to_owned(),
                says,
            };
            let raw: Raw =
                toml::from_str(text).map_err(|error| fault(error.message().to_owned()))?;
            if !ids.insert(raw.id.clone()) {
                return Err(fault("another detector has this id".to_owned()));
            }
            detectors.push(check(raw).map_err(fault)?);
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        Ok(Self {
            detectors,
            digest: Digest(hash.finalize().into()),
        })
    }

    /// The same detectors, of which those look that `on` says.
    #[must_use]
    pub fn switched(mut self, on: impl Fn(&Detector) -> bool) -> Self {
        for detector in &mut self.detectors {
            detector.enabled = on(detector);
        }
        self
    }

    /// The detectors.
    #[must_use]
    pub fn detectors(&self) -> &[Detector] {
        &self.detectors
    }

    /// SHA-256 over the files: equal catalogues, equal hash.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

fn check_names(raw: &Raw) -> Result<(), String> {
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= 40
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let letters = |text: &str| {
        (2..=KIND_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase())
    };
    if !plain(&raw.id) || !letters(&raw.kind) {
        return Err(
            "an id is lower-case letters, digits and hyphens; a kind 2 to 12 lower-case letters"
                .to_owned(),
        );
    }
    Ok(())
}

/// What is wrong with a file without a look at its patterns.
fn plain_faults(raw: &Raw) -> Result<(), String> {
    check_names(raw)?;
    let no_profile = raw.profiles.as_ref().is_some_and(Vec::is_empty);
    let no_example = raw.examples.is_empty() || raw.counter_examples.is_empty();
    if no_profile || no_example || raw.directions.is_empty() {
        return Err(
            "a detector needs directions, profiles, examples and counter_examples".to_owned(),
        );
    }
    if raw.score == 0 || raw.score > 100 {
        return Err("a score is 1 to 100".to_owned());
    }
    if raw.profiles.as_ref().is_some_and(Vec::is_empty) {
        return Err("profiles names at least one".to_owned());
    }
    let inert = |char: char| !char.is_control() && !matches!(char, '"' | '\\' | '<' | '>');
    if !raw.replacement.iter().all(|text| text.chars().all(inert)) {
        return Err(
            "a replacement stands inside any string: no quotes, backslashes, angle brackets or control characters"
                .to_owned(),
        );
    }
    if raw.published.len() > PUBLISHED_MAX {
        return Err(format!("published has at most {PUBLISHED_MAX} hashes"));
    }
    if raw.context.len() > CONTEXT_WORDS_MAX || raw.context.iter().any(String::is_empty) {
        return Err(format!(
            "context has at most {CONTEXT_WORDS_MAX} words, none empty"
        ));
    }
    if raw
        .context_score
        .is_some_and(|score| score <= raw.score || score > 100 || raw.context.is_empty())
    {
        return Err("context_score is more than score, at most 100, and needs context".to_owned());
    }
    Ok(())
}

fn check(raw: Raw) -> Result<Detector, String> {
    plain_faults(&raw)?;
    let slot_actions = raw
        .slot_actions
        .iter()
        .map(|(word, action)| Some((Slot::from_word(word)?, *action)))
        .collect::<Option<_>>()
        .ok_or("slot_actions names a slot that does not exist")?;
    let needs_context = !raw.context.is_empty() && raw.context_score.is_none();
    let patterns: Vec<Arc<Pattern>> = raw
        .pattern
        .iter()
        .chain(&raw.patterns)
        .map(|pattern| Pattern::new(pattern, needs_context))
        .collect::<Result<_, _>>()?;
    if patterns.is_empty() {
        return Err("a detector needs a pattern".to_owned());
    }
    Ok(Detector {
        id: DetectorId::new(&raw.id),
        kind: Kind::new(&raw.kind),
        title: raw.title,
        control: raw.control,
        directions: raw.directions,
        default_action: raw.default_action,
        slot_actions,
        redaction: raw.replacement.map_or(Redaction::Token, Redaction::Fixed),
        examples: raw.examples,
        counter_examples: raw.counter_examples,
        fixed_contexts: raw.fixed_contexts,
        enabled: raw.enabled,
        published: raw.published,
        profiles: raw.profiles.unwrap_or_else(|| Profile::ALL.to_vec()),
        score: raw.score,
        context_score: raw.context_score,
        entropy_min: raw.entropy_min,
        patterns,
        closer: raw.closer,
        left: raw.left,
        right: raw.right,
        validator: raw.validator,
        context: raw
            .context
            .iter()
            .map(|word| word.to_ascii_lowercase())
            .collect(),
    })
}
