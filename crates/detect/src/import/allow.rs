//! Allow-lists: what a rule file says is no secret, or not worth telling.

use aho_corasick::AhoCorasick;
use toml::Table;

use super::{pattern::Pattern, read::Section};

/// What a pattern of an allow-list is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Secret,
    Match,
    Line,
}

/// One allow-list.
#[derive(Debug)]
pub(super) struct Allow {
    /// Rules that it is for; all if none is named.
    pub(super) rules: Vec<String>,
    all_must_hold: bool,
    target: Target,
    regexes: Option<Pattern>,
    paths: Option<Pattern>,
    stopwords: Option<AhoCorasick>,
    /// Whether it names commits: a text has none.
    pub(super) commits: bool,
}

/// A match as the lists see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) secret: &'a str,
    pub(super) matched: &'a str,
    /// The lines of the match, as gitleaks cuts them: with the line feed
    /// before, if there is one.
    pub(super) line: &'a str,
    pub(super) path: &'a str,
}

/// What of a list spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedBy {
    /// A pattern.
    Pattern,
    /// A word in the secret.
    Stopword,
    /// The name of the file.
    Path,
    /// Everything that the list names, together.
    Everything,
}

impl Allow {
    pub(super) fn new(table: &Table) -> Result<Self, String> {
        let mut from = Section::new(table);
        from.drop(&["description"]);
        let rules = from.texts("targetrules");
        let all_must_hold = match from
            .text("condition")
            .map(str::to_ascii_uppercase)
            .as_deref()
        {
            None | Some("" | "OR" | "||") => false,
            Some("AND" | "&&") => true,
            Some(_) => return Err("an unknown condition of an allow-list".to_owned()),
        };
        let target = match from.text("regextarget") {
            None | Some("" | "secret") => Target::Secret,
            Some("match") => Target::Match,
            Some("line") => Target::Line,
            Some(_) => return Err("an unknown target of an allow-list".to_owned()),
        };
        let any = |all: &[&str]| (!all.is_empty()).then(|| Pattern::any(all)).transpose();
        let regexes = any(&from.texts("regexes"))?;
        let paths = any(&from.texts("paths"))?;
        let commits = !from.texts("commits").is_empty();
        let words: Vec<String> = from
            .texts("stopwords")
            .iter()
            .map(|word| word.to_lowercase())
            .collect();
        if let Some(what) = from.rest().into_iter().next() {
            return Err(format!("{what} in an allow-list"));
        }
        let stopwords = (!words.is_empty())
            .then(|| AhoCorasick::new(&words))
            .transpose()
            .map_err(|_| "stop words that are too many".to_owned())?;
        Ok(Self {
            rules: rules.into_iter().map(str::to_owned).collect(),
            all_must_hold,
            target,
            regexes,
            paths,
            stopwords,
            commits,
        })
    }

    /// Whether the list names anything; gitleaks refuses one that does not.
    pub(super) const fn is_empty(&self) -> bool {
        self.regexes.is_none() && self.paths.is_none() && self.stopwords.is_none() && !self.commits
    }

    pub(super) fn is_for(&self, rule: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|name| name == rule)
    }

    /// Whether the file's name alone is enough.
    pub(super) fn allows_path(&self, path: &str) -> bool {
        if path.is_empty() {
            return false;
        }
        let by_path = || self.path_matches(path);
        if self.all_must_hold {
            let only_path = self.regexes.is_none() && self.stopwords.is_none() && !self.commits;
            return only_path && self.paths.is_some() && by_path();
        }
        by_path()
    }

    fn path_matches(&self, path: &str) -> bool {
        self.paths
            .as_ref()
            .is_some_and(|paths| paths.matches(path) == Some(true))
    }

    /// What of the list allows this match. A pattern that is too large to
    /// compile allows nothing.
    pub(super) fn allows(&self, seen: &Seen<'_>) -> Option<AllowedBy> {
        let target = match self.target {
            Target::Secret => seen.secret,
            Target::Match => seen.matched,
            Target::Line => seen.line,
        };
        let by_pattern = self
            .regexes
            .as_ref()
            .map(|regexes| regexes.matches(target) == Some(true));
        let by_word = self
            .stopwords
            .as_ref()
            .map(|words| words.is_match(&seen.secret.to_lowercase()));
        if self.all_must_hold {
            let by_path = self.paths.as_ref().map(|_| self.path_matches(seen.path));
            let by_commit = self.commits.then_some(false);
            let all = [by_pattern, by_word, by_path, by_commit];
            let every = !self.is_empty() && all.into_iter().flatten().all(|holds| holds);
            return every.then_some(AllowedBy::Everything);
        }
        if by_pattern == Some(true) {
            return Some(AllowedBy::Pattern);
        }
        (by_word == Some(true)).then_some(AllowedBy::Stopword)
    }

    /// Whether all its patterns are small enough.
    pub(super) fn compiles(&self) -> bool {
        let fine = |pattern: &Option<Pattern>| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.regex().is_some())
        };
        fine(&self.regexes) && fine(&self.paths)
    }
}

