//! The one serialisation of a record: JSON by RFC 8785, integers only, bounded.

use serde::Serialize;
use serde_json::Value;
use terms::Leaf;
use thiserror::Error;

/// LIMIT: bytes of one entry.
pub const LEAF_BYTES_MAX: usize = 32 << 10;
/// Integers beyond this are not exact in every reader of JSON.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// A value that has no canonical form here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CanonicalFault {
    /// A number with a fraction, or too large to be exact.
    #[error("a record holds whole numbers below 2^53 only")]
    Number,
    /// Longer than [`LEAF_BYTES_MAX`].
    #[error("the record is longer than {LEAF_BYTES_MAX} bytes")]
    TooLong,
    /// The value cannot be serialised at all.
    #[error("the record cannot be serialised")]
    Shape,
}

/// The canonical bytes of a value.
///
/// # Errors
/// When it has none, or too many.
pub fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, CanonicalFault> {
    let value = serde_json::to_value(value).map_err(|_| CanonicalFault::Shape)?;
    let mut out = Vec::with_capacity(1_024);
    write(&value, &mut out)?;
    if out.len() > LEAF_BYTES_MAX {
        return Err(CanonicalFault::TooLong);
    }
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalFault> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            let exact = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs))
                .ok_or(CanonicalFault::Number)?;
            if exact > INTEGER_MAX {
                return Err(CanonicalFault::Number);
            }
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                string(key, out);
                out.push(b':');
                write(member, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for char in text.chars() {
        match char {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\r' => out.extend_from_slice(b"\\r"),
            control if u32::from(control) < 0x20 => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes())
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Makes a leaf fit: findings and places beyond the limit become counts, the
/// vendor's own strings are shortened. What a record must never lose (who,
/// what, verdicts) is bounded by the rooms that make it.
#[must_use]
pub fn fit(mut leaf: Leaf) -> Leaf {
    while let Err(CanonicalFault::TooLong) = to_bytes(&leaf) {
        if !shorten(&mut leaf) {
            break;
        }
    }
    leaf
}

/// Takes one step towards fitting; false when nothing is left to take.
fn shorten(leaf: &mut Leaf) -> bool {
    let (findings, more, inspected) = match leaf {
        Leaf::Admitted(leaf) => (
            &mut leaf.findings,
            &mut leaf.findings_more,
            &mut leaf.inspected,
        ),
        Leaf::Closed(leaf) => {
            if leaf.findings.is_empty() && !leaf.vendor.rate_limits.is_empty() {
                leaf.vendor.rate_limits.clear();
                return true;
            }
            (
                &mut leaf.findings,
                &mut leaf.findings_more,
                &mut leaf.inspected,
            )
        }
        Leaf::Refused(leaf) => (
            &mut leaf.findings,
            &mut leaf.findings_more,
            &mut leaf.inspected,
        ),
        Leaf::Event(event) => return event.facts.pop_last().is_some(),
        Leaf::RefusedSummary(_) | Leaf::UncleanStart(_) => return false,
    };
    let half = findings.len().div_ceil(2);
    let dropped = findings.split_off(findings.len() - half);
    let count: u32 = dropped.iter().map(|note| note.count).sum();
    *more = more.saturating_add(count);
    if dropped.is_empty() {
        inspected.unknown_places.pop().is_some()
    } else {
        true
    }
}
