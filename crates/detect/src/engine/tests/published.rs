//! Values that stand in public documents.

use terms::Direction;

use crate::{Catalogue, Engine, engine::Why, template::Filler};

/// A detector of keys in a form of its own, which knows this one.
fn file(value: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = terms::Digest(Sha256::digest(value).into());
    format!(
        r#"
        id = "acme-key"
        kind = "key"
        title = "Acme key"
        control = "redaction"
        directions = ["request", "reply"]
        default_action = "block"
        score = 90
        patterns = ['acme_[a-z0-9]{{20}}']
        left = "alnum"
        right = "alnum"
        validator = "entropy"
        published = ["{hash}"]
        examples = ["acme_{{hex:20}}"]
        counter_examples = ["acme_x"]
        "#
    )
}

#[test]
fn what_everybody_can_read_is_no_secret_and_what_is_near_it_is_one() {
    let known = Filler::new(4).fill("acme_{hex:20}");
    let other = Filler::new(5).fill("acme_{hex:20}");
    let file = file(&known);
    let engine = Engine::new(Catalogue::from_toml(&[("acme.toml", &file)]).unwrap()).unwrap();
    let found = |text: &str| engine.scan(text, Direction::Request).findings.len();
    assert_eq!(found(&format!("key {known}, key {other}")), 1);
    assert_eq!(found(&known), 0);
    let told = engine.explain(&known, Direction::Request, None);
    assert!(
        told.refused
            .iter()
            .any(|refused| refused.why == Why::Published)
    );
}

#[test]
fn a_published_value_is_a_hash_of_its_length() {
    let file = file("x").replace("published = [\"", "published = [\"0");
    assert!(Catalogue::from_toml(&[("acme.toml", &file)]).is_err());
}
