//! What the fake OpenAI is told to answer where the echo does not do.

use bytes::Bytes;
use doubles::{Chunk, End, Script};
use serde_json::{Value, json};

/// LIMIT: characters in one delta of a scripted stream.
const DELTA_CHARS_MAX: usize = 5;

/// A whole reply that says `text`.
pub(super) fn says(text: &str) -> Script {
    let message = json!({ "role": "assistant", "content": text });
    let choice = json!({ "index": 0, "finish_reason": "stop", "message": message });
    let body = json!({ "id": "chatcmpl-demo", "object": "chat.completion", "created": 1, "model": "gpt-demo", "choices": [choice] });
    Script::whole(200, "application/json", body.to_string().into())
}

/// A stream that says `text` a few characters at a time.
pub(super) fn streams(text: &str) -> Script {
    let mut script = stream(text);
    script
        .chunks
        .push(event(&chunk(&json!({}), &json!("stop"))));
    script.chunks.push(data("[DONE]"));
    script
}

/// A stream whose connection breaks after `text`.
pub(super) fn dies_after(text: &str) -> Script {
    Script {
        end: End::Cut,
        ..stream(text)
    }
}

fn stream(text: &str) -> Script {
    let chars: Vec<char> = text.chars().collect();
    let deltas = chars
        .chunks(DELTA_CHARS_MAX)
        .map(|part| json!({ "content": part.iter().collect::<String>() }));
    Script {
        chunks: deltas
            .map(|delta| event(&chunk(&delta, &Value::Null)))
            .collect(),
        ..Script::whole(200, "text/event-stream", Bytes::new())
    }
}

fn chunk(delta: &Value, finish: &Value) -> Value {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    json!({ "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 1, "model": "gpt-demo", "choices": [choice] })
}

fn event(event: &Value) -> Chunk {
    data(&event.to_string())
}

fn data(text: &str) -> Chunk {
    Chunk {
        bytes: format!("data: {text}\n\n").into(),
        delay_ms: 0,
    }
}
