use bytes::Bytes;
use proptest::prelude::*;
use terms::{Code, TURN_BYTES};

use super::{Document, Limits, Surrogates};
use crate::{Edits, escape_into};

fn parse(text: &[u8]) -> Result<Document, Code> {
    Document::parse(
        Bytes::copy_from_slice(text),
        &Limits::default(),
        Surrogates::Refuse,
    )
    .map_err(super::JsonFault::code)
}

/// Long documents are read in pieces.
#[test]
fn no_border_of_a_piece_shows() {
    let fault = |text: &[u8]| {
        let raw = Bytes::copy_from_slice(text);
        let parsed = Document::parse(raw, &Limits::default(), Surrogates::Refuse);
        parsed
            .map(|document| document.text(document.root()).map(str::len))
            .map_err(|fault| (fault.code(), fault.offset()))
    };
    for at in (TURN_BYTES - 6..TURN_BYTES + 6).chain(3 * TURN_BYTES - 6..3 * TURN_BYTES + 6) {
        let with = |inside: &[u8], behind: usize| {
            let head = [b"\"".as_slice(), &b"a".repeat(at - 1), inside].concat();
            [head, b"a".repeat(behind), b"\"".to_vec()].concat()
        };
        for behind in [0, 5, TURN_BYTES] {
            for whole in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
                let text = with(whole.as_bytes(), behind);
                assert_eq!(fault(&text), Ok(Some(text.len() - 2)), "{at}");
            }
            assert_eq!(fault(&with(b"\\n", behind)), Ok(Some(at + behind)));
            assert_eq!(
                fault(&with(b"\x01", behind)),
                Err((Code::JsonMalformed, at))
            );
            for broken in [b"\xe2\x82".as_slice(), b"\xff", b"\x80", b"\xf0\x9f\x98"] {
                assert_eq!(fault(&with(broken, behind)), Err((Code::JsonUnicode, at)));
            }
        }
        let open = &with(b"", 0)[..at];
        assert_eq!(fault(open), Err((Code::JsonMalformed, at)));
        assert_eq!(
            fault(&with(b"\xe2\x82", 0)[..at + 2]),
            Err((Code::JsonUnicode, at))
        );
        for long in [
            " ".repeat(at) + "1",
            "1".repeat(at),
            format!("[1{}]", " ".repeat(at)),
        ] {
            assert!(fault(long.as_bytes()).is_ok());
        }
        let trailing = " ".repeat(at) + "1 x";
        assert_eq!(
            fault(trailing.as_bytes()),
            Err((Code::JsonTrailing, at + 2))
        );
    }
}

