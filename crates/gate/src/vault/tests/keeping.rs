//! Which tokens of a request are kept.

use std::sync::LazyLock;

use detect::{
    Catalogue, Engine,
    redact::{TokenKey, Tokens},
    template::Filler,
};
use policy::{
    ActionTable, ControlPolicy, ControlRule, Policy,
    permission::{self, Permission},
};
use terms::{Control, Direction, Finding};

use super::*;
use crate::{Ruling, VendorClient};

static RULING: LazyLock<Ruling> = LazyLock::new(|| {
    let control = |control: &Control| {
        let actions = ActionTable::new(std::iter::empty());
        let rule = ControlRule::Enforce;
        (*control, ControlPolicy { rule, actions })
    };
    Ruling::new(
        Policy::new(Control::ALL.iter().map(control).collect()).unwrap(),
        Permission::new(permission::DEFAULT).unwrap(),
        Engine::new(Catalogue::embedded().unwrap()).unwrap(),
        Vec::new(),
        VendorClient::new(Vec::new(), std::time::Duration::from_secs(1)).unwrap(),
        [0; 32],
    )
});

fn findings(text: &str) -> Vec<Finding> {
    RULING.engine().scan(text, Direction::Request).findings
}

/// The values that are kept of texts, each redacted as a whole under a kind.
fn kept(kinds: &[&str], texts: &[(&str, &str, Vec<Finding>)]) -> (Vec<String>, u64) {
    let mut tokens = Tokens::new(&TokenKey::new(Secret::new([9; 32])), "a");
    let mut keeping = Keeping::with(rules(kinds).kinds);
    for (kind, text, findings) in texts {
        let token = tokens.issue(&Kind::new(kind), text).unwrap();
        keeping.issued(&RULING, &token, findings);
    }
    keeping.gather(&RULING, &tokens);
    let (values, long) = keeping.gathered();
    let mut values: Vec<String> = values
        .iter()
        .map(|kept| kept.value.reveal().clone())
        .collect();
    values.sort();
    (values, long)
}

#[test]
fn only_the_kinds_that_are_named_are_kept() {
    let email = "ada@example.org";
    let found = findings(email);
    assert!(found.iter().any(|finding| finding.kind.as_str() == "email"));
    let text = [("email", email, found)];
    assert_eq!(kept(&["email"], &text).0, [email]);
    assert!(kept(&["card", "phone"], &text).0.is_empty());
}

#[test]
fn a_track_or_code_is_not_kept_under_the_name_of_a_card() {
    let track = Filler::new(3).fill(";{luhn:4:16}=2712101{digits:9}?");
    let found = findings(&track);
    assert!(found.iter().any(|finding| finding.kind.as_str() == "track"));
    let kinds = ["card", "cvv", "track"];
    // By what was found, and by a look at the value alone.
    assert!(kept(&kinds, &[("card", &track, found)]).0.is_empty());
    assert!(kept(&kinds, &[("card", &track, Vec::new())]).0.is_empty());
    // A value that stands in a code at one place, and alone at another.
    let code = Filler::new(4).fill("my cvv: {digits:3} thanks");
    let found = findings(&code);
    let at = found
        .iter()
        .find(|finding| finding.kind.as_str() == "cvv")
        .unwrap();
    let digits = &code[at.span.clone()];
    let texts = [
        ("card", digits, Vec::new()),
        ("card", digits, found.clone()),
    ];
    assert!(kept(&kinds, &texts).0.is_empty());
    assert_eq!(
        kept(&kinds, &texts[..1]).0,
        [digits],
        "the negative control"
    );
}

#[test]
fn a_value_of_two_kinds_needs_both_and_a_long_one_is_counted() {
    let email = "ada@example.org";
    let mut found = findings(email);
    let card = Finding {
        kind: Kind::new("card"),
        ..found[0].clone()
    };
    found.push(card);
    let text = [("email", email, found)];
    assert!(kept(&["email"], &text).0.is_empty());
    assert_eq!(kept(&["card", "email"], &text).0, [email]);
    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    assert_eq!(
        kept(&["email"], &[("email", &long, Vec::new())]),
        (Vec::new(), 1)
    );
    let (values, count) = kept(&["email"], &[("email", &long[1..], Vec::new())]);
    assert_eq!((values.len(), count), (1, 0));
}
