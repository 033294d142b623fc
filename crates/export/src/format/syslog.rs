//! Syslog messages by RFC 5424, framed by octet counting as RFC 5425 asks.

use crate::{
    Format,
    event::{Event, Severity},
};

/// RFC 5424: facility 13, log audit.
const FACILITY: u8 = 13;
/// RFC 5424: bytes of a host's name.
const HOST_BYTES_MAX: usize = 255;
/// The name of the structured data. 32473 is the number that RFC 5612 keeps for
/// documentation; merestone has none of its own.
const DATA_NAME: &str = "merestone@32473";

/// One message with its length before it.
#[must_use]
pub fn frame(event: &Event, host: &str, format: Format) -> Vec<u8> {
    let message = message(event, host, format);
    let mut frame = format!("{} ", message.len()).into_bytes();
    frame.extend_from_slice(message.as_bytes());
    frame
}

/// One message.
#[must_use]
pub fn message(event: &Event, host: &str, format: Format) -> String {
    // RFC 5424: notice, warning, error, critical, alert count down.
    let severity = match event.severity {
        Severity::Informational => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    };
    format!(
        "<{}>1 {} {} merestone - {} [{DATA_NAME} id=\"{}\" log=\"{}\" sequence=\"{}\" test=\"{}\"] {}",
        FACILITY * 8 + severity,
        time(event.at_ms),
        host_name(host),
        event.topic.word(),
        in_data(&event.id),
        in_data(event.log.origin()),
        event.sequence,
        event.test,
        format.line(event),
    )
}

/// RFC 3339 with milliseconds; `-` is RFC 5424's word for no time.
fn time(at_ms: u64) -> String {
    i64::try_from(at_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| "-".to_owned(), |time| format!("{time:.3}"))
}

/// A host's name is visible ASCII.
fn host_name(host: &str) -> String {
    let plain: String = host
        .chars()
        .filter(char::is_ascii_graphic)
        .take(HOST_BYTES_MAX)
        .collect();
    if plain.is_empty() {
        "-".to_owned()
    } else {
        plain
    }
}

/// In structured data the quote, the backslash and the closing bracket are
/// escaped.
fn in_data(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
