//! Puts replies together: status, headers that say what this is, and body.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, SERVER},
};
use serde_json::Value;

use crate::{Api, Behaviour, Chunk, Deltas, End, Script, body::ReplyBody, line::Reset};

/// A reply on its way out.
pub(crate) type Reply = Response<ReplyBody>;

/// What the echo answers, before it is put on the wire.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A JSON document with its status.
    Document(u16, Value),
    /// Server-sent events: name, if the protocol names them, and data.
    Events(Vec<Event>),
}

/// One server-sent event.
#[derive(Debug)]
pub(crate) struct Event {
    /// The `event:` line, where the protocol has one.
    pub(crate) name: Option<&'static str>,
    /// The `data:` line.
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn bytes(&self) -> Bytes {
        let name = self.name.map(|name| format!("event: {name}\n"));
        Bytes::from(format!(
            "{}data: {}\n\n",
            name.unwrap_or_default(),
            self.data
        ))
    }
}

/// The reply that carries an answer of the echo.
pub(crate) fn answered(api: Api, answer: &Answer, behaviour: Behaviour, id: &str) -> Reply {
    let mut reply = match answer {
        Answer::Document(status, document) => {
            let bytes = Bytes::from(document.to_string());
            let body = if behaviour.delay_ms == 0 {
                ReplyBody::whole(bytes)
            } else {
                ReplyBody::chunked(chunks([bytes], behaviour), End::Clean, Reset::default())
            };
            with_status(*status, "application/json", body)
        }
        Answer::Events(events) => {
            let events = events.iter().map(Event::bytes);
            let body = ReplyBody::chunked(chunks(events, behaviour), End::Clean, Reset::default());
            with_status(200, "text/event-stream; charset=utf-8", body)
        }
    };
    name_vendor(&mut reply, api, id);
    reply
}

/// A JSON reply of the control endpoint.
pub(crate) fn told(status: u16, document: &Value) -> Reply {
    let body = ReplyBody::whole(Bytes::from(document.to_string()));
    with_status(status, "application/json", body)
}

/// The reply that a script asks for.
pub(crate) fn scripted(script: Script, reset: Reset) -> Reply {
    let status = StatusCode::from_u16(script.status).unwrap_or(StatusCode::OK);
    let chunks = VecDeque::from(script.chunks);
    let mut reply = Response::new(ReplyBody::chunked(chunks, script.end, reset));
    *reply.status_mut() = status;
    say_who(&mut reply);
    for (name, value) in &script.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        // Header values are taken as Latin-1, to script bytes outside ASCII.
        let value: Vec<u8> = value.chars().filter_map(|c| u8::try_from(c).ok()).collect();
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&value)) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// A reply of known length from bytes that never change.
pub(crate) fn canned(content_type: &'static str, bytes: Bytes) -> Reply {
    with_status(200, content_type, ReplyBody::whole(bytes))
}

fn with_status(status: u16, content_type: &'static str, body: ReplyBody) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    say_who(&mut reply);
    reply
}

fn say_who(reply: &mut Reply) {
    reply
        .headers_mut()
        .insert(SERVER, HeaderValue::from_static(crate::SERVER));
}

/// Adds the headers by which each vendor names a request and its limits.
fn name_vendor(reply: &mut Reply, api: Api, id: &str) {
    let (id_header, fixed): (_, &[(&'static str, &'static str)]) = match api {
        Api::OpenAi => ("x-request-id", crate::openai::HEADERS),
        Api::Anthropic => ("request-id", crate::anthropic::HEADERS),
    };
    if let Ok(value) = HeaderValue::from_str(id) {
        reply.headers_mut().insert(id_header, value);
    }
    for (name, value) in fixed {
        reply
            .headers_mut()
            .insert(*name, HeaderValue::from_static(value));
    }
}

fn chunks(parts: impl IntoIterator<Item = Bytes>, behaviour: Behaviour) -> VecDeque<Chunk> {
    let chunk = |bytes| Chunk {
        bytes,
        delay_ms: behaviour.delay_ms,
    };
    let Deltas::Bytes(size) = behaviour.deltas else {
        return parts.into_iter().map(chunk).collect();
    };
    let mut all = BytesMut::new();
    parts
        .into_iter()
        .for_each(|part| all.extend_from_slice(&part));
    let mut all = all.freeze();
    let mut cut = VecDeque::with_capacity(all.len() / size.max(1) + 1);
    while !all.is_empty() {
        cut.push_back(chunk(all.split_to(size.clamp(1, all.len()))));
    }
    cut
}
