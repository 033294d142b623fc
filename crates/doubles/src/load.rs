//! The replies of a vendor under load: made once, the same for everybody.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::json;

use crate::{
    Api, Behaviour,
    echo::Asked,
    reply::{self, Answer, Event, Reply},
};

const TEXT: &str = "This is a canned reply of a fake vendor under load, and nothing else.";

static OPENAI: LazyLock<Canned> = LazyLock::new(|| Canned::new(Api::OpenAi));
static ANTHROPIC: LazyLock<Canned> = LazyLock::new(|| Canned::new(Api::Anthropic));

/// The canned replies of one API.
struct Canned {
    document: Bytes,
    stream: Bytes,
}

impl Canned {
    fn new(api: Api) -> Self {
        let bytes = |stream| {
            let request = json!({"model": "fake-model", "stream": stream,
                "messages": [{"role": "user", "content": TEXT}]});
            let asked = Asked::read(b"", &request);
            let deltas = Behaviour::default().deltas;
            let answer = asked.map(|asked| match api {
                Api::OpenAi => crate::openai::answer(&asked, deltas),
                Api::Anthropic => crate::anthropic::answer(&asked, deltas),
            });
            match answer {
                Ok(Answer::Document(_, document)) => document.to_string().into(),
                Ok(Answer::Events(events)) => {
                    let events: Vec<_> = events.iter().map(Event::bytes).collect();
                    events.concat().into()
                }
                Err(_) => Bytes::new(),
            }
        };
        Self {
            document: bytes(false),
            stream: bytes(true),
        }
    }
}

/// The canned reply to a request, streamed if its body asks for that.
pub(crate) fn reply(api: Api, body: &[u8]) -> Reply {
    let canned = match api {
        Api::OpenAi => &*OPENAI,
        Api::Anthropic => &*ANTHROPIC,
    };
    if asks_for_stream(body) {
        reply::canned("text/event-stream; charset=utf-8", canned.stream.clone())
    } else {
        reply::canned("application/json", canned.document.clone())
    }
}

/// Looks for `"stream": true` without parsing: good enough for a load.
fn asks_for_stream(body: &[u8]) -> bool {
    let key = b"\"stream\":";
    body.windows(key.len())
        .position(|window| window == key)
        .and_then(|at| body.get(at + key.len()..))
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"true"))
}

#[cfg(test)]
mod tests {
    use super::{ANTHROPIC, OPENAI, asks_for_stream};

    #[test]
    fn the_wish_for_a_stream_is_found() {
        assert!(asks_for_stream(br#"{"model":"m","stream": true}"#));
        assert!(asks_for_stream(br#"{"stream":true}"#));
        assert!(!asks_for_stream(br#"{"stream":false}"#));
        assert!(!asks_for_stream(b"{}"));
    }

    #[test]
    fn canned_replies_are_whole() {
        assert!(OPENAI.stream.ends_with(b"data: [DONE]\n\n"));
        assert!(OPENAI.document.starts_with(b"{"));
        assert!(ANTHROPIC.stream.starts_with(b"event: message_start\n"));
    }
}
