//! A leaf: one text of a document, where it stands and what part it plays.

use std::sync::Arc;

use terms::{Place, Slot};

use crate::{Channel, ChannelId, Logprobs, NodeId};

/// What a leaf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafKind {
    /// A string.
    Text,
    /// The key of a member.
    Key,
    /// A number, as it is written.
    Number,
}

/// Where a leaf is: a value of the document, or one inside the JSON that a
/// string of it holds, and so on inwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeafAt(pub(crate) Vec<NodeId>);

/// One text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its address for edits.
    pub at: LeafAt,
    /// Its place as people may read it.
    pub place: Place,
    /// The part that it plays.
    pub slot: Slot,
    /// What it is.
    pub kind: LeafKind,
    /// Its text, decoded.
    pub text: String,
    /// The last two keys before it that no table knows, as they stand before
    /// it in a document, up to the quote that opens it: what a value is called
    /// tells what it is. It is no part of the text.
    pub keys: Option<Arc<str>>,
    /// Neighbouring text parts of one message have the same number.
    pub run: Option<u32>,
    /// Whether rewriting it leaves the call what it is.
    pub editable: bool,
    /// The tool that it belongs to.
    pub tool: Option<String>,
    /// In a reply: the channel that it is a piece of.
    pub channel: Option<Channel>,
}

/// Every text of a document, and what is not text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// The texts, in the order of the document.
    pub leaves: Vec<Leaf>,
    /// Bytes of media, which nobody here can read.
    pub media_bytes: u64,
    /// Bytes of values that only the vendor can read.
    pub opaque_bytes: u64,
    /// Where the first medium is.
    pub media_places: Vec<Place>,
    /// Where the first opaque value is.
    pub opaque_places: Vec<Place>,
    /// Values at places that the dialect does not know.
    pub unknown_values: u32,
    /// Those places, at most 16.
    pub unknown_places: Vec<String>,
}

/// Every text of a reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyWalk {
    /// The texts.
    pub walk: Walk,
    /// Lists that spell a text again, token by token.
    pub logprobs: Vec<Logprobs>,
    /// Signatures, each with the channel whose text it covers.
    pub signatures: Vec<(ChannelId, NodeId)>,
}
