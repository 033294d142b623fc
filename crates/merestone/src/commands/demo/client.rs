//! The smallest HTTP client that can play an application. Applications use
//! their vendor's SDK; the tests do so too.

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// LIMIT: bytes of a reply.
const REPLY_BYTES_MAX: u64 = 1 << 20;

/// What came back.
pub(super) struct Reply {
    /// The status.
    pub(super) status: u16,
    /// The exchange's name.
    pub(super) exchange: String,
    /// The body; of a stream the events' data, one a line.
    pub(super) body: String,
}

impl Reply {
    /// The body as JSON.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.body)?)
    }

    /// The texts of a stream's deltas, joined.
    pub(super) fn streamed(&self) -> String {
        let events = self
            .body
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events
            .filter_map(|event| {
                event
                    .pointer("/choices/0/delta/content")?
                    .as_str()
                    .map(str::to_owned)
            })
            .collect()
    }

    /// How a stream says that it ended: an error's message, or the reason of
    /// its last choice.
    pub(super) fn ending(&self) -> anyhow::Result<String> {
        let events = self
            .body
            .lines()
            .rev()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let says = |event: Value| {
            let says = event
                .pointer("/error/message")
                .or_else(|| event.pointer("/choices/0/finish_reason"))?;
            says.as_str().map(str::to_owned)
        };
        events
            .filter_map(says)
            .next()
            .context("the stream did not say how it ended")
    }
}

/// Posts a document to the gate.
pub(super) async fn post(
    gate: SocketAddr,
    path: &str,
    key: &str,
    body: &Value,
) -> anyhow::Result<Reply> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {gate}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(gate).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut text = String::new();
    stream
        .take(REPLY_BYTES_MAX)
        .read_to_string(&mut text)
        .await?;
    let (head, body) = text.split_once("\r\n\r\n").context("no reply came")?;
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("no status came")?;
    let events: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let body = if events.is_empty() {
        body.to_owned()
    } else {
        events.join("\n")
    };
    Ok(Reply {
        status,
        exchange: header("x-merestone-exchange").unwrap_or_default(),
        body,
    })
}
