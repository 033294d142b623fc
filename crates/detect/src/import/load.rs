//! From a file to rules, and what of it is not supported.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aho_corasick::{AhoCorasick, MatchKind};
use toml::Table;

use super::{
    Effect, FILE_BYTES_MAX, ImportFault, Need, RULES_MAX, Reading, Rule, Rules, Unsupported,
    allow::Allow,
    filter::Filter,
    pattern::{Pattern, check_not_empty},
    read::{Report, Section},
};

/// Keys of the file that change nothing about what is found.
const REMARKS: &[&str] = &[
    "title",
    "description",
    "minversion",
    "betterleaksminversion",
];
/// Likewise of a rule: texts for people, and what is done after finding.
const RULE_REMARKS: &[&str] = &["description", "tags", "reportgroup", "severity"];
/// What Betterleaks does with a secret once it is found: it asks the vendor.
/// Nothing is asked here.
const AFTERWARDS: &[&str] = &["validate", "analyze", "revoke"];

/// How sure a rule is that says nothing about it.
const SCORE: u8 = 80;
/// How sure the catch-all rule of gitleaks is.
const GENERIC_SCORE: u8 = 60;

pub(super) fn load(text: &str, reading: Reading) -> Result<(Rules, Vec<Unsupported>), ImportFault> {
    if text.len() > FILE_BYTES_MAX {
        return Err(ImportFault::TooLong);
    }
    let file: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        ImportFault::NotToml {
            line: before.map_or(1, |before| before.matches('\n').count() + 1),
            says: error.message().to_owned(),
        }
    })?;
    let mut from = Section::new(&file);
    from.drop(REMARKS);
    let betterleaks = ["filter", "prefilter", "betterleaksminversion"]
        .iter()
        .any(|name| from.has(name));
    let mut report = Report::default();
    extended(&mut from, &mut report);
    let allow = file_lists(&mut from, &mut report);
    let prefilter = file_filter(&mut from, "prefilter", &mut report);
    let filter = file_filter(&mut from, "filter", &mut report);
    let tables = from.tables("rules");
    for what in from.rest() {
        report.add(None, "", Effect::Ignored, what);
    }
    if tables.len() > RULES_MAX {
        return Err(ImportFault::TooManyRules);
    }
    let betterleaks = betterleaks || tables.iter().any(|table| is_betterleaks(table));
    let rules = all(&tables, reading, &mut report);
    let rules = connected(rules, &mut report);
    let mut rules = assembled(rules, allow, prefilter, filter)?;
    rules.groups_alone = !betterleaks;
    Ok((rules, report.all))
}

/// Whether a rule has a key that only Betterleaks knows.
fn is_betterleaks(table: &Table) -> bool {
    let from = Section::new(table);
    [
        "filter",
        "confidence",
        "specificity",
        "components",
        "validate",
        "valuegroup",
    ]
    .iter()
    .any(|name| from.has(name))
}

/// Rules that stand in other files are not fetched.
fn extended(from: &mut Section<'_>, report: &mut Report) {
    for table in from.tables("extend") {
        let mut extend = Section::new(table);
        for (name, what) in [
            ("path", "the rules of another file, which is not read"),
            ("url", "rules from elsewhere, which nothing fetches"),
        ] {
            if extend.text(name).is_some() {
                report.add(
                    None,
                    &format!("extend.{name}"),
                    Effect::Ignored,
                    what.to_owned(),
                );
            }
        }
        if extend.truth("usedefault") == Some(true) {
            let what = "the scanner's own rules, which are not in this file; import its file too";
            report.add(None, "extend.useDefault", Effect::Ignored, what.to_owned());
        }
        // Without the rules that it extends there is nothing to switch off.
        extend.drop(&["disabledrules"]);
        for what in extend.rest() {
            report.add(None, "extend", Effect::Ignored, what);
        }
    }
}

fn file_lists(from: &mut Section<'_>, report: &mut Report) -> Vec<Allow> {
    let mut lists = Vec::new();
    for name in ["allowlist", "allowlists"] {
        for table in from.tables(name) {
            match Allow::new(table) {
                Ok(list) if list.is_empty() => {
                    let what = "an allow-list that names nothing".to_owned();
                    report.add(None, name, Effect::Ignored, what);
                }
                Ok(list) => {
                    commits(None, name, &list, report);
                    lists.push(list);
                }
                Err(what) => report.add(None, name, Effect::Ignored, what),
            }
        }
    }
    lists
}

fn commits(rule: Option<&str>, place: &str, list: &Allow, report: &mut Report) {
    if list.commits {
        let what = "commits: a text comes from none".to_owned();
        report.add(rule, place, Effect::Ignored, what);
    }
}

