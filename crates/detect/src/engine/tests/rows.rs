//! Numbers whose rows of digits and letters are longer than is counted.

use terms::Direction;

use super::LIMITS;
use crate::{Catalogue, Engine};

fn engine(pattern: &str, left: &str, example: &str) -> Engine {
    let file = format!(
        r#"
        id = "long"
        kind = "key"
        title = "Long"
        control = "redaction"
        directions = ["request", "reply"]
        default_action = "redact"
        score = 80
        patterns = ['{pattern}']
        left = "{left}"
        right = "none"
        examples = ["{example}"]
        counter_examples = ["none"]
        "#
    );
    Engine::new(Catalogue::from_toml(&[("long.toml", &file)]).unwrap()).unwrap()
}

fn finds(engine: &Engine, text: &str) -> bool {
    let whole = engine.scan(text, Direction::Request).findings.len() == 1;
    let (left, right) = text.split_at(text.len() / 2);
    let mut stream = engine.stream(Direction::Request, LIMITS);
    let mut segments = stream.push(left).unwrap();
    segments.extend(stream.push(right).unwrap());
    segments.extend(stream.finish());
    let found = |segment: &_| matches!(segment, super::Segment::Found { .. });
    assert_eq!(whole, segments.iter().any(found), "{text}");
    whole
}

#[test]
fn more_letters_than_are_counted_make_no_match_too_short() {
    let long = format!("1{}", "a".repeat(140));
    let parted = engine("[0-9](?:[0-9a-f]{2}){70}", "alnum", &long);
    assert!(finds(&parted, &format!("see {long} now")));
    assert!(!finds(&parted, &format!("see {} now", &long[1..])));
    let row = engine("[0-9]{200}", "alnum", &"7".repeat(200));
    assert!(finds(&row, &format!("see {} now", "7".repeat(200))));
}

#[test]
fn a_match_may_begin_far_inside_a_row_of_digits() {
    let tail = format!("sun{}", "0123456789abcdef".repeat(2));
    let inside = engine(
        "[0-9]{4}(?:sun|tap)[0-9a-f]{32}",
        "none",
        &format!("7777{tail}"),
    );
    for digits in [4, 100, 127, 128, 129, 200, 1_000] {
        let row = "7".repeat(digits);
        assert!(finds(&inside, &format!("see {row}{tail} now")), "{digits}");
    }
    assert!(!finds(&inside, &format!("see 777{tail} now")));
}

#[test]
fn digits_far_apart_are_no_telephone_number_wherever_the_text_ends() {
    let file = include_str!("../../../../../catalogue/detectors/phone-named.toml");
    let mut wide: String = file
        .lines()
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    let (from, upto) = (
        wide.find("patterns = [").unwrap(),
        wide.find("left = ").unwrap(),
    );
    wide.replace_range(from..upto, "patterns = ['[0-9]{3}[ ]{1,70}[0-9]{4}']\n");
    let engine = Engine::new(Catalogue::from_toml(&[("wide.toml", &wide)]).unwrap()).unwrap();
    let number = |blanks: usize| format!("phone: 555{}1234", " ".repeat(blanks));
    for behind in ["", " and so on"] {
        let behind = behind.repeat(10);
        assert!(finds(&engine, &(number(1) + &behind)));
        assert!(!finds(&engine, &(number(65) + &behind)));
    }
}
