//! Streams: each event as pieces of channels, and the events that a gate adds.

mod anthropic;
mod check;
mod openai;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::{
    Channel, ChannelId, Dialect, Document, Leaf, LeafAt, LeafKind, Logprobs, NodeId, ReplyWalk,
    dialect::Api, json::Halves, sse::Event,
};

/// LIMIT: blocks or choices over the life of a stream. Those that ended are
/// remembered, so that none begins again.
const OPEN_MAX: usize = 4_096;
/// LIMIT: channels and names of tools over the life of a stream.
const CHANNELS_MAX: usize = 4_096;
/// LIMIT: bytes of a tool's name.
const NAME_BYTES_MAX: usize = 256;
/// LIMIT: bytes of the stream's id, model or time, as JSON; what is longer is
/// not repeated in added chunks.
const HEAD_BYTES_MAX: usize = 256;

/// An event that makes no sense here, or more than a stream may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the event does not fit the stream")]
pub struct MapFault {
    limit: bool,
}

impl MapFault {
    const UNFIT: Self = Self { limit: false };
    const LIMIT: Self = Self { limit: true };

    /// Whether there are more channels than a stream may have.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        self.limit
    }
}

/// One event, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventWalk {
    /// Pieces of channels.
    pub deltas: Vec<Leaf>,
    /// Those pieces that half of a surrogate pair was taken from or put into:
    /// as the vendor wrote them they would carry it a second time.
    pub halved: Vec<LeafAt>,
    /// Texts that are whole in their event. One with a channel stands at a
    /// place to which a later event may add.
    pub whole: Vec<Leaf>,
    /// Lists that spell a text again.
    pub logprobs: Vec<Logprobs>,
    /// Channels that end with this event: what they hold goes into it, or
    /// before it.
    pub ends: Vec<ChannelId>,
    /// Channels whose names begin like this do not come again.
    pub done: Option<String>,
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
    /// Choices or blocks, with their channels and tools.
    open: BTreeMap<u64, Open>,
    /// Channels and names of tools so far.
    channels: usize,
    /// High halves of surrogate pairs whose low halves are still to come.
    halves: BTreeMap<ChannelId, u16>,
    started: bool,
}

#[derive(Debug, Default)]
struct Open {
    channels: BTreeSet<ChannelId>,
    /// Tool names by the index of the call (OpenAI), or 0 (Anthropic).
    tools: BTreeMap<u64, String>,
    /// Whether it ended: no text may follow.
    over: bool,
}

impl StreamMapper {
    /// The state before the first event.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            api: dialect.api(),
            head: BTreeMap::new(),
            open: BTreeMap::new(),
            channels: 0,
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
            Err(MapFault::UNFIT)
        }
    }

    /// Remembers how an event, as it is sent on, names itself: events made
    /// here are named alike.
    pub fn names(&mut self, document: &Document) {
        for name in ["id", "created", "model"] {
            if let Some(raw) = document
                .member(document.root(), name)
                .and_then(|node| document.raw().get(document.span(node)))
                .filter(|raw| raw.len() <= HEAD_BYTES_MAX)
            {
                self.head
                    .insert(name, String::from_utf8_lossy(raw).into_owned());
            }
        }
    }

    /// The choice or block with this index, which begins if it is new.
    fn open(&mut self, index: u64) -> Result<&mut Open, MapFault> {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&index) {
            return Err(MapFault::LIMIT);
        }
        Ok(self.open.entry(index).or_default())
    }

    /// Ends a choice or block; its channels.
    fn end(&mut self, index: u64) -> BTreeSet<ChannelId> {
        self.open
            .get_mut(&index)
            .map(|open| {
                open.over = true;
                open.tools.clear();
                std::mem::take(&mut open.channels)
            })
            .unwrap_or_default()
    }

    /// Remembers a channel of a choice or block.
    fn register(&mut self, index: u64, channel: &ChannelId) -> Result<(), MapFault> {
        if self.open(index)?.channels.insert(channel.clone()) {
            self.count()?;
        }
        Ok(())
    }

    /// Remembers the name of a call, if one is given.
    fn name(&mut self, index: u64, call: u64, name: Option<&str>) -> Result<(), MapFault> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        let tools = &mut self.open(index)?.tools;
        match tools.get(&call) {
            Some(known) if known == name => Ok(()),
            None if name.len() <= NAME_BYTES_MAX => {
                tools.insert(call, name.to_owned());
                self.count()
            }
            Some(_) | None => Err(MapFault::UNFIT),
        }
    }

    const fn count(&mut self) -> Result<(), MapFault> {
        self.channels += 1;
        if self.channels > CHANNELS_MAX {
            Err(MapFault::LIMIT)
        } else {
            Ok(())
        }
    }

    /// Whether half of a pair still waits in this channel, which has ended.
    pub fn take_half(&mut self, channel: &ChannelId) -> bool {
        self.halves.remove(channel).is_some()
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
            if waiting.is_some() || lead_low.is_some() || trail_high.is_some() {
                out.halved.push(leaf.at.clone());
            }
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

/// Gives a text of a delta that is whole in its event a channel all the same:
/// a client may add the next one to it.
fn known_by_place(leaf: &mut Leaf) {
    if leaf.kind == LeafKind::Text && leaf.channel.is_none() {
        leaf.channel = Some(Channel {
            id: ChannelId::new(leaf.place.as_str()),
            slot: leaf.slot,
            tool: None,
            json: false,
        });
    }
}

#[cfg(test)]
mod tests;
