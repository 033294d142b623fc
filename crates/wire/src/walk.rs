//! The walker: visits every leaf, and lets a table name what it knows.

mod keys;
mod respelled;
mod shape;

use bytes::Bytes;
use terms::{Place, Slot, copied};

use crate::{
    Channel, ChannelId, Document, Kind, Leaf, LeafAt, LeafKind, Limits, NodeId, ReplyWalk,
    Surrogates, media,
};
use keys::Keys;
pub(crate) use shape::{Shape, Table};

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

/// Where the walker is.
#[derive(Clone)]
struct At {
    place: String,
    /// As `place`, with every key as it is written; empty in requests.
    path: String,
    slot: Slot,
    tool: Option<String>,
    keys: Keys,
    /// The type that is declared for the data here.
    declared: String,
    /// Directly in a part of a message: the run of what the part says.
    parts: Option<u32>,
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
            declared: String::new(),
            parts: None,
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
        // What a message says, in the order of its parts, whatever stands
        // between them; and apart from it what a part says beside that.
        let run = parts.then(|| {
            self.runs += 2;
            self.runs
        });
        for (position, child) in document.children(node).enumerate() {
            let index = self.index(document, child).unwrap_or(position as u64);
            let mut inner = at.clone();
            step(&mut inner.place, format_args!("[{index}]"), PLACE_BYTES_MAX);
            if self.reply {
                step(&mut inner.path, format_args!("[{index}]"), PATH_BYTES_MAX);
            }
            (inner.parts, inner.run) = (run, run);
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
        let (around, part) = inside(document, node, table, at);
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
            inner.run = part.map(|(run, says)| if name == says { run } else { run - 1 });
            let shape = known.map_or_else(|| unknown(shape), |(_, shape)| *shape);
            if let Shape::Data(told) = shape {
                let told = told.map(|member| document.member_text(node, member));
                inner.declared = told.map_or("audio", Option::unwrap_or_default).to_owned();
            }
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
            Shape::Data(_) => {
                if media::is_medium(&at.declared, text) {
                    self.medium(text, at);
                } else {
                    self.halved(plain(self, Slot::Document), text);
                }
            }
            Shape::Url => match media::data_url(text) {
                Some(url) if media::is_medium(url.declared, url.data) => {
                    self.medium(url.data, at);
                    self.halved(plain(self, Slot::Document), url.head);
                }
                Some(_) => self.halved(plain(self, Slot::Document), text),
                None => self.leaf(plain(self, Slot::Document)),
            },
            Shape::Opaque => self.opaque(plain(self, Slot::Opaque), at),
            // A part that is a string and no object.
            Shape::Members(_) if at.parts.is_some() => self.channel(
                Leaf {
                    run: at.run,
                    ..plain(self, Slot::Unknown)
                },
                at,
                false,
            ),
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

    /// Counted as not inspected, and looked at all the same: a caller may call
    /// anything a signature.
    fn opaque(&mut self, leaf: Leaf, at: &At) {
        if media::is_opaque(&leaf.text) {
            let walk = &mut self.out.walk;
            walk.opaque_bytes = walk.opaque_bytes.saturating_add(leaf.text.len() as u64);
            first(&mut walk.opaque_places, at);
        }
        self.leaf(Leaf {
            editable: false,
            ..leaf
        });
    }

    /// Counts what nobody here can read.
    fn medium(&mut self, data: &str, at: &At) {
        let walk = &mut self.out.walk;
        walk.media_bytes = walk.media_bytes.saturating_add(data.len() as u64);
        first(&mut walk.media_places, at);
    }

    /// A text in base64, or the part of a data URL that can be read: half of
    /// either cannot be replaced by anything.
    fn halved(&mut self, leaf: Leaf, text: &str) {
        self.leaf(Leaf {
            editable: false,
            text: copied(text),
            ..leaf
        });
    }

    /// Visits the document that a string holds; false when it holds none.
    fn nested(&mut self, text: &str, node: NodeId, slot: Slot, at: &At) -> bool {
        let begins = text.trim_start().starts_with(['{', '[']);
        if !begins || at.chain.len() >= NESTING_MAX || text.len() > self.nested_bytes_left {
            return false;
        }
        self.nested_bytes_left -= text.len();
        let bytes = Bytes::from(copied(text));
        let Ok(document) = Document::parse(bytes, &Limits::default(), Surrogates::Refuse) else {
            return false;
        };
        let mut inner = at.clone();
        step(&mut inner.place, format_args!("~"), PLACE_BYTES_MAX);
        inner.chain.push(node);
        (inner.parts, inner.run) = (None, None);
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
            text: copied(text),
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

/// Where the members of an object are; and the run of what it says as a part
/// of a message, with the member that says it.
fn inside(
    document: &Document,
    node: NodeId,
    table: Option<&Table>,
    at: &At,
) -> (At, Option<(u32, &'static str)>) {
    let mut around = at.clone();
    let mut parts = around.parts.take();
    if let Some(table) = table {
        let told = table
            .slot
            .and_then(|(member, slot)| slot(document.member_text(node, member)?));
        around.slot = told.unwrap_or(at.slot);
        // A document or a call is no part of the text around it.
        if around.slot != Slot::System && around.slot != at.slot {
            parts = None;
        }
        if let Some(name) = table
            .tool
            .and_then(|member| document.member_text(node, member))
        {
            around.tool = Some(name.to_owned());
        }
    }
    (around, parts.map(|run| (run, says(document, node))))
}

/// The member that holds what a part of a message says: the one that its type
/// names, or the one that is there.
fn says(document: &Document, part: NodeId) -> &'static str {
    let (first, second) = match document.member_text(part, "type") {
        Some("refusal") => ("refusal", "text"),
        _ => ("text", "refusal"),
    };
    let one = document.member(part, first).is_some() || document.member(part, second).is_none();
    if one { first } else { second }
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
