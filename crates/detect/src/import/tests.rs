use proptest::prelude::*;

use super::*;
use crate::template::Filler;

fn rules(toml: &str) -> Rules {
    let (rules, unsupported) = Rules::from_toml(toml).unwrap();
    assert_eq!(unsupported, [], "{toml}");
    rules
}

fn told(toml: &str) -> Vec<String> {
    let (_, unsupported) = Rules::from_toml(toml).unwrap();
    unsupported.iter().map(ToString::to_string).collect()
}

/// The findings as (rule, secret).
fn found<'a>(rules: &'a Rules, text: &'a str) -> Vec<(String, &'a str)> {
    let findings = rules.find(text, None);
    let pair = |finding: ImportedFinding| (finding.rule.to_string(), &text[finding.span]);
    findings.into_iter().map(pair).collect()
}

fn pair<'a>(rule: &str, secret: &'a str) -> (String, &'a str) {
    (rule.to_owned(), secret)
}

fn why(rules: &Rules, text: &str) -> Vec<Reason> {
    let suppressed = rules.look(text, None).suppressed.into_iter();
    suppressed.map(|each| each.reason).collect()
}

const ONE: &str = r#"
title = "one"
[[rules]]
id = "acme-key"
description = "a key of ACME"
regex = '''(?i)acme[\w-]{0,10}\s*=\s*"(acm_[0-9a-z]{8})"'''
keywords = ["ACM_"]
entropy = 2
tags = ["key"]
"#;

#[test]
fn the_group_is_the_secret() {
    let rules = rules(ONE);
    let text = "x\nACME-key = \"acm_1a2b3c4d\"\n";
    assert_eq!(found(&rules, text), [pair("acme-key", "acm_1a2b3c4d")]);
    let finding = rules.find(text, None).remove(0);
    assert_eq!(&text[finding.matched], "ACME-key = \"acm_1a2b3c4d\"");
    assert_eq!((finding.score, finding.specificity), (80, 0));
    assert_eq!(why(&rules, "acme=\"acm_aaaaaaaa\""), [Reason::Entropy]);
    assert!(found(&rules, "acme=\"bcm_1a2b3c4d\"").is_empty());
}

#[test]
fn a_named_group_and_the_first_that_holds_something() {
    let second = rules(
        "[[rules]]\nid='a'\nregex='''(k|l)=(?:(x\\d+)|(y\\d+))'''\nsecretGroup=3\n[[rules]]\nid='b'\nregex='''(?:(m1)|n(\\d))'''",
    );
    assert_eq!(
        found(&second, "k=y12 n7 m1"),
        [pair("a", "y12"), pair("b", "7"), pair("b", "m1")]
    );
    // The group holds nothing: the match is told rather than nothing at all.
    assert_eq!(found(&second, "k=x12"), [pair("a", "k=x12")]);
    assert!(told("[[rules]]\nid='a'\nregex='a(b)'\nsecretGroup=2")[0].contains("a group"));
}

#[test]
fn groups_are_looked_for_where_the_tool_looks() {
    let rule = "[[rules]]\nid='a'\nregex='''k:([a-z\\\\]+)(?:\\\\n|$)'''";
    let text = r"k:abc\n1";
    // In the match alone, the end of which ends the group, too.
    assert_eq!(found(&rules(rule), text), [pair("a", r"abc\n")]);
    let betterleaks = rules(&format!("{rule}\nconfidence='high'"));
    assert_eq!(found(&betterleaks, text), [pair("a", "abc")]);
}

#[test]
fn keywords_count_in_any_case_and_within_each_other() {
    let rules = rules(
        "[[rules]]\nid='long'\nregex='\\d{4}'\nkeywords=['token']\n[[rules]]\nid='short'\nregex='\\d{4}'\nkeywords=['ok']\n[[rules]]\nid='umlaut'\nregex='\\d{4}'\nkeywords=['SCHLÜSSEL']",
    );
    let names = |text| {
        let mut names: Vec<String> = found(&rules, text)
            .into_iter()
            .map(|(rule, _)| rule)
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("ToKen 1234"), ["long", "short"]);
    assert_eq!(names("OK 1234"), ["short"]);
    assert_eq!(names("schlüssel 1234"), ["umlaut"]);
    assert!(names("1234").is_empty());
}

