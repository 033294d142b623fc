//! What becomes of matches: placeholders, encoded runs, the same one twice.

use std::ops::Range;

use regex::Regex;
use terms::{Finding, TURN_BYTES, View as Reading, worked};

use super::Engine;
use crate::{marks::FAST, redact::TOKEN_BYTES_MAX};

/// LIMIT: placeholders in what is held of a text. More are too much to look at.
pub(super) const TOKENS_SEEN_MAX: usize = 1 << 16;

/// The placeholders in a plain view; those beyond [`TOKENS_SEEN_MAX`] are not
/// told.
pub(super) fn tokens(engine: &Engine, text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    each_token(&engine.0.token, text, TURN_BYTES, |token| {
        out.push(token);
        out.len() <= TOKENS_SEEN_MAX
    });
    out
}

/// Whether there is one.
pub(super) fn has_token(engine: &Engine, text: &str) -> bool {
    let mut none = true;
    each_token(&engine.0.token, text, TURN_BYTES, |_| {
        none = false;
        false
    });
    !none
}

/// Looks at a piece of so many bytes at a time; what is found is the same as in
/// the whole text: no placeholder is longer than [`TOKEN_BYTES_MAX`], and none
/// depends on what stands beside it. Ends when `each` says no.
fn each_token(
    pattern: &Regex,
    text: &str,
    piece_bytes: usize,
    mut each: impl FnMut(Range<usize>) -> bool,
) {
    let mut at = 0;
    while at < text.len() {
        let upto = text.ceil_char_boundary(at.saturating_add(piece_bytes));
        let end = text.ceil_char_boundary(upto.saturating_add(TOKEN_BYTES_MAX));
        let piece = text.get(at..end).unwrap_or_default();
        let mut next = upto;
        for found in pattern.find_iter(piece) {
            let token = at + found.start()..at + found.end();
            // One that begins behind is the next piece's.
            if token.start >= upto {
                break;
            }
            next = next.max(token.end);
            worked(TOKEN_BYTES_MAX);
            if !each(token) {
                return;
            }
        }
        worked(piece.len() / FAST);
        at = next;
    }
}

/// Makes findings in encoded runs cover the runs.
pub(super) fn widen(text: &str, findings: &mut [Finding]) {
    let bytes = text.as_bytes();
    // Many findings in a row lie in one run, which may be long.
    let (mut base64, mut hex) = (None, None);
    for finding in findings {
        let (fits, known): (fn(u8) -> bool, _) = match finding.view {
            Reading::Base64 => (is_base64, &mut base64),
            Reading::Hex => (|byte| byte.is_ascii_hexdigit(), &mut hex),
            Reading::Plain | Reading::Folded | Reading::Url | Reading::Escape => continue,
        };
        finding.span.start = run_around(bytes, finding.span.start, fits, known).start;
        finding.span.end = run_around(bytes, finding.span.end, fits, known).end;
    }
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The longest run of such bytes that holds a place or touches it; `known` is
/// the last one.
fn run_around(
    bytes: &[u8],
    at: usize,
    fits: fn(u8) -> bool,
    known: &mut Option<Range<usize>>,
) -> Range<usize> {
    if let Some(known) = known
        && known.start <= at
        && at <= known.end
    {
        return known.clone();
    }
    let (before, behind) = bytes.split_at_checked(at).unwrap_or_default();
    let left = before.iter().rev().take_while(|byte| fits(**byte)).count();
    let right = behind.iter().take_while(|byte| fits(**byte)).count();
    let run = at - left..at + right;
    *known = Some(run.clone());
    run
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;
    use terms::Direction;

    use super::each_token;
    use crate::{Catalogue, Engine, redact::token_pattern, template::Filler};

    proptest! {
        // Tokens in a row, begun, altered, over the borders of pieces.
        #[test]
        fn placeholders_are_the_same_in_pieces_of_any_size(
            parts in prop::collection::vec(
                prop_oneof![
                    "MS(EMAIL|card)[a-z2-7]{4,30}", Just("MS".to_owned()), Just("MSEMA".to_owned()),
                    "[a-z2-7]{0,40}", Just(" \u{e9}".to_owned()), "[ A]{0,30}",
                ],
                0..12,
            ),
            piece_bytes in 1..120_usize,
        ) {
            let pattern = Regex::new(&token_pattern(&["email", "card", "abcdefghijkl"])).unwrap();
            let text = parts.concat();
            let whole: Vec<_> = pattern.find_iter(&text).map(|found| found.range()).collect();
            let mut found = Vec::new();
            each_token(&pattern, &text, piece_bytes, |token| {
                found.push(token);
                true
            });
            prop_assert_eq!(found, whole);
        }
    }

    #[test]
    fn findings_in_one_long_run_cover_it_and_nothing_is_walked_twice() {
        let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
        let addresses = Filler::new(4).fill(&"{lower:6}@{lower:5}.org ".repeat(30_000));
        let run = base64(addresses.as_bytes());
        let text = format!("see {run} and {run}, {run}");
        let findings = engine.scan(&text, Direction::Request).findings;
        let spans: std::collections::BTreeSet<_> = findings
            .iter()
            .filter(|finding| finding.view == terms::View::Base64)
            .map(|finding| (finding.span.start, finding.span.end))
            .collect();
        let starts = [4, 4 + run.len() + 5, 4 + 2 * run.len() + 7];
        let runs = starts.map(|start| (start, start + run.len()));
        assert_eq!(spans.into_iter().collect::<Vec<_>>(), runs);
    }

    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let words = bytes.chunks_exact(3).map(|three| {
            three
                .iter()
                .fold(0_usize, |word, byte| word << 8 | usize::from(*byte))
        });
        let letters = words.flat_map(|word| [18, 12, 6, 0].map(|shift| word >> shift & 63));
        letters.map(|letter| char::from(LETTERS[letter])).collect()
    }
}
