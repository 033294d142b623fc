use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use terms::Slot;

use crate::{Dialect, Document, LeafEdits, LeafKind, Limits, Surrogates, Walk, apply};

fn document(value: &Value) -> Document {
    Document::parse(
        Bytes::from(value.to_string()),
        &Limits::default(),
        Surrogates::Refuse,
    )
    .unwrap()
}

fn walk(dialect: Dialect, value: &Value) -> Walk {
    dialect.walk_request(&document(value))
}

fn slot_of(walk: &Walk, text: &str) -> (Slot, String) {
    let leaf = walk
        .leaves
        .iter()
        .find(|leaf| leaf.text == text)
        .unwrap_or_else(|| panic!("no leaf for {text}"));
    (leaf.slot, leaf.place.as_str().to_owned())
}

#[test]
fn a_chat_request_is_named_place_by_place() {
    let walk = walk(
        Dialect::OpenAiChat,
        &json!({
            // First in any order of keys.
            "a_new_one": { "secret": "new" },
            "model": "m",
            "messages": [
                { "role": "system", "content": "sys" },
                { "role": "user", "content": [{ "type": "text", "text": "one" }, { "type": "text", "text": "two" }, { "type": "image_url", "image_url": { "url": "https://x/y" } }, { "type": "text", "text": "three" }] },
                { "role": "assistant", "content": null, "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{\"city\":\"Rome\",\"n\":7}" } }] },
                { "role": "tool", "tool_call_id": "c", "content": "result" },
            ],
            "tools": [{ "type": "function", "function": { "name": "f", "description": "desc", "parameters": { "properties": { "p": { "description": "inner" } } } } }],
            "metadata": { "k": "v" },
        }),
    );
    assert_eq!(
        slot_of(&walk, "sys"),
        (Slot::System, "messages[0].content".into())
    );
    assert_eq!(
        slot_of(&walk, "one"),
        (Slot::Turn, "messages[1].content[0].text".into())
    );
    assert_eq!(
        slot_of(&walk, "Rome"),
        (
            Slot::ToolCall,
            "messages[2].tool_calls[0].function.arguments~{0}".into()
        )
    );
    assert_eq!(
        slot_of(&walk, "result"),
        (Slot::ToolResult, "messages[3].content".into())
    );
    assert_eq!(slot_of(&walk, "inner").0, Slot::ToolDefinition);
    assert_eq!(slot_of(&walk, "k").0, Slot::Parameter);
    // A key that nobody knows appears as its position, never by name.
    assert_eq!(slot_of(&walk, "new"), (Slot::Unknown, "{0}.{0}".into()));
    assert_eq!(walk.unknown_places, ["{0}", "{0}.{0}"]);
    let run = |text: &str| {
        walk.leaves
            .iter()
            .find(|leaf| leaf.text == text)
            .unwrap()
            .run
    };
    // What stands between two texts does not part them.
    assert!(run("one").is_some() && run("one") == run("two") && run("two") == run("three"));
    assert!(run("result").is_none() && run("sys").is_none());
    let number = walk.leaves.iter().find(|leaf| leaf.text == "7").unwrap();
    assert!(number.kind == LeafKind::Number && !number.editable);
}

#[test]
fn an_anthropic_request_is_named_place_by_place() {
    let walk = walk(
        Dialect::AnthropicMessages,
        &json!({
            "model": "m", "max_tokens": 9, "system": [{ "type": "text", "text": "sys" }],
            "messages": [{ "role": "user", "content": [
                { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "plain doc" }, "title": "ttl", "context": "ctx" },
                { "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": "res" }] },
                { "type": "tool_use", "id": "t", "name": "f", "input": { "a": { "b": "deep" } } },
                { "type": "thinking", "thinking": "hmm", "signature": "c2lnbmF0dXJlc2lnbmF0dXJl" },
            ] }],
        }),
    );
    assert_eq!(slot_of(&walk, "sys").0, Slot::System);
    assert_eq!(
        slot_of(&walk, "plain doc"),
        (Slot::Document, "messages[0].content[0].source.data".into())
    );
    assert_eq!(slot_of(&walk, "ttl").0, Slot::Document);
    assert_eq!(slot_of(&walk, "res").0, Slot::ToolResult);
    assert_eq!(slot_of(&walk, "deep").0, Slot::ToolCall);
    assert_eq!(slot_of(&walk, "hmm").0, Slot::Reasoning);
    assert_eq!(walk.opaque_bytes, 24);
    assert_eq!(walk.unknown_values, 0, "{:?}", walk.unknown_places);
}