/// A filter for all rules. What of it is not understood drops nothing.
fn file_filter(from: &mut Section<'_>, name: &str, report: &mut Report) -> Option<Filter> {
    let text = from.text(name)?;
    match Filter::new(text) {
        Ok(filter) => {
            for what in &filter.unknown {
                report.add(None, name, Effect::Ignored, what.clone());
            }
            Some(filter)
        }
        Err(what) => {
            report.add(None, name, Effect::Ignored, what);
            None
        }
    }
}

fn all(tables: &[&Table], reading: Reading, report: &mut Report) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut names = BTreeSet::new();
    for (at, table) in tables.iter().enumerate() {
        let mut from = Section::new(table);
        let Some(id) = from
            .text("id")
            .filter(|id| !id.is_empty() && id.len() <= 120)
        else {
            let place = format!("rules[{at}].id");
            let what = "a rule without a name of 1 to 120 bytes".to_owned();
            report.add(None, &place, Effect::LeftOut, what);
            continue;
        };
        if !names.insert(id) {
            let what = "another rule has this name".to_owned();
            report.add(Some(id), "id", Effect::LeftOut, what);
            continue;
        }
        let mut reader = RuleReader {
            id,
            reading,
            report,
            left_out: false,
        };
        let rule = reader.rule(from);
        if !reader.left_out {
            rules.extend(rule);
        }
    }
    rules
}

struct RuleReader<'a> {
    id: &'a str,
    reading: Reading,
    report: &'a mut Report,
    left_out: bool,
}

impl RuleReader<'_> {
    /// Something without which the rule means nothing.
    fn refuse(&mut self, place: &str, what: String) {
        self.left_out = true;
        self.report.add(Some(self.id), place, Effect::LeftOut, what);
    }

    /// Something that only ever drops findings.
    fn narrow(&mut self, place: &str, what: String) {
        match self.reading {
            Reading::Exact => self.refuse(place, what),
            Reading::Wider => self.ignore(place, what),
        }
    }

    fn ignore(&mut self, place: &str, what: String) {
        self.report.add(Some(self.id), place, Effect::Ignored, what);
    }

    fn rule(&mut self, mut from: Section<'_>) -> Option<Rule> {
        from.drop(RULE_REMARKS);
        for name in AFTERWARDS {
            if from.has(name) {
                from.drop(&[name]);
                self.ignore(name, "asking the vendor about what was found".to_owned());
            }
        }
        let pattern = self.pattern(&mut from)?;
        let path = match from.text("path").map(Pattern::new).transpose() {
            Ok(path) => path,
            Err(what) => {
                self.refuse("path", what);
                None
            }
        };
        let group = self.group(&mut from, &pattern);
        let (score, specificity) = self.sureness(&mut from);
        let rule = Rule {
            id: Arc::from(self.id),
            pattern,
            path,
            entropy: from.number("entropy").unwrap_or(0.0),
            group,
            keywords: from
                .texts("keywords")
                .iter()
                .map(|word| word.to_lowercase())
                .collect(),
            allow: self.lists(&mut from),
            filter: self.filter(&mut from),
            needs: self.needs(&mut from),
            reported: from.truth("skipreport") != Some(true),
            score,
            specificity,
        };
        for what in from.rest() {
            self.narrow("", what);
        }
        Some(rule)
    }

    fn pattern(&mut self, from: &mut Section<'_>) -> Option<Pattern> {
        let Some(go) = from.text("regex").filter(|go| !go.is_empty()) else {
            let what = if from.has("path") {
                "a rule about the names of files; texts are looked at here"
            } else {
                "a rule without a pattern"
            };
            self.refuse("regex", what.to_owned());
            return None;
        };
        match check_not_empty(go).and_then(|()| Pattern::new(go)) {
            Ok(pattern) => Some(pattern),
            Err(what) => {
                self.refuse("regex", what);
                None
            }
        }
    }

    /// The group of the pattern that is the secret; 0 stands for the first
    /// that holds something.
    fn group(&mut self, from: &mut Section<'_>, pattern: &Pattern) -> usize {
        let secret = from.whole("secretgroup");
        let value = from.whole("valuegroup");
        let group = usize::try_from(secret.or(value).unwrap_or(0)).unwrap_or(usize::MAX);
        if group > pattern.groups() {
            self.refuse(
                "secretGroup",
                "a group that the pattern does not have".to_owned(),
            );
        }
        group
    }

    fn sureness(&mut self, from: &mut Section<'_>) -> (u8, i32) {
        let unsaid = if self.id.to_lowercase().contains("generic") {
            GENERIC_SCORE
        } else {
            SCORE
        };
        let score = match from.text("confidence") {
            None | Some("") => unsaid,
            Some("high") => 95,
            Some("medium") => 75,
            Some("low") => 55,
            Some(_) => {
                self.ignore(
                    "confidence",
                    "an unknown word for how sure it is".to_owned(),
                );
                unsaid
            }
        };
        let specificity = from.whole("specificity").unwrap_or(0);
        (score, i32::try_from(specificity).unwrap_or(0))
    }

    fn lists(&mut self, from: &mut Section<'_>) -> Vec<Allow> {
        let mut lists = Vec::new();
        for name in ["allowlist", "allowlists"] {
            for table in from.tables(name) {
                match Allow::new(table) {
                    Ok(list) if list.is_empty() => {
                        self.ignore(name, "an allow-list that names nothing".to_owned());
                    }
                    Ok(list) => {
                        commits(Some(self.id), name, &list, self.report);
                        lists.push(list);
                    }
                    Err(what) => self.narrow(name, what),
                }
            }
        }
        lists
    }

    fn filter(&mut self, from: &mut Section<'_>) -> Option<Filter> {
        match Filter::new(from.text("filter")?) {
            Ok(filter) => {
                for what in filter.unknown.clone() {
                    self.narrow("filter", what);
                }
                Some(filter)
            }
            Err(what) => {
                self.narrow("filter", what);
                None
            }
        }
    }

    fn needs(&mut self, from: &mut Section<'_>) -> Vec<Need> {
        let mut needs = Vec::new();
        for name in ["required", "components"] {
            for table in from.tables(name) {
                match need(table) {
                    Ok(need) => needs.extend(need),
                    Err(what) => self.narrow(name, what),
                }
            }
        }
        needs
    }
}

