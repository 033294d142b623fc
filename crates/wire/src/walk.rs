//! The walker: visits every leaf, and lets a table name what it knows.

mod keys;
mod respelled;

use bytes::Bytes;
use terms::{Place, Slot};

use crate::{
    Channel, ChannelId, Document, Kind, Leaf, LeafAt, LeafKind, Limits, NodeId, ReplyWalk,
    Surrogates, media,
};
use keys::Keys;

/// LIMIT: JSON in strings in strings, this deep.
const NESTING_MAX: usize = 8;
/// LIMIT: bytes of JSON in strings that are parsed, as a multiple of the document's.
const NESTED_BYTES_FACTOR: usize = 4;
/// LIMIT: unknown places that are listed.
const UNKNOWN_PLACES_MAX: usize = 16;
/// LIMIT: bytes of a place; what is deeper is cut.
const PLACE_BYTES_MAX: usize = 256;
/// LIMIT: bytes of a channel's name; deeper texts share one channel.
const PATH_BYTES_MAX: usize = 4_096;

/// What a table knows of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A text in the slot of the message or block around it.
    Turn,
    /// A text in this slot.
    Text(Slot),
    /// A word of the protocol: looked at, never rewritten.
    Word,
    /// The name of a tool: likewise, in its own slot.
    Name(Slot),
    /// What one side calls a message or call, and the other repeats: rewritten
    /// alike wherever it stands, it still does its work.
    Id,
    /// Any document: its keys are data, its strings may hold JSON again.
    Free(Slot),
    /// A string that holds a document.
    Json(Slot),
    /// Base64 of a medium or a text.
    Data,
    /// A URL of a document, or a data URL.
    Url,
    /// A value that only the vendor can read.
    Opaque,
    /// A list of log probabilities: what is plain in it is no leaf; see
    /// `respelled` and `Logprobs`.
    Logprobs,
    /// Elements of this shape.
    List(&'static Shape),
    /// Parts of one message: neighbouring texts belong together.
    Parts(&'static Shape),
    /// An object with these members; `slot` tells the slot of the texts in it.
    Members(&'static Table),
    /// A string of the first shape, or anything else of the second.
    Either(&'static Shape, &'static Shape),
    /// An array of the first shape, or anything else of the second.
    Both(&'static Shape, &'static Shape),
    /// Nobody knows.
    Unknown,
}

/// The slot that a member's text tells.
type SlotOf = fn(&str) -> Option<Slot>;

/// An object that a dialect knows.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its members.
    pub(crate) members: &'static [(&'static str, Shape)],
    /// The slot of the texts in it, from a member's text; the outer one where
    /// nothing fits.
    pub(crate) slot: Option<(&'static str, SlotOf)>,
    /// The member that names the tool, for what lies in this object.
    pub(crate) tool: Option<&'static str>,
    /// Where a member has a certain text, another table holds.
    pub(crate) other: Option<(&'static str, &'static str, &'static Table)>,
}

impl Table {
    /// An object whose texts keep the slot of what is around it.
    pub(crate) const fn plain(members: &'static [(&'static str, Shape)]) -> Self {
        Self {
            members,
            slot: None,
            tool: None,
            other: None,
        }
    }
}

/// Where the walker is.
#[derive(Clone)]
struct At {
    place: String,
    /// As `place`, with every key as it is written; empty in requests.
    path: String,
    slot: Slot,
    tool: Option<String>,
    keys: Keys,
    run: Option<u32>,
    chain: Vec<NodeId>,
}

/// One walk.
pub(crate) struct Walker {
    out: ReplyWalk,
    reply: bool,
    runs: u32,
    nested_bytes_left: usize,
    /// Whether nothing that is visited now may be rewritten.
    fixed: bool,
}

impl Walker {
    pub(crate) fn new(document: &Document, reply: bool) -> Self {
        let nested_bytes_left = document.raw().len().saturating_mul(NESTED_BYTES_FACTOR);
        Self {
            out: ReplyWalk::default(),
            reply,
            runs: 0,
            nested_bytes_left,
            fixed: false,
        }
    }

    /// Visits a value of the document.
    pub(crate) fn visit(
        mut self,
        document: &Document,
        node: NodeId,
        shape: Shape,
        place: &str,
        slot: Slot,
        tool: Option<String>,
    ) -> ReplyWalk {
        let at = At {
            place: place.to_owned(),
            path: place.to_owned(),
            slot,
            tool,
            keys: Keys::default(),
            run: None,
            chain: Vec::new(),
        };
        self.value(document, node, shape, &at);
        self.out
    }

    fn value(&mut self, document: &Document, node: NodeId, shape: Shape, at: &At) {
        match (document.kind(node), shape) {
            (Kind::True | Kind::False | Kind::Null, _) => {}
            (_, Shape::Logprobs) => self.respelled(document, node, at),
            (Kind::String, Shape::Either(text, _)) => self.value(document, node, *text, at),
            (_, Shape::Either(_, other)) => self.value(document, node, *other, at),
            (Kind::Array, Shape::Both(array, _)) => self.value(document, node, *array, at),
            (_, Shape::Both(_, other)) => self.value(document, node, *other, at),
            (Kind::String, _) => self.string(document, node, shape, at),
            (Kind::Number, _) => self.number(document, node, shape, at),
            (Kind::Array, _) => self.array(document, node, shape, at),
            (Kind::Object, _) => self.object(document, node, shape, at),
        }
    }

