//! Texts that are judged together: neighbouring parts of one message, and
//! findings that overlap or run over the seam between two parts.

use std::{collections::BTreeMap, ops::Range};

use terms::Finding;
use wire::Leaf;

/// One part of a run: its index among the leaves and where it starts in the
/// joined text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'l> {
    pub(crate) index: usize,
    pub(crate) leaf: &'l Leaf,
    pub(crate) start: usize,
}

impl Part<'_> {
    fn end(&self) -> usize {
        self.start + self.leaf.text.len()
    }
}

/// Findings that overlap, and the stretch that they cover together.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) span: Range<usize>,
    pub(crate) findings: Vec<Finding>,
}

/// Every leaf in its run; a leaf without one is a run of its own.
pub(crate) fn units(leaves: &[Leaf]) -> Vec<Vec<Part<'_>>> {
    let mut units: Vec<Vec<Part<'_>>> = Vec::new();
    let mut by_run: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, leaf) in leaves.iter().enumerate() {
        let known = leaf.run.and_then(|run| by_run.get(&run).copied());
        if let Some(unit) = known.and_then(|unit| units.get_mut(unit)) {
            let start = unit.last().map_or(0, Part::end);
            unit.push(Part { index, leaf, start });
            continue;
        }
        if let Some(run) = leaf.run {
            by_run.insert(run, units.len());
        }
        units.push(vec![Part {
            index,
            leaf,
            start: 0,
        }]);
    }
    units
}

/// The runs of more than one part.
pub(crate) fn runs(leaves: &[Leaf]) -> Vec<Vec<Part<'_>>> {
    units(leaves)
        .into_iter()
        .filter(|unit| unit.len() > 1)
        .collect()
}

/// Whether a span runs over the seam between two parts.
pub(crate) fn crosses(span: &Range<usize>, run: &[Part<'_>]) -> bool {
    let next = run.partition_point(|part| part.start <= span.start);
    run.get(next).is_some_and(|part| part.start < span.end)
}

/// A finding of a part, by bytes of the joined text.
pub(crate) fn shifted(finding: Finding, by: usize) -> Finding {
    Finding {
        span: finding.span.start + by..finding.span.end + by,
        ..finding
    }
}

/// Overlapping findings, together.
pub(crate) fn clusters(mut findings: Vec<Finding>) -> Vec<Cluster> {
    findings.sort_by_key(|finding| (finding.span.start, finding.span.end));
    let mut clusters: Vec<Cluster> = Vec::new();
    for finding in findings {
        match clusters.last_mut() {
            Some(last) if finding.span.start < last.span.end => {
                last.span.end = last.span.end.max(finding.span.end);
                last.findings.push(finding);
            }
            Some(_) | None => clusters.push(Cluster {
                span: finding.span.clone(),
                findings: vec![finding],
            }),
        }
    }
    clusters
}

/// The parts that a span touches. The parts stand in a row, so that those are
/// neighbours.
pub(crate) fn touched<'a, 'l>(
    run: &'a [Part<'l>],
    span: &'a Range<usize>,
) -> impl Iterator<Item = &'a Part<'l>> {
    let first = run.partition_point(|part| part.end() <= span.start);
    run.iter()
        .skip(first)
        .take_while(move |part| part.start < span.end)
}

/// The new texts, by index of the leaf, of the parts that an edit touches. An
/// edit over several parts stands in the first of them and leaves the others
/// shorter. The edits are in order and do not overlap.
pub(crate) fn rewritten(
    run: &[Part<'_>],
    replaced: &[(Range<usize>, String)],
) -> Vec<(usize, String)> {
    let mut texts = Vec::new();
    for part in run {
        let text = part.leaf.text.as_str();
        let mut out = String::new();
        let mut at = part.start;
        let first = replaced.partition_point(|(span, _)| span.end <= part.start);
        let touching = replaced
            .iter()
            .skip(first)
            .take_while(|(span, _)| span.start < part.end());
        let mut edited = false;
        for (span, with) in touching {
            edited = true;
            let before = at - part.start..span.start.max(part.start) - part.start;
            out.push_str(text.get(before).unwrap_or_default());
            if span.start >= part.start {
                out.push_str(with);
            }
            at = span.end.min(part.end());
        }
        if edited {
            out.push_str(text.get(at - part.start..).unwrap_or_default());
            texts.push((part.index, out));
        }
    }
    texts
}

#[cfg(test)]
mod tests;
