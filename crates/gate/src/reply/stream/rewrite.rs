//! Turns the vendor's events into the caller's, without I/O.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use terms::{Code, Place, Refusal, Slot};
use wire::{
    Channel, ChannelId, Document, EventWalk, Leaf, LeafEdits, LeafKind, Logprobs, StreamMapper,
    Surrogates, sse,
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
    /// Channels that ended, with whether a finding in them was masked: a
    /// signature may come after its text.
    ended: BTreeMap<ChannelId, bool>,
    /// The end of the newest text block, as the vendor wrote it.
    block: Option<Block>,
    over: bool,
}

/// LIMIT: bytes of a text block that the next one is looked at with.
const BLOCK_BYTES: usize = 512;

/// The end of a text block, and its place among the blocks.
#[derive(Debug)]
struct Block {
    index: u64,
    end: String,
}

impl Rewrite {
    pub(super) fn new(context: &Context, event_bytes_max: usize) -> Self {
        Self {
            decoder: sse::Decoder::new(event_bytes_max),
            mapper: StreamMapper::new(context.dialect),
            guards: BTreeMap::new(),
            logprobs: BTreeMap::new(),
            ended: BTreeMap::new(),
            block: None,
            over: false,
        }
    }

    /// Takes bytes from the vendor; answers bytes for the caller.
    pub(super) fn push(&mut self, context: &mut Context, data: &[u8]) -> Result<Bytes, Refusal> {
        let events = self.decoder.push(data).map_err(|fault| match fault {
            sse::SseFault::TooLong => Refusal::new(Code::ReplyLimit),
            sse::SseFault::Utf8 => Refusal::new(Code::VendorGarbage),
        })?;
        let mut out = BytesMut::new();
        for event in events {
            if self.over {
                // Nothing follows the end of a stream.
                break;
            }
            self.event(context, &event, &mut out)?;
        }
        let held: usize = self.guards.values().map(ChannelGuard::held_bytes).sum();
        if held > context.held_bytes_max() {
            return Err(Refusal::new(Code::ReplyLimit));
        }
        Ok(out.freeze())
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

    fn event(
        &mut self,
        context: &mut Context,
        event: &sse::Event,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        if event.comment {
            // A comment is for proxies; it carries nothing that a client reads.
            return Ok(());
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
            .map(event, document.as_ref())
            .map_err(|_| Refusal::new(Code::VendorGarbage))?;
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
        self.deltas(context, &walk.deltas, &mut edits)?;
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
        self.respelled(context, &walk.logprobs, document.as_ref(), &mut edits)?;
        self.flush(context, &walk, out)?;
        self.sign(context, &walk, &mut edits);
        self.over = walk.terminal;
        match document {
            Some(document) => {
                let data = wire::apply(&document, edits);
                context.edited |= data != *document.raw();
                write(event, &data, out);
            }
            None => write(event, event.data.as_bytes(), out),
        }
        Ok(())
    }

    fn parse(&self, context: &Context, text: &str) -> Result<Document, Refusal> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Document::parse(bytes, &context.json, Surrogates::Keep)
            .map_err(|_| Refusal::new(Code::VendorGarbage))
    }

    fn deltas(
        &mut self,
        context: &mut Context,
        deltas: &[Leaf],
        edits: &mut LeafEdits,
    ) -> Result<(), Refusal> {
        for leaf in deltas {
            let Some(channel) = &leaf.channel else {
                context.fixed(&leaf.text, leaf.slot, &leaf.place)?;
                continue;
            };
            if self.guards.len() >= CHANNELS_MAX && !self.guards.contains_key(&channel.id) {
                return Err(Refusal::new(Code::ReplyLimit).at(leaf.place.clone()));
            }
            let before = self.before(channel, &leaf.text);
            let guard = self.guards.entry(channel.id.clone()).or_insert_with(|| {
                let mut guard = ChannelGuard::new(context, leaf, channel);
                guard.follows(&before);
                guard
            });
            let text = guard.push(context, &leaf.text)?;
            if let Some(list) = self
                .logprobs
                .get_mut(&channel.id)
                .filter(|_| guard.edited())
            {
                list.remove();
            }
            if text != leaf.text {
                edits.set(&leaf.at, text);
            }
        }
        Ok(())
    }

    /// What stood before a text block in its neighbour; remembers its own end.
    fn before(&mut self, channel: &Channel, text: &str) -> String {
        let Some(index) = channel.id.text_block() else {
            return String::new();
        };
        let block = self.block.get_or_insert_with(|| Block {
            index,
            end: String::new(),
        });
        if index > block.index + 1 {
            block.end.clear();
        }
        block.index = index;
        let before = block.end.clone();
        block.end.push_str(text);
        let mut from = block.end.len().saturating_sub(BLOCK_BYTES);
        while !block.end.is_char_boundary(from) {
            from += 1;
        }
        block.end.drain(..from);
        before
    }

    /// Looks at texts that are whole in their event; says whether it edited one.
    fn whole(
        &self,
        context: &mut Context,
        leaves: &[Leaf],
        edits: &mut LeafEdits,
    ) -> Result<bool, Refusal> {
        let mut edited = false;
        for leaf in leaves {
            if leaf.editable && leaf.kind == LeafKind::Text {
                let text = context.alone(leaf, &leaf.text)?;
                if text != leaf.text {
                    edits.set(&leaf.at, text);
                    edited = true;
                }
            } else {
                context.fixed(&leaf.text, leaf.slot, &leaf.place)?;
            }
        }
        Ok(edited)
    }

    fn respelled(
        &mut self,
        context: &mut Context,
        lists: &[Logprobs],
        document: Option<&Document>,
        edits: &mut LeafEdits,
    ) -> Result<(), Refusal> {
        let Some(document) = document else {
            return Ok(());
        };
        for list in lists {
            let edited = self
                .guards
                .get(&list.channel)
                .is_some_and(ChannelGuard::edited);
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

    /// Ends the channels that this event closes, and sends what they still
    /// held before it.
    fn flush(
        &mut self,
        context: &mut Context,
        walk: &EventWalk,
        out: &mut BytesMut,
    ) -> Result<(), Refusal> {
        let ends: Vec<ChannelId> = if walk.terminal {
            self.guards.keys().cloned().collect()
        } else {
            walk.ends.clone()
        };
        for id in ends {
            let Some(mut guard) = self.guards.remove(&id) else {
                continue;
            };
            let text = guard.finish(context)?;
            context.add(guard.counts());
            self.ended.insert(id.clone(), guard.masked());
            let left = match self.logprobs.remove(&id) {
                Some(mut list) => {
                    if guard.edited() {
                        list.remove();
                    }
                    list.finish(context)?;
                    context.logprobs_removed |= list.removed();
                    if list.removed() {
                        Vec::new()
                    } else {
                        list.cleared()
                    }
                }
                None => Vec::new(),
            };
            if !text.is_empty() || !left.is_empty() {
                let respelled = (!left.is_empty()).then(|| array(&left));
                out.extend_from_slice(&self.mapper.flush_event(
                    guard.channel(),
                    &text,
                    respelled.as_deref(),
                ));
            }
        }
        Ok(())
    }

    /// A signature over a text that was masked is worth nothing any more.
    fn sign(&self, context: &mut Context, walk: &EventWalk, edits: &mut LeafEdits) {
        for (channel, signature) in &walk.signatures {
            let masked = self
                .guards
                .get(channel)
                .map(ChannelGuard::masked)
                .or_else(|| self.ended.get(channel).copied());
            if masked.unwrap_or(false) {
                context.signature_removed = true;
                edits.set_raw(*signature, b"\"\"".to_vec());
            }
        }
    }
}

/// LIMIT: bytes of an event's name.
const NAME_BYTES_MAX: usize = 64;

fn plain_name(name: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let fits = name.len() <= NAME_BYTES_MAX && name.bytes().all(plain);
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(Code::VendorGarbage))
    }
}

/// Writes the event in its plainest form: its name and its data, nothing
/// else that a vendor may have put beside them.
fn write(event: &sse::Event, data: &[u8], out: &mut BytesMut) {
    if let Some(name) = &event.event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    // A document has no line break inside its strings; those between its
    // values become blanks.
    out.extend_from_slice(b"data: ");
    out.extend(data.iter().map(|byte| {
        if matches!(byte, b'\n' | b'\r') {
            b' '
        } else {
            *byte
        }
    }));
    out.extend_from_slice(b"\n\n");
}

fn array(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![b'['];
    out.extend(entries.join(&b','));
    out.push(b']');
    out
}
