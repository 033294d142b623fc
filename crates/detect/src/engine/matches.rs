//! What becomes of matches: placeholders, encoded runs, the same one twice.

use std::ops::Range;

use terms::{Finding, View as Reading};

use super::Engine;

/// The placeholders in a plain view.
pub(super) fn tokens(engine: &Engine, text: &str) -> Vec<Range<usize>> {
    engine
        .0
        .token
        .find_iter(text)
        .map(|found| found.range())
        .collect()
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
