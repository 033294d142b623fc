//! Looking at a text with the rules of a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use super::{
    FINDINGS_MAX, Found, ImportedFinding, Need, Reason, Rule, Rules, Suppressed,
    allow::{AllowedBy, Seen},
    filter::{Facts, too_regular},
};

/// A match on its way to be a finding.
#[derive(Debug, Clone)]
struct Candidate {
    finding: ImportedFinding,
    /// The line that it begins in, from 0.
    line: usize,
    /// Where in its line it begins, as gitleaks counts.
    column: usize,
    reason: Option<Reason>,
}

struct Look<'a> {
    rules: &'a Rules,
    text: &'a str,
    path: &'a str,
    lines: Lines,
    /// What each rule matched, once it was asked.
    seen: BTreeMap<usize, Vec<Candidate>>,
    /// How many matches may still be judged.
    left: usize,
    found: Found,
}

pub(super) fn look(rules: &Rules, text: &str, path: &str) -> Found {
    let facts = Facts {
        path,
        ..Facts::default()
    };
    if rules
        .prefilter
        .as_ref()
        .is_some_and(|filter| filter.drops(&facts))
    {
        return Found::default();
    }
    let everywhere = |list: &&super::Allow| list.rules.is_empty();
    if rules
        .allow
        .iter()
        .filter(everywhere)
        .any(|list| list.allows_path(path))
    {
        return Found::default();
    }
    let due = due(rules, text);
    if due.is_empty() {
        return Found::default();
    }
    let mut look = Look {
        rules,
        text,
        path,
        lines: Lines::new(text),
        seen: BTreeMap::new(),
        left: FINDINGS_MAX,
        found: Found::default(),
    };
    for at in due {
        look.rule(at);
    }
    look.finish()
}

