//! Scripted replies: what to send, chunk by chunk, and how to stop.

use std::collections::{BTreeMap, HashMap, VecDeque};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Deserializer, de::Error as _};

/// LIMIT: scripts that wait at once.
const SCRIPTS_MAX: usize = 65_536;
/// LIMIT: bytes in the chunks of all waiting scripts.
const SCRIPT_BYTES_MAX: usize = 256 << 20;

/// How a scripted reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// As HTTP says it should.
    #[default]
    Clean,
    /// The connection is closed before the body's end.
    Cut,
    /// Nothing more is sent and the connection stays open.
    Hang,
    /// The connection is reset.
    Reset,
}

/// One network chunk of a scripted reply.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// The bytes.
    #[serde(rename = "b64", deserialize_with = "base64_bytes")]
    pub bytes: Bytes,
    /// Pause before it, milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

/// One scripted reply.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// HTTP status.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers of the reply. With a `content-length` the body is sent under
    /// it, otherwise chunked.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub chunks: Vec<Chunk>,
    /// How it ends.
    #[serde(default)]
    pub end: End,
    /// Whether it is used up by one request.
    #[serde(default = "yes")]
    pub once: bool,
    /// Pause before the status line, milliseconds.
    #[serde(default)]
    pub head_delay_ms: u64,
    /// Only for requests for this model; others are answered as if the script
    /// were not there. A request for `MODEL@N` gets the body cut into two
    /// network chunks after N bytes.
    #[serde(default)]
    pub model: Option<String>,
}

impl Script {
    /// A reply in one chunk that ends cleanly, for the next request.
    #[must_use]
    pub fn whole(status: u16, content_type: &str, body: Bytes) -> Self {
        Self {
            status,
            headers: BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]),
            chunks: vec![Chunk {
                bytes: body,
                delay_ms: 0,
            }],
            end: End::Clean,
            once: true,
            head_delay_ms: 0,
            model: None,
        }
    }

    fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// The same body in two chunks, cut after `at` bytes.
    fn cut_at(mut self, at: usize) -> Self {
        let mut first = BytesMut::with_capacity(self.bytes());
        for chunk in &self.chunks {
            first.extend_from_slice(&chunk.bytes);
        }
        let second = first.split_off(at.min(first.len()));
        self.chunks = [first, second]
            .into_iter()
            .map(|half| Chunk {
                bytes: half.freeze(),
                delay_ms: 0,
            })
            .filter(|chunk| !chunk.bytes.is_empty())
            .collect();
        self
    }
}

/// The scripts that wait.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    any: VecDeque<Script>,
    by_model: HashMap<String, VecDeque<Script>>,
    count: usize,
    bytes: usize,
}

impl Scripts {
    /// Adds one, unless too many wait.
    pub(crate) fn add(&mut self, script: Script) -> Result<(), &'static str> {
        let bytes = self.bytes.saturating_add(script.bytes());
        if self.count >= SCRIPTS_MAX || bytes > SCRIPT_BYTES_MAX {
            return Err("too many scripts wait");
        }
        self.count += 1;
        self.bytes = bytes;
        match script.model.clone() {
            Some(model) => self.by_model.entry(model).or_default().push_back(script),
            None => self.any.push_back(script),
        }
        Ok(())
    }

    /// Whether a request's model must be known to choose.
    pub(crate) fn by_model(&self) -> bool {
        !self.by_model.is_empty()
    }

    /// The script for the next request.
    pub(crate) fn next(&mut self, model: Option<&str>) -> Option<Script> {
        let named = model.and_then(|model| self.next_named(model));
        let script = match named {
            Some(script) => script,
            None => take(&mut self.any)?,
        };
        if script.once {
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(script.bytes());
        }
        Some(script)
    }

    fn next_named(&mut self, model: &str) -> Option<Script> {
        if let Some(queue) = self.by_model.get_mut(model) {
            return take(queue);
        }
        let (name, at) = model.rsplit_once('@')?;
        let at = at.parse().ok()?;
        take(self.by_model.get_mut(name)?).map(|script| script.cut_at(at))
    }

    /// Forgets them all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The first of a queue, which stays there when it is for more than once.
fn take(queue: &mut VecDeque<Script>) -> Option<Script> {
    if queue.front()?.once {
        queue.pop_front()
    } else {
        queue.front().cloned()
    }
}

fn base64_bytes<'de, D: Deserializer<'de>>(input: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(input)?;
    BASE64_STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(|_| D::Error::custom("b64 is not base64"))
}

const fn ok() -> u16 {
    200
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::{End, Script, Scripts};
    use bytes::Bytes;

    fn script(json: &str) -> Script {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_script_reads_from_json_with_its_defaults() {
        let read = script(r#"{"chunks":[{"b64":"aGFsbG8="}],"end":"cut"}"#);
        assert_eq!(read.status, 200);
        assert_eq!(read.chunks[0].bytes, "hallo");
        assert_eq!(read.end, End::Cut);
        assert!(read.once);
        assert!(serde_json::from_str::<Script>(r#"{"chunk":[]}"#).is_err());
        assert!(serde_json::from_str::<Script>(r#"{"chunks":[{"b64":"*"}]}"#).is_err());
    }

    #[test]
    fn scripts_are_used_in_order_and_once() {
        let mut scripts = Scripts::default();
        scripts.add(script(r#"{"status":500}"#)).unwrap();
        scripts
            .add(script(r#"{"status":429,"once":false}"#))
            .unwrap();
        let next = |scripts: &mut Scripts| scripts.next(None).map(|s| s.status);
        assert_eq!(next(&mut scripts), Some(500));
        assert_eq!(next(&mut scripts), Some(429));
        assert_eq!(next(&mut scripts), Some(429));
        scripts.clear();
        assert_eq!(next(&mut scripts), None);
    }

    #[test]
    fn a_script_for_a_model_serves_that_model_only() {
        let mut scripts = Scripts::default();
        scripts
            .add(script(r#"{"model":"a","status":418}"#))
            .unwrap();
        assert!(scripts.by_model());
        assert!(scripts.next(Some("b")).is_none());
        assert!(scripts.next(None).is_none());
        assert_eq!(scripts.next(Some("a")).unwrap().status, 418);
        assert!(scripts.next(Some("a")).is_none());
    }

    #[test]
    fn a_model_with_an_offset_cuts_the_body_there() {
        let mut scripts = Scripts::default();
        let mut body = Script::whole(200, "text/plain", Bytes::from_static(b"hallo"));
        body.model = Some("a".to_owned());
        body.once = false;
        scripts.add(body).unwrap();
        for at in 0..=9 {
            let cut = scripts.next(Some(&format!("a@{at}"))).unwrap();
            let parts: Vec<_> = cut.chunks.iter().map(|c| c.bytes.clone()).collect();
            assert_eq!(parts.concat(), b"hallo", "at {at}");
            assert_eq!(parts.len(), if (1..5).contains(&at) { 2 } else { 1 });
        }
    }
}
