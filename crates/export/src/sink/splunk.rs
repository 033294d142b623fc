//! Splunk, by its HTTP event collector. With indexer acknowledgement an event
//! is confirmed when an indexer says that it has it; the collector's 200 only
//! says that the request looked well.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::json;
use terms::Entropy;

use super::{
    Fate, Fault, Sink, all_confirmed,
    http::{Answer, Http, status_fault},
};
use crate::{Event, format::ocsf};

/// How often it is asked whether the indexers have it.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The collector's word for success.
const CODE_SUCCESS: u32 = 0;
/// The collector's words for an event that it does not take: its form, a field
/// that is missing or blank, its indexed fields. The others with status 400
/// (the index, the channel, acknowledgements that are switched off) are of the
/// settings, and no event's fault.
const CODES_OF_EVENTS: [u32; 4] = [6, 12, 13, 15];

/// A collector.
pub struct SplunkSink {
    http: Http,
    settings: SplunkSettings,
    entropy: Arc<dyn Entropy>,
    /// The numbers of acknowledgements begin anew when a collector starts, and
    /// each of several behind one address has its own. After a delivery whose
    /// acknowledgement did not come, its channel is not used again: an answer
    /// for it could be taken for one to something else.
    channel: Option<String>,
}

impl fmt::Debug for SplunkSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SplunkSink(..)")
    }
}

/// How it is spoken to.
#[derive(Debug, Clone)]
pub struct SplunkSettings {
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
    code: Option<u32>,
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
    pub fn new(http: Http, settings: SplunkSettings, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            http,
            settings,
            entropy,
            channel: None,
        }
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
    fn wait(&self, channel: &str, ack_id: u64) -> Result<(), Fault> {
        let begun = Instant::now();
        let path = format!("/services/collector/ack?channel={channel}");
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
        let known = self.channel.take();
        let channel = known.unwrap_or_else(|| new_channel(&*self.entropy));
        let delivered = self.send(events, &channel)?;
        self.channel = Some(channel);
        Ok(delivered)
    }
}

impl SplunkSink {
    fn send(&self, events: &[Event], channel: &str) -> Result<Vec<Fate>, Fault> {
        let path = format!("/services/collector/event?channel={channel}");
        let headers = [("content-type", "application/json")];
        let answer = self.http.post(&path, &headers, &self.body(events))?;
        let taken = match judge(&answer, events)? {
            Judged::Taken(taken) => taken,
            Judged::Fates(fates) => return Ok(fates),
        };
        if !self.settings.acknowledged {
            return Ok(all_confirmed(events));
        }
        let ack_id = taken.ok_or_else(|| {
            Fault::Down("the collector gives no acknowledgements; switch them on for its token, or write `acknowledged = false`".to_owned())
        })?;
        self.wait(channel, ack_id)?;
        Ok(all_confirmed(events))
    }
}

/// What an answer to events says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// They look well; with the number of their acknowledgement, if it gives any.
    Taken(Option<u64>),
    /// One of them does not.
    Fates(Vec<Fate>),
}

pub(super) fn judge(answer: &Answer, events: &[Event]) -> Result<Judged, Fault> {
    let taken: Option<Taken> = serde_json::from_slice(&answer.body).ok();
    let code = taken.as_ref().and_then(|taken| taken.code);
    match (answer.status, code) {
        (200, Some(CODE_SUCCESS)) => Ok(Judged::Taken(taken.and_then(|taken| taken.ack_id))),
        // Whoever else answers with 200 has taken nothing.
        (200, _) => Err(Fault::Down(
            "the answer is not that of an event collector".to_owned(),
        )),
        (400, Some(code)) if CODES_OF_EVENTS.contains(&code) => {
            let number = taken.and_then(|taken| taken.invalid);
            match number.filter(|number| *number < events.len()) {
                Some(number) => Ok(Judged::Fates(without(events, number))),
                None => Err(status_fault(answer)),
            }
        }
        (400, Some(code)) => Err(Fault::Down(format!(
            "the collector does not take what is configured of it (status 400, code {code})"
        ))),
        _ => Err(status_fault(answer)),
    }
}

/// The collector names the first event that it does not take. What stood before
/// it may have been taken; all but that one go again.
fn without(events: &[Event], number: usize) -> Vec<Fate> {
    let fates = (0..events.len()).map(|at| {
        if at == number {
            Fate::Refused("the collector does not take its form".to_owned())
        } else {
            Fate::Again
        }
    });
    fates.collect()
}

/// A GUID of its own (RFC 9562, version 4).
fn new_channel(entropy: &dyn Entropy) -> String {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    let whole = u128::from_be_bytes(bytes);
    let marked = whole & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let part = |shift: u32, digits: u32| marked >> shift & ((1 << (4 * digits)) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12)
    )
}

/// Seconds with milliseconds, as the collector wants them.
fn time(at_ms: u64) -> String {
    format!("{}.{:03}", at_ms / 1_000, at_ms % 1_000)
}
