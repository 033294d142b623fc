//! Rule files of other scanners: `.gitleaks.toml` (version 8) and the rules of
//! Betterleaks, read at run time and applied to texts.
//!
//! Everything that is not understood is reported ([`Unsupported`]). A rule that
//! could only be applied in another sense than its author's is left out, unless
//! the caller asks for the wider reading, in which a condition that is not
//! understood drops nothing. Nothing is fetched and no file is looked for:
//! `extend` is reported and not followed. A remark in the text that allows a
//! secret (`gitleaks:allow`) is not obeyed, since whoever writes the text would
//! decide about it.

mod allow;
mod filter;
mod load;
mod look;
mod pattern;
mod read;

use std::{fmt, ops::Range, sync::Arc};

use aho_corasick::AhoCorasick;
use thiserror::Error;

pub use allow::AllowedBy;

use self::{allow::Allow, filter::Filter, pattern::Pattern};

/// LIMIT: bytes of a rule file.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// LIMIT: rules of a file.
pub const RULES_MAX: usize = 2_000;
/// LIMIT: matches of one text that are judged, kept or not.
pub const FINDINGS_MAX: usize = 10_000;

/// A rule file that cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImportFault {
    /// It is too long.
    #[error("a rule file has at most {FILE_BYTES_MAX} bytes")]
    TooLong,
    /// It is no TOML.
    #[error("line {line}: this is no TOML: {says}")]
    NotToml {
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        says: String,
    },
    /// It has too many rules.
    #[error("a rule file has at most {RULES_MAX} rules")]
    TooManyRules,
    /// Its keywords cannot be put together.
    #[error("the keywords of the rules are too many")]
    TooManyKeywords,
}

/// What becomes of a rule of which something is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is left out.
    LeftOut,
    /// It is used as if that were not there: it may find more, not less.
    Ignored,
}

/// Something in a rule file that is not supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The rule; none if it concerns the whole file.
    pub rule: Option<String>,
    /// What it is, in words.
    pub what: String,
    /// The key where it stands.
    pub place: String,
    /// What becomes of the rule.
    pub effect: Effect,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "rule {}, ", rule.escape_debug())?,
            None => write!(f, "the file, ")?,
        }
        let effect = match self.effect {
            Effect::LeftOut => "the rule is left out",
            Effect::Ignored => "ignored",
        };
        write!(f, "`{}`: {}; {effect}", self.place, self.what)
    }
}

/// How strictly a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// A rule that is not wholly understood is left out.
    #[default]
    Exact,
    /// Conditions that are not understood drop nothing: rules may find more
    /// than their author meant.
    Wider,
}

/// What was found by a rule of another scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFinding {
    /// The rule's name.
    pub rule: Arc<str>,
    /// The secret, in UTF-8 byte offsets of the text.
    pub span: Range<usize>,
    /// The whole match of the pattern, which may hold words around the secret.
    pub matched: Range<usize>,
    /// How sure the rule is, 1 to 100, by what the file says of it.
    pub score: u8,
    /// Which rule wins where two find the same: the higher one (Betterleaks).
    pub specificity: i32,
}

/// Why a match is no finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Too little entropy for the rule's threshold.
    Entropy,
    /// An allow-list for all rules.
    FileAllows(AllowedBy),
    /// An allow-list of the rule.
    RuleAllows(AllowedBy),
    /// The filter for all rules.
    FileFilter,
    /// The rule's filter.
    RuleFilter,
    /// A rule that must find something nearby, too, found nothing.
    Missing(Arc<str>),
    /// A rule that knows better found the same.
    MoreSpecific(Arc<str>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |by: &AllowedBy| match by {
            AllowedBy::Pattern => "a pattern",
            AllowedBy::Stopword => "a stop word",
            AllowedBy::Path => "the file's name",
            AllowedBy::Everything => "all its conditions",
        };
        match self {
            Self::Entropy => write!(f, "too little entropy for the rule"),
            Self::FileAllows(what) => write!(f, "the file's allow-list: {}", by(what)),
            Self::RuleAllows(what) => write!(f, "the rule's allow-list: {}", by(what)),
            Self::FileFilter => write!(f, "the file's filter"),
            Self::RuleFilter => write!(f, "the rule's filter"),
            Self::Missing(rule) => write!(f, "`{}` found nothing nearby", rule.escape_debug()),
            Self::MoreSpecific(rule) => write!(f, "`{}` found the same", rule.escape_debug()),
        }
    }
}

