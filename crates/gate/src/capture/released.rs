//! A reply as it was released: whole as it is, a stream as the texts that a
//! client makes of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use detect::Engine;
use serde_json::json;
use terms::{Direction, LeftOut};
use wire::{Dialect, Document, Leaf, Limits, StreamMapper, Surrogates, sse};

use super::{never, within};

/// LIMIT: places of one stream.
const PLACES_MAX: usize = 4_096;
/// LIMIT: bytes of one event of a stream that the gate itself wrote.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// What was released so far.
#[derive(Debug)]
pub(crate) enum Released {
    /// One document.
    Whole(Bytes),
    /// The texts of a stream.
    Stream(Box<Texts>),
}

/// Texts by the place at which a client puts them together.
#[derive(Debug)]
pub(crate) struct Texts {
    decoder: sse::Decoder,
    mapper: StreamMapper,
    texts: BTreeMap<String, String>,
    /// The texts that came whole in their events, each once.
    last: BTreeMap<String, String>,
    bytes: usize,
    bytes_max: usize,
    left_out: Option<LeftOut>,
}

impl Released {
    pub(super) fn whole(body: &Bytes) -> Self {
        Self::Whole(body.clone())
    }

    pub(super) fn stream(dialect: Dialect, bytes_max: usize) -> Self {
        Self::Stream(Box::new(Texts {
            decoder: sse::Decoder::new(EVENT_BYTES_MAX),
            mapper: StreamMapper::new(dialect),
            texts: BTreeMap::new(),
            last: BTreeMap::new(),
            bytes: 0,
            bytes_max,
            left_out: None,
        }))
    }

    /// Takes a piece of a stream; answers how many bytes are held more.
    pub(super) fn push(&mut self, piece: &[u8]) -> usize {
        let Self::Stream(texts) = self else { return 0 };
        let before = texts.bytes;
        if texts.left_out.is_none()
            && let Err(why) = texts.push(piece)
        {
            texts.left_out = Some(why);
            texts.texts.clear();
            texts.last.clear();
        }
        texts.bytes.saturating_sub(before)
    }

    /// What is sealed of it, and how many stretches were masked.
    pub(super) fn finish(
        self,
        never: &Engine,
        dialect: Dialect,
        bytes_max: usize,
    ) -> Result<(Vec<u8>, u32), LeftOut> {
        let texts = match self {
            Self::Whole(body) => {
                within(&body, bytes_max)?;
                return never::document(never, dialect, &body, Direction::Reply);
            }
            Self::Stream(texts) => texts,
        };
        if let Some(why) = texts.left_out {
            return Err(why);
        }
        let (mut list, mut masked) = (Vec::new(), 0);
        for (place, text) in &texts.texts {
            let (text, count) = never::text(never, text, Direction::Reply);
            masked += count;
            list.push(json!({ "place": place, "text": text }));
        }
        let made = json!({ "stream": true, "texts": list }).to_string();
        Ok((made.into_bytes(), masked))
    }
}

impl Texts {
    fn push(&mut self, piece: &[u8]) -> Result<(), LeftOut> {
        let unreadable = |_| LeftOut::Unreadable;
        let events = self.decoder.push(piece).map_err(|_| LeftOut::Unreadable)?;
        for event in events {
            if event.comment {
                continue;
            }
            let limits = Limits {
                document_bytes_max: event.data.len(),
                ..Limits::default()
            };
            let document = match event.data.as_str() {
                "" | "[DONE]" => None,
                text => {
                    let bytes = Bytes::copy_from_slice(text.as_bytes());
                    let parsed = Document::parse(bytes, &limits, Surrogates::Keep);
                    Some(parsed.map_err(|_| LeftOut::Unreadable)?)
                }
            };
            let walk = self
                .mapper
                .map(&event, document.as_ref())
                .map_err(unreadable)?;
            if let Some(document) = &document {
                self.mapper.names(document);
            }
            for leaf in &walk.deltas {
                self.add(leaf)?;
            }
            for leaf in &walk.whole {
                self.add_whole(leaf)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, leaf: &Leaf) -> Result<(), LeftOut> {
        let channel = leaf.channel.as_ref();
        let place = channel.map_or_else(|| leaf.place.to_string(), |channel| channel.id.family());
        // Neighbouring blocks are one text to whoever reads them.
        let block = channel.and_then(|channel| channel.id.text_block());
        let place = block.map_or(place, |_| "content[].text".to_owned());
        self.write(place, &leaf.text)
    }

    /// Adds a text that may stand in every event unchanged.
    fn add_whole(&mut self, leaf: &Leaf) -> Result<(), LeftOut> {
        let place = leaf.place.to_string();
        if self.last.get(&place) == Some(&leaf.text) {
            return Ok(());
        }
        self.bytes += place.len() + leaf.text.len();
        self.last.insert(place, leaf.text.clone());
        self.add(leaf)
    }

    fn write(&mut self, place: String, text: &str) -> Result<(), LeftOut> {
        if !self.texts.contains_key(&place) {
            if self.texts.len() >= PLACES_MAX {
                return Err(LeftOut::TooLarge);
            }
            self.bytes += place.len();
        }
        self.bytes += text.len();
        if self.bytes > self.bytes_max {
            return Err(LeftOut::TooLarge);
        }
        self.texts.entry(place).or_default().push_str(text);
        Ok(())
    }
}
