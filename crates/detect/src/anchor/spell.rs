//! The texts that a part of a pattern can be, spelled out. A small letter
//! stands for either case, a capital for itself alone.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// LIMIT: literals of one pattern.
const LITERALS_MAX: usize = 96;
/// LIMIT: bytes of one literal; more say nothing new.
const LITERAL_BYTES_MAX: usize = 20;
/// LIMIT: digits of a class of digits that is spelled out.
const DIGITS_MAX: u32 = 4;
/// LIMIT: characters of a class that is spelled out.
const CLASS_CHARS_MAX: u32 = 10;

/// The texts with which these parts, one after the other, can begin, as far
/// as they can be spelled out.
pub(super) fn spelled(parts: &[&Hir], digits: bool) -> Vec<Vec<u8>> {
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

/// All texts that a part matches; `None` if they are too many.
fn exact(hir: &Hir, digits: bool) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![Vec::new()]),
        HirKind::Look(_) => None,
        HirKind::Literal(literal) => Some(vec![literal.0.to_vec()]),
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

/// Classes of many digits are spelled out only where nothing else helps: rows
/// of them are looked for as such.
fn spelled_class(class: &Class, digits: bool) -> Option<Vec<Vec<u8>>> {
    if !digits && is_digits(class) {
        return None;
    }
    let mut texts: Vec<Vec<u8>> = Vec::new();
    match class {
        Class::Unicode(class) => {
            let chars: u32 = class
                .iter()
                .map(|range| u32::from(range.end()) - u32::from(range.start()) + 1)
                .sum();
            if chars > CLASS_CHARS_MAX {
                return None;
            }
            let chars = class.iter().flat_map(|range| range.start()..=range.end());
            texts.extend(chars.map(|char| char.to_string().into_bytes()));
        }
        Class::Bytes(class) => {
            let bytes: u32 = class
                .iter()
                .map(|range| u32::from(range.end() - range.start()) + 1)
                .sum();
            if bytes > CLASS_CHARS_MAX {
                return None;
            }
            let bytes = class.iter().flat_map(|range| range.start()..=range.end());
            texts.extend(bytes.map(|byte| vec![byte]));
        }
    }
    // The small letter says both.
    let small: Vec<Vec<u8>> = texts.clone();
    texts.retain(|text| {
        let either = text.to_ascii_lowercase();
        either == *text || !small.contains(&either)
    });
    cross(&texts, &[Vec::new()])
}

/// Whether a class is many digits and nothing else.
fn is_digits(class: &Class) -> bool {
    let digit = |char: char| char.is_ascii_digit();
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect(),
        Class::Bytes(class) => class
            .iter()
            .map(|range| (char::from(range.start()), char::from(range.end())))
            .collect(),
    };
    let count = |(from, upto): &(char, char)| u32::from(*upto) - u32::from(*from) + 1;
    ranges
        .iter()
        .all(|(from, upto)| digit(*from) && digit(*upto))
        && ranges.iter().map(count).sum::<u32>() > DIGITS_MAX
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
