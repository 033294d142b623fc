//! The parser: one loop over the bytes, a stack of its own, no recursion.

use std::collections::HashSet;

use bytes::Bytes;
use memchr::memchr2;
use terms::{Code, TURN_BYTES, worked};

use super::{
    Decoded, Document, JsonFault, Kind, Limits, Node, NodeId, Surrogates,
    text::{self, ESCAPE_BYTES},
};

/// Up to this many members, keys are compared one by one.
const FEW_MEMBERS: usize = 16;

struct Open {
    id: NodeId,
    last: Option<NodeId>,
    members: usize,
    /// Decoded keys, once there are many.
    keys: Option<HashSet<String>>,
}

struct Parser<'b> {
    bytes: &'b [u8],
    at: usize,
    limits: Limits,
    surrogates: Surrogates,
    nodes: Vec<Node>,
    decoded: Vec<Decoded>,
    open: Vec<Open>,
}

pub(super) fn parse(
    raw: Bytes,
    limits: &Limits,
    surrogates: Surrogates,
) -> Result<Document, JsonFault> {
    if raw.len() > limits.document_bytes_max || u32::try_from(raw.len()).is_err() {
        return Err(JsonFault::new(
            Code::BodyTooLarge,
            limits.document_bytes_max,
        ));
    }
    utf8(&raw).map_err(|at| JsonFault::new(Code::JsonUnicode, at))?;
    if raw.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(JsonFault::new(Code::JsonUnicode, 0));
    }
    let mut parser = Parser {
        bytes: &raw,
        at: 0,
        limits: *limits,
        surrogates,
        nodes: Vec::with_capacity(raw.len() / 16 + 1),
        decoded: Vec::new(),
        open: Vec::new(),
    };
    parser.document()?;
    let Parser { nodes, decoded, .. } = parser;
    Ok(Document {
        raw: raw.clone(),
        nodes,
        decoded,
    })
}

/// Whether it is text, in pieces; the error is where it is not.
fn utf8(raw: &[u8]) -> Result<(), usize> {
    let mut at = 0;
    while at < raw.len() {
        let piece = raw.get(at..).unwrap_or_default();
        let piece = piece.get(..TURN_BYTES).unwrap_or(piece);
        let last = at + piece.len() == raw.len();
        match std::str::from_utf8(piece) {
            Ok(_) => at += piece.len(),
            // A character that goes on in the next piece.
            Err(error) if error.error_len().is_none() && !last => at += error.valid_up_to(),
            Err(error) => return Err(at + error.valid_up_to()),
        }
        worked(piece.len());
    }
    Ok(())
}

