//! OpenTelemetry log records (opentelemetry-proto 1.x, logs), with the GenAI
//! attributes of semantic-conventions-genai for calls of models. What has no
//! name there stands under `merestone.`.

pub mod proto;

use proto::{
    AnyValue, ArrayValue, ExportLogsServiceRequest, InstrumentationScope, KeyValue, LogRecord,
    Resource, ResourceLogs, ScopeLogs, Value,
};
use terms::{Admitted, Closed, ControlRun, FindingNote, Leaf, Refused, RequestFacts};

use super::ocsf::{entry_word, provider};
use crate::event::{self, Event, Severity, Topic};

/// Nanoseconds of a millisecond.
const NS: u64 = 1_000_000;

/// A request to a collector.
#[must_use]
pub fn request(events: &[Event], node: &str) -> ExportLogsServiceRequest {
    let resource = Resource {
        attributes: vec![
            text("service.name", "merestone"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", node),
        ],
    };
    let scope = InstrumentationScope {
        name: "merestone".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope),
                log_records: events.iter().map(record).collect(),
            }],
        }],
    }
}

/// One event as a log record.
#[must_use]
pub fn record(event: &Event) -> LogRecord {
    let mut attributes = vec![
        text("log.record.uid", &event.id),
        text("merestone.log", event.log.origin()),
        whole("merestone.sequence", event.sequence),
        text("merestone.topic", event.topic.word()),
        text("merestone.entry", entry_word(&event.leaf)),
    ];
    if event.test {
        attributes.push(flag("merestone.test", true));
    }
    if let Some(exchange) = event.leaf.exchange() {
        attributes.push(text("merestone.exchange", &exchange.to_string()));
    }
    match &*event.leaf {
        Leaf::Admitted(entry) => admitted(entry, &mut attributes),
        Leaf::Closed(entry) => closed(entry, event.admitted.as_deref(), &mut attributes),
        Leaf::Refused(entry) => refused(entry, &mut attributes),
        Leaf::RefusedSummary(entry) => {
            attributes.push(text("error.type", entry.code.word()));
            attributes.push(whole("merestone.count", entry.count));
            if let Some(key) = &entry.key {
                attributes.push(text("merestone.key", key.as_str()));
            }
        }
        Leaf::Event(entry) => {
            attributes.push(text("merestone.act", entry.act.word()));
            attributes.push(text("merestone.subject", &entry.subject));
            let facts = entry.facts.iter();
            attributes
                .extend(facts.map(|(name, fact)| text(&format!("merestone.fact.{name}"), fact)));
        }
        Leaf::HeadCount(_) => {}
        Leaf::UncleanStart(entry) => {
            attributes.push(whole("merestone.open", u64::from(entry.open)));
        }
    }
    LogRecord {
        time_unix_nano: event.at_ms.saturating_mul(NS),
        observed_time_unix_nano: event.at_ms.saturating_mul(NS),
        severity_number: severity(event.severity),
        severity_text: event.severity.word().to_owned(),
        body: Some(AnyValue {
            value: Some(Value::Text(event.message.clone())),
        }),
        attributes,
        event_name: event_name(event),
    }
}

/// The GenAI conventions name the details of a call; the rest is ours.
fn event_name(event: &Event) -> String {
    match (&*event.leaf, event.topic) {
        (Leaf::Closed(_), Topic::ApiActivity) => {
            "gen_ai.client.inference.operation.details".to_owned()
        }
        _ => format!("merestone.{}", event.topic.word().replace('-', "_")),
    }
}

/// OpenTelemetry's numbers: INFO, INFO2, WARN, ERROR, FATAL.
const fn severity(severity: Severity) -> i32 {
    match severity {
        Severity::Informational => 9,
        Severity::Low => 10,
        Severity::Medium => 13,
        Severity::High => 17,
        Severity::Critical => 21,
    }
}

fn admitted(entry: &Admitted, out: &mut Vec<KeyValue>) {
    asked(&entry.request, out);
    out.push(text("merestone.key", entry.caller.key.as_str()));
    found(&entry.controls, &entry.findings, out);
}

fn refused(entry: &Refused, out: &mut Vec<KeyValue>) {
    if let Some(request) = &entry.request {
        asked(request, out);
    }
    out.push(text("merestone.key", entry.caller.key.as_str()));
    out.push(text("error.type", entry.code.word()));
    found(&entry.controls, &entry.findings, out);
}

fn closed(entry: &Closed, half: Option<&Admitted>, out: &mut Vec<KeyValue>) {
    if let Some(half) = half {
        asked(&half.request, out);
        out.push(text("merestone.key", half.caller.key.as_str()));
    }
    out.push(text("merestone.outcome", entry.outcome.word()));
    if let Some(code) = entry.code {
        out.push(text("error.type", code.word()));
    } else if let Some(error) = &entry.vendor.error {
        out.push(text("error.type", error));
    }
    if let Some(model) = &entry.vendor.model {
        out.push(text("gen_ai.response.model", model));
    }
    if let Some(id) = &entry.vendor.request_id {
        out.push(text("merestone.vendor.request_id", id));
    }
    if !entry.vendor.finish.is_empty() {
        out.push(texts(
            "gen_ai.response.finish_reasons",
            entry.vendor.finish.iter().cloned(),
        ));
    }
    if let Some(status) = entry.vendor.status {
        out.push(whole("http.response.status_code", u64::from(status)));
    }
    if let Some(usage) = entry.usage {
        out.push(whole("gen_ai.usage.input_tokens", usage.input_tokens));
        out.push(whole("gen_ai.usage.output_tokens", usage.output_tokens));
    }
    out.push(whole("merestone.duration_us", entry.timings.total_us));
    found(&entry.controls, &entry.findings, out);
}

fn asked(request: &RequestFacts, out: &mut Vec<KeyValue>) {
    let operation = if request.dialect.ends_with("count-tokens") {
        "count_tokens"
    } else {
        "chat"
    };
    out.push(text("gen_ai.operation.name", operation));
    out.push(text("gen_ai.provider.name", provider(&request.dialect)));
    out.push(text("gen_ai.request.model", &request.model));
    out.push(flag("gen_ai.request.stream", request.stream));
    if let Some(most) = request.output_tokens_max {
        out.push(whole("gen_ai.request.max_tokens", most));
    }
    out.push(text("merestone.vendor", &request.vendor));
}

fn found(runs: &[ControlRun], findings: &[FindingNote], out: &mut Vec<KeyValue>) {
    let found = event::found(findings, runs);
    if !found.is_empty() {
        out.push(texts("merestone.found", found.into_iter()));
    }
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::Text(value.to_owned()))
}

fn flag(key: &str, value: bool) -> KeyValue {
    pair(key, Value::Flag(value))
}

fn whole(key: &str, value: u64) -> KeyValue {
    pair(key, Value::Whole(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn texts(key: &str, values: impl Iterator<Item = String>) -> KeyValue {
    let values = values.map(|value| AnyValue {
        value: Some(Value::Text(value)),
    });
    pair(
        key,
        Value::List(ArrayValue {
            values: values.collect(),
        }),
    )
}