/// Shannon entropy as gitleaks computes it, in bits: how often each character
/// stands there, over the number of bytes.
#[expect(
    clippy::cast_precision_loss,
    reason = "a text is far shorter than 2^52 bytes"
)]
pub(super) fn entropy_of_characters(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for char in text.chars() {
        *counts.entry(char).or_insert(0_u32) += 1;
    }
    let bytes = text.len() as f64;
    counts.into_values().fold(0.0, |sum, count| {
        let share = f64::from(count) / bytes;
        sum - share * share.log2()
    })
}

/// Likewise over bytes, as `entropy()` of Betterleaks does.
#[expect(
    clippy::cast_precision_loss,
    reason = "a text is far shorter than 2^52 bytes"
)]
pub(super) fn entropy_of_bytes(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let bytes = text.len() as f64;
    counts
        .into_iter()
        .filter(|count| *count > 0)
        .fold(0.0, |sum, count| {
            let share = f64::from(count) / bytes;
            sum - share * share.log2()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(toml: &str) -> Result<Allow, String> {
        Allow::new(&toml.parse().unwrap())
    }

    fn seen<'a>(secret: &'a str, path: &'a str) -> Seen<'a> {
        Seen {
            secret,
            matched: "key = value",
            line: "\nthe key = value;",
            path,
        }
    }

    #[test]
    fn entropy_is_bits_a_character() {
        assert!((entropy_of_characters("abcd") - 2.0).abs() < 1e-9);
        assert!((entropy_of_bytes("aabb") - 1.0).abs() < 1e-9);
        assert!(entropy_of_characters("").abs() < 1e-9 && entropy_of_bytes("").abs() < 1e-9);
        // Two characters over four bytes: half the share each.
        assert!((entropy_of_characters("éß") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn one_of_a_list_is_enough_unless_it_says_otherwise() {
        let any = allow("regexes=['^x']\nstopwords=['TEST']\npaths=['\\.md$']").unwrap();
        assert_eq!(any.allows(&seen("x1", "")), Some(AllowedBy::Pattern));
        assert_eq!(
            any.allows(&seen("my-test-1", "")),
            Some(AllowedBy::Stopword)
        );
        assert_eq!(
            any.allows(&seen("y", "a.md")),
            None,
            "a path is looked at first"
        );
        assert!(any.allows_path("a.md") && !any.allows_path("") && !any.allows_path("a.rs"));
        let all = allow("condition='AND'\nregexes=['^x']\npaths=['\\.md$']").unwrap();
        assert_eq!(all.allows(&seen("x1", "a.md")), Some(AllowedBy::Everything));
        assert_eq!(all.allows(&seen("x1", "a.rs")), None);
        assert!(!all.allows_path("a.md"), "the pattern must hold too");
        let commits = allow("condition='&&'\ncommits=['abc']\nregexes=['^x']").unwrap();
        assert_eq!(
            commits.allows(&seen("x1", "")),
            None,
            "a text has no commit"
        );
    }

    #[test]
    fn a_target_is_what_the_pattern_is_held_against() {
        let line = allow("regexTarget='line'\nregexes=['the key']").unwrap();
        assert_eq!(line.allows(&seen("z", "")), Some(AllowedBy::Pattern));
        let whole = allow("regextarget='match'\nregexes=['^key']").unwrap();
        assert_eq!(whole.allows(&seen("z", "")), Some(AllowedBy::Pattern));
        assert_eq!(
            allow("regexes=['^key']").unwrap().allows(&seen("z", "")),
            None
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(allow("regexTarget='file'\nregexes=['a']").is_err());
        assert!(allow("condition='XOR'\nregexes=['a']").is_err());
        assert!(allow("regexes=['(?=a)']").is_err() && allow("regexes='a'").is_err());
        assert!(allow("words=['a']").is_err());
        assert!(allow("description='a'").unwrap().is_empty());
    }
}
