//! What a pattern can be found by: letters of its own, digits, or the words
//! that must stand before it. A pattern without any would have to be tried
//! everywhere, and is refused.

use std::ops::RangeInclusive;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// LIMIT: literals of one pattern.
const LITERALS_MAX: usize = 96;
/// LIMIT: bytes of one literal; more say nothing new.
const LITERAL_BYTES_MAX: usize = 20;
/// LIMIT: characters of a class that is spelled out.
const CLASS_CHARS_MAX: u32 = 10;
/// LIMIT: bytes of a match before its literal or digit.
const BEFORE_BYTES_MAX: usize = 128;
/// A literal of as many bytes is rare enough to be looked for.
const RARE_BYTES: usize = 3;

/// Something that every match has; a pattern has one or more, one for each
/// of its branches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// One of these texts, in lower case, so many bytes after its start.
    Literals {
        /// The texts.
        texts: Vec<Vec<u8>>,
        /// The bytes before it.
        before: RangeInclusive<usize>,
    },
    /// A row of digits begins so many bytes after its start.
    Digits {
        /// The bytes before it.
        before: usize,
        /// The row has as many digits at least.
        digits_min: usize,
        /// As many letters and digits follow in a row at least, it included.
        run_min: usize,
    },
    /// The context words before it.
    Words,
}

/// The bytes that a match may begin with.
#[derive(Debug, Clone)]
pub(crate) struct FirstBytes(Box<[bool; 256]>);

impl FirstBytes {
    /// Of a pattern that matches nothing empty.
    pub(crate) fn of(hir: &Hir) -> Self {
        let mut set = Box::new([false; 256]);
        first(hir, &mut set);
        Self(set)
    }

    /// Whether a match may begin with this byte.
    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or(false)
    }

    fn is_digits(&self) -> bool {
        (0..=u8::MAX).all(|byte| !self.has(byte) || byte.is_ascii_digit())
    }

    fn has_digit(&self) -> bool {
        (b'0'..=b'9').any(|byte| self.has(byte))
    }
}

/// Adds the first bytes; answers whether it may match nothing.
fn first(hir: &Hir, set: &mut [bool; 256]) -> bool {
    let mut add = |from: u8, to: u8| {
        let range = usize::from(from)..=usize::from(to);
        set.get_mut(range)
            .into_iter()
            .flatten()
            .for_each(|has| *has = true);
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            literal
                .0
                .first()
                .into_iter()
                .for_each(|byte| add(*byte, *byte));
            literal.0.is_empty()
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.iter() {
                let lead = |char: char| {
                    let mut buffer = [0; 4];
                    char.encode_utf8(&mut buffer)
                        .as_bytes()
                        .first()
                        .copied()
                        .unwrap_or(0)
                };
                add(lead(range.start()), lead(range.end()));
            }
            false
        }
        HirKind::Class(Class::Bytes(class)) => {
            class
                .iter()
                .for_each(|range| add(range.start(), range.end()));
            false
        }
        HirKind::Repetition(Repetition { min, sub, .. }) => first(sub, set) || *min == 0,
        HirKind::Capture(capture) => first(&capture.sub, set),
        HirKind::Concat(parts) => parts.iter().all(|part| first(part, set)),
        HirKind::Alternation(branches) => {
            let empty: Vec<bool> = branches.iter().map(|branch| first(branch, set)).collect();
            empty.contains(&true)
        }
    }
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

fn anchor(branch: &Hir, words: bool) -> Option<Anchor> {
    let mut parts = Vec::new();
    flatten(branch, &mut parts);
    let literals = literals(&parts, false);
    let shortest = literals.as_ref().map_or(0, Run::shortest);
    if shortest >= RARE_BYTES {
        return literals.map(Run::anchor);
    }
    if words {
        return digits(&parts).or(Some(Anchor::Words));
    }
    let starts = literals.as_ref().is_some_and(|run| run.before == (0..=0));
    if shortest + 1 >= RARE_BYTES && starts {
        return literals.map(Run::anchor);
    }
    digits(&parts)
        .or_else(|| literals.map(Run::anchor))
        .or_else(|| self::literals(&parts, true).map(Run::anchor))
}

