use bytes::Bytes;
use proptest::prelude::*;
use terms::{Code, Refusal};

use super::StreamMapper;
use crate::{
    Dialect, Document, EventWalk, Limits, Surrogates,
    sse::{Decoder, Event},
};

fn events(text: &str) -> Vec<Event> {
    Decoder::new(1 << 20).push(text.as_bytes()).unwrap()
}

fn parsed(event: &Event) -> Document {
    let bytes = Bytes::copy_from_slice(event.data.as_bytes());
    Document::parse(bytes, &Limits::default(), Surrogates::Keep).unwrap()
}

fn map(mapper: &mut StreamMapper, event: &Event) -> EventWalk {
    let document = (event.data != "[DONE]").then(|| parsed(event));
    if let Some(document) = &document {
        mapper.names(document);
    }
    mapper.map(event, document.as_ref()).unwrap()
}

const CHAT: &str = concat!(
    "data: {\"id\":\"c1\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"He\\ud83d\"}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00llo\",\"brand_new\":\"x\"}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"send\",\"arguments\":\"{\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"}\"}}]}}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
);

#[test]
fn a_chat_stream_is_channels_and_an_end() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let walks: Vec<EventWalk> = events(CHAT)
        .iter()
        .map(|event| map(&mut mapper, event))
        .collect();
    // A pair of surrogates that the vendor split is one character again.
    assert_eq!(walks[2].deltas[0].text, "\u{1f600}llo");
    // What nobody knows is a channel too.
    assert_eq!(walks[2].deltas[1].text, "x");
    let first = walks[3].deltas[0].channel.as_ref().unwrap();
    let second = walks[4].deltas[0].channel.as_ref().unwrap();
    assert_eq!((first.id.clone(), first.json), (second.id.clone(), true));
    assert_eq!(second.tool.as_deref(), Some("send"));
    assert_eq!(walks[5].ends.len(), 3);
    assert!(walks[6].terminal && !walks[5].terminal);
    let flush = mapper.flush_event(second, "a\"b", None);
    let flush = events(std::str::from_utf8(&flush).unwrap());
    let value: serde_json::Value = serde_json::from_str(&flush[0].data).unwrap();
    assert_eq!(value["id"], "c1");
    assert_eq!(
        value["choices"][0]["delta"]["tool_calls"][0],
        serde_json::json!({ "index": 1, "function": { "arguments": "a\"b" } })
    );
}

#[test]
fn an_anthropic_stream_is_blocks_and_an_end() {
    let text = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"send\",\"input\":{}}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let mut mapper = StreamMapper::new(Dialect::AnthropicMessages);
    let walks: Vec<EventWalk> = events(text)
        .iter()
        .map(|event| map(&mut mapper, event))
        .collect();
    let thinking = walks[2].deltas[0].channel.clone().unwrap();
    assert_eq!(walks[3].signatures[0].0, thinking.id);
    assert_eq!(walks[4].ends, [thinking.id]);
    let arguments = walks[6].deltas[0].channel.clone().unwrap();
    assert_eq!(
        (arguments.tool.as_deref(), arguments.json),
        (Some("send"), true)
    );
    assert_eq!(walks[7].ends, [arguments.id]);
    assert!(walks[8].terminal);
}

#[test]
fn a_tool_named_in_pieces_is_refused() {
    let call = |name: &str| {
        let delta = format!(
            "{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"name\":\"{name}\",\"arguments\":\"\"}}}}]}}"
        );
        let text = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
        events(&text).remove(0)
    };
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    for name in ["send", "", "send"] {
        map(&mut mapper, &call(name));
    }
    for name in ["_all", &"a".repeat(300)] {
        let event = call(name);
        let document = parsed(&event);
        assert!(mapper.map(&event, Some(&document)).is_err());
    }
}

#[test]
fn every_end_is_well_formed() {
    let refusal = Refusal::new(Code::VendorCut);
    for dialect in Dialect::ALL {
        let mapper = StreamMapper::new(*dialect);
        for bytes in [mapper.refusal_end(), mapper.error_end(&refusal, "mx-1")] {
            for event in events(std::str::from_utf8(&bytes).unwrap()) {
                assert!(
                    event.data == "[DONE]"
                        || serde_json::from_str::<serde_json::Value>(&event.data).is_ok()
                );
            }
        }
        assert!(
            serde_json::from_slice::<serde_json::Value>(&dialect.error_body(&refusal, "mx-1"))
                .is_ok()
        );
    }
}

#[test]
fn an_event_that_fits_nowhere_is_refused() {
    let mut mapper = StreamMapper::new(Dialect::AnthropicMessages);
    let event = &events("data: hello\n\n")[0];
    assert!(mapper.map(event, None).is_err());
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8), ending in prop::sample::select(vec!["\n", "\r\n", "\r"])) {
        let text = format!("\u{feff}: hi{ending}{ending}{}id: 1{ending}data: a{ending}data: b{ending}{ending}x", CHAT.replace('\n', ending));
        let whole = Decoder::new(1 << 20).push(text.as_bytes()).unwrap();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([0, text.len()]).collect();
        at.sort_unstable();
        let mut decoder = Decoder::new(1 << 20);
        let mut split = Vec::new();
        for pair in at.windows(2) {
            split.extend(decoder.push(&text.as_bytes()[pair[0]..pair[1]]).unwrap());
        }
        prop_assert!(decoder.is_cut());
        prop_assert_eq!(whole.len(), 9);
        prop_assert_eq!(&whole[8].data, "a\nb");
        prop_assert_eq!(split, whole);
    }
}
