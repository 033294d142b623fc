//! What is never kept, not even sealed: a card's security code and the data of
//! its track (PCI DSS 4.0.1, 3.3.1). It is masked before anything is sealed,
//! whatever the controls do about it.

use bytes::Bytes;
use detect::{Engine, Sample};
use terms::{Control, Direction, Finding, Kind, LeftOut, Slot};
use wire::{Document, LeafEdits, LeafKind, Limits, Surrogates};

use crate::seams::{self, Part};

/// What stands in its place.
pub(super) const MASK: &str = "[never kept]";
/// The kinds of detectors that find it.
const KINDS: &[&str] = &["cvv", "track"];

/// Whether what this kind stands for is never kept, not even sealed: a card's
/// security code and the data of its track.
#[must_use]
pub fn is(kind: &Kind) -> bool {
    KINDS.contains(&kind.as_str())
}

/// Whether each detector masks an example of its own, both ways.
pub(crate) fn works(never: &Engine) -> Result<(), Direction> {
    let masks = |direction: Direction| {
        let samples: Vec<Sample> = never.samples(Control::Redaction, direction).collect();
        let masked = |sample: &Sample| text(never, &sample.text, direction).1 > 0;
        samples.len() >= KINDS.len() && samples.iter().all(masked)
    };
    let fails = Direction::ALL.iter().find(|direction| !masks(**direction));
    fails.map_or(Ok(()), |direction| Err(*direction))
}

/// A text without it, and how many stretches were masked. A text that cannot
/// be searched to its end is masked whole.
pub(super) fn text(never: &Engine, text: &str, direction: Direction) -> (String, u32) {
    let scan = never.scan(text, direction);
    if scan.work_exceeded {
        return (MASK.to_owned(), 1);
    }
    let (mut out, mut at, mut masked) = (String::with_capacity(text.len()), 0, 0);
    for cluster in seams::clusters(scan.findings) {
        out.push_str(text.get(at..cluster.span.start).unwrap_or_default());
        out.push_str(MASK);
        (at, masked) = (cluster.span.end, masked + 1);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, masked)
}

/// A JSON document without it, and how many stretches were masked.
pub(super) fn document(
    never: &Engine,
    dialect: wire::Dialect,
    body: &Bytes,
    direction: Direction,
) -> Result<(Vec<u8>, u32), LeftOut> {
    let limits = Limits {
        document_bytes_max: body.len(),
        ..Limits::default()
    };
    let surrogates = match direction {
        Direction::Request => Surrogates::Refuse,
        Direction::Reply => Surrogates::Keep,
    };
    let document =
        Document::parse(body.clone(), &limits, surrogates).map_err(|_| LeftOut::Unreadable)?;
    let mut edits = LeafEdits::default();
    let leaves = match direction {
        Direction::Request => dialect.walk_request(&document).leaves,
        Direction::Reply => {
            let reply = dialect.walk_reply(&document);
            // They may spell a masked text again.
            for list in &reply.logprobs {
                edits.set_raw(list.value, b"null".to_vec());
            }
            reply.walk.leaves
        }
    };
    let mut masked = 0;
    for unit in seams::units(&leaves) {
        let mut replaced = Vec::new();
        for cluster in seams::clusters(findings(never, &unit, direction)?) {
            let editable = |part: &Part<'_>| part.leaf.editable && part.leaf.kind == LeafKind::Text;
            if !seams::touched(&unit, &cluster.span).all(editable) {
                return Err(LeftOut::CardData);
            }
            masked += 1;
            replaced.push((cluster.span, MASK.to_owned()));
        }
        for (index, text) in seams::rewritten(&unit, &replaced) {
            if let Some(leaf) = leaves.get(index) {
                edits.set(&leaf.at, text);
            }
        }
    }
    if masked == 0 {
        return Ok((body.to_vec(), 0));
    }
    Ok((wire::apply(&document, edits).to_vec(), masked))
}

/// What is found in each part, and over the seams between them.
fn findings(
    never: &Engine,
    unit: &[Part<'_>],
    direction: Direction,
) -> Result<Vec<Finding>, LeftOut> {
    let mut all = Vec::new();
    for part in unit {
        let keys = part.leaf.keys.as_deref().unwrap_or_default();
        let text = part.leaf.text.as_str();
        let opaque = part.leaf.slot == Slot::Opaque;
        // What a value is called is looked at as if it stood before it.
        let called = [keys, text].concat();
        let (scan, before) = if opaque {
            (never.scan_opaque(text, direction), 0)
        } else {
            (never.scan(&called, direction), keys.len())
        };
        if scan.work_exceeded {
            return Err(LeftOut::Unreadable);
        }
        let here = scan.findings.into_iter().filter_map(|finding| {
            let start = finding.span.start.max(before) - before + part.start;
            let end = finding.span.end.checked_sub(before)? + part.start;
            let span = start..end;
            (start < end).then_some(Finding { span, ..finding })
        });
        all.extend(here);
    }
    if unit.len() > 1 {
        let joined: String = unit.iter().map(|part| part.leaf.text.as_str()).collect();
        let scan = never.scan(&joined, direction);
        if scan.work_exceeded {
            return Err(LeftOut::Unreadable);
        }
        all.extend(scan.findings);
    }
    Ok(all)
}