/// One other rule that is needed; none if the author can do without.
fn need(table: &Table) -> Result<Option<Need>, String> {
    let mut from = Section::new(table);
    let rule = from
        .text("id")
        .ok_or("a needed rule without a name")?
        .to_owned();
    let distance = |number: Option<i64>| {
        number
            .map(|number| usize::try_from(number).map_err(|_| "a distance below nought".to_owned()))
            .transpose()
    };
    let lines = distance(from.whole("withinlines"))?;
    let columns = distance(from.whole("withincolumns"))?;
    let (mut lines_before, mut lines_behind) = (lines, lines);
    if let Some(within) = from.text("within") {
        (lines_before, lines_behind) = window(within)?;
    }
    let optional = from.truth("optional") == Some(true);
    if let Some(what) = from.rest().into_iter().next() {
        return Err(what);
    }
    Ok((!optional).then_some(Need {
        rule,
        at: 0,
        lines_before,
        lines_behind,
        columns,
    }))
}

/// Betterleaks' `5L`, `-5L` or `+5L`: as many lines on both sides, before or
/// behind, the match's own line among them (tried out with its version 2).
fn window(text: &str) -> Result<(Option<usize>, Option<usize>), String> {
    let unknown = || "a window of other things than lines".to_owned();
    let body = text.trim().strip_suffix('L').ok_or_else(unknown)?;
    let (sign, digits) = match body.as_bytes().first() {
        Some(b'-') => (-1, body.trim_start_matches('-')),
        Some(b'+') => (1, body.trim_start_matches('+')),
        _ => (0, body),
    };
    let lines: usize = digits.parse().map_err(|_| unknown())?;
    let far = Some(lines.checked_sub(1).ok_or_else(unknown)?);
    Ok(match sign {
        -1 => (far, Some(0)),
        1 => (Some(0), far),
        _ => (far, far),
    })
}

/// Rules whose needed rules are there, too.
fn connected(mut rules: Vec<Rule>, report: &mut Report) -> Vec<Rule> {
    loop {
        let places: BTreeMap<String, usize> = rules
            .iter()
            .enumerate()
            .map(|(at, rule)| (rule.id.to_string(), at))
            .collect();
        let mut lost = None;
        for (at, rule) in rules.iter_mut().enumerate() {
            for need in &mut rule.needs {
                match places.get(&need.rule) {
                    Some(place) => need.at = *place,
                    None => lost = Some(at),
                }
            }
        }
        let Some(at) = lost else { return rules };
        let rule = rules.remove(at);
        let what = "a needed rule that is not there".to_owned();
        report.add(Some(&rule.id), "required", Effect::LeftOut, what);
    }
}

fn assembled(
    rules: Vec<Rule>,
    allow: Vec<Allow>,
    prefilter: Option<Filter>,
    filter: Option<Filter>,
) -> Result<Rules, ImportFault> {
    let mut words: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut always = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        if rule.keywords.iter().all(String::is_empty) {
            always.push(at);
        }
        for keyword in &rule.keywords {
            if !keyword.is_empty() {
                words.entry(keyword).or_default().push(at);
            }
        }
    }
    let folds = words.keys().any(|word| !word.is_ascii());
    let keywords = (!words.is_empty())
        .then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .ascii_case_insensitive(true)
                .build(words.keys())
        })
        .transpose()
        .map_err(|_| ImportFault::TooManyKeywords)?;
    let owners = words.into_values().collect();
    Ok(Rules {
        rules,
        always,
        keywords,
        owners,
        folds,
        allow,
        prefilter,
        filter,
        groups_alone: true,
    })
}
