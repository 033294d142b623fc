//! Common Event Format, version 0: one line of text. Fields and their escapes
//! are those of ArcSight's implementation standard, revision 25.

use terms::Leaf;

use super::ocsf::entry_word;
use crate::event::{Event, Severity, found};

/// The event as one line, without a line end.
#[must_use]
pub fn line(event: &Event) -> String {
    let mut line = format!(
        "CEF:0|merestone|merestone|{}|{}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        in_header(&signature(event)),
        in_header(&event.message),
        severity(event.severity),
    );
    let fields: Vec<String> = extension(event)
        .into_iter()
        .map(|(name, value)| format!("{name}={}", in_extension(&value)))
        .collect();
    line.push_str(&fields.join(" "));
    line
}

/// What sort of event it is: the topic, and the entry's act, code or type.
fn signature(event: &Event) -> String {
    let what = match &*event.leaf {
        Leaf::Event(entry) => entry.act.word(),
        Leaf::Refused(entry) => entry.code.word(),
        Leaf::RefusedSummary(entry) => entry.code.word(),
        Leaf::Closed(entry) => entry.outcome.word(),
        Leaf::Admitted(_) | Leaf::UncleanStart(_) | Leaf::HeadCount(_) => entry_word(&event.leaf),
    };
    format!("{}:{what}", event.topic.word())
}

const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 6,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

fn extension(event: &Event) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("rt", event.at_ms.to_string()),
        ("externalId", event.id.clone()),
        ("cat", event.topic.word().to_owned()),
        ("cs1Label", "log".to_owned()),
        ("cs1", event.log.origin().to_owned()),
        ("cn1Label", "sequence".to_owned()),
        ("cn1", event.sequence.to_string()),
    ];
    if let Some(exchange) = event.leaf.exchange() {
        fields.push(("cs2Label", "exchange".to_owned()));
        fields.push(("cs2", exchange.to_string()));
    }
    if event.test {
        fields.push(("cs6Label", "test".to_owned()));
        fields.push(("cs6", "true".to_owned()));
    }
    let request = match &*event.leaf {
        Leaf::Admitted(entry) => Some((&entry.caller, Some(&entry.request))),
        Leaf::Refused(entry) => Some((&entry.caller, entry.request.as_ref())),
        Leaf::Closed(_) => event
            .admitted
            .as_deref()
            .map(|half| (&half.caller, Some(&half.request))),
        Leaf::RefusedSummary(_) | Leaf::Event(_) | Leaf::UncleanStart(_) | Leaf::HeadCount(_) => {
            None
        }
    };
    if let Some((caller, _)) = request {
        fields.push(("suid", caller.key.as_str().to_owned()));
    }
    if let Some((_, Some(request))) = request {
        fields.push(("destinationServiceName", request.vendor.clone()));
        fields.push(("cs3Label", "model".to_owned()));
        fields.push(("cs3", request.model.clone()));
    }
    fields.extend(ended(event));
    fields
}

/// How it ended and what was found.
fn ended(event: &Event) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    let (runs, findings) = match &*event.leaf {
        Leaf::Admitted(entry) => (&entry.controls, &entry.findings),
        Leaf::Closed(entry) => {
            fields.push(("outcome", entry.outcome.word().to_owned()));
            if let Some(code) = entry.code {
                fields.push(("reason", code.word().to_owned()));
            }
            (&entry.controls, &entry.findings)
        }
        Leaf::Refused(entry) => {
            fields.push(("outcome", "refused".to_owned()));
            fields.push(("reason", entry.code.word().to_owned()));
            (&entry.controls, &entry.findings)
        }
        Leaf::RefusedSummary(entry) => {
            fields.push(("outcome", "refused".to_owned()));
            fields.push(("reason", entry.code.word().to_owned()));
            fields.push(("cnt", entry.count.to_string()));
            if let Some(key) = &entry.key {
                fields.push(("suid", key.as_str().to_owned()));
            }
            return fields;
        }
        Leaf::Event(entry) => {
            fields.push(("act", entry.act.word().to_owned()));
            fields.push(("cs4Label", "subject".to_owned()));
            fields.push(("cs4", entry.subject.clone()));
            fields.push(("suser", entry.by.clone()));
            return fields;
        }
        Leaf::UncleanStart(_) | Leaf::HeadCount(_) => return fields,
    };
    let found = found(findings, runs);
    if !found.is_empty() {
        fields.push(("cs5Label", "found".to_owned()));
        fields.push(("cs5", found.join(",")));
    }
    fields
}

/// In the header a bar and a backslash are escaped; it has one line.
fn in_header(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '|' => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

/// In a value an equals sign and a backslash are escaped, and line ends are
/// written out.
fn in_extension(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '=' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
