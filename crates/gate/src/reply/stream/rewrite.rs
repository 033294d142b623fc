//! Turns the vendor's events into the caller's, without I/O.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use terms::{Code, Place, Refusal, Slot};
use wire::{
    Channel, ChannelId, Document, EventWalk, Leaf, LeafEdits, LeafKind, Logprobs, StreamMapper,
    Surrogates, sse,
};

use super::{
    block::Block,
    event::{Read, array, plain_name, write},
    spots::Spots,
    tails::{Comes, Tails},
};
use crate::reply::{Context, guard::ChannelGuard, logprobs::LogprobGuard};

/// LIMIT: channels open at once in one reply.
const CHANNELS_MAX: usize = 1_024;

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Rewrite {
    decoder: sse::Decoder,
    mapper: StreamMapper,
    guards: BTreeMap<ChannelId, ChannelGuard>,
    logprobs: BTreeMap<ChannelId, LogprobGuard>,
    /// Channels in which a finding was masked: a signature may come after its
    /// text. The mapper bounds how many channels a stream has.
    masked: BTreeSet<ChannelId>,
    tails: Tails,
    spots: Spots,
    /// Events that wait their turn, and the one that waits for the vault.
    events: VecDeque<sse::Event>,
    read: Option<Read>,
    /// The newest bytes as they came: a vendor's key may be cut anywhere.
    raw: Vec<u8>,
    block: Block,
    over: bool,
}

/// What stands for half a character whose other half never came.
const REPLACEMENT: &str = "\u{fffd}";
/// LIMIT: bytes of the stream that are kept to find a key in.
const RAW_BYTES: usize = 512;

impl Rewrite {
    pub(super) fn new(context: &Context, event_bytes_max: usize) -> Self {
        Self {
            decoder: sse::Decoder::new(event_bytes_max),
            mapper: StreamMapper::new(context.dialect),
            guards: BTreeMap::new(),
            logprobs: BTreeMap::new(),
            masked: BTreeSet::new(),
            tails: Tails::default(),
            spots: Spots::default(),
            events: VecDeque::new(),
            read: None,
            raw: Vec::new(),
            block: Block::default(),
            over: false,
        }
    }

    /// Takes bytes from the vendor; answers bytes for the caller.
    pub(super) fn push(&mut self, context: &mut Context, data: &[u8]) -> Result<Bytes, Refusal> {
        self.raw.extend_from_slice(data);
        if context.tells_key(&self.raw) {
            return Err(Refusal::new(Code::VendorGarbage));
        }
        let old = self.raw.len().saturating_sub(RAW_BYTES);
        self.raw.drain(..old);
        let events = self.decoder.push(data).map_err(|fault| match fault {
            sse::SseFault::TooLong => Refusal::new(Code::ReplyLimit),
            sse::SseFault::Utf8 => Refusal::new(Code::VendorGarbage),
        })?;
        self.events.extend(events);
        self.go_on(context)
    }

    /// Whether these bytes may complete an event.
    pub(super) fn may_end(&self, data: &[u8]) -> bool {
        self.decoder.may_end(data)
    }

    /// Goes on with the events that wait, up to one for which a token of
    /// another exchange must be looked up first.
    pub(super) fn go_on(&mut self, context: &mut Context) -> Result<Bytes, Refusal> {
        let mut out = BytesMut::new();
        // Nothing follows the end of a stream.
        while !self.over {
            if self.read.is_none() {
                let Some(event) = self.events.pop_front() else {
                    break;
                };
                self.read = self.event(context, event)?;
                if context.lacks() {
                    break;
                }
            }
            if let Some(read) = self.read.take() {
                self.looked(context, read, &mut out)?;
            }
        }
        self.bounded(context)?;
        Ok(out.freeze())
    }

    /// Holds no more than may be held: lists that spell the text again go
    /// first, since a caller can do without them.
    fn bounded(&mut self, context: &mut Context) -> Result<(), Refusal> {
        let texts: usize = self.guards.values().map(ChannelGuard::held_bytes).sum();
        let lists: usize = self.logprobs.values().map(LogprobGuard::held_bytes).sum();
        if texts.saturating_add(lists) > context.held_bytes_max() {
            for list in self.logprobs.values_mut() {
                list.give_up(context)?;
            }
        }
        if texts > context.held_bytes_max() {
            Err(Refusal::new(Code::ReplyLimit))
        } else {
            Ok(())
        }
    }

    /// Whether the protocol's own end has come.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// How the stream ends when it does not end well.
    pub(super) fn end(&self, refusal: &Refusal, exchange: &str) -> Bytes {
        let bytes = match refusal.code() {
            Code::ReplyBlocked | Code::NumberBlocked => self.mapper.refusal_end(),
            _ => self.mapper.error_end(refusal, exchange),
        };
        Bytes::from(bytes)
    }

    /// Gives the guards' counts back, whatever state they are in.
    pub(super) fn leave(&mut self, context: &mut Context) {
        for guard in self.guards.values() {
            context.add(guard.counts());
        }
        self.guards.clear();
    }