#[test]
fn lists_allow_by_rule_by_file_and_by_name() {
    let rules = rules(
        r#"
[[allowlists]]
targetRules = ["b"]
regexes = ['^9']
[allowlist]
paths = ['''\.md$''']
stopwords = ["Test"]
[[rules]]
id = "a"
regex = 'a:(\w+)'
[rules.allowlist]
regexTarget = "line"
regexes = ["sample"]
[[rules]]
id = "b"
regex = 'b:(\w+)'
path = '(?i)\.(rs|md|)$'
"#,
    );
    let text = "a:1 b:9\na:2 sample\na:mytest\n";
    assert_eq!(found(&rules, text), [pair("a", "1")]);
    let found_in = |path| rules.look(text, Some(path));
    assert_eq!(found_in("x.rs").findings.len(), 1);
    assert!(found_in("x.md").findings.is_empty() && found_in("x.md").suppressed.is_empty());
    assert_eq!(
        found(&rules, "b:9"),
        [],
        "a rule for some files needs a name"
    );
    let b = rules.look("b:9 b:8", Some("x.rs"));
    assert_eq!(b.findings.len(), 1);
    assert_eq!(
        b.suppressed[0].reason,
        Reason::FileAllows(AllowedBy::Pattern)
    );
    let reasons = why(&rules, text);
    assert_eq!(
        reasons,
        [
            Reason::RuleAllows(AllowedBy::Pattern),
            Reason::FileAllows(AllowedBy::Stopword)
        ]
    );
}

#[test]
fn needed_rules_stand_nearby_or_nothing_is_found() {
    let file = |need: &str| {
        format!(
            "[[rules]]\nid='secret'\nregex='s-\\d{{4}}'\n{need}\n[[rules]]\nid='name'\nregex='n-\\d{{4}}'\nskipReport=true"
        )
    };
    let near = rules(&file("[[rules.required]]\nid='name'\nwithinLines=1"));
    assert_eq!(found(&near, "s-1234\nn-1111\n"), [pair("secret", "s-1234")]);
    assert!(found(&near, "s-1234\n\nn-1111\n").is_empty());
    assert_eq!(
        why(&near, "s-1234\n\nn-1111\n"),
        [Reason::Missing(Arc::from("name"))]
    );
    assert!(found(&near, "n-1111").is_empty(), "not told by itself");
    let columns = rules(&file(
        "[[rules.required]]\nid='name'\nwithinLines=0\nwithinColumns=8",
    ));
    assert_eq!(found(&columns, "s-1234 n-1111").len(), 1);
    assert!(found(&columns, "s-1234          n-1111").is_empty());
    // Betterleaks counts the line itself.
    for (within, above, below) in [("2L", 1, 1), ("1L", 0, 0), ("-2L", 1, 0), ("+2L", 0, 1)] {
        let rules = rules(&file(&format!(
            "[[rules.components]]\nid='name'\nwithin='{within}'"
        )));
        assert_eq!(found(&rules, "n-1111\ns-1234").len(), above, "{within}");
        assert_eq!(found(&rules, "s-1234\nn-1111").len(), below, "{within}");
        assert_eq!(found(&rules, "s-1234 n-1111").len(), 1, "{within}");
    }
    let optional = rules(&file("[[rules.components]]\nid='name'\noptional=true"));
    assert_eq!(found(&optional, "s-1234").len(), 1);
    for bad in ["5Q", "0L", "L", "7L,200C"] {
        let told = told(&file(&format!(
            "[[rules.components]]\nid='name'\nwithin='{bad}'"
        )));
        assert!(told[0].contains("window"), "{told:?}");
    }
    assert!(
        told("[[rules]]\nid='a'\nregex='a'\n[[rules.required]]\nid='b'")[0].contains("not there")
    );
}

