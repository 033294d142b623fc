//! Filter expressions of Betterleaks' rules, of which a part is understood:
//! comparisons of entropy and length, patterns, words, and their logic.
//!
//! A part that is not understood is neither true nor false. Logic goes on with
//! three values (Kleene's), and only what is certainly true drops a finding.

mod parse;

use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::{
    allow::{entropy_of_bytes, entropy_of_characters},
    pattern::Pattern,
};

/// An expression that says whether a finding is to be dropped.
#[derive(Debug)]
pub(super) struct Filter {
    root: Truth,
    /// What of it is not understood.
    pub(super) unknown: Vec<String>,
}

/// What an expression can speak of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts<'a> {
    pub(super) secret: &'a str,
    pub(super) matched: &'a str,
    /// The lines of the match.
    pub(super) line: &'a str,
    pub(super) path: &'a str,
    pub(super) rule: &'a str,
}

#[derive(Debug, Clone)]
enum Truth {
    Known(bool),
    Unknown,
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Compared(Number, Order, Number),
    Same(Words, Words),
    Matches(Words, Arc<Pattern>),
    Contains(Words, Arc<AhoCorasick>),
    Holds(Words, Where, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Begin,
    End,
    Anywhere,
}

#[derive(Debug, Clone)]
enum Number {
    Just(f64),
    Entropy(Words),
    Length(Words),
}

#[derive(Debug, Clone)]
enum Words {
    Just(String),
    Secret,
    Match,
    Line,
    Path,
    Rule,
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let (root, unknown) = parse::parse(text)?;
        Ok(Self { root, unknown })
    }

    /// Whether it is certain that the finding is to be dropped.
    pub(super) fn drops(&self, facts: &Facts<'_>) -> bool {
        self.root.judge(facts) == Some(true)
    }

    /// Whether all its patterns are small enough.
    pub(super) fn compiles(&self) -> bool {
        self.root.compiles()
    }
}

impl Truth {
    fn judge(&self, facts: &Facts<'_>) -> Option<bool> {
        match self {
            Self::Known(truth) => Some(*truth),
            Self::Unknown => None,
            Self::Not(inner) => inner.judge(facts).map(|truth| !truth),
            Self::All(all) => settle(all, facts, false),
            Self::Any(all) => settle(all, facts, true),
            Self::Compared(left, order, right) => {
                let (left, right) = (left.value(facts), right.value(facts));
                Some(match order {
                    Order::Less => left < right,
                    Order::AtMost => left <= right,
                    Order::More => left > right,
                    Order::AtLeast => left >= right,
                    Order::Equal => (left - right).abs() < f64::EPSILON,
                })
            }
            Self::Same(left, right) => Some(left.text(facts) == right.text(facts)),
            Self::Matches(words, pattern) => pattern.matches(words.text(facts)),
            Self::Contains(words, terms) => Some(terms.is_match(&words.text(facts).to_lowercase())),
            Self::Holds(words, place, part) => {
                let text = words.text(facts);
                Some(match place {
                    Where::Begin => text.starts_with(part),
                    Where::End => text.ends_with(part),
                    Where::Anywhere => text.contains(part),
                })
            }
        }
    }

    fn compiles(&self) -> bool {
        match self {
            Self::Not(inner) => inner.compiles(),
            Self::All(all) | Self::Any(all) => all.iter().all(Self::compiles),
            Self::Matches(_, pattern) => pattern.regex().is_some(),
            Self::Known(_)
            | Self::Unknown
            | Self::Compared(..)
            | Self::Same(..)
            | Self::Contains(..)
            | Self::Holds(..) => true,
        }
    }

    /// How many parts it has.
    fn parts(&self) -> usize {
        match self {
            Self::Not(inner) => 1 + inner.parts(),
            Self::All(all) | Self::Any(all) => 1 + all.iter().map(Self::parts).sum::<usize>(),
            Self::Known(_)
            | Self::Unknown
            | Self::Compared(..)
            | Self::Same(..)
            | Self::Matches(..)
            | Self::Contains(..)
            | Self::Holds(..) => 1,
        }
    }
}

/// One part that is `decisive` settles it; one that is unknown leaves it open.
fn settle(all: &[Truth], facts: &Facts<'_>, decisive: bool) -> Option<bool> {
    let mut open = false;
    for part in all {
        match part.judge(facts) {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!decisive)
}

impl Number {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a text is far shorter than 2^52 bytes"
    )]
    fn value(&self, facts: &Facts<'_>) -> f64 {
        match self {
            Self::Just(number) => *number,
            Self::Entropy(words) => entropy_of_bytes(words.text(facts)),
            Self::Length(words) => words.text(facts).chars().count() as f64,
        }
    }
}

impl Words {
    fn text<'a>(&'a self, facts: &Facts<'a>) -> &'a str {
        match self {
            Self::Just(text) => text,
            Self::Secret => facts.secret,
            Self::Match => facts.matched,
            Self::Line => facts.line,
            Self::Path => facts.path,
            Self::Rule => facts.rule,
        }
    }
}

/// Whether gitleaks' own threshold drops a secret.
pub(super) fn too_regular(secret: &str, threshold: f64) -> bool {
    threshold != 0.0 && entropy_of_characters(secret) <= threshold
}

#[cfg(test)]
mod tests;
