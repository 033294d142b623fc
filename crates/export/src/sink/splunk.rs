//! Splunk, by its HTTP event collector. With indexer acknowledgement an event
//! is confirmed when an indexer says that it has it; the collector's 200 only
//! says that the request looked well.

use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::json;

use super::{
    Fate, Fault, Sink, all_confirmed,
    http::{Http, status_fault},
};
use crate::{Event, format::ocsf};

/// How often it is asked whether the indexers have it.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The collector's word for an event whose form it does not take.
const CODE_INVALID_DATA: u32 = 6;

/// A collector.
#[derive(Debug)]
pub struct SplunkSink {
    http: Http,
    settings: SplunkSettings,
}

/// How it is spoken to.
#[derive(Debug, Clone)]
pub struct SplunkSettings {
    /// The channel of this node, a GUID.
    pub channel: String,
    /// The index; the token's own if not given.
    pub index: Option<String>,
    /// The host that events are said to come from.
    pub host: String,
    /// Whether indexers acknowledge. Without it a 200 counts.
    pub acknowledged: bool,
    /// For how long an acknowledgement is waited for.
    pub acknowledge_time: Duration,
}

#[derive(Deserialize)]
struct Taken {
    #[serde(default)]
    code: u32,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<usize>,
}

#[derive(Deserialize)]
struct Acks {
    acks: BTreeMap<String, bool>,
}

impl SplunkSink {
    /// A collector, at the URL before `/services/collector`.
    #[must_use]
    pub const fn new(http: Http, settings: SplunkSettings) -> Self {
        Self { http, settings }
    }

    fn body(&self, events: &[Event]) -> Vec<u8> {
        let mut body = String::new();
        for event in events {
            let mut wrapped = json!({
                "time": time(event.at_ms),
                "host": self.settings.host,
                "source": "merestone",
                "sourcetype": "merestone:ocsf",
                "event": ocsf::value(event),
                "fields": { "event_id": event.id, "test": event.test.to_string() },
            });
            if let (Some(index), Some(fields)) = (&self.settings.index, wrapped.as_object_mut()) {
                fields.insert("index".to_owned(), index.as_str().into());
            }
            body.push_str(&wrapped.to_string());
            body.push('\n');
        }
        body.into_bytes()
    }

    /// Waits until the indexers have it.
    fn wait(&self, ack_id: u64) -> Result<(), Fault> {
        let begun = Instant::now();
        let path = format!("/services/collector/ack?channel={}", self.settings.channel);
        let body = json!({ "acks": [ack_id] }).to_string();
        let headers = [("content-type", "application/json")];
        while begun.elapsed() < self.settings.acknowledge_time {
            let answer = self.http.post(&path, &headers, body.as_bytes())?;
            if answer.status != 200 {
                return Err(Fault::Down(format!(
                    "the question for acknowledgements was answered with status {}",
                    answer.status
                )));
            }
            let acks: Acks = serde_json::from_slice(&answer.body)
                .map_err(|_| Fault::Down("the acknowledgement cannot be read".to_owned()))?;
            // An acknowledgement of another number is none.
            if acks.acks.get(&ack_id.to_string()) == Some(&true) {
                return Ok(());
            }
            sleep(ASK_EVERY.min(self.settings.acknowledge_time));
        }
        Err(Fault::Down(
            "no indexer acknowledged the events in time".to_owned(),
        ))
    }
}

impl Sink for SplunkSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let path = format!(
            "/services/collector/event?channel={}",
            self.settings.channel
        );
        let headers = [("content-type", "application/json")];
        let answer = self.http.post(&path, &headers, &self.body(events))?;
        let taken: Option<Taken> = serde_json::from_slice(&answer.body).ok();
        if answer.status != 200 {
            return match taken {
                Some(taken) if answer.status == 400 && taken.code == CODE_INVALID_DATA => {
                    invalid(events, taken.invalid)
                }
                Some(_) | None => Err(status_fault(answer.status)),
            };
        }
        if !self.settings.acknowledged {
            return Ok(all_confirmed(events));
        }
        let ack_id = taken.and_then(|taken| taken.ack_id).ok_or_else(|| {
            Fault::Down("the collector gives no acknowledgements; switch them on for its token, or write `acknowledged = false`".to_owned())
        })?;
        self.wait(ack_id)?;
        Ok(all_confirmed(events))
    }
}

/// The collector names the first event that it does not take. What stood before
/// it may have been taken; all but that one go again.
fn invalid(events: &[Event], number: Option<usize>) -> Result<Vec<Fate>, Fault> {
    let Some(number) = number.filter(|number| *number < events.len()) else {
        return Err(status_fault(400));
    };
    let fates = (0..events.len()).map(|at| {
        if at == number {
            Fate::Refused("the collector does not take its form".to_owned())
        } else {
            Fate::Again
        }
    });
    Ok(fates.collect())
}

/// Seconds with milliseconds, as the collector wants them.
fn time(at_ms: u64) -> String {
    format!("{}.{:03}", at_ms / 1_000, at_ms % 1_000)
}
