//! All matches in one view.

use std::ops::Range;

use terms::{Direction, Finding, View as Reading};

use super::{Engine, Rule};
use crate::{catalogue::CONTEXT_BYTES, validate::Valid, view::View};

/// LIMIT: bytes after an opener without a closer that are taken for the rest.
const UNCLOSED_BYTES_MAX: usize = 16 << 10;

/// A match, and whether it may still grow.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) finding: Finding,
    /// It touches the open end of the view: it may become longer, or nothing.
    pub(super) unsettled: bool,
    /// It is an opener in the text itself whose closer is still to come: where
    /// the opener ends, and the rule by its number.
    pub(super) opened: Option<(usize, usize)>,
}

/// A match in the bytes of a view.
struct Hit {
    span: Range<usize>,
    /// How far the view was looked at to tell.
    looked: usize,
    /// Where its opener ends, if there is no closer yet.
    opened: Option<usize>,
}

/// Every match of every detector that begins at or after `from`, by source
/// bytes; matches may overlap. `before` stands before the text for context
/// words alone.
pub(super) fn in_view(
    engine: &Engine,
    view: &View,
    direction: Direction,
    from: usize,
    seam: Option<usize>,
    before: &str,
) -> Vec<Found> {
    let mut found = Vec::new();
    for (number, rule) in engine
        .0
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.detector.directions.contains(&direction))
    {
        let mut hits = Vec::new();
        for pattern in &rule.patterns {
            match &rule.closer {
                None => plain(rule, pattern, view, seam, before, &mut hits),
                Some(closer) => paired(pattern, &closer.pattern, view, &mut hits),
            }
        }
        for hit in hits {
            let source = view.source(&hit.span);
            if source.end <= from {
                continue;
            }
            let finding = Finding {
                detector: rule.detector.id.clone(),
                kind: rule.detector.kind.clone(),
                control: rule.detector.control,
                span: source,
                score: rule.detector.score,
                view: view.kind,
            };
            found.push(Found {
                finding,
                unsettled: view.open && hit.looked >= view.text.len(),
                opened: hit
                    .opened
                    .filter(|_| view.open && view.kind == Reading::Plain)
                    .map(|end| (end, number)),
            });
        }
    }
    found
}

/// The placeholders in a plain view.
pub(super) fn tokens(engine: &Engine, text: &str) -> Vec<Range<usize>> {
    engine
        .0
        .token
        .find_iter(text)
        .map(|found| found.range())
        .collect()
}

fn plain(
    rule: &Rule,
    pattern: &regex::Regex,
    view: &View,
    seam: Option<usize>,
    before: &str,
    hits: &mut Vec<Hit>,
) {
    let (detector, text) = (&rule.detector, view.text.as_str());
    let mut at = 0;
    while let Some(found) = pattern.find_at(text, at) {
        let span = found.range();
        let accepted = left_fits(rule, view, seam, span.start)
            .then(|| accept(rule, text, &span))
            .flatten();
        match accepted {
            Some(Valid { end, looked })
                if detector.context.is_empty() || context_fits(rule, view, span.start, before) =>
            {
                let start = detector.validator.value_start(text, &span);
                hits.push(Hit {
                    span: start..end,
                    looked,
                    opened: None,
                });
                at = end;
            }
            // What was swallowed may hold the true match.
            Some(_) | None => at = next_char(text, span.start),
        }
        if at >= text.len() {
            return;
        }
    }
}

/// A seam between two parts is a boundary as well as none.
fn left_fits(rule: &Rule, view: &View, seam: Option<usize>, start: usize) -> bool {
    let before = view
        .text
        .get(..start)
        .and_then(|before| before.chars().next_back());
    rule.detector.left.allows(before) || seam == Some(view.source_start(start))
}

/// The valid part of a match, with a boundary behind it.
fn accept(rule: &Rule, text: &str, span: &Range<usize>) -> Option<Valid> {
    let valid = rule.detector.validator.accept(text, span)?;
    let after = text.get(valid.end..).and_then(|after| after.chars().next());
    rule.detector.right.allows(after).then_some(valid)
}

fn context_fits(rule: &Rule, view: &View, start: usize, before: &str) -> bool {
    let near = tail(view.text.get(..start).unwrap_or_default(), CONTEXT_BYTES);
    // What stands before the text is as far away as the match is from its
    // beginning.
    let distance = view.source_start(0).saturating_add(start);
    let far = tail(before, CONTEXT_BYTES.saturating_sub(distance));
    let words = [far, near].concat().to_ascii_lowercase();
    rule.detector
        .context
        .iter()
        .any(|word| whole_word(&words, word))
}

/// The last bytes of a text, whole characters only.
fn tail(text: &str, bytes_max: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

fn whole_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let letter = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric());
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        !letter(before) && !letter(after)
    })
}

/// From an opener to its closer; without one to the end of the text.
fn paired(opener: &regex::Regex, closer: &regex::Regex, view: &View, hits: &mut Vec<Hit>) {
    let text = &view.text;
    let mut at = 0;
    while let Some(open) = opener.find_at(text, at) {
        match closer.find_at(text, open.end()) {
            Some(close) => {
                hits.push(Hit {
                    span: open.start()..close.end(),
                    looked: close.end(),
                    opened: None,
                });
                at = close.end();
            }
            None => {
                let mut end = text
                    .len()
                    .min(open.end().saturating_add(UNCLOSED_BYTES_MAX));
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                hits.push(Hit {
                    span: open.start()..if view.open { text.len() } else { end },
                    looked: text.len(),
                    opened: Some(open.end()),
                });
                return;
            }
        }
    }
}

fn next_char(text: &str, at: usize) -> usize {
    at + text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(1, char::len_utf8)
}

/// Makes a finding in an encoded run cover the run.
pub(super) fn widen(text: &str, finding: &mut Finding) {
    let fits: fn(u8) -> bool = match finding.view {
        Reading::Base64 => |byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte),
        Reading::Hex => |byte| byte.is_ascii_hexdigit(),
        Reading::Plain | Reading::Folded | Reading::Url | Reading::Escape => return,
    };
    let bytes = text.as_bytes();
    while finding
        .span
        .start
        .checked_sub(1)
        .and_then(|at| bytes.get(at))
        .is_some_and(|byte| fits(*byte))
    {
        finding.span.start -= 1;
    }
    while bytes.get(finding.span.end).is_some_and(|byte| fits(*byte)) {
        finding.span.end += 1;
    }
}

/// In order of place; the same finding through two views is one.
pub(super) fn dedupe(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        (a.span.start, a.span.end, &a.detector, a.view).cmp(&(
            b.span.start,
            b.span.end,
            &b.detector,
            b.view,
        ))
    });
    findings.dedup_by(|later, earlier| {
        later.detector == earlier.detector && later.span == earlier.span
    });
}
