//! Precision and recall of findings against data whose answers are known.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde::Deserialize;
use terms::{Control, Finding};

use super::data::{Label, Record};

/// The built-in table.
pub(super) const TYPES: &str = include_str!("../../../../../../benches/detect/types.toml");

/// Which kinds of finding answer to a type of the data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Types {
    types: BTreeMap<String, Vec<String>>,
}

impl Types {
    pub(super) fn from_toml(text: &str) -> anyhow::Result<Self> {
        let read: Self = toml::from_str(text)?;
        let lower = |(name, kinds): (String, Vec<String>)| (plain(&name), kinds);
        Ok(Self {
            types: read.types.into_iter().map(lower).collect(),
        })
    }

    /// The kinds of a type; none if the table does not know it.
    pub(super) fn kinds(&self, name: &str) -> &[String] {
        self.types
            .get(&plain(name))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// `CREDIT_CARD`, `credit-card` and `Credit card` are one type.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|char| char.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Counts of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TypeCount {
    /// Spans in the data.
    pub(super) spans: u64,
    /// Of those, with a finding of the right kind that overlaps.
    pub(super) touched: u64,
    /// Of those, covered to the last byte by findings of the right kind.
    pub(super) covered: u64,
    /// Findings of the right kind that overlap one.
    pub(super) right: u64,
}

/// Counts of everything.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) types: BTreeMap<String, TypeCount>,
    /// Findings that overlap no span that their kind answers to, by kind.
    wrong: BTreeMap<String, u64>,
    /// Texts that are said to hold something, and those in which something
    /// was found.
    pub(super) positive: (u64, u64),
    /// Texts that are said to hold nothing, likewise.
    pub(super) negative: (u64, u64),
    /// Findings in those.
    pub(super) negative_findings: u64,
    pub(super) texts: u64,
}

/// Precision, recall and their harmonic mean, where there is something to
/// divide by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) precision: Option<f64>,
    pub(super) recall: Option<f64>,
    pub(super) recall_covered: Option<f64>,
    pub(super) f1: Option<f64>,
    pub(super) f1_covered: Option<f64>,
}

impl Score {
    /// Counts one text.
    pub(super) fn add(&mut self, record: &Record, findings: &[Finding], types: &Types) {
        self.texts += 1;
        let sensitive = findings
            .iter()
            .filter(|each| each.control == Control::Redaction);
        let count = sensitive.count() as u64;
        match record.label {
            Some(Label::Pos) => add_text(&mut self.positive, count),
            Some(Label::Neg) => {
                add_text(&mut self.negative, count);
                self.negative_findings += count;
            }
            None => {}
        }
        let answers = |finding: &Finding, name: &str| {
            let kinds = types.kinds(name);
            kinds.iter().any(|kind| kind == finding.kind.as_str())
        };
        for (span, name) in &record.spans {
            let own: Vec<&Range<usize>> = findings
                .iter()
                .filter(|finding| answers(finding, name) && overlap(&finding.span, span))
                .map(|finding| &finding.span)
                .collect();
            let counts = self.types.entry(name.clone()).or_default();
            counts.spans += 1;
            counts.touched += u64::from(!own.is_empty());
            counts.covered += u64::from(covers(&own, span));
        }
        for finding in findings {
            let right: BTreeSet<&String> = record
                .spans
                .iter()
                .filter(|(span, name)| answers(finding, name) && overlap(&finding.span, span))
                .map(|(_, name)| name)
                .collect();
            for name in &right {
                if let Some(counts) = self.types.get_mut(*name) {
                    counts.right += 1;
                }
            }
            if right.is_empty() {
                *self.wrong.entry(finding.kind.to_string()).or_default() += 1;
            }
        }
    }

    /// Kinds to which a type of these data answers: only they can be wrong,
    /// since nobody marked the others.
    fn judged<'a>(&'a self, types: &'a Types) -> BTreeSet<&'a str> {
        let names = self.types.keys();
        names
            .flat_map(|name| types.kinds(name))
            .map(String::as_str)
            .collect()
    }

    /// Findings of judged kinds that are wrong, by kind.
    pub(super) fn wrong(&self, types: &Types) -> BTreeMap<&str, u64> {
        let judged = self.judged(types);
        let wrong = self
            .wrong
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count));
        wrong.filter(|(kind, _)| judged.contains(kind)).collect()
    }

    /// The rates of one type.
    pub(super) fn rates(&self, name: &str, types: &Types) -> Rates {
        let counts = self.types.get(name).copied().unwrap_or_default();
        let kinds = types.kinds(name).iter();
        let wrong = kinds.filter_map(|kind| self.wrong.get(kind)).sum();
        rates(counts, wrong)
    }

    /// The rates of all types that have a kind, together.
    pub(super) fn all(&self, types: &Types) -> Rates {
        let mut sum = TypeCount::default();
        for (name, counts) in &self.types {
            if !types.kinds(name).is_empty() {
                sum.spans += counts.spans;
                sum.touched += counts.touched;
                sum.covered += counts.covered;
                sum.right += counts.right;
            }
        }
        rates(sum, self.wrong(types).values().sum())
    }
}

