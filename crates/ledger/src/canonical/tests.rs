use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The same by way of a tree: slower and plainer.
fn by_tree(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            let parts: Vec<String> = members
                .into_iter()
                .map(|(key, member)| {
                    let mut part = format!("{}:", Value::from(key.as_str()));
                    by_tree(member, &mut part);
                    part
                })
                .collect();
            out.push_str(&format!("{{{}}}", parts.join(",")));
        }
        Value::Array(items) => {
            let parts: Vec<String> = items
                .iter()
                .map(|item| {
                    let mut part = String::new();
                    by_tree(item, &mut part);
                    part
                })
                .collect();
            out.push_str(&format!("[{}]", parts.join(",")));
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..=INTEGER_MAX).prop_map(Value::from),
        (-1_000_000_i64..0).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[\u{0}-\u{20}\"\\\\]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_is_the_same_as_by_way_of_a_tree(value in values()) {
        let mut slow = String::new();
        by_tree(&value, &mut slow);
        prop_assert_eq!(String::from_utf8(to_bytes(&value).unwrap()).unwrap(), slow);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    Unit,
    New(u8),
    Tuple(u8, char),
    Struct { zebra: Option<u8>, ant: [u8; 2] },
}

#[test]
fn every_shape_is_written_as_json_writes_it() {
    let shapes = [
        Shape::Unit,
        Shape::New(7),
        Shape::Tuple(1, 'x'),
        Shape::Struct {
            zebra: None,
            ant: [1, 2],
        },
    ];
    let text = String::from_utf8(to_bytes(&shapes).unwrap()).unwrap();
    assert_eq!(
        text,
        r#"["unit",{"new":7},{"tuple":[1,"x"]},{"struct":{"ant":[1,2],"zebra":null}}]"#
    );
    let keys = std::collections::BTreeMap::from([(10, "b"), (9, "a")]);
    assert_eq!(to_bytes(&keys).unwrap(), br#"{"10":"b","9":"a"}"#);
}

#[test]
fn keys_stand_in_the_order_of_utf16() {
    // By code points the first would come last.
    let value = json!({"\u{1f600}": 1, "\u{fb33}": 2, "a": 3});
    let text = String::from_utf8(to_bytes(&value).unwrap()).unwrap();
    assert_eq!(text, "{\"a\":3,\"\u{1f600}\":1,\"\u{fb33}\":2}");
}

#[test]
fn what_has_no_canonical_form_is_refused() {
    assert_eq!(to_bytes(&1.5), Err(CanonicalFault::Number));
    assert_eq!(to_bytes(&(INTEGER_MAX + 1)), Err(CanonicalFault::Number));
    assert_eq!(to_bytes(&i64::MIN), Err(CanonicalFault::Number));
    assert_eq!(to_bytes(&-5), Ok(b"-5".to_vec()));
    let keys = std::collections::BTreeMap::from([(vec![1], 1)]);
    assert_eq!(to_bytes(&keys), Err(CanonicalFault::Shape));
    assert_eq!(
        to_bytes(&"x".repeat(LEAF_BYTES_MAX)),
        Err(CanonicalFault::TooLong)
    );
}
