//! Streams: each event as pieces of channels, and the events that a gate adds.

mod write;

use std::collections::BTreeMap;

use terms::Slot;
use thiserror::Error;

use crate::{
    ChannelId, Dialect, Document, Leaf, LeafKind, Logprobs, NodeId, ReplyWalk,
    dialect::{Api, anthropic_shapes, openai_walk},
    json::Halves,
    sse::Event,
    walk::Walker,
};

/// LIMIT: blocks or choices open at once.
const OPEN_MAX: usize = 1_024;
/// LIMIT: bytes of a tool's name.
const NAME_BYTES_MAX: usize = 256;

/// An event that makes no sense here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the event does not fit the stream")]
pub struct MapFault(());

/// One event, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventWalk {
    /// Pieces of channels.
    pub deltas: Vec<Leaf>,
    /// Texts that stand alone.
    pub whole: Vec<Leaf>,
    /// Lists that spell a text again.
    pub logprobs: Vec<Logprobs>,
    /// Channels that end with this event: what they hold goes before it.
    pub ends: Vec<ChannelId>,
    /// Whether the stream ends with this event.
    pub terminal: bool,
    /// Signatures, each with the channel whose text it covers.
    pub signatures: Vec<(ChannelId, NodeId)>,
    /// Bytes of media.
    pub media_bytes: u64,
    /// Bytes of opaque values.
    pub opaque_bytes: u64,
    /// Values at unknown places.
    pub unknown_values: u32,
    /// Those places.
    pub unknown_places: Vec<String>,
}

/// The state of one stream.
#[derive(Debug)]
pub struct StreamMapper {
    api: Api,
    /// The stream's own id, model and time, as raw JSON, for added chunks.
    head: BTreeMap<&'static str, String>,
    /// Open choices or blocks, with their channels and tool.
    open: BTreeMap<u64, Open>,
    /// High halves of surrogate pairs whose low halves are still to come.
    halves: BTreeMap<ChannelId, u16>,
    started: bool,
}

#[derive(Debug, Default)]
struct Open {
    channels: Vec<ChannelId>,
    /// Tool names by the index of the call (OpenAI), or 0 (Anthropic).
    tools: BTreeMap<u64, String>,
}

impl Open {
    /// Remembers the name of a call, if one is given.
    fn name(&mut self, call: u64, name: Option<&str>) -> Result<(), MapFault> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        let room = self.tools.len() < OPEN_MAX && name.len() <= NAME_BYTES_MAX;
        match self.tools.get(&call) {
            Some(known) if known == name => Ok(()),
            None if room => {
                self.tools.insert(call, name.to_owned());
                Ok(())
            }
            Some(_) | None => Err(MapFault(())),
        }
    }
}