    fn array(&mut self, document: &Document, node: NodeId, shape: Shape, at: &At) {
        let (element, parts) = match shape {
            Shape::List(element) => (*element, false),
            Shape::Parts(element) => (*element, true),
            Shape::Free(slot) => (Shape::Free(slot), false),
            _ => (Shape::Unknown, false),
        };
        let mut run = None;
        for (position, child) in document.children(node).enumerate() {
            let index = self.index(document, child).unwrap_or(position as u64);
            let mut inner = at.clone();
            step(&mut inner.place, format_args!("[{index}]"), PLACE_BYTES_MAX);
            if self.reply {
                step(&mut inner.path, format_args!("[{index}]"), PATH_BYTES_MAX);
            }
            if parts
                && document
                    .member_text(child, "type")
                    .is_none_or(|kind| kind == "text")
            {
                inner.run = Some(*run.get_or_insert_with(|| {
                    self.runs += 1;
                    self.runs
                }));
            } else {
                run = None;
            }
            self.value(document, child, element, &inner);
        }
    }

    /// In replies, elements are known by their own `index`.
    fn index(&self, document: &Document, child: NodeId) -> Option<u64> {
        if self.reply {
            document.whole(document.member(child, "index")?)
        } else {
            None
        }
    }

    fn object(&mut self, document: &Document, node: NodeId, shape: Shape, at: &At) {
        let table = match shape {
            Shape::Members(table) => Some(match table.other {
                Some((member, text, other)) if document.member_text(node, member) == Some(text) => {
                    other
                }
                Some(_) | None => table,
            }),
            _ => None,
        };
        let mut around = at.clone();
        if let Some(table) = table {
            let told = table
                .slot
                .and_then(|(member, slot)| slot(document.member_text(node, member)?));
            around.slot = told.unwrap_or(at.slot);
            if let Some(name) = table
                .tool
                .and_then(|member| document.member_text(node, member))
            {
                around.tool = Some(name.to_owned());
            }
        }
        for (position, child) in document.children(node).enumerate() {
            let Some(key) = document.key(child) else {
                continue;
            };
            let name = document.text(key).unwrap_or_default();
            let known =
                table.and_then(|table| table.members.iter().find(|(member, _)| *member == name));
            let mut inner = around.clone();
            match known {
                Some((member, _)) => step(
                    &mut inner.place,
                    format_args!("{}{member}", dot(&around.place)),
                    PLACE_BYTES_MAX,
                ),
                None => step(
                    &mut inner.place,
                    format_args!("{}{{{position}}}", dot(&around.place)),
                    PLACE_BYTES_MAX,
                ),
            }
            if self.reply {
                step(
                    &mut inner.path,
                    format_args!("{}{name}", dot(&around.path)),
                    PATH_BYTES_MAX,
                );
            }
            let shape = known.map_or_else(|| unknown(shape), |(_, shape)| *shape);
            if known.is_none() {
                self.key(document, key, shape, &inner);
                inner.keys = around.keys.then(name);
            }
            self.value(document, child, shape, &inner);
        }
    }

    fn key(&mut self, document: &Document, key: NodeId, shape: Shape, at: &At) {
        let slot = match shape {
            Shape::Free(slot) => slot,
            _ => Slot::Unknown,
        };
        let text = document.text(key).unwrap_or_default();
        self.leaf(Leaf {
            editable: false,
            ..self.plain(key, at, slot, LeafKind::Key, text)
        });
    }

    fn number(&mut self, document: &Document, node: NodeId, shape: Shape, at: &At) {
        let slot = match shape {
            Shape::Free(slot) | Shape::Json(slot) | Shape::Text(slot) => slot,
            Shape::Unknown => Slot::Unknown,
            _ => Slot::Parameter,
        };
        let text = document.number(node).unwrap_or_default();
        self.leaf(Leaf {
            editable: false,
            ..self.plain(node, at, slot, LeafKind::Number, text)
        });
    }