#[test]
fn media_are_believed_by_their_first_bytes_only() {
    let body = |data: &str| json!({ "model": "m", "max_tokens": 1, "messages": [{ "role": "user", "content": [{ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": data } }] }] });
    let png = format!("iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB{}", "A".repeat(40));
    assert_eq!(
        walk(Dialect::AnthropicMessages, &body(&png)).media_bytes,
        png.len() as u64
    );
    let text = "aGVsbG8gd29ybGQsIHRoaXMgaXMgbm8gcGljdHVyZSBhdCBhbGw=";
    let walk = walk(Dialect::AnthropicMessages, &body(text));
    assert_eq!(walk.media_bytes, 0);
    assert_eq!(slot_of(&walk, text).0, Slot::Document);
}

/// Every string, number and key of a value, in no order.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Number(number) => out.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(members) => members.values().for_each(|member| texts(member, out)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u32>().prop_map(Into::into),
        "[a-z ]{0,8}".prop_map(Into::into)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                "content|text|type|role|source|data|[a-z]{1,3}",
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_string_and_no_number_escapes_the_walk(extra in any_value(), content in any_value(), tools in any_value()) {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": content, "x": extra }], "tools": tools, "extra": extra });
        let mut wanted = Vec::new();
        texts(&body, &mut wanted);
        for dialect in Dialect::ALL {
            let document = document(&body);
            for leaves in [dialect.walk_request(&document).leaves, dialect.walk_reply(&document).walk.leaves] {
                let mut seen: Vec<String> = leaves.into_iter().filter(|leaf| leaf.kind != LeafKind::Key).map(|leaf| leaf.text).collect();
                let mut wanted = wanted.clone();
                seen.sort();
                wanted.sort();
                prop_assert_eq!(seen, wanted, "{}", dialect.name());
            }
        }
    }

    #[test]
    fn an_edit_inside_a_string_of_json_keeps_both_documents_valid(text in ".{0,16}", depth in 1_usize..6) {
        let mut inner = json!({ "deep": "needle", "n": 1 });
        for _ in 1..depth {
            inner = json!({ "next": inner.to_string() });
        }
        let body = json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": inner.to_string() } }] }] });
        let document = document(&body);
        let walk = Dialect::OpenAiChat.walk_request(&document);
        let leaf = walk.leaves.iter().find(|leaf| leaf.text == "needle").unwrap();
        let mut edits = LeafEdits::default();
        edits.set(&leaf.at, text.clone());
        let edited: Value = serde_json::from_slice(&apply(&document, edits)).unwrap();
        let mut value: Value = serde_json::from_str(edited["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().unwrap()).unwrap();
        for _ in 1..depth {
            value = serde_json::from_str(value["next"].as_str().unwrap()).unwrap();
        }
        prop_assert_eq!(value["deep"].as_str().unwrap(), text);
    }
}

/// The leaves of a reply whose log probabilities are these, and the texts that
/// its lists spell.
fn respelled(list: &Value) -> (Vec<crate::Leaf>, usize) {
    let reply = json!({ "choices": [{ "index": 0, "message": { "content": "hi" }, "logprobs": { "content": list } }] });
    let out = Dialect::OpenAiChat.walk_reply(&document(&reply));
    let leaves = out
        .walk
        .leaves
        .into_iter()
        .filter(|leaf| leaf.place.as_str().contains("logprobs"))
        .collect();
    (leaves, out.logprobs.len())
}

#[test]
fn what_is_no_plain_log_probability_is_a_text_like_any_other() {
    let token = json!({ "token": "a", "logprob": -0.017_325_305, "bytes": [97], "top_logprobs": [{ "token": "b", "logprob": -9999.0, "bytes": null }] });
    let (leaves, lists) = respelled(&json!([token, { "token": "c", "logprob": -1e-7 }]));
    assert!(leaves.is_empty() && lists == 1, "{leaves:?}");
    for list in [
        json!({ "x": 7_654_321 }),
        json!(["7654321"]),
        json!([7_654_321]),
        json!([{ "token": "a", "note": "7654321" }]),
        json!([{ "token": "a", "7654321": true }]),
        json!([{ "token": 7_654_321 }]),
        json!([{ "token": { "deep": ["7654321"] } }]),
        json!([{ "token": "a", "logprob": 7_654_321 }]),
        json!([{ "token": "a", "logprob": "7654321" }]),
        json!([{ "token": "a", "bytes": [7_654_321] }]),
        json!([{ "token": "a", "bytes": "7654321" }]),
        json!([{ "token": "a", "top_logprobs": "7654321" }]),
        json!([{ "token": "a", "top_logprobs": ["7654321"] }]),
        json!([{ "token": "a", "top_logprobs": [{ "token": "b", "note": "7654321" }] }]),
        json!([{ "token": "a", "top_logprobs": [{ "token": "b", "top_logprobs": [{ "token": "7654321" }] }] }]),
    ] {
        let (leaves, _) = respelled(&list);
        let found = leaves.iter().find(|leaf| leaf.text == "7654321");
        let leaf = found.unwrap_or_else(|| panic!("not seen in {list}: {leaves:?}"));
        assert_eq!(leaf.slot, Slot::Unknown, "{list}");
        // A list that is held back is sent as it came: no edit would reach it.
        assert!(!leaf.editable, "{list}");
    }
    let (leaves, _) = respelled(&json!("7654321"));
    assert!(leaves.iter().any(|leaf| leaf.text == "7654321"));
}

#[test]
fn a_value_knows_the_keys_that_no_table_names() {
    let inner = json!({ "person": { "ssn": [1_234_567, { "of": "x" }] } }).to_string();
    let body = json!({ "model": "m", "messages": [
        { "role": "user", "content": "plain" },
        { "role": "assistant", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": inner } }] },
    ] });
    let walk = walk(Dialect::OpenAiChat, &body);
    let keys = |text: &str| {
        let leaf = walk.leaves.iter().find(|leaf| leaf.text == text).unwrap();
        leaf.keys.as_deref().unwrap_or_default().to_owned()
    };
    assert_eq!(keys("plain"), "");
    assert_eq!(keys("person"), "");
    assert_eq!(keys("ssn"), "\"person\": \"");
    assert_eq!(keys("1234567"), "\"person\": {\"ssn\": \"");
    assert_eq!(keys("x"), "\"ssn\": {\"of\": \"");
    let long = json!({ "model": "m", "messages": [], "x": { ("é".repeat(500)): "deep" } });
    let walk = self::walk(Dialect::OpenAiChat, &long);
    let leaf = walk.leaves.iter().find(|leaf| leaf.text == "deep").unwrap();
    assert!(leaf.keys.as_ref().unwrap().len() <= 128);
}

#[test]
fn a_data_url_is_read_up_to_its_data() {
    let png = format!("iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB{}", "A".repeat(40));
    let text = "aGVsbG8gd29ybGQsIHRoaXMgaXMgbm8gcGljdHVyZSBhdCBhbGw=";
    let look = |url: &str| {
        let part = json!({ "type": "image_url", "image_url": { "url": url } });
        let file = json!({ "type": "file", "file": { "file_data": url } });
        let body =
            json!({ "model": "m", "messages": [{ "role": "user", "content": [part, file] }] });
        let walk = walk(Dialect::OpenAiChat, &body);
        let seen = |wanted: &str| {
            let leaves = walk.leaves.iter().filter(|leaf| leaf.text == wanted);
            leaves.inspect(|leaf| assert!(!leaf.editable)).count()
        };
        let head = url.split_inclusive(',').next().unwrap().to_owned();
        (walk.media_bytes, seen(&head), seen(url))
    };
    let size = 2 * png.len() as u64;
    for head in ["image/png;note=1234567", "image/png;charset=x", "image/png"] {
        assert_eq!(look(&format!("data:{head};base64,{png}")), (size, 2, 0));
    }
    for head in ["text/plain", "", "1234567", "application/pdf"] {
        assert_eq!(look(&format!("data:{head};base64,{png}")), (0, 0, 2));
    }
    assert_eq!(look(&format!("data:image/png;base64,{text}")), (0, 0, 2));
}

#[test]
fn data_is_believed_only_beside_its_type() {
    let wav = "UklGRiQIAABXQVZFZm10IBAAAAABAAEAgLsAAAB3AQACABAA".to_owned() + &"A".repeat(24);
    let heard = |format: &str| {
        let part =
            json!({ "type": "input_audio", "input_audio": { "data": wav, "format": format } });
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [part] }] });
        walk(Dialect::OpenAiChat, &body).media_bytes
    };
    assert_eq!(heard("wav"), wav.len() as u64);
    assert_eq!(heard("text/plain"), 0);
    let told = |kind: &str| {
        let source = json!({ "type": "base64", "media_type": kind, "data": wav });
        let body = json!({ "model": "m", "max_tokens": 1, "messages": [{ "role": "user", "content": [{ "type": "document", "source": source }] }] });
        walk(Dialect::AnthropicMessages, &body).media_bytes
    };
    assert_eq!(told("audio/wav"), wav.len() as u64);
    assert_eq!(told("text/plain") + told("image/png"), 0);
}

#[test]
fn whatever_says_something_in_one_message_is_one_text() {
    let texts_of = |dialect, content: &Value| {
        let body = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": content }] });
        let mut runs = std::collections::BTreeMap::<u32, String>::new();
        for leaf in walk(dialect, &body).leaves {
            if let Some(run) = leaf.run {
                runs.entry(run).or_default().push_str(&leaf.text);
            }
        }
        runs.into_values().collect::<Vec<_>>()
    };
    let image = json!({ "type": "image_url", "image_url": { "url": "https://x/y" } });
    for content in [
        json!([{ "type": "text", "text": "ab" }, { "type": "refusal", "refusal": "" }, { "type": "text", "text": "cd" }]),
        json!([{ "type": "refusal", "refusal": "ab" }, { "type": "refusal", "refusal": "cd" }]),
        json!([{ "type": "input_text", "text": "ab" }, { "type": "input_text", "text": "cd" }]),
        json!([{ "type": "text", "text": "ab" }, image, { "type": "text", "text": "cd" }]),
        json!([{ "text": "ab" }, {}, { "type": "refusal", "refusal": "cd" }]),
        json!(["ab", { "type": "text", "text": "cd" }]),
    ] {
        assert_eq!(
            texts_of(Dialect::OpenAiChat, &content),
            ["abcd"],
            "{content}"
        );
    }
    let beside =
        json!([{ "type": "text", "text": "ab" }, { "type": "text", "refusal": "z", "text": "cd" }]);
    assert_eq!(texts_of(Dialect::OpenAiChat, &beside), ["z", "abcd"]);
    // A tool's result is no part of what the message says.
    let result = json!([{ "type": "text", "text": "ab" }, { "type": "tool_result", "tool_use_id": "t", "content": "x" }, { "type": "text", "text": "cd" }]);
    assert_eq!(texts_of(Dialect::AnthropicMessages, &result), ["abcd"]);
    let results = json!([{ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": "ab" }, { "type": "text", "text": "cd" }] }]);
    assert_eq!(texts_of(Dialect::AnthropicMessages, &results), ["abcd"]);
}