impl StreamMapper {
    /// The state before the first event.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            api: dialect.api(),
            head: BTreeMap::new(),
            open: BTreeMap::new(),
            halves: BTreeMap::new(),
            started: false,
        }
    }

    /// Takes an event apart. `document` is its data, if that is JSON.
    ///
    /// # Errors
    /// When the event cannot be one of this stream.
    pub fn map(
        &mut self,
        event: &Event,
        document: Option<&Document>,
    ) -> Result<EventWalk, MapFault> {
        let Some(document) = document else {
            return self.bare(event);
        };
        let mut out = match self.api {
            Api::OpenAi => self.openai(document)?,
            Api::Anthropic => self.anthropic(document)?,
        };
        self.started = true;
        self.join_halves(document, &mut out);
        Ok(out)
    }

    /// An event without JSON: the end of an OpenAI stream, or nothing.
    fn bare(&self, event: &Event) -> Result<EventWalk, MapFault> {
        let done = event.data == "[DONE]" && self.api == Api::OpenAi;
        if done || event.data.is_empty() {
            Ok(EventWalk {
                terminal: done,
                ..EventWalk::default()
            })
        } else {
            Err(MapFault(()))
        }
    }

    /// Remembers how an event, as it is sent on, names itself: events made
    /// here are named alike.
    pub fn names(&mut self, document: &Document) {
        for name in ["id", "created", "model"] {
            if let Some(raw) = document
                .member(document.root(), name)
                .and_then(|node| document.raw().get(document.span(node)))
            {
                self.head
                    .insert(name, String::from_utf8_lossy(raw).into_owned());
            }
        }
    }

    fn openai(&mut self, document: &Document) -> Result<EventWalk, MapFault> {
        let root = document.root();
        let walk = openai_walk(document);
        if document.member(root, "error").is_some() {
            // An error is whole, and the last event.
            return Ok(EventWalk {
                terminal: true,
                ..alone(walk)
            });
        }
        let mut out = split(walk);
        let choices = document
            .member(root, "choices")
            .into_iter()
            .flat_map(|choices| document.children(choices));
        for (position, choice) in choices.enumerate() {
            let index = document
                .member(choice, "index")
                .and_then(|node| document.whole(node))
                .unwrap_or(position as u64);
            let open = self.open(index)?;
            remember_tools(open, document, choice)?;
            let prefix = format!("choices[{index}].");
            for leaf in out
                .deltas
                .iter_mut()
                .filter(|leaf| leaf.place.as_str().starts_with(&prefix))
            {
                let Some(channel) = &mut leaf.channel else {
                    continue;
                };
                if channel.slot == Slot::ToolCall {
                    let call = call_index(&channel.id).unwrap_or(FUNCTION_CALL);
                    channel.tool = open.tools.get(&call).cloned();
                    leaf.tool.clone_from(&channel.tool);
                }
                if !open.channels.contains(&channel.id) {
                    open.channels.push(channel.id.clone());
                }
            }
            let finished = document.member_text(choice, "finish_reason").is_some();
            if finished {
                out.ends
                    .extend(self.open.remove(&index).unwrap_or_default().channels);
            }
        }
        Ok(out)
    }

    fn open(&mut self, index: u64) -> Result<&mut Open, MapFault> {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&index) {
            return Err(MapFault(()));
        }
        Ok(self.open.entry(index).or_default())
    }

    fn anthropic(&mut self, document: &Document) -> Result<EventWalk, MapFault> {
        let root = document.root();
        let index = document
            .member(root, "index")
            .and_then(|node| document.whole(node));
        match document.member_text(root, "type") {
            Some("content_block_start") => self.block_start(document, index.ok_or(MapFault(()))?),
            Some("content_block_delta") => self.block_delta(document, index.ok_or(MapFault(()))?),
            Some("content_block_stop") => {
                let mut out = split(rest(document, &[]));
                out.ends = self
                    .open
                    .remove(&index.ok_or(MapFault(()))?)
                    .unwrap_or_default()
                    .channels;
                Ok(out)
            }
            Some("message_stop") => Ok(EventWalk {
                terminal: true,
                ..split(rest(document, &[]))
            }),
            Some("error") => Ok(EventWalk {
                terminal: true,
                ..alone(rest(document, &[]))
            }),
            // message_start carries a whole message, message_delta the end of one.
            _ => Ok(alone(rest(document, &[]))),
        }
    }

    fn block_start(&mut self, document: &Document, index: u64) -> Result<EventWalk, MapFault> {
        let mut out = alone(rest(document, &["content_block"]));
        let Some(block) = document.member(document.root(), "content_block") else {
            return Err(MapFault(()));
        };
        let walk = Walker::new(document, true).visit(
            document,
            block,
            anthropic_shapes::BLOCK,
            &format!("content[{index}]"),
            Slot::Turn,
            None,
        );
        let signature = document.member(block, "signature");
        let tool = document.member_text(block, "name").map(str::to_owned);
        let open = self.open(index)?;
        if let Some(tool) = tool {
            open.tools.insert(0, tool);
        }
        gather(&mut out, split(walk), open);
        // Texts of a block that is complete at its start, as a tool's result,
        // are whole; only `text` and `thinking` go on.
        let (going, whole): (Vec<_>, Vec<_>) = std::mem::take(&mut out.deltas)
            .into_iter()
            .partition(|leaf| goes_on(leaf, index));
        open.channels.retain(|id| {
            going.iter().any(|leaf| {
                leaf.channel
                    .as_ref()
                    .is_some_and(|channel| channel.id == *id)
            })
        });
        out.deltas = going;
        out.whole.extend(whole);
        if let Some(signature) = signature {
            out.signatures.push((
                ChannelId::new(&format!("content[{index}].thinking")),
                signature,
            ));
        }
        Ok(out)
    }

    fn block_delta(&mut self, document: &Document, index: u64) -> Result<EventWalk, MapFault> {
        let mut out = alone(rest(document, &["delta"]));
        let Some(delta) = document.member(document.root(), "delta") else {
            return Err(MapFault(()));
        };
        let kind = document.member_text(delta, "type");
        let tool = self.open(index)?.tools.get(&0).cloned();
        let walk = Walker::new(document, true).visit(
            document,
            delta,
            anthropic_shapes::DELTA,
            &format!("content[{index}]"),
            Slot::Turn,
            tool,
        );
        let open = self.open(index)?;
        if kind == Some("citations_delta") {
            // Each citation is whole.
            let walk = alone(walk);
            out.whole.extend(walk.whole);
            return Ok(out);
        }
        gather(&mut out, split(walk), open);
        if let Some(signature) = document.member(delta, "signature") {
            out.signatures.push((
                ChannelId::new(&format!("content[{index}].thinking")),
                signature,
            ));
        }
        Ok(out)
    }

    /// Puts surrogate pairs together that the vendor split over two deltas.
    fn join_halves(&mut self, document: &Document, out: &mut EventWalk) {
        for leaf in &mut out.deltas {
            let (Some(node), Some(channel)) = (leaf.at.0.first(), &leaf.channel) else {
                continue;
            };
            let Halves {
                lead_low,
                trail_high,
            } = document.halves(*node);
            let waiting = self.halves.remove(&channel.id);
            if waiting.is_some() || lead_low.is_some() {
                let joined = waiting
                    .zip(lead_low)
                    .and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
                leaf.text
                    .insert(0, joined.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            if let Some(high) = trail_high {
                self.halves.insert(channel.id.clone(), high);
            }
        }
    }
}

/// Whether later deltas of the block add to this text.
fn goes_on(leaf: &Leaf, index: u64) -> bool {
    ["text", "thinking"]
        .iter()
        .any(|name| leaf.place.as_str() == format!("content[{index}].{name}"))
}

/// Adds the second walk to the first and remembers its channels.
fn gather(out: &mut EventWalk, more: EventWalk, open: &mut Open) {
    for channel in more.deltas.iter().filter_map(|leaf| leaf.channel.as_ref()) {
        if !open.channels.contains(&channel.id) {
            open.channels.push(channel.id.clone());
        }
    }
    out.deltas.extend(more.deltas);
    out.whole.extend(more.whole);
    out.media_bytes = out.media_bytes.saturating_add(more.media_bytes);
    out.opaque_bytes = out.opaque_bytes.saturating_add(more.opaque_bytes);
    out.unknown_values = out.unknown_values.saturating_add(more.unknown_values);
    out.unknown_places.extend(more.unknown_places);
}

/// Everything of an event but these members.
fn rest(document: &Document, less: &[&str]) -> ReplyWalk {
    let mut out = Walker::new(document, true).visit(
        document,
        document.root(),
        anthropic_shapes::EVENT,
        "",
        Slot::Turn,
        None,
    );
    let skip: Vec<_> = less
        .iter()
        .filter_map(|name| document.member(document.root(), name))
        .map(|node| document.span(node))
        .collect();
    out.walk.leaves.retain(|leaf| {
        let at = leaf
            .at
            .0
            .first()
            .map_or(0, |node| document.span(*node).start);
        !skip.iter().any(|span| span.contains(&at))
    });
    if !skip.is_empty() {
        // Counted by the walk of the member itself.
        (
            out.walk.media_bytes,
            out.walk.opaque_bytes,
            out.walk.unknown_values,
        ) = (0, 0, 0);
        out.walk.unknown_places.clear();
    }
    out
}

/// Pieces of channels apart from texts that stand alone.
fn split(reply: ReplyWalk) -> EventWalk {
    let ReplyWalk {
        walk,
        logprobs,
        signatures,
    } = reply;
    let (deltas, whole) = walk
        .leaves
        .into_iter()
        .partition(|leaf| leaf.channel.is_some() && leaf.kind == LeafKind::Text && leaf.editable);
    EventWalk {
        deltas,
        whole,
        logprobs,
        signatures,
        media_bytes: walk.media_bytes,
        opaque_bytes: walk.opaque_bytes,
        unknown_values: walk.unknown_values,
        unknown_places: walk.unknown_places,
        ..EventWalk::default()
    }
}

/// All texts as such that stand alone.
fn alone(reply: ReplyWalk) -> EventWalk {
    let mut out = split(reply);
    out.whole.append(&mut out.deltas);
    out
}

/// The index of a tool call in a channel's name.
fn call_index(id: &ChannelId) -> Option<u64> {
    let (_, rest) = id.0.split_once(".tool_calls[")?;
    rest.split_once(']')?.0.parse().ok()
}

/// Where the one call of the older `function_call` is kept among the calls.
const FUNCTION_CALL: u64 = u64::MAX;

/// Keeps the names of tools, which only the first delta of a call carries.
/// Some vendors repeat them; a name in pieces is refused, since it would be
/// judged by its first.
fn remember_tools(open: &mut Open, document: &Document, choice: NodeId) -> Result<(), MapFault> {
    let Some(delta) = document.member(choice, "delta") else {
        return Ok(());
    };
    let calls = document
        .member(delta, "tool_calls")
        .into_iter()
        .flat_map(|calls| document.children(calls));
    for (position, call) in calls.enumerate() {
        let index = document
            .member(call, "index")
            .and_then(|node| document.whole(node))
            .unwrap_or(position as u64);
        let name = ["function", "custom"]
            .iter()
            .find_map(|kind| document.member_text(document.member(call, kind)?, "name"));
        open.name(index, name)?;
    }
    let legacy = document
        .member(delta, "function_call")
        .and_then(|call| document.member_text(call, "name"));
    open.name(FUNCTION_CALL, legacy)
}

#[cfg(test)]
mod tests;