/// The rules of which a keyword stands in the text, and those without any.
fn due(rules: &Rules, text: &str) -> BTreeSet<usize> {
    let mut due: BTreeSet<usize> = rules.always.iter().copied().collect();
    let Some(keywords) = &rules.keywords else {
        return due;
    };
    let lower;
    let text = if rules.folds {
        lower = text.to_lowercase();
        lower.as_str()
    } else {
        text
    };
    let mut open: Vec<bool> = vec![true; rules.owners.len()];
    let mut left = open.len();
    for word in keywords.find_overlapping_iter(text) {
        let at = word.pattern().as_usize();
        if let (Some(open), Some(owners)) = (open.get_mut(at), rules.owners.get(at))
            && std::mem::take(open)
        {
            due.extend(owners);
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
    due
}

impl Look<'_> {
    /// What a rule that is due has to tell.
    fn rule(&mut self, at: usize) {
        let Some(rule) = self.rules.rules.get(at).filter(|rule| rule.reported) else {
            return;
        };
        self.ask(at, rule);
        let Some(mut candidates) = self.seen.get(&at).cloned() else {
            return;
        };
        for need in &rule.needs {
            self.require(need, &mut candidates);
        }
        self.seen.insert(at, candidates);
    }

    /// Has a rule match, if it was not asked before.
    fn ask(&mut self, at: usize, rule: &Rule) {
        if self.seen.contains_key(&at) {
            return;
        }
        let candidates = self.matches(rule);
        self.seen.insert(at, candidates);
    }

    fn require(&mut self, need: &Need, candidates: &mut [Candidate]) {
        if candidates
            .iter()
            .all(|candidate| candidate.reason.is_some())
        {
            return;
        }
        let Some(other) = self.rules.rules.get(need.at) else {
            return;
        };
        self.ask(need.at, other);
        let others = self
            .seen
            .get(&need.at)
            .map(Vec::as_slice)
            .unwrap_or_default();
        // Sorted by line, so that a long text with many of both stays cheap.
        let mut places: Vec<(usize, usize)> = others
            .iter()
            .filter(|other| !matches!(other.reason, Some(ref reason) if !matches!(reason, Reason::Missing(_))))
            .map(|other| (other.line, other.column))
            .collect();
        places.sort_unstable();
        for candidate in candidates.iter_mut().filter(|each| each.reason.is_none()) {
            let first = need
                .lines_before
                .map_or(0, |lines| candidate.line.saturating_sub(lines));
            let last = need
                .lines_behind
                .map_or(usize::MAX, |lines| candidate.line.saturating_add(lines));
            let from = places.partition_point(|(line, _)| *line < first);
            let near = places
                .iter()
                .skip(from)
                .take_while(|(line, _)| *line <= last)
                .any(|(_, column)| {
                    need.columns
                        .is_none_or(|columns| candidate.column.abs_diff(*column) <= columns)
                });
            if !near {
                candidate.reason = Some(Reason::Missing(Arc::clone(&other.id)));
            }
        }
    }

    fn matches(&mut self, rule: &Rule) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        if let Some(path) = &rule.path
            && path.matches(self.path) == Some(false)
        {
            return candidates;
        }
        let lists = self
            .rules
            .allow
            .iter()
            .filter(|list| !list.rules.is_empty() && list.is_for(&rule.id));
        if lists
            .chain(&rule.allow)
            .any(|list| list.allows_path(self.path))
        {
            return candidates;
        }
        let Some(regex) = rule.pattern.regex() else {
            self.found.unusable.push(Arc::clone(&rule.id));
            return candidates;
        };
        for found in regex.find_iter(self.text) {
            if self.left == 0 {
                self.found.more = true;
                break;
            }
            self.left -= 1;
            let candidate = self.candidate(rule, regex, found.range());
            candidates.extend(candidate);
        }
        candidates
    }

    fn candidate(
        &self,
        rule: &Rule,
        regex: &regex::Regex,
        range: Range<usize>,
    ) -> Option<Candidate> {
        let whole = self.text.get(range.clone())?;
        // As gitleaks does: line feeds at both ends are no part of a match.
        let matched = whole.trim_matches('\n');
        let start = range.start + (whole.len() - whole.trim_start_matches('\n').len());
        let span = if self.rules.groups_alone {
            let within = secret(rule, regex.captures(matched)).unwrap_or(0..matched.len());
            start + within.start..start + within.end
        } else {
            let groups = regex.captures_at(self.text, range.start);
            secret(rule, groups).unwrap_or(start..start + matched.len())
        };
        let place = self
            .lines
            .place(self.text, range.start, start + matched.len());
        let finding = ImportedFinding {
            rule: Arc::clone(&rule.id),
            span: span.clone(),
            matched: start..start + matched.len(),
            score: rule.score,
            specificity: rule.specificity,
        };
        let seen = Seen {
            secret: self.text.get(span)?,
            matched,
            line: self.text.get(place.lines.clone())?,
            path: self.path,
        };
        Some(Candidate {
            finding,
            line: place.line,
            column: place.column,
            reason: self.judge(rule, &seen),
        })
    }

    /// Why a match is no finding, if it is none.
    fn judge(&self, rule: &Rule, seen: &Seen<'_>) -> Option<Reason> {
        if too_regular(seen.secret, rule.entropy) {
            return Some(Reason::Entropy);
        }
        let lists = self.rules.allow.iter().filter(|list| list.is_for(&rule.id));
        let allowed = |list: &super::Allow| -> Option<AllowedBy> { list.allows(seen) };
        if let Some(by) = lists.map(allowed).find_map(|by| by) {
            return Some(Reason::FileAllows(by));
        }
        if let Some(by) = rule.allow.iter().find_map(allowed) {
            return Some(Reason::RuleAllows(by));
        }
        let facts = Facts {
            secret: seen.secret,
            matched: seen.matched,
            line: seen.line.strip_prefix('\n').unwrap_or(seen.line),
            path: self.path,
            rule: &rule.id,
        };
        if self
            .rules
            .filter
            .as_ref()
            .is_some_and(|filter| filter.drops(&facts))
        {
            return Some(Reason::FileFilter);
        }
        let by_rule = rule
            .filter
            .as_ref()
            .is_some_and(|filter| filter.drops(&facts));
        by_rule.then_some(Reason::RuleFilter)
    }

    fn finish(mut self) -> Found {
        let told = |at: &usize| self.rules.rules.get(*at).is_some_and(|rule| rule.reported);
        let mut all: Vec<Candidate> = std::mem::take(&mut self.seen)
            .into_iter()
            .filter(|(at, _)| told(at))
            .flat_map(|(_, candidates)| candidates)
            .collect();
        all.sort_by(|a, b| {
            let key = |each: &Candidate| (each.finding.span.start, each.finding.span.end);
            key(a)
                .cmp(&key(b))
                .then_with(|| a.finding.rule.cmp(&b.finding.rule))
        });
        specific(self.text, &mut all);
        for candidate in all {
            let finding = candidate.finding;
            match candidate.reason {
                None => self.found.findings.push(finding),
                Some(reason) => self.found.suppressed.push(Suppressed { finding, reason }),
            }
        }
        self.found
    }
}

