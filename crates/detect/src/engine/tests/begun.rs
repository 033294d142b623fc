//! Where patterns are tried that can begin in several ways.

use terms::Direction;

use crate::{Catalogue, Engine};

#[test]
fn a_failed_try_hides_nothing_that_began_before_it() {
    let file = r#"
id = "mixed"
kind = "key"
title = "Mixed"
control = "redaction"
directions = ["request"]
default_action = "redact"
score = 90
patterns = ["abcx[0-9]{4}|[a-z]{2,4}-xyz[0-9]{3}", "(?:long|alonger)q[0-9]{3}"]
examples = ["abcx1234"]
counter_examples = ["abcx"]
"#;
    let catalogue = Catalogue::from_toml(&[("mixed.toml", file)]).unwrap();
    let engine = Engine::new(catalogue).unwrap();
    for text in [
        "qq-xyz123 then abcxyy",
        "abcxyy then qq-xyz123",
        "alongerq123",
    ] {
        let scan = engine.scan(text, Direction::Request);
        assert_eq!(scan.findings.len(), 1, "{text}");
    }
}
