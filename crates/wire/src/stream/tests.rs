use bytes::Bytes;
use proptest::prelude::*;
use terms::{Code, Refusal};

use super::{MapFault, StreamMapper};
use crate::{
    Dialect, Document, EventWalk, Leaf, LeafKind, Limits, Surrogates,
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
    // Neither half stays where it was written.
    for walk in &walks[1..3] {
        assert_eq!(walk.halved, [walk.deltas[0].at.clone()]);
    }
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
fn a_half_that_stays_alone_is_told_once() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let walk = map(&mut mapper, &events(CHAT)[1]);
    let channel = walk.deltas[0].channel.as_ref().unwrap();
    assert!(mapper.take_half(&channel.id) && !mapper.take_half(&channel.id));
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

/// One event with this data.
fn one(mapper: &mut StreamMapper, data: &str) -> Result<EventWalk, MapFault> {
    let event = events(&format!("data: {data}\n\n")).remove(0);
    let document = parsed(&event);
    mapper.map(&event, Some(&document))
}

/// An event with one choice, less its braces.
fn choice(mapper: &mut StreamMapper, choice: &str) -> Result<EventWalk, MapFault> {
    one(mapper, &format!("{{\"choices\":[{{{choice}}}]}}"))
}

fn texts(leaves: &[Leaf]) -> Vec<&str> {
    let texts = leaves.iter().filter(|leaf| leaf.kind == LeafKind::Text);
    texts.map(|leaf| leaf.text.as_str()).collect()
}

#[test]
fn only_a_reason_ends_a_choice_and_no_text_follows_it() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let first = choice(
        &mut mapper,
        r#""index":0,"delta":{"content":"a"},"finish_reason":"""#,
    );
    assert!(first.unwrap().ends.is_empty());
    let last = choice(
        &mut mapper,
        r#""index":0,"delta":{"content":"b"},"finish_reason":"stop""#,
    );
    let last = last.unwrap();
    assert_eq!(texts(&last.deltas), ["b"]);
    let id = &last.deltas[0].channel.as_ref().unwrap().id;
    assert_eq!(last.ends, std::slice::from_ref(id));
    // A bill may come with an empty delta.
    let bill = choice(&mut mapper, r#""index":0,"delta":{"content":""}"#);
    assert!(bill.unwrap().deltas.is_empty());
    for more in [
        r#""index":0,"delta":{"content":"c"}"#,
        r#""index":0,"delta":{"refusal":"c"}"#,
        r#""index":0,"logprobs":{"content":[{"token":"c"}]},"delta":{}"#,
    ] {
        assert!(choice(&mut mapper, more).is_err(), "{more}");
    }
    assert!(choice(&mut mapper, r#""index":1,"delta":{"content":"c"}"#).is_ok());
}

#[test]
fn an_error_that_is_null_is_none() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let text = r#""choices":[{"index":0,"delta":{"content":"a"}}]"#;
    for error in ["null", "false", "\"\""] {
        let walk = one(&mut mapper, &format!("{{\"error\":{error},{text}}}")).unwrap();
        assert!(!walk.terminal);
        assert_eq!(texts(&walk.deltas), ["a"]);
    }
    let error = r#""error":{"message":"busy"}"#;
    assert!(one(&mut mapper, &format!("{{{error},{text}}}")).is_err());
    for alone in ["", r#","choices":[]"#, r#","choices":null"#] {
        let walk = one(&mut mapper, &format!("{{{error}{alone}}}")).unwrap();
        assert!(walk.terminal && walk.deltas.is_empty());
        assert_eq!(texts(&walk.whole), ["busy"]);
    }
}

#[test]
fn only_deltas_go_on() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let data = concat!(
        r#"{"provider":"p","citations":["c"],"choices[0].delta.content":"k","#,
        r#""choices":[{"index":0,"native":"n","message":{"content":"m"},"delta":{"content":"d","x":"y"}}]}"#
    );
    let walk = one(&mut mapper, data).unwrap();
    assert_eq!(texts(&walk.deltas), ["d", "y"]);
    let mut whole = texts(&walk.whole);
    whole.sort_unstable();
    assert_eq!(whole, ["c", "k", "m", "n", "p"]);
    let family = |leaf: &Leaf| leaf.channel.as_ref().map(|channel| channel.id.family());
    let message = walk.whole.iter().find(|leaf| leaf.text == "m").unwrap();
    assert_eq!(family(message), family(&walk.deltas[0]));
    // What is rewritten whole may still be added to.
    let call = r#""index":0,"delta":{"tool_calls":[{"index":0,"id":"t"}]}"#;
    let walk = choice(&mut mapper, call).unwrap();
    let id = walk.whole.iter().find(|leaf| leaf.text == "t").unwrap();
    assert!(id.channel.is_some());
}

#[test]
fn a_part_of_a_content_belongs_to_the_content() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let text = choice(&mut mapper, r#""index":0,"delta":{"content":"a"}"#).unwrap();
    let part = choice(
        &mut mapper,
        r#""index":0,"delta":{"content":[{"type":"text","text":"b"}]}"#,
    );
    let part = part.unwrap();
    let family = |walk: &EventWalk| walk.deltas[0].channel.as_ref().unwrap().id.family();
    assert_eq!(family(&text), family(&part));
}

#[test]
fn a_place_has_one_name() {
    for wrong in [
        r#"{"choices":[{"index":0.0,"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":"0","delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":5},{"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0.0}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":"0"}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"a.b":"c"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"a[0]":"c"}}]}"#,
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\\ud83d\":\"c\"}}]}",
    ] {
        let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
        assert!(one(&mut mapper, wrong).is_err(), "{wrong}");
    }
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    assert!(choice(&mut mapper, r#""delta":{"content":"a"}"#).is_ok());
    assert!(choice(&mut mapper, r#""index":null,"delta":{"content":"a"}"#).is_ok());
}

#[test]
fn lists_end_with_their_choice() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let list = r#""index":0,"delta":{},"logprobs":{"content":[{"token":"c"}]}"#;
    let channel = choice(&mut mapper, list).unwrap().logprobs[0]
        .channel
        .clone();
    let end = r#""index":0,"delta":{},"finish_reason":"tool_calls""#;
    assert_eq!(choice(&mut mapper, end).unwrap().ends, [channel]);
}

const START: &str =
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const DELTA: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
const STOP: &str = r#"{"type":"content_block_stop","index":0}"#;

#[test]
fn a_block_starts_once_and_nothing_comes_outside_of_it() {
    for wrong in [
        &[DELTA][..],
        &[START, STOP, DELTA],
        &[START, START],
        &[START, STOP, START],
        &[r#"{"type":"message_start","message":{"content":[{"type":"text","text":"a"}]}}"#],
        &[r#"{"type":"message_start","message":{"content":"a"}}"#],
    ] {
        let mut mapper = StreamMapper::new(Dialect::AnthropicMessages);
        let (last, first) = wrong.split_last().unwrap();
        for event in first {
            one(&mut mapper, event).unwrap();
        }
        assert!(one(&mut mapper, last).is_err(), "{wrong:?}");
    }
}

#[test]
fn only_the_citation_of_a_delta_is_whole() {
    let mut mapper = StreamMapper::new(Dialect::AnthropicMessages);
    one(&mut mapper, START).unwrap();
    let data = r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","text":"a","citation":{"cited_text":"c"}}}"#;
    let walk = one(&mut mapper, data).unwrap();
    assert_eq!(texts(&walk.deltas), ["a"]);
    assert!(texts(&walk.whole).contains(&"c"));
    // Texts of events that no client joins are whole.
    let data = r#"{"type":"x_new","delta":{"text":"a"}}"#;
    assert!(one(&mut mapper, data).unwrap().deltas.is_empty());
    assert_eq!(
        one(&mut mapper, STOP).unwrap().done.as_deref(),
        Some("content[0].")
    );
}

#[test]
fn channels_have_a_limit_over_the_life_of_a_stream() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let fields: Vec<String> = (0..60_000).map(|at| format!("\"k{at}\":\"v\"")).collect();
    let data = format!("\"index\":0,\"delta\":{{{}}}", fields.join(","));
    assert!(choice(&mut mapper, &data).unwrap_err().is_limit());
    let mut mapper = StreamMapper::new(Dialect::AnthropicMessages);
    let limit = (0..100_000).find_map(|index| {
        let at = format!("\"index\":{index}");
        [START, STOP]
            .iter()
            .find_map(|event| one(&mut mapper, &event.replace("\"index\":0", &at)).err())
    });
    assert!(limit.unwrap().is_limit());
}

#[test]
fn an_added_chunk_repeats_no_long_name_and_lists_in_lists() {
    let mut mapper = StreamMapper::new(Dialect::OpenAiChat);
    let id = "a".repeat(1 << 20);
    let data = format!(
        "{{\"id\":\"{id}\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"x\":[[{{\"y\":\"z\"}}]]}}}}]}}"
    );
    let event = events(&format!("data: {data}\n\n")).remove(0);
    let walk = map(&mut mapper, &event);
    let flush = mapper.flush_event(walk.deltas[0].channel.as_ref().unwrap(), "w", None);
    let flush = events(std::str::from_utf8(&flush).unwrap()).remove(0);
    let value: serde_json::Value = serde_json::from_str(&flush.data).unwrap();
    assert_eq!(
        (value["id"].as_str(), value["model"].as_str()),
        (Some(""), Some("m"))
    );
    let list = &value["choices"][0]["delta"]["x"];
    assert_eq!(list, &serde_json::json!([[{ "index": 0, "y": "w" }]]));
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
