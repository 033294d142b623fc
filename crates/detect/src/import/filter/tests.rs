use proptest::prelude::*;

use super::{Facts, Filter, too_regular};

fn facts() -> Facts<'static> {
    Facts {
        secret: "abcd-EFGH-1234",
        matched: "key: abcd-EFGH-1234",
        line: "  the key: abcd-EFGH-1234 # test",
        path: "src/config.toml",
        rule: "some-rule",
    }
}

fn drops(text: &str) -> bool {
    let filter = Filter::new(text).unwrap();
    assert!(filter.unknown.is_empty(), "{text}: {:?}", filter.unknown);
    filter.drops(&facts())
}

#[test]
fn both_spellings_are_understood() {
    for true_ in [
        r#"entropy(finding["secret"]) <= 4.0"#,
        r#"filter.entropy(finding["secret"]) > 3"#,
        r#"matchesAny(finding["secret"], [`^abcd`, "zz"])"#,
        r#"filter.matchesAny(attributes[?"path"].orValue(""), [r"""\.toml$"""])"#,
        r#"matchesAny(get(attributes, "path", ""), ["^src/"])"#,
        r#"containsAny(finding["secret"], ["efgh"])"#,
        r#"finding["line"] contains "the key" and not (finding.secret == "x")"#,
        r#"finding["secret"].startsWith("abcd") && attributes["path"] endsWith '.toml'"#,
        r#"finding["rule_id"] in ["other", "some-rule"]"#,
        r#"startsWithAny(finding["match"], ["key"])"#,
        r#"len(finding["secret"]) == 14 || false"#,
        "let short = len(finding[\"secret\"]) < 4;\n// said so\nlet long = !short; long",
        r#"get(attributes, "git.author_name", "") == """#,
        r#"finding["secret"] matches "^\x61b" // end"#,
    ] {
        assert!(drops(true_), "{true_}");
    }
    for false_ in [
        r#"entropy(finding["secret"]) < 2.5"#,
        r#"!matchesAny(finding["secret"], [`[0-9]`])"#,
        r#"finding["secret"] != "abcd-EFGH-1234""#,
        r#"containsAny(finding["secret"], []) or startsWithAny(finding["secret"], [])"#,
        r#"1 >= 2"#,
        "true && !true",
    ] {
        assert!(!drops(false_), "{false_}");
    }
}

#[test]
fn what_is_not_understood_drops_nothing_and_is_told() {
    for (text, says) in [
        (r#"tokenRatio(finding["secret"]) >= 2.5"#, "tokenRatio"),
        (
            r#"!failsTokenEfficiency(finding["secret"])"#,
            "failsTokenEfficiency",
        ),
        (r#"finding["fragment_raw"] contains "a""#, "fact"),
        (r#"finding["secret"][1:3] == "a""#, "place"),
        (r#"true ? true : false"#, "choice"),
        (r#"len(finding["secret"]) + 1 > 2"#, "calculation"),
        (
            r#"matchesAny(finding["secret"], ["(?=a)"])"#,
            "regular expression",
        ),
        (r#"finding["secret"]"#, "true or false"),
        (r#"matchesAny(finding["secret"], [1])"#, "list"),
    ] {
        let filter = Filter::new(text).unwrap();
        assert!(!filter.drops(&facts()), "{text}");
        assert!(
            filter.unknown.iter().any(|what| what.contains(says)),
            "{text}: {:?}",
            filter.unknown
        );
    }
}

#[test]
fn a_known_part_decides_beside_an_unknown_one() {
    let either =
        Filter::new(r#"tokenRatio(finding["secret"]) >= 2.5 || len(finding["secret"]) > 3"#)
            .unwrap();
    assert!(either.drops(&facts()));
    let both = Filter::new(r#"tokenRatio(finding["secret"]) >= 2.5 && len(finding["secret"]) > 3"#)
        .unwrap();
    assert!(!both.drops(&facts()));
    let neither =
        Filter::new(r#"!(tokenRatio(finding["secret"]) >= 2.5 && len(finding["secret"]) < 3)"#)
            .unwrap();
    assert!(neither.drops(&facts()));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    for text in [
        "",
        "(",
        "a b",
        "\"open",
        "`open",
        "finding[",
        "1 <",
        "let x 1; true",
        "{}",
        "true)",
        "§",
        "\"\\q\"",
        "1.2.3 < 2",
    ] {
        assert!(Filter::new(text).is_err(), "{text}");
    }
    let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
    assert!(Filter::new(&deep).is_err() && Filter::new(&"!".repeat(500)).is_err());
    let wide: String = (0..40).fold("let a0 = true || false;".to_owned(), |text, at| {
        format!("{text} let a{} = a{at} || a{at};", at + 1)
    });
    assert!(
        Filter::new(&format!("{wide} a40")).is_err(),
        "doubling has a limit"
    );
}

#[test]
fn a_threshold_of_nought_is_none() {
    assert!(!too_regular("aaaa", 0.0) && too_regular("aaaa", 0.1) && too_regular("ab", 1.0));
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "[ -~\n]{0,80}") {
        let _ = Filter::new(&text);
    }

    #[test]
    fn words_of_the_language_in_any_order_break_nothing(parts in proptest::collection::vec(
        prop::sample::select(vec!["(", ")", "[", "]", "!", "&&", "||", "entropy", "finding", "\"secret\"",
            "matchesAny", ",", "1", "<", "let", "x", "=", ";", ":", "?", ".", "true", "not", "+", "`a`"]), 0..24)) {
        let _ = Filter::new(&parts.join(" "));
    }

    #[test]
    fn not_not_is_nothing(negations in 0_usize..20) {
        let text = format!("{}(len(finding[\"secret\"]) == 14)", "!".repeat(negations));
        prop_assert_eq!(drops(&text), negations % 2 == 0);
    }
}