    /// Reads an event, and notes the tokens that its pieces complete.
    fn event(&mut self, context: &mut Context, event: sse::Event) -> Result<Option<Read>, Refusal> {
        if event.comment {
            // A comment is for proxies; it carries nothing that a client reads.
            return Ok(None);
        }
        if let Some(name) = &event.event {
            plain_name(name)?;
            context.fixed(name, Slot::Parameter, &Place::new("event".to_owned()))?;
        }
        let document = match event.data.as_str() {
            "" | "[DONE]" => None,
            text => Some(self.parse(context, text)?),
        };
        if let Some(document) = &document {
            context.dialect.reply_facts(document, &mut context.facts);
        }
        let walk = self
            .mapper
            .map(&event, document.as_ref())
            .map_err(|fault| {
                Refusal::new(if fault.is_limit() {
                    Code::ReplyLimit
                } else {
                    Code::VendorGarbage
                })
            })?;
        if context.recalls() {
            self.spots.take(context, &walk);
        }
        Ok(Some(Read {
            event,
            document,
            walk,
        }))
    }

    /// Looks at an event's texts, and writes it.
    fn looked(
        &mut self,
        context: &mut Context,
        read: Read,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let Read {
            event,
            document,
            walk,
        } = read;
        context
            .tally
            .not_inspected(walk.media_bytes, walk.opaque_bytes);
        context
            .tally
            .unknown(walk.unknown_values, &walk.unknown_places);
        for leaf in &walk.whole {
            context.named(leaf)?;
        }
        let mut edits = LeafEdits::default();
        let ends = self.ends(&walk);
        let held = self.deltas(context, &walk, &ends, &mut edits)?;
        let renamed = self.whole(context, &walk.whole, &mut edits)?;
        match &document {
            Some(document) if renamed => {
                let sent = wire::apply(document, edits.clone());
                let sent = self.parse(context, &String::from_utf8_lossy(&sent))?;
                self.mapper.names(&sent);
            }
            Some(document) => self.mapper.names(document),
            None => {}
        }
        if let Some(document) = &document {
            self.respelled(context, &walk.logprobs, document, &ends, &mut edits)?;
        }
        self.flush(context, &ends, held, out)?;
        self.sign(context, &walk, &mut edits);
        if let Some(prefix) = &walk.done {
            self.tails.forget(prefix);
        }
        self.over = walk.terminal;
        match document {
            Some(document) => {
                let data = wire::apply(&document, edits);
                context.edited |= data != *document.raw();
                write(&event, &data, out);
            }
            None => write(&event, event.data.as_bytes(), out),
        }
        Ok(())
    }