#[test]
fn what_rfc_8259_allows_is_read() {
    for text in [
        "{}",
        "[]",
        " [1 , 2 ]\n",
        "\"\"",
        "0",
        "-0",
        "1e999",
        "-1.5E+3",
        "true",
        "null",
        "[[[[]]]]",
        "{\"a\":{\"b\":[]}}",
        "\"\\u00e9\\ud83d\\ude00\\n\"",
        "\"\u{7f}\u{10ffff}\"",
        "{\"\":0}",
        "{\"a\":1,\"A\":1}",
    ] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn everything_else_is_refused_with_its_code() {
    let cases: &[(&[u8], Code)] = &[
        (b"", Code::JsonMalformed),
        (b"[1,]", Code::JsonMalformed),
        (b"[,1]", Code::JsonMalformed),
        (b"[1 2]", Code::JsonMalformed),
        (b"{\"a\":1,}", Code::JsonMalformed),
        (b"{a:1}", Code::JsonMalformed),
        (b"{\"a\" 1}", Code::JsonMalformed),
        (b"{\"a\"}", Code::JsonMalformed),
        (b"01", Code::JsonTrailing),
        (b"+1", Code::JsonMalformed),
        (b"1.", Code::JsonMalformed),
        (b".5", Code::JsonMalformed),
        (b"1e", Code::JsonMalformed),
        (b"-", Code::JsonMalformed),
        (b"NaN", Code::JsonMalformed),
        (b"tru", Code::JsonMalformed),
        (b"'a'", Code::JsonMalformed),
        (b"\"a", Code::JsonMalformed),
        (b"\"\\", Code::JsonMalformed),
        (b"\"\\x41\"", Code::JsonMalformed),
        (b"\"\\u12\"", Code::JsonMalformed),
        (b"\"a\nb\"", Code::JsonMalformed),
        (b"\"\0\"", Code::JsonMalformed),
        (b"[1", Code::JsonMalformed),
        (b"{} {}", Code::JsonTrailing),
        (b"[]]", Code::JsonTrailing),
        (b"null,", Code::JsonTrailing),
        (b"{\"a\":1,\"a\":2}", Code::JsonDuplicateKey),
        (b"{\"a\":1,\"\\u0061\":2}", Code::JsonDuplicateKey),
        (b"\xef\xbb\xbf{}", Code::JsonUnicode),
        (b"\"\xff\"", Code::JsonUnicode),
        (b"\"\xc0\xaf\"", Code::JsonUnicode),
        (b"\"\\ud800\"", Code::JsonUnicode),
        (b"\"\\udc00\\ud800\"", Code::JsonUnicode),
        (b"\"\\ud800x\"", Code::JsonUnicode),
        (b"{\0\"a\":1}", Code::JsonMalformed),
    ];
    for (text, code) in cases {
        assert_eq!(
            parse(text).unwrap_err(),
            *code,
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn depth_and_number_are_bounded_without_recursion() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(deep(64).as_bytes()).is_ok());
    assert_eq!(parse(deep(65).as_bytes()).unwrap_err(), Code::JsonTooDeep);
    assert_eq!(
        parse("[".repeat(1_000_000).as_bytes()).unwrap_err(),
        Code::JsonTooDeep
    );
    let many = format!("[{}0]", "0,".repeat(200_000));
    assert_eq!(parse(many.as_bytes()).unwrap_err(), Code::JsonTooMany);
}

#[test]
fn a_duplicate_is_found_among_many_keys() {
    let members: Vec<String> = (0..90_000).map(|n| format!("\"k{n}\":0")).collect();
    assert!(parse(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
    let twice = format!("{{{},\"k5\":1}}", members.join(","));
    assert_eq!(parse(twice.as_bytes()).unwrap_err(), Code::JsonDuplicateKey);
}

#[test]
fn halves_of_a_pair_are_kept_apart_in_replies() {
    let keep = |text: &str| {
        Document::parse(
            Bytes::copy_from_slice(text.as_bytes()),
            &Limits::default(),
            Surrogates::Keep,
        )
        .unwrap()
    };
    let document = keep("\"ab\\ud83d\"");
    let halves = document.halves(document.root());
    assert_eq!(
        (
            document.text(document.root()),
            halves.lead_low,
            halves.trail_high
        ),
        (Some("ab"), None, Some(0xd83d))
    );
    let document = keep("\"\\ude00x\"");
    assert_eq!(document.halves(document.root()).lead_low, Some(0xde00));
    let document = keep("\"a\\ud83db\"");
    assert_eq!(document.text(document.root()), Some("a\u{fffd}b"));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_is_read_and_an_unedited_one_is_the_same_bytes(value in any_json()) {
        let bytes = Bytes::from(value.to_string());
        let document = Document::parse(bytes.clone(), &Limits::default(), Surrogates::Refuse).unwrap();
        prop_assert_eq!(document.splice(&Edits::default()).as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn an_edit_changes_one_value_and_nothing_else(value in any_json(), text in ".{0,12}") {
        let document = serde_json::json!({ "before": value, "here": "x", "after": value });
        let parsed = Document::parse(Bytes::from(document.to_string()), &Limits::default(), Surrogates::Refuse).unwrap();
        let mut edits = Edits::default();
        edits.set_text(parsed.member(parsed.root(), "here").unwrap(), &text);
        let edited: serde_json::Value = serde_json::from_slice(&parsed.splice(&edits)).unwrap();
        prop_assert_eq!(edited, serde_json::json!({ "before": value, "here": text, "after": value }));
    }

    #[test]
    fn what_is_accepted_another_strict_reader_reads_alike(bytes in prop::collection::vec(prop::sample::select(&b"{}[]\",:0123e.-tfnu\\ a"[..]), 0..24)) {
        if let Ok(document) = parse(&bytes) {
            let other: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
            // Numbers too large for the other reader are the one difference.
            if let Ok(other) = other {
                prop_assert_eq!(other.is_object(), document.kind(document.root()) == super::Kind::Object);
                prop_assert_eq!(other.as_str(), document.text(document.root()));
            } else {
                prop_assert!(bytes.contains(&b'e'));
            }
        }
    }

    #[test]
    fn an_escaped_text_reads_back(text in any::<String>()) {
        let mut out = String::from("\"");
        escape_into(&text, &mut out);
        out.push('"');
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }
}
