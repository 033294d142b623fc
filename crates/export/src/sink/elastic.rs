//! Elasticsearch and OpenSearch, by `_bulk`. Each event is created under its
//! own name, so that one that comes twice is there once.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Fate, Fault, Sink,
    http::{Http, status_fault},
};
use crate::{Event, format::ocsf};

/// Where events go, and what of the answer is wanted: nothing that repeats a
/// document.
const PATH: &str =
    "/_bulk?filter_path=items.create._id,items.create.status,items.create.error.type";
/// Errors with status 400 that are those of the index, not of the document
/// (closed, or the cluster has no room for its next shard): later it may go.
const INDEX_ERRORS: [&str; 4] = [
    "cluster_block_exception",
    "index_closed_exception",
    "index_not_found_exception",
    "validation_exception",
];
/// LIMIT: bytes of an error's type that are repeated.
const TYPE_BYTES_MAX: usize = 64;

/// An index or data stream.
#[derive(Debug)]
pub struct ElasticSink {
    http: Http,
    index: String,
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "_id")]
    id: String,
    status: u16,
    error: Option<ItemError>,
}

#[derive(Deserialize)]
struct ItemError {
    #[serde(rename = "type", default)]
    kind: String,
}

impl ElasticSink {
    /// An index or data stream of the cluster at this URL.
    #[must_use]
    pub const fn new(http: Http, index: String) -> Self {
        Self { http, index }
    }

    fn body(&self, events: &[Event]) -> Vec<u8> {
        let mut body = String::new();
        for event in events {
            let action = json!({ "create": { "_index": self.index, "_id": event.id } });
            body.push_str(&action.to_string());
            body.push('\n');
            let mut document = ocsf::value(event);
            if let Value::Object(fields) = &mut document {
                // Data streams ask for it.
                fields.insert("@timestamp".to_owned(), event.at_ms.into());
            }
            body.push_str(&document.to_string());
            body.push('\n');
        }
        body.into_bytes()
    }
}

impl Sink for ElasticSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let headers = [("content-type", "application/x-ndjson")];
        let answer = self.http.post(PATH, &headers, &self.body(events))?;
        if answer.status != 200 {
            return Err(status_fault(&answer));
        }
        judge(&answer.body, events)
    }
}

/// What an answer of `_bulk` says of the events that were sent.
///
/// # Errors
/// When it is none, or one to something else: it confirms nothing.
pub fn judge(answer: &[u8], events: &[Event]) -> Result<Vec<Fate>, Fault> {
    let odd = || Fault::Down("the answer is not that of `_bulk`".to_owned());
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| odd())?;
    if answer.items.len() != events.len() {
        return Err(odd());
    }
    let pairs = answer.items.into_iter().zip(events);
    pairs
        .map(|(item, event)| {
            if item.create.id != event.id {
                return Err(odd());
            }
            Ok(fate(item.create.status, item.create.error.as_ref()))
        })
        .collect()
}

/// What a status of one item means. 409: it is there already.
fn fate(status: u16, error: Option<&ItemError>) -> Fate {
    match status {
        200 | 201 | 409 => Fate::Confirmed,
        400 => {
            let kind = error.map_or("", |error| error.kind.as_str());
            if INDEX_ERRORS.contains(&kind) {
                return Fate::Again;
            }
            let kind: String = kind
                .chars()
                .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
                .take(TYPE_BYTES_MAX)
                .collect();
            Fate::Refused(format!("the index refused it with status {status}: {kind}"))
        }
        _ => Fate::Again,
    }
}