const fn add_text(texts: &mut (u64, u64), findings: u64) {
    texts.0 += 1;
    if findings > 0 {
        texts.1 += 1;
    }
}

fn rates(counts: TypeCount, wrong: u64) -> Rates {
    let precision = share(counts.right, counts.right + wrong);
    let recall = share(counts.touched, counts.spans);
    let recall_covered = share(counts.covered, counts.spans);
    Rates {
        precision,
        recall,
        recall_covered,
        f1: harmonic(precision, recall),
        f1_covered: harmonic(precision, recall_covered),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of findings are far below 2^52"
)]
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn harmonic(precision: Option<f64>, recall: Option<f64>) -> Option<f64> {
    let (precision, recall) = (precision?, recall?);
    if precision + recall == 0.0 {
        return Some(0.0);
    }
    Some(2.0 * precision * recall / (precision + recall))
}

const fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Whether these together hold every byte of a span.
fn covers(all: &[&Range<usize>], span: &Range<usize>) -> bool {
    let mut sorted: Vec<&Range<usize>> = all.to_vec();
    sorted.sort_by_key(|each| each.start);
    let mut at = span.start;
    for each in sorted {
        if each.start > at {
            return false;
        }
        at = at.max(each.end);
    }
    at >= span.end
}

#[cfg(test)]
mod tests {
    use terms::{DetectorId, Kind, View};

    use super::*;

    fn finding(kind: &str, span: Range<usize>) -> Finding {
        Finding {
            detector: DetectorId::new(kind),
            kind: Kind::new(kind),
            control: Control::Redaction,
            span,
            score: 90,
            view: View::Plain,
        }
    }

    fn record(spans: &[(Range<usize>, &str)], label: Option<Label>) -> Record {
        Record {
            text: " ".repeat(100),
            spans: spans
                .iter()
                .map(|(span, name)| (span.clone(), (*name).to_owned()))
                .collect(),
            label,
        }
    }

    fn types() -> Types {
        Types::from_toml("[types]\nCREDIT_CARD = ['card']\nKey = ['key']\nToken = ['key']\n")
            .unwrap()
    }

    #[test]
    fn spans_are_touched_and_covered_by_findings_of_their_kind() {
        let mut score = Score::default();
        let spans = [(10..20, "credit-card"), (30..40, "key"), (50..60, "person")];
        let findings = [
            finding("card", 12..20),
            finding("key", 30..35),
            finding("key", 35..44),
            finding("card", 30..40),
            finding("email", 70..80),
        ];
        score.add(&record(&spans, None), &findings, &types());
        let card = score.types["credit-card"];
        assert_eq!(
            card,
            TypeCount {
                spans: 1,
                touched: 1,
                covered: 0,
                right: 1
            }
        );
        assert_eq!(
            score.types["key"],
            TypeCount {
                spans: 1,
                touched: 1,
                covered: 1,
                right: 2
            }
        );
        assert_eq!(score.types["person"].touched, 0);
        // One card is where a key is; the address nobody marked.
        assert_eq!(score.wrong(&types()), BTreeMap::from([("card", 1)]));
        let rates = score.rates("credit-card", &types());
        assert_eq!(
            (rates.precision, rates.recall, rates.recall_covered),
            (Some(0.5), Some(1.0), Some(0.0))
        );
        let all = score.all(&types());
        assert_eq!(
            (all.precision, all.recall, all.recall_covered),
            (Some(0.75), Some(1.0), Some(0.5))
        );
        assert!((all.f1.unwrap() - 6.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn another_type_of_the_same_kind_is_not_wrong() {
        let mut score = Score::default();
        let spans = [(0..10, "key"), (20..30, "token")];
        score.add(
            &record(&spans, None),
            &[finding("key", 0..10), finding("key", 20..30)],
            &types(),
        );
        for name in ["key", "token"] {
            assert_eq!(score.rates(name, &types()).precision, Some(1.0));
            assert_eq!(score.types[name].right, 1);
        }
    }

    #[test]
    fn texts_count_by_their_labels() {
        let mut score = Score::default();
        score.add(
            &record(&[], Some(Label::Pos)),
            &[finding("key", 0..4)],
            &types(),
        );
        score.add(&record(&[], Some(Label::Pos)), &[], &types());
        score.add(
            &record(&[], Some(Label::Neg)),
            &[finding("key", 0..4), finding("key", 5..9)],
            &types(),
        );
        assert_eq!(
            (score.positive, score.negative, score.negative_findings),
            ((2, 1), (1, 1), 2)
        );
        assert_eq!(
            score.all(&types()).precision,
            None,
            "there is nothing to divide by"
        );
    }

    #[test]
    fn the_built_in_table_names_kinds_that_exist() {
        let table = Types::from_toml(TYPES).unwrap();
        let detectors = detect::Catalogue::embedded().unwrap();
        let known: BTreeSet<&str> = detectors
            .detectors()
            .iter()
            .map(|each| each.kind.as_str())
            .collect();
        let named: BTreeSet<&str> = table.types.values().flatten().map(String::as_str).collect();
        let card = table.kinds("Credit card");
        assert_eq!(card, ["card"]);
        // Kinds that come with further detectors may stand there already.
        assert!(named.intersection(&known).count() >= 5, "{named:?}");
    }
}
