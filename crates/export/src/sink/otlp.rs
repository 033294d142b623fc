//! An OpenTelemetry collector, by OTLP over HTTP (binary protobuf).

use prost::Message;

use super::{
    Fate, Fault, Sink, all_confirmed,
    http::{Answer, Http, status_fault},
};
use crate::{
    Event,
    format::otlp::{proto::ExportLogsServiceResponse, request},
};

/// Of requests and answers.
const MEDIA_TYPE: &str = "application/x-protobuf";

/// A collector.
#[derive(Debug)]
pub struct OtlpSink {
    http: Http,
    node: String,
}

impl OtlpSink {
    /// A collector; `/v1/logs` is put behind its URL.
    #[must_use]
    pub const fn new(http: Http, node: String) -> Self {
        Self { http, node }
    }
}

impl Sink for OtlpSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let body = request(events, &self.node).encode_to_vec();
        let headers = [("content-type", MEDIA_TYPE)];
        let answer = self.http.post("/v1/logs", &headers, &body)?;
        if answer.status != 200 {
            return Err(status_fault(&answer));
        }
        check_type(&answer)?;
        judge(&answer.body, events)
    }
}

/// OTLP answers in the encoding of the request. Any page of anybody could be a
/// message in which nothing is known; one without a byte may lack the type.
pub(super) fn check_type(answer: &Answer) -> Result<(), Fault> {
    let absent = answer.body.is_empty() && answer.media_type.is_empty();
    if absent || answer.media_type == MEDIA_TYPE {
        Ok(())
    } else {
        Err(odd())
    }
}

fn odd() -> Fault {
    Fault::Down("the collector's answer is not OTLP".to_owned())
}

/// What a collector's answer says of the events that were sent.
///
/// # Errors
/// When it is none.
pub fn judge(answer: &[u8], events: &[Event]) -> Result<Vec<Fate>, Fault> {
    let answer = ExportLogsServiceResponse::decode(answer).map_err(|_| odd())?;
    let partial = answer.partial_success;
    let rejected = partial.map_or(0, |partial| partial.rejected_log_records);
    if rejected == 0 {
        return Ok(all_confirmed(events));
    }
    if rejected < 0 {
        return Err(odd());
    }
    // The answer does not name them, and OTLP forbids sending again: each may
    // be one of them.
    let why = format!(
        "the collector rejected {rejected} of these {} records and does not say which",
        events.len()
    );
    Ok(vec![Fate::Refused(why); events.len()])
}
