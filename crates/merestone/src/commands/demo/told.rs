//! How the demo speaks: numbered steps, and lines that name who saw what.

use serde_json::Value;

use crate::present;

/// A heading.
pub(super) fn step(number: u32, title: &str) -> anyhow::Result<()> {
    let (on, off) = if present::colour() {
        ("\u{1b}[1m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    present::say!("\n{on}{number}. {title}{off}")
}

/// Who, and what.
pub(super) fn line(name: &str, text: &str) -> anyhow::Result<()> {
    present::say!("   {name:<18}{text}")
}

/// The text at a JSON pointer.
pub(super) fn text_of(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("(nothing)")
        .to_owned()
}