#[test]
fn who_knows_better_is_told_alone() {
    let rules = rules(
        "[[rules]]\nid='generic-api-key'\nregex='key=(\\w+)'\n[[rules]]\nid='acme'\nregex='(acm\\w+)'\n[[rules]]\nid='weak'\nregex='(\\w+7)'\nspecificity=-10",
    );
    assert_eq!(
        found(&rules, "key=acm12 key=other"),
        [pair("acme", "acm12"), pair("generic-api-key", "other")]
    );
    assert_eq!(
        why(&rules, "key=acm12"),
        [Reason::MoreSpecific(Arc::from("acme"))]
    );
    assert_eq!(found(&rules, "acm17"), [pair("acme", "acm17")]);
}

#[test]
fn filters_drop_and_are_told() {
    let file = r#"
prefilter = '''matchesAny(attributes["path"], [`\.lock$`])'''
filter = '''containsAny(finding["secret"], ["example"])'''
[[rules]]
id = "a"
confidence = "low"
regex = 'a:(\S+)'
filter = '''entropy(finding["secret"]) < 2.0 || finding["line"] startsWith "skip"'''
"#;
    let rules = rules(file);
    assert_eq!(
        found(&rules, "\na:12345\nskip a:12345"),
        [pair("a", "12345")]
    );
    assert_eq!(
        why(&rules, "a:1122 a:ABexample"),
        [Reason::RuleFilter, Reason::FileFilter]
    );
    assert!(rules.find("a:12345", Some("x.lock")).is_empty());
    assert_eq!(rules.find("a:12345", None)[0].score, 55);
}

const HALF: &str = r#"
[[rules]]
id = "half"
regex = 'h:(\w+)'
filter = '''entropy(finding["secret"]) < 2.0 || tokenRatio(finding["secret"]) >= 2.5'''
validate = '''http.get("x")'''
colour = "blue"
"#;

#[test]
fn a_rule_that_is_half_understood_is_left_out_unless_asked_for() {
    let (strict, unsupported) = Rules::from_toml(HALF).unwrap();
    assert!(strict.is_empty() && found(&strict, "h:12345").is_empty());
    let effects: Vec<(&str, Effect)> = unsupported
        .iter()
        .map(|each| (each.place.as_str(), each.effect))
        .collect();
    assert_eq!(
        effects,
        [
            ("validate", Effect::Ignored),
            ("filter", Effect::LeftOut),
            ("", Effect::LeftOut)
        ]
    );
    let (wide, unsupported) = Rules::read(HALF, Reading::Wider).unwrap();
    assert_eq!(unsupported.len(), 3);
    assert!(
        unsupported
            .iter()
            .all(|each| each.effect == Effect::Ignored)
    );
    assert_eq!(found(&wide, "h:12345 h:11"), [pair("half", "12345")]);
}

#[test]
fn nothing_of_a_file_goes_unnoticed() {
    for (file, says) in [
        (
            "[extend]\nuseDefault = true\ndisabledRules=['a']",
            "extend.useDefault",
        ),
        ("[extend]\npath = 'a'", "extend.path"),
        ("[extend]\nurl = 'a'", "extend.url"),
        ("colour = 1", "unknown key `colour`"),
        ("filter = 'what('", "`filter`"),
        ("[[rules]]\nregex = 'a'", "rules[0].id"),
        ("[[rules]]\nid = 'a'", "without a pattern"),
        ("[[rules]]\nid = 'a'\npath='b'", "names of files"),
        (
            "[[rules]]\nid = 'a'\nregex = '(?=a)'",
            "no regular expression",
        ),
        ("[[rules]]\nid = 'a'\nregex = 'a*'", "empty text"),
        (
            "[[rules]]\nid = 'a'\nregex = 'a'\nkeywords = 'a'",
            "another type",
        ),
        ("[[rules]]\nid = 'a'\nregex = 'a'\npath = '('", "`path`"),
        (
            "[[rules]]\nid = 'a'\nregex = 'a'\nconfidence = 'huge'",
            "how sure",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'a'\n[[rules.allowlists]]\ncommits=['a']",
            "commits",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'a'\n[[rules.allowlists]]\nregexes=['(']",
            "`allowlists`",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'a'\n[[rules]]\nid = 'a'\nregex = 'b'",
            "another rule",
        ),
        ("[allowlist]\ndescription = 'x'", "names nothing"),
    ] {
        let told = told(file);
        assert!(
            told.iter().any(|line| line.contains(says)),
            "{file}: {told:?}"
        );
    }
}

