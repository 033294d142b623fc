//! The log's own record in an envelope that names it.

use serde_json::{Value, json};

use crate::event::Event;

/// The event as JSON.
#[must_use]
pub fn value(event: &Event) -> Value {
    json!({
        "id": event.id,
        "log": event.log.origin(),
        "sequence": event.sequence,
        "time_ms": event.at_ms,
        "topic": event.topic.word(),
        "severity": event.severity.word(),
        "message": event.message,
        "test": event.test,
        "record": serde_json::to_value(&*event.leaf).unwrap_or_default(),
    })
}