impl Parser<'_> {
    fn fault<T>(&self, code: Code) -> Result<T, JsonFault> {
        Err(JsonFault::new(code, self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// One more byte of what began at `start`, however long it is.
    fn more(&mut self, start: usize) {
        self.at += 1;
        if (self.at - start).is_multiple_of(TURN_BYTES) {
            worked(TURN_BYTES);
        }
    }

    fn blank(&mut self) {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.more(start);
        }
    }

    fn document(&mut self) -> Result<(), JsonFault> {
        self.blank();
        self.value(None)?;
        while !self.open.is_empty() {
            let before = self.at;
            self.step()?;
            worked(self.at - before);
        }
        self.blank();
        if self.at < self.bytes.len() {
            self.fault(Code::JsonTrailing)
        } else {
            Ok(())
        }
    }

    /// One member, element or closing bracket of the innermost container.
    fn step(&mut self) -> Result<(), JsonFault> {
        self.blank();
        let Some(open) = self.open.last() else {
            return Ok(());
        };
        let object = self
            .nodes
            .get(open.id.0 as usize)
            .is_some_and(|node| node.kind == Kind::Object);
        let first = open.last.is_none();
        let closing = if object { b'}' } else { b']' };
        if self.peek() == Some(closing) {
            return self.close();
        }
        if !first {
            if self.peek() != Some(b',') {
                return self.fault(Code::JsonMalformed);
            }
            self.at += 1;
            self.blank();
        }
        if !object {
            return self.value(None);
        }
        let key = self.key()?;
        self.blank();
        if self.peek() != Some(b':') {
            return self.fault(Code::JsonMalformed);
        }
        self.at += 1;
        self.blank();
        self.value(Some(key))
    }

    fn close(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        let Some(open) = self.open.pop() else {
            return self.fault(Code::JsonMalformed);
        };
        let end = position(self.at);
        if let Some(node) = self.nodes.get_mut(open.id.0 as usize) {
            node.end = end;
        }
        Ok(())
    }

    /// A value begins here. Containers are opened, others are read whole.
    fn value(&mut self, key: Option<NodeId>) -> Result<(), JsonFault> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(b'n') => Kind::Null,
            _ => return self.fault(Code::JsonMalformed),
        };
        let id = self.add(kind, start, key)?;
        match kind {
            Kind::Object | Kind::Array => {
                if self.open.len() >= self.limits.depth_max {
                    return self.fault(Code::JsonTooDeep);
                }
                self.at += 1;
                self.open.push(Open {
                    id,
                    last: None,
                    members: 0,
                    keys: None,
                });
                return Ok(());
            }
            Kind::String => self.string(id)?,
            Kind::Number => self.number()?,
            Kind::True => self.word(b"true")?,
            Kind::False => self.word(b"false")?,
            Kind::Null => self.word(b"null")?,
        }
        self.finish(id);
        Ok(())
    }

    fn finish(&mut self, id: NodeId) {
        let end = position(self.at);
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.end = end;
        }
    }

    /// Adds a node and links it to its container; keys stand apart.
    fn add(&mut self, kind: Kind, start: usize, key: Option<NodeId>) -> Result<NodeId, JsonFault> {
        let id = self.push(kind, start)?;
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.key = key;
        }
        let Some(open) = self.open.last_mut() else {
            return Ok(id);
        };
        let before = open.last.replace(id);
        let link = match before {
            Some(last) => self
                .nodes
                .get_mut(last.0 as usize)
                .map(|node| &mut node.sibling),
            None => self
                .nodes
                .get_mut(open.id.0 as usize)
                .map(|node| &mut node.first),
        };
        if let Some(link) = link {
            *link = Some(id);
        }
        Ok(id)
    }

    fn push(&mut self, kind: Kind, start: usize) -> Result<NodeId, JsonFault> {
        if self.nodes.len() >= self.limits.values_max {
            return self.fault(Code::JsonTooMany);
        }
        let id = NodeId(position(self.nodes.len()));
        self.nodes.push(Node {
            kind,
            start: position(start),
            end: position(start),
            key: None,
            first: None,
            sibling: None,
            decoded: None,
        });
        Ok(id)
    }

    fn key(&mut self) -> Result<NodeId, JsonFault> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return self.fault(Code::JsonMalformed);
        }
        let id = self.push(Kind::String, start)?;
        self.string(id)?;
        self.finish(id);
        if self.twice(id) {
            return Err(JsonFault::new(Code::JsonDuplicateKey, start));
        }
        Ok(id)
    }

    /// Whether the innermost object has this key already.
    fn twice(&mut self, id: NodeId) -> bool {
        let text = self.text(id).to_owned();
        let Some(mut open) = self.open.pop() else {
            return false;
        };
        open.members += 1;
        let twice = match &mut open.keys {
            Some(keys) => !keys.insert(text),
            None if open.members <= FEW_MEMBERS => self.keys(&open).any(|key| key == text),
            None => {
                let mut keys: HashSet<String> = self.keys(&open).map(str::to_owned).collect();
                let twice = !keys.insert(text);
                open.keys = Some(keys);
                twice
            }
        };
        self.open.push(open);
        twice
    }

    fn keys<'s>(&'s self, open: &Open) -> impl Iterator<Item = &'s str> + 's {
        let node = |id: NodeId| self.nodes.get(id.0 as usize);
        let first = node(open.id).and_then(|node| node.first);
        std::iter::successors(first, move |id| node(*id).and_then(|node| node.sibling))
            .filter_map(move |id| node(id)?.key)
            .map(|key| self.text(key))
    }

    fn text(&self, id: NodeId) -> &str {
        let Some(node) = self.nodes.get(id.0 as usize) else {
            return "";
        };
        match node.decoded {
            Some(index) => self
                .decoded
                .get(index as usize)
                .map_or("", |decoded| decoded.text.as_str()),
            None => {
                let inner = node.start as usize + 1..(node.end as usize).saturating_sub(1);
                self.bytes
                    .get(inner)
                    .and_then(|bytes| std::str::from_utf8(bytes).ok())
                    .unwrap_or("")
            }
        }
    }

    fn string(&mut self, id: NodeId) -> Result<(), JsonFault> {
        let start = self.at + 1;
        self.at = start;
        let mut escaped = false;
        loop {
            self.plain()?;
            if self.peek() == Some(b'"') {
                break;
            }
            escaped = true;
            self.at += 2;
            worked(ESCAPE_BYTES);
        }
        if escaped {
            let inner = self.bytes.get(start..self.at).unwrap_or_default();
            let (text, halves) = text::decode(inner, self.surrogates)
                .map_err(|(code, at)| JsonFault::new(code, start + at))?;
            let index = position(self.decoded.len());
            self.decoded.push(Decoded { text, halves });
            if let Some(node) = self.nodes.get_mut(id.0 as usize) {
                node.decoded = Some(index);
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Up to the next quotation mark or backslash, which must come.
    fn plain(&mut self) -> Result<(), JsonFault> {
        while !self.plain_piece()? {
            worked(TURN_BYTES);
        }
        Ok(())
    }

    /// Likewise, in the next piece: whether it is there.
    fn plain_piece(&mut self) -> Result<bool, JsonFault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let more = rest.len() > TURN_BYTES;
        let rest = rest.get(..TURN_BYTES).unwrap_or(rest);
        let stop = memchr2(b'"', b'\\', rest);
        let plain = rest.get(..stop.unwrap_or(rest.len())).unwrap_or_default();
        let control = |byte: &u8| *byte < b' ';
        // All of them, since a branch for each costs more.
        let controls = plain.iter().fold(false, |any, byte| any | control(byte));
        let controls = controls.then(|| plain.iter().position(control)).flatten();
        self.at += controls.unwrap_or(plain.len());
        match (controls, stop) {
            (None, Some(_)) => Ok(true),
            (None, None) if more => Ok(false),
            _ => self.fault(Code::JsonMalformed),
        }
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.fault(Code::JsonMalformed),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fault(Code::JsonMalformed);
        }
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.more(start);
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonFault> {
        if self.bytes.get(self.at..self.at + word.len()) != Some(word) {
            return self.fault(Code::JsonMalformed);
        }
        self.at += word.len();
        Ok(())
    }
}

/// INVARIANT: documents are shorter than 4 GiB; `parse` checked it.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
