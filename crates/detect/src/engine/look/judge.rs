//! Whether a match is a finding.

use std::ops::Range;

use terms::{Finding, View as Reading};

use super::{Found, Looking, UNCLOSED_BYTES_MAX};
use crate::{
    catalogue::{CONTEXT_BYTES, SCORE_MIN},
    engine::{Refused, Rule, Why},
    validate::Valid,
};

impl Looking<'_> {
    /// The valid part of a match with a boundary behind it, and its score.
    pub(super) fn accept(&self, rule: &Rule, span: &Range<usize>) -> Result<(Valid, u8), Why> {
        let (detector, text) = (&rule.detector, &*self.view.text);
        // The cheapest first.
        let score = match (detector.context.is_empty(), detector.context_score) {
            (true, _) => detector.score,
            (false, None) if self.has_context(rule, span.start) => detector.score,
            (false, None) => return Err(Why::Context),
            (false, Some(score)) if self.has_context(rule, span.start) => score,
            (false, Some(_)) => detector.score,
        };
        let valid = detector.validator.accept(text, span);
        let valid = valid.ok_or_else(|| {
            let reads = self.task.explain && detector.validator.is_placeholder(text, span);
            if reads {
                Why::Placeholder
            } else {
                Why::Validator
            }
        })?;
        let after = text.get(valid.end..).and_then(|after| after.chars().next());
        if !detector.right.allows(after) {
            return Err(Why::Neighbour);
        }
        let found = text.get(span.start..valid.end).unwrap_or_default();
        if detector.entropy_min > 0 && entropy_tenths(found) < f64::from(detector.entropy_min) {
            return Err(Why::Entropy);
        }
        if score < SCORE_MIN {
            return Err(Why::Score);
        }
        if rule.secret {
            let value = detector.validator.value_start(text, span)..valid.end;
            if self.published.has(text.get(value).unwrap_or_default()) {
                return Err(Why::Published);
            }
        }
        Ok((valid, score))
    }

    /// Whether a context word stands before a match.
    fn has_context(&self, rule: &Rule, start: usize) -> bool {
        let Some(wanted) = self.plan.words.get(rule.number) else {
            return false;
        };
        // In order of their ends.
        let upto = self.words.partition_point(|word| word.end() <= start);
        let words = self.words.iter().take(upto).rev();
        let near = words.take_while(|word| word.end().saturating_add(CONTEXT_BYTES) >= start);
        near.filter(|word| word.start().saturating_add(CONTEXT_BYTES) >= start)
            .any(|word| wanted.contains(&word.text()))
    }

    /// From an opener to its closer; without one as far as one may be. Answers
    /// where to go on.
    pub(super) fn opened(&mut self, rule: &Rule, number: usize, opener: &Range<usize>) -> usize {
        let text = &*self.view.text;
        let Some(closer) = &rule.closer else {
            return opener.end;
        };
        // It is looked for to the end of the text once.
        let known = self.unclosed.iter().find(|(rule, _)| *rule == number);
        let unclosed = known.is_some_and(|(_, from)| opener.end >= *from);
        let close = (!unclosed)
            .then(|| closer.pattern.find_at(text, opener.end))
            .flatten();
        self.seen.work += close.map_or(UNCLOSED_BYTES_MAX, |close| close.end() - opener.end);
        if let Some(close) = close {
            if !holds_armour(text.get(opener.end..close.start()).unwrap_or_default()) {
                return close.end();
            }
            let unsettled = self.view.open && close.end() >= text.len();
            self.found(
                rule,
                &(opener.start..close.end()),
                rule.detector.score,
                unsettled,
                None,
            );
            return close.end();
        }
        if !unclosed {
            self.unclosed.push((number, opener.end));
        }
        let mut end = text
            .len()
            .min(opener.end.saturating_add(UNCLOSED_BYTES_MAX));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let armour = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(byte);
        let rest = text.as_bytes().get(end..).unwrap_or_default();
        end += rest.iter().take_while(armour).count();
        let span = opener.start..if self.view.open { text.len() } else { end };
        let waits = self.view.open && self.view.kind == Reading::Plain;
        let opened = waits.then_some((opener.end, number));
        self.found(rule, &span, rule.detector.score, self.view.open, opened);
        span.end
    }

    /// Keeps a match that is no finding, and why. What begins in one of the
    /// same detector that was refused for the same reason is one with it.
    pub(super) fn refuse(&mut self, rule: &Rule, span: &Range<usize>, why: Why) {
        let upto = self.refused_upto.entry((rule.number, why)).or_default();
        if span.start < *upto {
            return;
        }
        *upto = span.end;
        let source = self.view.source(span);
        let refused = Refused::new(&rule.detector, source, why);
        self.seen.refused.push(refused);
    }

    pub(super) fn found(
        &mut self,
        rule: &Rule,
        span: &Range<usize>,
        score: u8,
        unsettled: bool,
        opened: Option<(usize, usize)>,
    ) {
        let source = self.view.source(span);
        if source.end <= self.task.from {
            return;
        }
        let finding = Finding {
            detector: rule.detector.id.clone(),
            kind: rule.detector.kind.clone(),
            control: rule.detector.control,
            span: source,
            score,
            view: self.view.kind,
        };
        self.seen.found.push(Found {
            finding,
            unsettled,
            opened,
        });
    }
}

/// Whether something stands between an opener and its closer. Texts about keys
/// have both with a word, a mark or nothing between them; how the letters of a
/// key are parted says nothing.
fn holds_armour(text: &str) -> bool {
    const CHARS_MIN: usize = 12;
    let plain = text.bytes().filter(u8::is_ascii_alphanumeric);
    plain.take(CHARS_MIN).count() == CHARS_MIN
}

/// Shannon entropy of the bytes, in tenths of a bit for each.
fn entropy_tenths(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts
            .get_mut(usize::from(byte))
            .into_iter()
            .for_each(|count| *count += 1);
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX).max(1));
    let used = counts.iter().filter(|count| **count > 0);
    let bits: f64 = used
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    bits * 10.0
}
