//! Edits, spliced into the original bytes.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;

use terms::copied;

use crate::{Document, LeafAt, Limits, NodeId, Surrogates};

/// New values for some of a document's values.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    values: BTreeMap<NodeId, Vec<u8>>,
}

impl Edits {
    /// Replaces a value by a string.
    pub fn set_text(&mut self, node: NodeId, text: &str) {
        let mut quoted = String::with_capacity(text.len() + 2);
        quoted.push('"');
        escape_into(text, &mut quoted);
        quoted.push('"');
        self.values.insert(node, quoted.into_bytes());
    }

    /// Replaces a value by JSON as it is.
    pub fn set_raw(&mut self, node: NodeId, json: Vec<u8>) {
        self.values.insert(node, json);
    }
}

impl Document {
    /// The bytes with these edits; the very same bytes when there are none.
    #[must_use]
    pub fn splice(&self, edits: &Edits) -> Bytes {
        if edits.values.is_empty() {
            return self.raw().clone();
        }
        let mut pieces: Vec<(Range<usize>, &[u8])> = edits
            .values
            .iter()
            .map(|(node, value)| (self.span(*node), value.as_slice()))
            .collect();
        pieces.sort_by_key(|(span, _)| span.start);
        let mut out = Vec::with_capacity(self.raw().len());
        let mut at = 0;
        for (span, value) in pieces {
            // A value inside one that is replaced is gone with it.
            if span.start < at {
                continue;
            }
            out.extend_from_slice(self.raw().get(at..span.start).unwrap_or_default());
            out.extend_from_slice(value);
            at = span.end;
        }
        out.extend_from_slice(self.raw().get(at..).unwrap_or_default());
        Bytes::from(out)
    }
}

/// New texts for some leaves, whatever they lie in.
#[derive(Debug, Clone, Default)]
pub struct LeafEdits {
    texts: Vec<(Vec<NodeId>, String)>,
    raw: Vec<(NodeId, Vec<u8>)>,
}

impl LeafEdits {
    /// Gives a leaf a new text.
    pub fn set(&mut self, at: &LeafAt, text: String) {
        self.texts.push((at.0.clone(), text));
    }

    /// Replaces a value of the outermost document by JSON as it is.
    pub fn set_raw(&mut self, node: NodeId, json: Vec<u8>) {
        self.raw.push((node, json));
    }
}

/// Carries leaf edits out, inside out; the very same bytes when there are none.
#[must_use]
pub fn apply(document: &Document, edits: LeafEdits) -> Bytes {
    let mut outer = Edits::default();
    let mut inner: BTreeMap<NodeId, Vec<(Vec<NodeId>, String)>> = BTreeMap::new();
    for (path, text) in edits.texts {
        let mut path = path.into_iter();
        let Some(first) = path.next() else { continue };
        let rest: Vec<NodeId> = path.collect();
        if rest.is_empty() {
            outer.set_text(first, &text);
        } else {
            inner.entry(first).or_default().push((rest, text));
        }
    }
    for (node, texts) in inner {
        // INVARIANT: the walker parsed this very text; see `walk`.
        let Some(text) = document.text(node) else {
            continue;
        };
        let Ok(nested) = Document::parse(
            Bytes::from(copied(text)),
            &Limits::default(),
            Surrogates::Refuse,
        ) else {
            continue;
        };
        let spliced = apply(
            &nested,
            LeafEdits {
                texts,
                raw: Vec::new(),
            },
        );
        outer.set_text(node, &String::from_utf8_lossy(&spliced));
    }
    for (node, json) in edits.raw {
        outer.set_raw(node, json);
    }
    document.splice(&outer)
}

/// Adds a text to `out` as the inside of a JSON string, with no more escapes
/// than needed.
pub fn escape_into(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digit = |index: u32| HEX.get(index as usize).copied().map_or('0', char::from);
                out.push_str("\\u00");
                out.push(digit(u32::from(control) >> 4));
                out.push(digit(u32::from(control) & 15));
            }
            other => out.push(other),
        }
    }
}
