//! Replies in the shape of Anthropic Messages.

use serde_json::{Value, json};

use crate::{
    Deltas,
    echo::Asked,
    reply::{Answer, Event},
};

/// Headers of every reply, as the vendor sends them.
pub(crate) const HEADERS: &[(&str, &str)] = &[
    ("anthropic-organization-id", "fake-organisation"),
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z"),
    ("anthropic-ratelimit-tokens-limit", "480000"),
    ("anthropic-ratelimit-tokens-remaining", "479000"),
    ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:00Z"),
];

/// The path of the messages operation.
pub(crate) const PATH: &str = "/v1/messages";
/// The path of the operation that only counts.
pub(crate) const COUNT_PATH: &str = "/v1/messages/count_tokens";

/// An error in the vendor's shape.
pub(crate) fn error(status: u16, kind: &str, message: &str, id: &str) -> Answer {
    let error = json!({"type": kind, "message": message});
    Answer::Document(
        status,
        json!({"type": "error", "error": error, "request_id": id}),
    )
}

/// The answer to a request that only counts.
pub(crate) fn count(asked: &Asked) -> Answer {
    Answer::Document(200, json!({ "input_tokens": asked.words }))
}

/// The echo's answer to a request.
pub(crate) fn answer(asked: &Asked, deltas: Deltas) -> Answer {
    if asked.stream {
        return Answer::Events(events(asked, deltas));
    }
    let mut message = message(asked, asked.words_out());
    if let Some(message) = message.as_object_mut() {
        message.insert("content".to_owned(), json!([block(asked)]));
        message.insert("stop_reason".to_owned(), json!(stop_reason(asked)));
    }
    Answer::Document(200, message)
}

fn message(asked: &Asked, words_out: u64) -> Value {
    json!({
        "id": format!("msg_{}", asked.id),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {"input_tokens": asked.words, "output_tokens": words_out,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "service_tier": "standard"},
    })
}

fn block(asked: &Asked) -> Value {
    asked.tool.as_ref().map_or_else(
        || json!({"type": "text", "text": asked.answer}),
        |tool| {
            let input: Value = serde_json::from_str(&tool.arguments).unwrap_or_default();
            json!({"type": "tool_use", "id": call_id(asked), "name": tool.name, "input": input})
        },
    )
}

fn events(asked: &Asked, deltas: Deltas) -> Vec<Event> {
    let start = asked.tool.as_ref().map_or_else(
        || json!({"type": "text", "text": ""}),
        |tool| json!({"type": "tool_use", "id": call_id(asked), "name": tool.name, "input": {}}),
    );
    let (kind, key, text) = match &asked.tool {
        None => ("text_delta", "text", &asked.answer),
        Some(tool) => ("input_json_delta", "partial_json", &tool.arguments),
    };
    let mut events = vec![
        event("message_start", json!({ "message": message(asked, 1) })),
        event(
            "content_block_start",
            json!({"index": 0, "content_block": start}),
        ),
        event("ping", json!({})),
    ];
    for text in deltas.cut(text) {
        let delta = json!({"type": kind, key: text});
        events.push(event(
            "content_block_delta",
            json!({"index": 0, "delta": delta}),
        ));
    }
    let delta = json!({"stop_reason": stop_reason(asked), "stop_sequence": null});
    let usage = json!({ "output_tokens": asked.words_out() });
    events.extend([
        event("content_block_stop", json!({"index": 0})),
        event("message_delta", json!({"delta": delta, "usage": usage})),
        event("message_stop", json!({})),
    ]);
    events
}

fn event(name: &'static str, mut data: Value) -> Event {
    if let Some(data) = data.as_object_mut() {
        data.insert("type".to_owned(), json!(name));
    }
    Event {
        name: Some(name),
        data: data.to_string(),
    }
}

fn call_id(asked: &Asked) -> String {
    format!("toolu_{}", asked.id)
}

const fn stop_reason(asked: &Asked) -> &'static str {
    if asked.tool.is_some() {
        "tool_use"
    } else {
        "end_turn"
    }
}
