//! Events that the gate adds: text that was held back, and ends.

use terms::{Refusal, Slot};

use super::StreamMapper;
use crate::{
    Channel,
    dialect::{Api, error_json, quoted},
};

impl StreamMapper {
    /// An event that carries `text` as one more piece of a channel, with the
    /// log probabilities (a JSON array) that belong to it.
    #[must_use]
    pub fn flush_event(&self, channel: &Channel, text: &str, logprobs: Option<&[u8]>) -> Vec<u8> {
        match self.api {
            Api::OpenAi => self.openai_flush(channel, text, logprobs),
            Api::Anthropic => anthropic_flush(channel, text),
        }
    }

    /// The protocol's own end for a reply that a control ended.
    #[must_use]
    pub fn refusal_end(&self) -> Vec<u8> {
        match self.api {
            Api::OpenAi => {
                let mut open: Vec<u64> = self.running().collect();
                if open.is_empty() {
                    open.push(0);
                }
                let mut out = String::new();
                for index in open {
                    out.push_str(&self.chunk(&format!(r#"{{"index":{index},"delta":{{}},"logprobs":null,"finish_reason":"content_filter"}}"#)));
                }
                out.push_str("data: [DONE]\n\n");
                out.into_bytes()
            }
            Api::Anthropic => self.anthropic_refusal().into_bytes(),
        }
    }

    /// The protocol's error, for a failure in mid-stream.
    #[must_use]
    pub fn error_end(&self, refusal: &Refusal, exchange: &str) -> Vec<u8> {
        let json = String::from_utf8_lossy(&error_json(self.api, refusal, exchange)).into_owned();
        match self.api {
            Api::OpenAi => format!("data: {json}\n\n"),
            Api::Anthropic => format!("event: error\ndata: {json}\n\n"),
        }
        .into_bytes()
    }

    /// Choices or blocks that have not ended.
    fn running(&self) -> impl Iterator<Item = u64> + '_ {
        self.open
            .iter()
            .filter(|(_, open)| !open.over)
            .map(|(index, _)| *index)
    }

    fn chunk(&self, choice: &str) -> String {
        let head = |name: &str, absent: &str| {
            self.head
                .get(name)
                .cloned()
                .unwrap_or_else(|| absent.to_owned())
        };
        format!(
            "data: {{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{},\"choices\":[{choice}]}}\n\n",
            head("id", "\"\""),
            head("created", "0"),
            head("model", "\"\""),
        )
    }

    fn openai_flush(&self, channel: &Channel, text: &str, logprobs: Option<&[u8]>) -> Vec<u8> {
        let mut path = channel.id.0.split_once("].").map_or("", |(_, path)| path);
        path = path
            .strip_prefix("delta.")
            .or_else(|| path.strip_prefix("message."))
            .unwrap_or(path);
        let index = channel
            .id
            .0
            .strip_prefix("choices[")
            .and_then(|rest| rest.split_once(']'))
            .map_or("0", |(index, _)| index);
        // Log probabilities may come without a text.
        let delta = if text.is_empty() {
            "{}".to_owned()
        } else {
            nest(path, &quoted(text))
        };
        let list = if path.starts_with("refusal") {
            "refusal"
        } else {
            "content"
        };
        let logprobs = logprobs.map_or_else(
            || "null".to_owned(),
            |array| format!("{{\"{list}\":{}}}", String::from_utf8_lossy(array)),
        );
        self.chunk(&format!(
            r#"{{"index":{index},"delta":{delta},"logprobs":{logprobs},"finish_reason":null}}"#
        ))
        .into_bytes()
    }

    fn anthropic_refusal(&self) -> String {
        let mut out = String::new();
        if !self.started {
            out.push_str("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_merestone\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}}\n\n");
        }
        for index in self.running() {
            out.push_str(&format!("event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{index}}}\n\n"));
        }
        out.push_str("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":0}}\n\n");
        out.push_str("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        out
    }
}

/// A delta that holds a value at a path such as `tool_calls[1].function.arguments`.
fn nest(path: &str, value: &str) -> String {
    let (step, rest) = path
        .split_once('.')
        .map_or((path, None), |(step, rest)| (step, Some(rest)));
    let inner = rest.map_or_else(|| value.to_owned(), |rest| nest(rest, value));
    match step.split_once('[') {
        None => format!("{{{}:{inner}}}", quoted(step)),
        Some((name, indices)) => {
            // The innermost list first.
            let list = indices.trim_end_matches(']').rsplit("][");
            let value = list.fold(inner, |inner, index| match inner.strip_prefix('{') {
                Some(members) => format!("[{{\"index\":{index},{members}]"),
                None => format!("[{inner}]"),
            });
            format!("{{{}:{value}}}", quoted(name))
        }
    }
}

fn anthropic_flush(channel: &Channel, text: &str) -> Vec<u8> {
    let index = channel
        .id
        .0
        .strip_prefix("content[")
        .and_then(|rest| rest.split_once(']'))
        .map_or("0", |(index, _)| index);
    let name = channel.id.0.rsplit('.').next().unwrap_or("text");
    let text = quoted(text);
    let delta = match (name, channel.slot) {
        ("thinking", _) => format!("{{\"type\":\"thinking_delta\",\"thinking\":{text}}}"),
        ("partial_json", _) | (_, Slot::ToolCall) => {
            format!("{{\"type\":\"input_json_delta\",\"partial_json\":{text}}}")
        }
        ("text", _) => format!("{{\"type\":\"text_delta\",\"text\":{text}}}"),
        (other, _) => format!("{{\"type\":\"text_delta\",{}:{text}}}", quoted(other)),
    };
    format!("event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}\n\n").into_bytes()
}
