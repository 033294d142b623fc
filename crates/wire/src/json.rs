//! The one strict parser: what it accepts, every reader reads alike.
//!
//! Duplicate keys, trailing data, bad UTF-8, lone surrogates, over-deep and
//! over-large documents are refused. The byte span of each value is kept, so
//! that an unedited document is forwarded untouched.

mod parse;
mod text;

use std::ops::Range;

use bytes::Bytes;
use terms::Code;
use thiserror::Error;

/// LIMITS of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Its bytes.
    pub document_bytes_max: usize,
    /// How deep objects and arrays nest.
    pub depth_max: usize,
    /// Values, keys included.
    pub values_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes_max: 32 << 20,
            depth_max: 64,
            values_max: 200_000,
        }
    }
}

/// What is done about half a surrogate pair in an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surrogates {
    /// The document is refused: for requests.
    Refuse,
    /// Halves at the ends of a string are kept apart, since a vendor may split
    /// a pair over two deltas; others become U+FFFD: for replies.
    Keep,
}

/// Why bytes are not a document, and where. Quotes nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("byte {offset}: {}", code.says())]
pub struct JsonFault {
    code: Code,
    offset: usize,
}

impl JsonFault {
    const fn new(code: Code, offset: usize) -> Self {
        Self { code, offset }
    }

    /// The refusal's code.
    #[must_use]
    pub const fn code(self) -> Code {
        self.code
    }

    /// Where, in bytes from the start.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

/// One value of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number, kept as it is written.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// Half a surrogate pair at the ends of a string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Halves {
    /// A low half at the very start.
    pub(crate) lead_low: Option<u16>,
    /// A high half at the very end.
    pub(crate) trail_high: Option<u16>,
}

#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    start: u32,
    end: u32,
    /// For a member of an object: its key, a string node.
    key: Option<NodeId>,
    /// First child and next sibling: a tree without allocations per node.
    first: Option<NodeId>,
    sibling: Option<NodeId>,
    /// Index into `texts` for strings with escapes.
    decoded: Option<u32>,
}

#[derive(Debug, Clone)]
struct Decoded {
    text: String,
    halves: Halves,
}

/// A parsed document and its bytes.
#[derive(Debug, Clone)]
pub struct Document {
    raw: Bytes,
    nodes: Vec<Node>,
    decoded: Vec<Decoded>,
}

impl Document {
    /// Parses bytes strictly (RFC 8259, less what readers disagree about).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(raw: Bytes, limits: &Limits, surrogates: Surrogates) -> Result<Self, JsonFault> {
        parse::parse(raw, limits, surrogates)
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(usize::try_from(id.0).ok()?)
    }

    /// The outermost value.
    #[must_use]
    pub const fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// What a value is.
    #[must_use]
    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).map_or(Kind::Null, |node| node.kind)
    }

    /// The bytes of a value, quotes and brackets included.
    #[must_use]
    pub fn span(&self, id: NodeId) -> Range<usize> {
        self.node(id)
            .map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// The key of a member, as a string value.
    #[must_use]
    pub fn key(&self, id: NodeId) -> Option<NodeId> {
        self.node(id)?.key
    }

    /// The text of a key.
    #[must_use]
    pub fn key_text(&self, id: NodeId) -> Option<&str> {
        self.text(self.key(id)?)
    }

    /// The values in an object or array, in order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.node(id).and_then(|node| node.first), |child| {
            self.node(*child).and_then(|node| node.sibling)
        })
    }

    /// The member of an object with this key.
    #[must_use]
    pub fn member(&self, id: NodeId, key: &str) -> Option<NodeId> {
        if self.kind(id) != Kind::Object {
            return None;
        }
        self.children(id)
            .find(|child| self.key_text(*child) == Some(key))
    }

    /// The value of a string, decoded.
    #[must_use]
    pub fn text(&self, id: NodeId) -> Option<&str> {
        let node = self.node(id).filter(|node| node.kind == Kind::String)?;
        match node.decoded {
            Some(index) => self
                .decoded
                .get(index as usize)
                .map(|decoded| decoded.text.as_str()),
            None => {
                let inner = node.start as usize + 1..(node.end as usize).saturating_sub(1);
                // The parser checked the UTF-8 of the whole document.
                self.raw
                    .get(inner)
                    .and_then(|bytes| std::str::from_utf8(bytes).ok())
            }
        }
    }

    /// The text of a member that is a string.
    #[must_use]
    pub fn member_text(&self, id: NodeId, key: &str) -> Option<&str> {
        self.text(self.member(id, key)?)
    }

    pub(crate) fn halves(&self, id: NodeId) -> Halves {
        let decoded = self
            .node(id)
            .and_then(|node| node.decoded)
            .and_then(|index| self.decoded.get(index as usize));
        decoded.map(|decoded| decoded.halves).unwrap_or_default()
    }

    /// A number as it is written.
    #[must_use]
    pub fn number(&self, id: NodeId) -> Option<&str> {
        let node = self.node(id).filter(|node| node.kind == Kind::Number)?;
        self.raw
            .get(node.start as usize..node.end as usize)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// A whole number that fits.
    #[must_use]
    pub fn whole(&self, id: NodeId) -> Option<u64> {
        self.number(id)?.parse().ok()
    }

    /// The value of `true` and `false`.
    #[must_use]
    pub fn truth(&self, id: NodeId) -> Option<bool> {
        match self.kind(id) {
            Kind::True => Some(true),
            Kind::False => Some(false),
            Kind::Object | Kind::Array | Kind::String | Kind::Number | Kind::Null => None,
        }
    }

    /// The bytes that were parsed.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }
}

#[cfg(test)]
mod tests;
