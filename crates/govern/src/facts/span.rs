//! Two small counters: where something happened, and how often under which label.

use std::collections::BTreeMap;

/// How often something happened, and its first and last entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) count: u64,
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
}

impl Span {
    /// Enters one more, at this place of the ledger.
    pub(crate) fn note(&mut self, sequence: u64) {
        self.count = self.count.saturating_add(1);
        self.first = self.first.or(Some(sequence));
        self.last = Some(sequence);
    }

    /// The smallest of the counts, over the whole stretch.
    pub(crate) fn weakest(spans: &[Self]) -> Self {
        Self {
            count: spans.iter().map(|span| span.count).min().unwrap_or(0),
            first: spans.iter().filter_map(|span| span.first).min(),
            last: spans.iter().filter_map(|span| span.last).max(),
        }
    }
}

/// What happened in several places, all together.
impl FromIterator<Span> for Span {
    fn from_iter<I: IntoIterator<Item = Self>>(spans: I) -> Self {
        spans.into_iter().fold(Self::default(), |sum, span| Self {
            count: sum.count.saturating_add(span.count),
            first: [sum.first, span.first].into_iter().flatten().min(),
            last: sum.last.max(span.last),
        })
    }
}

/// A text from a record, kept short and without anything that a terminal obeys.
pub(crate) fn plain(text: &str, chars_max: usize) -> String {
    text.chars()
        .take(chars_max)
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        })
        .collect()
}

/// LIMIT: different labels that are counted apart.
const LABELS_MAX: usize = 32;
/// LIMIT: characters of a label.
const LABEL_CHARS_MAX: usize = 48;

/// Counts by label. A label comes from a record and may have come from a
/// vendor: see [`plain`].
#[derive(Debug, Default)]
pub(crate) struct Labels {
    counts: BTreeMap<String, u64>,
    more: u64,
}

impl Labels {
    pub(crate) fn count(&mut self, label: &str, by: u64) {
        let label = plain(label, LABEL_CHARS_MAX);
        if let Some(count) = self.counts.get_mut(&label) {
            *count = count.saturating_add(by);
        } else if self.counts.len() < LABELS_MAX {
            self.counts.insert(label, by);
        } else {
            self.more = self.more.saturating_add(by);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How often this label was counted.
    pub(crate) fn of(&self, label: &str) -> u64 {
        self.counts.get(label).copied().unwrap_or(0)
    }

    /// Whether every label is one of these.
    pub(crate) fn only(&self, allowed: &[&str]) -> bool {
        self.more == 0
            && self
                .counts
                .keys()
                .all(|label| allowed.contains(&label.as_str()))
    }

    /// As `card 12, email 3`.
    pub(crate) fn list(&self) -> String {
        self.list_of(|_| true)
    }

    /// The same of the labels that are wanted, and of those that were not
    /// counted apart.
    pub(crate) fn list_of(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut parts: Vec<String> = self
            .counts
            .iter()
            .filter(|(label, _)| wanted(label.as_str()))
            .map(|(label, count)| format!("{label} {count}"))
            .collect();
        if self.more > 0 {
            parts.push(format!("others {}", self.more));
        }
        parts.join(", ")
    }
}
