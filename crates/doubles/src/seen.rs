//! What a fake vendor remembers of the requests that reached it.

use std::collections::VecDeque;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::http::request::Parts;
use serde_json::{Value, json};

/// LIMIT: requests remembered.
const REQUESTS_MAX: usize = 20_000;
/// LIMIT: bytes in the bodies of all requests remembered.
const BODY_BYTES_MAX: usize = 256 << 20;

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers in order, names in lower case, values as Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Seen {
    pub(crate) fn new(head: &Parts, body: Bytes) -> Self {
        let headers = head.headers.iter().map(|(name, value)| {
            let value = value.as_bytes().iter().copied().map(char::from).collect();
            (name.as_str().to_owned(), value)
        });
        Self {
            method: head.method.to_string(),
            path: head.uri.to_string(),
            headers: headers.collect(),
            body,
        }
    }

    fn json(&self) -> Value {
        json!({
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body": BASE64_STANDARD.encode(&self.body),
        })
    }
}

/// The requests remembered, oldest first. When full, the oldest are forgotten
/// and counted.
#[derive(Debug, Default)]
pub(crate) struct SeenStore {
    requests: VecDeque<Seen>,
    bytes: usize,
    forgotten: u64,
}

impl SeenStore {
    pub(crate) fn add(&mut self, seen: Seen) {
        self.bytes += seen.body.len();
        self.requests.push_back(seen);
        while self.requests.len() > REQUESTS_MAX || self.bytes > BODY_BYTES_MAX {
            let Some(oldest) = self.requests.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.body.len());
            self.forgotten += 1;
        }
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// As `GET /_double/requests` tells it.
    pub(crate) fn json(&self) -> (Vec<Value>, u64) {
        (
            self.requests.iter().map(Seen::json).collect(),
            self.forgotten,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{BODY_BYTES_MAX, REQUESTS_MAX, Seen, SeenStore};
    use bytes::Bytes;

    fn seen(body: Bytes) -> Seen {
        Seen {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body,
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_counted() {
        let mut store = SeenStore::default();
        for at in 0..REQUESTS_MAX + 3 {
            store.add(seen(Bytes::from(at.to_string())));
        }
        assert_eq!(store.json().0.len(), REQUESTS_MAX);
        assert_eq!(store.json().1, 3);
        assert_eq!(store.all()[0].body, "3");
        store.clear();
        assert_eq!(store.all(), []);
    }

    #[test]
    fn bodies_are_bounded_by_their_bytes_too() {
        let mut store = SeenStore::default();
        let half = Bytes::from(vec![b'x'; BODY_BYTES_MAX / 2 + 1]);
        store.add(seen(half.clone()));
        store.add(seen(half));
        assert_eq!(store.all().len(), 1);
    }
}