/// A match that is no finding, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// What would have been found.
    pub finding: ImportedFinding,
    /// Why it was not.
    pub reason: Reason,
}

/// All that was seen in one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What was found, in the order of the text.
    pub findings: Vec<ImportedFinding>,
    /// What matched and is no finding.
    pub suppressed: Vec<Suppressed>,
    /// Rules that were due and could not be applied: their patterns are too
    /// large. Then not everything was looked at.
    pub unusable: Vec<Arc<str>>,
    /// Whether there were more matches than may be judged. Likewise.
    pub more: bool,
}

impl Found {
    /// Whether everything was looked at that was there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.unusable.is_empty() && !self.more
    }
}

/// The rules of a file, ready to look.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Where in `rules` those are that have no keywords.
    always: Vec<usize>,
    keywords: Option<AhoCorasick>,
    /// For each keyword, which rules it belongs to.
    owners: Vec<Vec<usize>>,
    /// Whether a keyword has letters beyond ASCII.
    folds: bool,
    allow: Vec<Allow>,
    prefilter: Option<Filter>,
    filter: Option<Filter>,
    /// Whether the groups of a pattern are looked for in the match alone, as
    /// gitleaks does, and not in the text around it.
    groups_alone: bool,
}

/// One rule.
#[derive(Debug)]
struct Rule {
    id: Arc<str>,
    pattern: Pattern,
    path: Option<Pattern>,
    entropy: f64,
    group: usize,
    keywords: Vec<String>,
    allow: Vec<Allow>,
    filter: Option<Filter>,
    needs: Vec<Need>,
    /// Whether its findings are told, or only serve other rules.
    reported: bool,
    score: u8,
    specificity: i32,
}

/// Another rule that must find something, too.
#[derive(Debug)]
struct Need {
    rule: String,
    /// Where in the list of rules it is, once all are known.
    at: usize,
    /// By how many lines the other may stand before.
    lines_before: Option<usize>,
    /// By how many lines the other may stand behind.
    lines_behind: Option<usize>,
    columns: Option<usize>,
}

impl Rules {
    /// Reads a rule file, strictly.
    ///
    /// # Errors
    /// When nothing of it can be used.
    pub fn from_toml(text: &str) -> Result<(Self, Vec<Unsupported>), ImportFault> {
        Self::read(text, Reading::Exact)
    }

    /// Reads a rule file.
    ///
    /// # Errors
    /// When nothing of it can be used.
    pub fn read(text: &str, reading: Reading) -> Result<(Self, Vec<Unsupported>), ImportFault> {
        load::load(text, reading)
    }

    /// How many rules there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The names of the rules that can have findings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let told = self.rules.iter().filter(|rule| rule.reported);
        told.map(|rule| &*rule.id)
    }

    /// What is found in a text; with the name of its file, rules for some
    /// files count too.
    #[must_use]
    pub fn find(&self, text: &str, path: Option<&str>) -> Vec<ImportedFinding> {
        self.look(text, path).findings
    }

    /// Likewise, with what was suppressed and why.
    #[must_use]
    pub fn look(&self, text: &str, path: Option<&str>) -> Found {
        look::look(self, text, path.unwrap_or_default())
    }

    /// Compiles everything now, and tells which rules have patterns that are
    /// too large. Otherwise each is compiled when a text first needs it.
    #[must_use]
    pub fn verify(&self) -> Vec<Unsupported> {
        let small = |rule: &&Rule| {
            rule.pattern.regex().is_none()
                || rule
                    .path
                    .as_ref()
                    .is_some_and(|path| path.regex().is_none())
                || !rule.allow.iter().all(Allow::compiles)
                || !rule.filter.as_ref().is_none_or(Filter::compiles)
        };
        let unsupported = |rule: &Rule| Unsupported {
            rule: Some(rule.id.to_string()),
            what: "a pattern that is too large".to_owned(),
            place: "regex".to_owned(),
            effect: Effect::LeftOut,
        };
        self.rules.iter().filter(small).map(unsupported).collect()
    }
}

#[cfg(test)]
mod tests;
