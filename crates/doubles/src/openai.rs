//! Replies in the shape of OpenAI Chat Completions.

use serde_json::{Value, json};

use crate::{
    Deltas,
    echo::Asked,
    reply::{Answer, Event},
};

/// Headers of every reply, as the vendor sends them.
pub(crate) const HEADERS: &[(&str, &str)] = &[
    ("openai-organization", "fake-organisation"),
    ("openai-processing-ms", "7"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999000"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "30ms"),
];

/// The path of the one operation that the fake knows.
pub(crate) const PATH: &str = "/v1/chat/completions";

/// When every reply says it was made, so that equal requests get equal
/// replies: 2026-01-01.
const CREATED_S: u64 = 1_767_225_600;
const FINGERPRINT: &str = "fp_fake_vendor";

/// An error in the vendor's shape.
pub(crate) fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Answer {
    let error = json!({"message": message, "type": kind, "param": null, "code": code});
    Answer::Document(status, json!({ "error": error }))
}

/// The echo's answer to a request.
pub(crate) fn answer(asked: &Asked, deltas: Deltas) -> Answer {
    if asked.stream {
        Answer::Events(events(asked, deltas))
    } else {
        Answer::Document(200, completion(asked))
    }
}

fn completion(asked: &Asked) -> Value {
    let choices: Vec<_> = (0..asked.choices)
        .map(|index| {
            json!({"index": index, "message": message(asked), "logprobs": null,
                "finish_reason": finish_reason(asked)})
        })
        .collect();
    json!({
        "id": format!("chatcmpl-{}", asked.id),
        "object": "chat.completion",
        "created": CREATED_S,
        "model": asked.model,
        "choices": choices,
        "usage": usage(asked),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    })
}

fn message(asked: &Asked) -> Value {
    let Some(tool) = &asked.tool else {
        return json!({"role": "assistant", "content": asked.answer, "refusal": null,
            "annotations": []});
    };
    let call = json!({"id": call_id(asked), "type": "function",
        "function": {"name": tool.name, "arguments": tool.arguments}});
    json!({"role": "assistant", "content": null, "refusal": null, "annotations": [],
        "tool_calls": [call]})
}

fn events(asked: &Asked, deltas: Deltas) -> Vec<Event> {
    let mut events = Vec::new();
    for index in 0..asked.choices {
        let mut say = |delta: Value, finish: Option<&str>| {
            let choice = json!({"index": index, "delta": delta, "logprobs": null,
                "finish_reason": finish});
            events.push(chunk(asked, &[choice], &Value::Null));
        };
        match &asked.tool {
            None => {
                say(
                    json!({"role": "assistant", "content": "", "refusal": null}),
                    None,
                );
                for text in deltas.cut(&asked.answer) {
                    say(json!({ "content": text }), None);
                }
            }
            Some(tool) => {
                let call = json!({"index": 0, "id": call_id(asked), "type": "function",
                    "function": {"name": tool.name, "arguments": ""}});
                let head = json!({"role": "assistant", "content": null, "tool_calls": [call]});
                say(head, None);
                for text in deltas.cut(&tool.arguments) {
                    let call = json!({"index": 0, "function": {"arguments": text}});
                    say(json!({ "tool_calls": [call] }), None);
                }
            }
        }
        say(json!({}), Some(finish_reason(asked)));
    }
    if asked.usage {
        events.push(chunk(asked, &[], &usage(asked)));
    }
    events.push(Event {
        name: None,
        data: "[DONE]".to_owned(),
    });
    events
}

fn chunk(asked: &Asked, choices: &[Value], usage: &Value) -> Event {
    let mut chunk = json!({
        "id": format!("chatcmpl-{}", asked.id),
        "object": "chat.completion.chunk",
        "created": CREATED_S,
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
    });
    if let (true, Some(chunk)) = (asked.usage, chunk.as_object_mut()) {
        chunk.insert("usage".to_owned(), usage.clone());
    }
    Event {
        name: None,
        data: chunk.to_string(),
    }
}

fn usage(asked: &Asked) -> Value {
    let out = asked.words_out() * asked.choices;
    json!({"prompt_tokens": asked.words, "completion_tokens": out,
        "total_tokens": asked.words + out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}

fn call_id(asked: &Asked) -> String {
    format!("call_{}", asked.id)
}

const fn finish_reason(asked: &Asked) -> &'static str {
    if asked.tool.is_some() {
        "tool_calls"
    } else {
        "stop"
    }
}