#[test]
fn what_is_no_rule_file_is_refused() {
    let fault = |text: &str| Rules::from_toml(text).unwrap_err();
    assert!(matches!(
        fault("a = 1\nb = ="),
        ImportFault::NotToml { line: 2, .. }
    ));
    assert_eq!(fault(&"#".repeat(FILE_BYTES_MAX + 1)), ImportFault::TooLong);
    let many = "[[rules]]\n".repeat(RULES_MAX + 1);
    assert_eq!(fault(&many), ImportFault::TooManyRules);
}

#[test]
fn more_than_can_be_judged_is_told() {
    let rules = rules(
        "[[rules]]\nid='a'\nregex='a'\n[[rules]]\nid='big'\nregex='''b(?:\\pL{900}){900}'''\nkeywords=['b']",
    );
    let many = rules.look(&"a".repeat(FINDINGS_MAX + 1), None);
    assert!(many.more && !many.is_whole() && many.findings.len() == FINDINGS_MAX);
    let big = rules.look("b", None);
    assert!(!big.is_whole() && big.unusable == [Arc::from("big")]);
    assert_eq!(rules.verify().len(), 1);
}

#[test]
fn line_feeds_at_the_ends_are_no_part_of_a_secret() {
    let rules = rules("[[rules]]\nid='a'\nregex='\\n*é\\d+(?:\\n|$)'");
    assert_eq!(found(&rules, "x\n\né12\n\n"), [pair("a", "é12")]);
    assert_eq!(found(&rules, "é12"), [pair("a", "é12")]);
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "acm_1a2b3c4d",
        "ACME",
        " = ",
        "\"",
        "\n",
        "key=",
        "test",
        "é",
        "acm_aaaaaaaa",
        "n-1234",
        "s-4321",
        " ",
    ]);
    proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn spans_are_texts_and_everything_is_accounted_for(text in words()) {
        let rules = rules(&format!("{ONE}\n[[rules]]\nid='s'\nregex='s-\\d+'\n[[rules.required]]\nid='n'\nwithinLines=2\n[[rules]]\nid='n'\nregex='n-\\d+'"));
        let found = rules.look(&text, None);
        for finding in found.findings.iter().chain(found.suppressed.iter().map(|each| &each.finding)) {
            prop_assert!(text.get(finding.span.clone()).is_some_and(|secret| !secret.is_empty()));
            prop_assert!(finding.matched.start <= finding.span.start && finding.span.end <= finding.matched.end);
        }
        prop_assert_eq!(found.findings.clone(), rules.find(&text, None));
        let n = text.matches("n-1234").count();
        let told = found.findings.iter().filter(|finding| &*finding.rule == "n").count();
        prop_assert_eq!(n, told);
    }

    #[test]
    fn what_stands_before_and_behind_changes_no_secret(before in "[ .\n]{0,40}", behind in "[ .\n]{0,40}", seed: u64) {
        let rules = rules(ONE);
        let secret = Filler::new(seed).fill("acm_{lower:8}");
        let text = format!("{before}acme = \"{secret}\"{behind}");
        let seen = rules.look(&text, None);
        let all: Vec<_> = seen.findings.iter().chain(seen.suppressed.iter().map(|each| &each.finding)).collect();
        prop_assert_eq!(all.len(), 1);
        prop_assert_eq!(&text[all[0].span.clone()], secret);
    }

    #[test]
    fn no_file_breaks_the_reader(lines in proptest::collection::vec(prop::sample::select(vec![
        "[[rules]]", "id='a'", "id='b'", "regex='a(b)?'", "regex='['", "keywords=['x']", "keywords=[1]", "secretGroup=-1",
        "entropy='x'", "entropy=nan", "[rules.allowlist]", "[[rules.allowlists]]", "regexes=['a','(']", "stopwords=['']",
        "[[rules.required]]", "withinLines=-3", "filter='entropy('", "skipReport=1", "[extend]", "path=3", "[allowlist]",
        "specificity=99999999999", "condition='AND'",
    ]), 0..20)) {
        if let Ok((rules, _)) = Rules::from_toml(&lines.join("\n")) {
            let _ = rules.look("abx ab", Some("a"));
            let _ = rules.verify();
        }
    }
}
