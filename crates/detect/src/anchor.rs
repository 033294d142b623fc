//! What a pattern can be found by: letters of its own, digits, or the words
//! that must stand before it. A pattern without any would have to be tried
//! everywhere, and is refused.

mod cost;
mod spell;

use std::ops::RangeInclusive;

use regex_syntax::hir::{Hir, HirKind, Repetition};

use crate::byteset::ByteSet;
use spell::spelled;

pub(crate) use cost::of_text;

/// LIMIT: bytes of a match before its literal.
const BEFORE_BYTES_MAX: usize = 128;
/// LIMIT: places at which a match may begin before its digits.
const BEFORE_DIGITS_MAX: usize = 4;
/// What stands in so many of a million bytes is not worth a try each.
const COMMON: f64 = 5_000.0;

/// Something that every match has; a pattern has one or more, one for each
/// of its branches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// One of these texts, so many bytes after its start. Their small letters
    /// stand for either case.
    Literals {
        /// The texts.
        texts: Vec<Vec<u8>>,
        /// The bytes before it.
        before: RangeInclusive<usize>,
        /// What they can be.
        within: ByteSet,
    },
    /// A row of digits begins so many bytes after its start.
    Digits {
        /// The bytes before it.
        before: RangeInclusive<usize>,
    },
    /// The context words before it.
    Words,
}

/// The anchors of a pattern; `None` if it has none. `words` says whether the
/// detector has context words that must stand before a match.
pub(crate) fn anchors(hir: &Hir, words: bool) -> Option<Vec<Anchor>> {
    let hir = inner(hir);
    let branches = match hir.kind() {
        HirKind::Alternation(branches) => branches.as_slice(),
        _ => std::slice::from_ref(hir),
    };
    branches
        .iter()
        .map(|branch| anchor(branch, words))
        .collect()
}

/// How many letters and digits every match begins with, at least.
pub(crate) fn run_min(hir: &Hir) -> usize {
    let hir = inner(hir);
    let branches = match hir.kind() {
        HirKind::Alternation(branches) => branches.as_slice(),
        _ => std::slice::from_ref(hir),
    };
    let of = |branch: &Hir| {
        let mut parts = Vec::new();
        flatten(branch, &mut parts);
        leading(&parts, |byte| byte.is_ascii_alphanumeric())
    };
    branches.iter().map(of).min().unwrap_or(0)
}

/// Without the groups around it.
fn inner(hir: &Hir) -> &Hir {
    match hir.kind() {
        HirKind::Capture(capture) => inner(&capture.sub),
        HirKind::Repetition(Repetition {
            min: 1,
            max: Some(1),
            sub,
            ..
        }) => inner(sub),
        _ => hir,
    }
}

/// What is rarest.
fn anchor(branch: &Hir, words: bool) -> Option<Anchor> {
    let mut parts = Vec::new();
    flatten(branch, &mut parts);
    let texts = literals(&parts, false);
    let digits = digits(&parts);
    let rare = texts.into_iter().chain(digits);
    let rare = rare.min_by(|one, other| one.0.total_cmp(&other.0));
    if words {
        // Where there must be a word, nothing else costs much, and the word
        // alone is better than what stands everywhere.
        return rare
            .filter(|(cost, _)| *cost < COMMON)
            .map_or(Some(Anchor::Words), |(_, anchor)| Some(anchor));
    }
    rare.or_else(|| literals(&parts, true))
        .map(|(_, anchor)| anchor)
}

/// The parts of a sequence, sequences in it taken apart.
fn flatten<'a>(hir: &'a Hir, parts: &mut Vec<&'a Hir>) {
    match inner(hir).kind() {
        HirKind::Concat(inside) => inside.iter().for_each(|part| flatten(part, parts)),
        _ => parts.push(inner(hir)),
    }
}

/// Where a row of digits begins, if that is one of few places; and how often
/// such a row stands in a million bytes.
fn digits(parts: &[&Hir]) -> Option<(f64, Anchor)> {
    let (mut least, mut most) = (0, 0);
    for (at, part) in parts.iter().enumerate() {
        let properties = part.properties();
        if ByteSet::first(part).is_digits() && properties.minimum_len() > Some(0) {
            let rest = parts.get(at..).unwrap_or_default();
            let digits_min = leading(rest, |byte| byte.is_ascii_digit());
            let run_min = leading(rest, |byte| byte.is_ascii_alphanumeric());
            let cost = cost::of_digits(digits_min.max(run_min / 2));
            let before = least..=most;
            return Some((cost, Anchor::Digits { before }));
        }
        // A digit before it would be where the row begins.
        if ByteSet::all(part).has_digit() {
            return None;
        }
        least += properties.minimum_len()?;
        most += properties.maximum_len()?;
        if most > BEFORE_BYTES_MAX || most - least >= BEFORE_DIGITS_MAX {
            return None;
        }
    }
    None
}

/// How many bytes of a class these parts begin with at least.
fn leading(parts: &[&Hir], class: impl Fn(u8) -> bool) -> usize {
    let mut bytes = 0;
    for part in parts {
        let only = ByteSet::all(part).iter().all(&class);
        match part.properties().minimum_len() {
            Some(least) if only => bytes += least,
            _ => break,
        }
    }
    bytes
}

/// The rarest stretch that can be spelled out, and how many tries a million
/// bytes cost with it.
fn literals(parts: &[&Hir], digits: bool) -> Option<(f64, Anchor)> {
    let mut best: Option<(f64, Anchor)> = None;
    let (mut least, mut most) = (0_usize, 0_usize);
    let mut within = ByteSet::default();
    for (at, part) in parts.iter().enumerate() {
        if most > BEFORE_BYTES_MAX {
            break;
        }
        let texts = spelled(parts.get(at..).unwrap_or_default(), digits);
        let rate: f64 = texts.iter().map(|text| cost::of_text(text)).sum();
        let places = u8::try_from((most - least).min(12)).unwrap_or(12);
        let cost = rate * (1.0 + f64::from(places) / 3.0);
        let empty = texts.iter().any(Vec::is_empty);
        if !empty && best.as_ref().is_none_or(|(known, _)| cost < *known) {
            let before = least..=most;
            let anchor = Anchor::Literals {
                texts,
                before,
                within,
            };
            best = Some((cost, anchor));
        }
        let properties = part.properties();
        least = least.saturating_add(properties.minimum_len().unwrap_or(0));
        most = most.saturating_add(properties.maximum_len().unwrap_or(usize::MAX));
        within.join(&ByteSet::all(part));
    }
    best
}

#[cfg(test)]
mod tests;
