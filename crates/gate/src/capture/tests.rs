use std::sync::LazyLock;

use detect::{Catalogue, Engine, template::Filler};
use proptest::prelude::*;
use terms::{Direction, LeftOut};
use wire::Dialect;

use super::*;

mod pressure;

/// Prepared once: it takes a while.
static NEVER: LazyLock<Engine> = LazyLock::new(|| {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    engine.only_kinds(never::is).unwrap()
});

fn never() -> Engine {
    NEVER.clone()
}

#[test]
fn each_detector_of_what_is_never_kept_masks_its_example() {
    assert_eq!(never::works(&never()), Ok(()));
    // The negative control: an engine without them.
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let others = engine.only_kinds(|kind| kind.as_str() == "email").unwrap();
    assert_eq!(never::works(&others), Err(Direction::Request));
}

/// Four digits that stand nowhere else in these tests.
fn digits(seed: u64) -> String {
    Filler::new(seed).fill("{digits:4}")
}

fn masked(body: &str, direction: Direction) -> Result<(String, u32), LeftOut> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    never::document(&never(), Dialect::OpenAiChat, &body, direction)
        .map(|(text, count)| (String::from_utf8(text).unwrap(), count))
}

#[test]
fn a_code_is_masked_where_its_key_or_a_neighbour_names_it() {
    let code = digits(7);
    let texts = [
        format!(r#"{{"messages":[{{"role":"user","content":"my cvv: {code} thanks"}}]}}"#),
        format!(r#"{{"messages":[],"card":{{"cvv":"{code}"}}}}"#),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"cvv is "}},{{"type":"text","text":"{code} ok"}}]}}]}}"#
        ),
    ];
    for text in texts {
        let (kept, count) = masked(&text, Direction::Request).unwrap();
        assert!(!kept.contains(&code) && count == 1, "{kept}");
        assert!(serde_json::from_str::<serde_json::Value>(&kept).is_ok());
    }
}

#[test]
fn what_cannot_be_masked_or_read_is_left_out() {
    let code = digits(7);
    let number = format!(r#"{{"messages":[],"cvv":{code}}}"#);
    let number = number.replace(":0", ":1");
    assert_eq!(masked(&number, Direction::Request), Err(LeftOut::CardData));
    assert_eq!(masked("{", Direction::Request), Err(LeftOut::Unreadable));
}

#[test]
fn what_holds_none_stays_to_the_byte() {
    let text = "{ \"messages\" : [ {\"role\":\"user\", \"content\":\"pay 1234 \\u00e9\"} ] }";
    assert_eq!(masked(text, Direction::Request), Ok((text.to_owned(), 0)));
}

proptest! {
    /// However a reply's text is cut into events and network pieces, a code in
    /// it is masked, and without one the text is whole.
    #[test]
    fn a_stream_is_the_text_that_a_client_reads(
        cuts in prop::collection::vec(1_usize..9, 1..12),
        pieces in prop::collection::vec(1_usize..200, 1..20),
        named in any::<bool>(),
    ) {
        let code = digits(9);
        let word = if named { "cvv" } else { "room" };
        let text = format!("the {word} is {code} and so on, to the end");
        let mut stream = String::new();
        let (mut rest, mut cuts) = (text.as_str(), cuts.iter().cycle());
        while !rest.is_empty() {
            let at = (*cuts.next().unwrap()).min(rest.len());
            let (piece, after) = rest.split_at(at);
            rest = after;
            stream.push_str(&format!("data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}}}}]}}\n\n"));
        }
        stream.push_str("data: [DONE]\n\n");
        let mut released = Released::stream(Dialect::OpenAiChat, 10_000);
        let (mut rest, mut pieces) = (stream.as_bytes(), pieces.iter().cycle());
        let mut held = 0;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
            rest = after;
            held += released.push(piece);
        }
        prop_assert!(held >= text.len() && held < 10_000);
        let (kept, count) = released.finish(&never(), Dialect::OpenAiChat, 10_000).unwrap();
        let kept = String::from_utf8(kept).unwrap();
        prop_assert_eq!(count, u32::from(named));
        prop_assert_eq!(kept.contains(&code), !named);
        prop_assert_eq!(kept.contains(&text), !named);
    }
}

#[test]
fn a_stream_beyond_the_limit_is_left_out_and_holds_nothing() {
    let mut released = Released::stream(Dialect::OpenAiChat, 100);
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"0123456789\"}}]}\n\n";
    let held: usize = (0..1_000).map(|_| released.push(event.as_bytes())).sum();
    assert!(held < 300, "{held}");
    let left = released.finish(&never(), Dialect::OpenAiChat, 100);
    assert_eq!(left, Err(LeftOut::TooLarge));
}
