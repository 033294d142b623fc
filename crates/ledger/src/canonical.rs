//! The one serialisation of a record: JSON by RFC 8785, integers only, bounded.

mod key;
mod writer;

use serde::Serialize;
use terms::Leaf;
use thiserror::Error;

use writer::Writer;

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
    let mut writer = Writer::default();
    value.serialize(&mut writer)?;
    let out = writer.finish();
    if out.len() > LEAF_BYTES_MAX {
        return Err(CanonicalFault::TooLong);
    }
    Ok(out)
}

/// The canonical bytes of a leaf, made to fit ([`fit`]).
///
/// # Errors
/// When it has none, or does not fit.
pub(crate) fn leaf_bytes(mut leaf: Leaf) -> Result<Vec<u8>, CanonicalFault> {
    loop {
        match to_bytes(&leaf) {
            Err(CanonicalFault::TooLong) if shorten(&mut leaf) => {}
            done => return done,
        }
    }
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
        Leaf::RefusedSummary(_) | Leaf::UncleanStart(_) | Leaf::HeadCount(_) => return false,
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

#[cfg(test)]
mod tests;