/// Where the secret lies: in the group that the rule names, or the first that
/// holds something; `None` where the whole match is it.
fn secret(rule: &Rule, groups: Option<regex::Captures<'_>>) -> Option<Range<usize>> {
    let groups = groups.filter(|_| rule.pattern.groups() > 0)?;
    let full = |at: usize| groups.get(at).filter(|group| !group.is_empty());
    let group = if rule.group > 0 {
        full(rule.group)
    } else {
        (1..groups.len()).find_map(full)
    };
    group.map(|group| group.range())
}

/// A catch-all rule has nothing to say where another found the same secret in
/// the same line (gitleaks), nor a rule of lower specificity (Betterleaks).
fn specific(text: &str, all: &mut [Candidate]) {
    let generic = |candidate: &Candidate| candidate.finding.rule.to_lowercase().contains("generic");
    let mut by_line: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, candidate) in all.iter().enumerate() {
        if candidate.reason.is_none() {
            by_line.entry(candidate.line).or_default().push(at);
        }
    }
    let secret =
        |candidate: &Candidate| text.get(candidate.finding.span.clone()).unwrap_or_default();
    let mut lost: Vec<(usize, Arc<str>)> = Vec::new();
    for line in by_line.values() {
        let each = || line.iter().filter_map(|at| Some((*at, all.get(*at)?)));
        let lowest = each().map(|(_, other)| other.finding.specificity).min();
        let highest = each().map(|(_, other)| other.finding.specificity).max();
        for (at, one) in each() {
            let weak = generic(one);
            if !weak && lowest == highest {
                continue;
            }
            let better = each().find(|(_, other)| {
                other.finding.rule != one.finding.rule
                    && (weak && !generic(other)
                        || other.finding.specificity > one.finding.specificity)
                    && secret(other).contains(secret(one))
            });
            if let Some((_, better)) = better {
                lost.push((at, Arc::clone(&better.finding.rule)));
            }
        }
    }
    for (at, rule) in lost {
        if let Some(candidate) = all.get_mut(at) {
            candidate.reason = Some(Reason::MoreSpecific(rule));
        }
    }
}

/// Where the line feeds of a text are.
struct Lines(Vec<usize>);

struct Place {
    line: usize,
    column: usize,
    /// The lines of the match: from the line feed before to the one behind.
    lines: Range<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(feeds.map(|(at, _)| at).collect())
    }

    fn place(&self, text: &str, start: usize, end: usize) -> Place {
        let line = self.0.partition_point(|feed| *feed <= start);
        let before = line.checked_sub(1).and_then(|at| self.0.get(at)).copied();
        let behind = self.0.partition_point(|feed| *feed < end);
        let last = self.0.get(behind).copied().unwrap_or(text.len());
        Place {
            line,
            column: start - before.unwrap_or(0) + 1,
            lines: before.unwrap_or(0)..last.max(end),
        }
    }
}