    fn parse(&self, context: &Context, text: &str) -> Result<Document, Refusal> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Document::parse(bytes, &context.json, Surrogates::Keep)
            .map_err(|_| Refusal::new(Code::VendorGarbage))
    }

    /// The channels that end with this event.
    fn ends(&self, walk: &EventWalk) -> BTreeSet<ChannelId> {
        if walk.terminal {
            let lists = self.logprobs.keys();
            self.guards.keys().chain(lists).cloned().collect()
        } else {
            walk.ends.iter().cloned().collect()
        }
    }

    /// Takes the event's pieces of text. A channel that ends with its last
    /// piece gets all that it still held into that piece; answers what the
    /// other channels that end still held.
    fn deltas(
        &mut self,
        context: &mut Context,
        walk: &EventWalk,
        ends: &BTreeSet<ChannelId>,
        edits: &mut LeafEdits,
    ) -> Result<BTreeMap<ChannelId, String>, Refusal> {
        let deltas = &walk.deltas;
        let mut last: BTreeMap<&ChannelId, usize> = BTreeMap::new();
        for (position, leaf) in deltas.iter().enumerate() {
            if let Some(channel) = &leaf.channel
                && ends.contains(&channel.id)
            {
                last.insert(&channel.id, position);
            }
        }
        for (position, leaf) in deltas.iter().enumerate() {
            let Some(channel) = &leaf.channel else {
                context.unedited(leaf, &leaf.text)?;
                continue;
            };
            if self.guards.len() >= CHANNELS_MAX && !self.guards.contains_key(&channel.id) {
                return Err(Refusal::new(Code::ReplyLimit).at(leaf.place.clone()));
            }
            let joined = self.tails.read(context, leaf, &leaf.text, Comes::Piece)?;
            let came = joined.as_deref().unwrap_or(&leaf.text);
            let before = self.block.before(channel, came);
            let guard = self.guards.entry(channel.id.clone()).or_insert_with(|| {
                let mut guard = ChannelGuard::new(context, leaf, channel);
                // The key of a text block says nothing; what the block before
                // it ends with may begin a value.
                let keys = leaf.keys.as_deref().unwrap_or_default();
                guard.follows(if before.is_empty() { keys } else { &before });
                guard
            });
            let mut text = guard.push(context, came)?;
            if last.get(&channel.id) == Some(&position) {
                if self.mapper.take_half(&channel.id) {
                    // Its other half never came.
                    text.push_str(&guard.push(context, REPLACEMENT)?);
                }
                text.push_str(&guard.finish(context)?);
            }
            if joined.is_some() {
                self.masked.insert(channel.id.clone());
            }
            if let Some(list) = self
                .logprobs
                .get_mut(&channel.id)
                .filter(|_| guard.edited() || joined.is_some())
            {
                list.remove();
            }
            if text != leaf.text || walk.halved.contains(&leaf.at) {
                edits.set(&leaf.at, text);
            }
        }
        let mut held = BTreeMap::new();
        for id in ends.iter().filter(|id| !last.contains_key(*id)) {
            if let Some(guard) = self.guards.get_mut(id) {
                let mut text = String::new();
                if self.mapper.take_half(id) {
                    text = guard.push(context, REPLACEMENT)?;
                }
                text.push_str(&guard.finish(context)?);
                held.insert(id.clone(), text);
            }
        }
        Ok(held)
    }

    /// Looks at texts that are whole in their event; says whether it edited one.
    fn whole(
        &mut self,
        context: &mut Context,
        leaves: &[Leaf],
        edits: &mut LeafEdits,
    ) -> Result<bool, Refusal> {
        let mut edited = false;
        for leaf in leaves {
            if context.tells_key(leaf.text.as_bytes()) {
                return Err(Refusal::new(Code::VendorGarbage).at(leaf.place.clone()));
            }
            let mut text = if leaf.editable && leaf.kind == LeafKind::Text {
                context.alone(leaf, &leaf.text, &[])?
            } else {
                context.unedited(leaf, &leaf.text)?;
                leaf.text.clone()
            };
            if let Some(joined) = self.tails.read(context, leaf, &text, Comes::Whole)? {
                text = joined;
            }
            if text != leaf.text {
                edits.set(&leaf.at, text);
                edited = true;
            }
        }
        Ok(edited)
    }

    /// Takes the event's lists that spell a text again; those of a channel
    /// that ends end too.
    fn respelled(
        &mut self,
        context: &mut Context,
        lists: &[Logprobs],
        document: &Document,
        ends: &BTreeSet<ChannelId>,
        edits: &mut LeafEdits,
    ) -> Result<(), Refusal> {
        let last: BTreeMap<&ChannelId, usize> = lists
            .iter()
            .enumerate()
            .map(|(position, list)| (&list.channel, position))
            .collect();
        for (position, list) in lists.iter().enumerate() {
            if list.entries.is_empty() && !self.logprobs.contains_key(&list.channel) {
                continue;
            }
            let text = self.guards.get(&list.channel);
            let edited =
                text.is_some_and(ChannelGuard::edited) || self.masked.contains(&list.channel);
            let guard = self.logprobs.entry(list.channel.clone()).or_default();
            let held_before = guard.is_waiting();
            for entry in &list.entries {
                let raw = document
                    .raw()
                    .get(document.span(entry.node))
                    .unwrap_or_default()
                    .to_vec();
                guard.push(context, entry, raw)?;
            }
            if edited {
                guard.remove();
            }
            if ends.contains(&list.channel) && last.get(&list.channel) == Some(&position) {
                guard.finish(context)?;
            }
            if guard.removed() {
                context.logprobs_removed = true;
                edits.set_raw(list.value, b"null".to_vec());
                continue;
            }
            let cleared = guard.cleared();
            if held_before || guard.is_waiting() {
                edits.set_raw(list.value, array(&cleared));
            }
        }
        Ok(())
    }

    /// Lets the channels go that this event closes, and sends what they still
    /// held before it.
    fn flush(
        &mut self,
        context: &mut Context,
        ends: &BTreeSet<ChannelId>,
        mut held: BTreeMap<ChannelId, String>,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        for id in ends {
            let guard = self.guards.remove(id);
            let mut edited = self.masked.contains(id);
            if let Some(guard) = &guard {
                context.add(guard.counts());
                edited |= guard.edited();
                if guard.masked() {
                    self.masked.insert(id.clone());
                }
            }
            let mut left = Vec::new();
            if let Some(mut list) = self.logprobs.remove(id) {
                if edited {
                    list.remove();
                }
                list.finish(context)?;
                context.logprobs_removed |= list.removed();
                left = list.cleared();
            }
            let text = held.remove(id).unwrap_or_default();
            if text.is_empty() && left.is_empty() {
                continue;
            }
            let respelled = (!left.is_empty()).then(|| array(&left));
            // A list may spell a text that never came.
            let silent = Channel {
                id: id.clone(),
                slot: Slot::Turn,
                tool: None,
                json: false,
            };
            out.extend_from_slice(&self.mapper.flush_event(
                guard.as_ref().map_or(&silent, ChannelGuard::channel),
                &text,
                respelled.as_deref(),
            ));
        }
        Ok(())
    }

    /// A signature over a text that was masked is worth nothing any more.
    fn sign(&self, context: &mut Context, walk: &EventWalk, edits: &mut LeafEdits) {
        for (channel, signature) in &walk.signatures {
            let open = self.guards.get(channel);
            if open.is_some_and(ChannelGuard::masked) || self.masked.contains(channel) {
                context.signature_removed = true;
                edits.set_raw(*signature, b"\"\"".to_vec());
            }
        }
    }
}