    fn string(&mut self, document: &Document, node: NodeId, shape: Shape, at: &At) {
        let text = document.text(node).unwrap_or_default();
        let plain = |walker: &Self, slot| walker.plain(node, at, slot, LeafKind::Text, text);
        match shape {
            Shape::Turn => self.channel(
                Leaf {
                    run: at.run,
                    ..plain(self, at.slot)
                },
                at,
                false,
            ),
            Shape::Text(slot) => self.channel(plain(self, slot), at, false),
            Shape::Word => self.leaf(Leaf {
                editable: false,
                ..plain(self, Slot::Parameter)
            }),
            Shape::Id => self.leaf(plain(self, Slot::Parameter)),
            Shape::Name(slot) => self.leaf(Leaf {
                editable: false,
                ..plain(self, slot)
            }),
            Shape::Json(slot) if self.reply => self.channel(plain(self, slot), at, true),
            Shape::Json(slot) | Shape::Free(slot) => {
                if self.reply || !self.nested(text, node, slot, at) {
                    self.channel(plain(self, slot), at, false);
                }
            }
            Shape::Data => self.data(text, text, plain(self, Slot::Document)),
            Shape::Url => match media::data_url(text) {
                Some(data) => self.data(data, text, plain(self, Slot::Document)),
                None => self.leaf(plain(self, Slot::Document)),
            },
            Shape::Opaque => {
                // Counted as not inspected, and looked at all the same: a
                // caller may call anything a signature.
                if media::is_opaque(text) {
                    self.out.walk.opaque_bytes =
                        self.out.walk.opaque_bytes.saturating_add(text.len() as u64);
                    first(&mut self.out.walk.opaque_places, at);
                }
                self.leaf(Leaf {
                    editable: false,
                    ..plain(self, Slot::Opaque)
                });
            }
            Shape::List(_)
            | Shape::Parts(_)
            | Shape::Members(_)
            | Shape::Unknown
            | Shape::Logprobs
            | Shape::Either(..)
            | Shape::Both(..) => {
                if self.reply || !self.nested(text, node, Slot::Unknown, at) {
                    self.channel(plain(self, Slot::Unknown), at, false);
                }
            }
        }
    }

    fn data(&mut self, base64: &str, whole: &str, leaf: Leaf) {
        if media::is_medium(base64) {
            self.out.walk.media_bytes =
                self.out.walk.media_bytes.saturating_add(whole.len() as u64);
            if self.out.walk.media_places.is_empty() {
                self.out.walk.media_places.push(leaf.place);
            }
        } else {
            // Half of a base64 text cannot be replaced by anything.
            self.leaf(Leaf {
                editable: false,
                ..leaf
            });
        }
    }

    /// Visits the document that a string holds; false when it holds none.
    fn nested(&mut self, text: &str, node: NodeId, slot: Slot, at: &At) -> bool {
        let begins = text.trim_start().starts_with(['{', '[']);
        if !begins || at.chain.len() >= NESTING_MAX || text.len() > self.nested_bytes_left {
            return false;
        }
        self.nested_bytes_left -= text.len();
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let Ok(document) = Document::parse(bytes, &Limits::default(), Surrogates::Refuse) else {
            return false;
        };
        let mut inner = at.clone();
        step(&mut inner.place, format_args!("~"), PLACE_BYTES_MAX);
        inner.chain.push(node);
        inner.run = None;
        let shape = if slot == Slot::Unknown {
            Shape::Unknown
        } else {
            Shape::Free(slot)
        };
        self.value(&document, document.root(), shape, &inner);
        true
    }

    fn plain(&self, node: NodeId, at: &At, slot: Slot, kind: LeafKind, text: &str) -> Leaf {
        let mut chain = at.chain.clone();
        chain.push(node);
        Leaf {
            at: LeafAt(chain),
            place: Place::new(at.place.clone()),
            slot,
            kind,
            text: text.to_owned(),
            keys: at.keys.text(),
            run: None,
            editable: true,
            tool: at.tool.clone(),
            channel: None,
        }
    }

    fn channel(&mut self, mut leaf: Leaf, at: &At, json: bool) {
        if self.reply {
            let id = ChannelId::new(&at.path);
            leaf.channel = Some(Channel {
                id,
                slot: leaf.slot,
                tool: at.tool.clone(),
                json,
            });
        }
        self.leaf(leaf);
    }

    fn leaf(&mut self, mut leaf: Leaf) {
        if self.fixed {
            (leaf.editable, leaf.channel) = (false, None);
        }
        if leaf.slot == Slot::Unknown {
            self.out.walk.unknown_values = self.out.walk.unknown_values.saturating_add(1);
            let place = leaf.place.as_str();
            let places = &mut self.out.walk.unknown_places;
            if places.len() < UNKNOWN_PLACES_MAX && !places.iter().any(|known| known == place) {
                places.push(place.to_owned());
            }
        }
        self.out.walk.leaves.push(leaf);
    }
}

/// The shape of what a table does not name.
const fn unknown(around: Shape) -> Shape {
    match around {
        Shape::Free(slot) => Shape::Free(slot),
        _ => Shape::Unknown,
    }
}

fn dot(place: &str) -> &'static str {
    if place.is_empty() || place.ends_with('~') {
        ""
    } else {
        "."
    }
}

fn first(places: &mut Vec<Place>, at: &At) {
    if places.is_empty() {
        places.push(Place::new(at.place.clone()));
    }
}

/// Adds a step, unless the place is long enough already.
fn step(place: &mut String, step: std::fmt::Arguments<'_>, bytes_max: usize) {
    use std::fmt::Write as _;
    if place.len() < bytes_max {
        let _ = place.write_fmt(step);
    }
}

#[cfg(test)]
mod tests;