/// The parts of a sequence, sequences in it taken apart.
fn flatten<'a>(hir: &'a Hir, parts: &mut Vec<&'a Hir>) {
    match inner(hir).kind() {
        HirKind::Concat(inside) => inside.iter().for_each(|part| flatten(part, parts)),
        _ => parts.push(inner(hir)),
    }
}

/// Where a row of digits begins, if the place is certain.
fn digits(parts: &[&Hir]) -> Option<Anchor> {
    let mut before = 0;
    for (at, part) in parts.iter().enumerate() {
        let first = FirstBytes::of(part);
        let properties = part.properties();
        if first.is_digits() && properties.minimum_len() > Some(0) {
            let rest = parts.get(at..).unwrap_or_default();
            return Some(Anchor::Digits {
                before,
                digits_min: leading(rest, |byte| byte.is_ascii_digit()).max(1),
                run_min: leading(rest, |byte| byte.is_ascii_alphanumeric()).max(1),
            });
        }
        let length = properties.minimum_len()?;
        let fixed = properties.maximum_len() == Some(length);
        if !fixed || first.has_digit() || before + length > BEFORE_BYTES_MAX {
            return None;
        }
        before += length;
    }
    None
}

/// How many bytes of a class these parts begin with at least.
fn leading(parts: &[&Hir], class: impl Fn(u8) -> bool) -> usize {
    let only = |hir: &Hir| match hir.kind() {
        HirKind::Class(_) => {
            let first = FirstBytes::of(hir);
            (0..=u8::MAX).all(|byte| !first.has(byte) || class(byte))
        }
        HirKind::Literal(literal) => literal.0.iter().all(|byte| class(*byte)),
        _ => false,
    };
    let mut bytes = 0;
    for part in parts {
        let (fits, min) = match part.kind() {
            HirKind::Repetition(Repetition { min, sub, .. }) => (only(sub), *min as usize),
            _ => (only(part), part.properties().minimum_len().unwrap_or(0)),
        };
        if !fits {
            break;
        }
        bytes += min;
    }
    bytes
}

/// A stretch of a pattern that can be spelled out.
struct Run {
    texts: Vec<Vec<u8>>,
    before: RangeInclusive<usize>,
}

impl Run {
    fn shortest(&self) -> usize {
        self.texts.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Rarer is better, then the one that tells its start.
    fn worth(&self) -> (usize, bool, std::cmp::Reverse<usize>) {
        let starts = *self.before.end() == 0;
        let long = self.shortest().min(if starts { 6 } else { 5 });
        (long, starts, std::cmp::Reverse(self.texts.len()))
    }

    fn anchor(self) -> Anchor {
        Anchor::Literals {
            texts: self.texts,
            before: self.before,
        }
    }
}

/// The stretch that is worth most.
fn literals(parts: &[&Hir], digits: bool) -> Option<Run> {
    let mut best: Option<Run> = None;
    let (mut least, mut most) = (0_usize, 0_usize);
    for (at, part) in parts.iter().enumerate() {
        if most > BEFORE_BYTES_MAX {
            break;
        }
        let run = Run {
            texts: spelled(parts.get(at..).unwrap_or_default(), digits),
            before: least..=most,
        };
        let better = best.as_ref().is_none_or(|best| run.worth() > best.worth());
        if run.shortest() > 0 && better {
            best = Some(run);
        }
        let properties = part.properties();
        least = least.saturating_add(properties.minimum_len().unwrap_or(0));
        most = most.saturating_add(properties.maximum_len().unwrap_or(usize::MAX));
    }
    best
}

/// The texts with which these parts, one after the other, can begin, as far
/// as they can be spelled out.
fn spelled(parts: &[&Hir], digits: bool) -> Vec<Vec<u8>> {
    let mut texts = vec![Vec::new()];
    for part in parts {
        let (next, whole) = match exact(part, digits) {
            Some(next) => (next, true),
            None => match begins(part, digits) {
                Some(next) => (next, false),
                None => break,
            },
        };
        let Some(crossed) = cross(&texts, &next) else {
            break;
        };
        let full = crossed.iter().any(|text| text.len() >= LITERAL_BYTES_MAX);
        texts = crossed;
        if !whole || full {
            break;
        }
    }
    texts
        .iter_mut()
        .for_each(|text| text.truncate(LITERAL_BYTES_MAX));
    texts.sort();
    texts.dedup();
    texts
}

/// Every first with every second; `None` if there are too many.
fn cross(firsts: &[Vec<u8>], seconds: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    for first in firsts {
        for second in seconds {
            out.push([first.as_slice(), second].concat());
        }
    }
    out.sort();
    out.dedup();
    (out.len() <= LITERALS_MAX && !out.is_empty()).then_some(out)
}

/// All texts that a part matches, in lower case; `None` if they are too many.
fn exact(hir: &Hir, digits: bool) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![Vec::new()]),
        HirKind::Look(_) => None,
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => spelled_class(class, digits),
        HirKind::Capture(capture) => exact(&capture.sub, digits),
        HirKind::Repetition(Repetition {
            min,
            max: Some(max),
            sub,
            ..
        }) if *max <= 1 || (min == max && *max <= 8) => {
            let once = exact(sub, digits)?;
            let mut texts = vec![Vec::new()];
            for _ in 0..*max {
                texts = cross(&texts, &once)?;
            }
            if *min == 0 {
                texts.push(Vec::new());
            }
            Some(texts)
        }
        HirKind::Repetition(_) => None,
        HirKind::Concat(parts) => {
            let mut texts = vec![Vec::new()];
            for part in parts {
                texts = cross(&texts, &exact(part, digits)?)?;
            }
            Some(texts)
        }
        HirKind::Alternation(branches) => {
            let mut texts = Vec::new();
            for branch in branches {
                texts.extend(exact(branch, digits)?);
            }
            cross(&texts, &[Vec::new()])
        }
    }
}

/// Classes of digits are spelled out only where nothing else helps: rows of
/// them are looked for as such.
fn spelled_class(class: &Class, digits: bool) -> Option<Vec<Vec<u8>>> {
    if !digits && is_digits(class) {
        return None;
    }
    let mut texts = Vec::new();
    match class {
        Class::Unicode(class) => {
            let chars: u32 = class
                .iter()
                .map(|range| u32::from(range.end()) - u32::from(range.start()) + 1)
                .sum();
            if chars > CLASS_CHARS_MAX {
                return None;
            }
            for char in class.iter().flat_map(|range| range.start()..=range.end()) {
                texts.push(char.to_ascii_lowercase().to_string().into_bytes());
            }
        }
        Class::Bytes(class) => {
            let bytes: u32 = class
                .iter()
                .map(|range| u32::from(range.end() - range.start()) + 1)
                .sum();
            if bytes > CLASS_CHARS_MAX {
                return None;
            }
            for byte in class.iter().flat_map(|range| range.start()..=range.end()) {
                texts.push(vec![byte.to_ascii_lowercase()]);
            }
        }
    }
    cross(&texts, &[Vec::new()])
}

/// Whether a class is several digits and nothing else.
fn is_digits(class: &Class) -> bool {
    let digit = |char: char| char.is_ascii_digit();
    match class {
        Class::Unicode(class) => {
            class.minimum_len() == Some(1)
                && class
                    .iter()
                    .all(|range| digit(range.start()) && digit(range.end()))
                && class.iter().any(|range| range.start() != range.end())
        }
        Class::Bytes(class) => {
            let digit = |byte: u8| byte.is_ascii_digit();
            class
                .iter()
                .all(|range| digit(range.start()) && digit(range.end()))
                && class.iter().any(|range| range.start() != range.end())
        }
    }
}

/// Texts of which each match begins with one; `None` if there are too many.
fn begins(hir: &Hir, digits: bool) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Capture(capture) => begins(&capture.sub, digits),
        HirKind::Repetition(Repetition { min, sub, .. }) if *min > 0 => {
            exact(sub, digits).or_else(|| begins(sub, digits))
        }
        HirKind::Concat(parts) => {
            let parts: Vec<&Hir> = parts.iter().collect();
            Some(spelled(&parts, digits)).filter(|texts| texts.iter().all(|text| !text.is_empty()))
        }
        HirKind::Alternation(branches) => {
            let mut texts = Vec::new();
            for branch in branches {
                texts.extend(exact(branch, digits).or_else(|| begins(branch, digits))?);
            }
            cross(&texts, &[Vec::new()])
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Repetition(_) => None,
    }
}

#[cfg(test)]
mod tests;
