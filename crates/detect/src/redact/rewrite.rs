//! Writes the outgoing text of one channel and decides at each token whether
//! its value may be put back there, and how it must be escaped.

mod layers;
mod spelled;

use std::collections::{BTreeSet, VecDeque};

use terms::{Kind, RestoreCounts, worked};
use thiserror::Error;

use super::{
    Tokens,
    place::{Says, Tail},
};
use layers::Layers;
pub use spelled::{Reading, Spelled};

/// LIMIT: bytes that wait for a decision; beyond, the oldest is left as it is.
const WAITING_BYTES_MAX: usize = 4_096;
/// In the time that a character is taken so many bytes are read.
const CHAR_BYTES: usize = 2;
/// Likewise while something waits.
const WAITING_CHAR_BYTES: usize = 8;
/// LIMIT: layers of JSON in strings in which values are put back.
const LAYERS_MAX: usize = 8;

/// What the channel's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Text, which may be a JSON document.
    Text,
    /// A JSON document.
    Json,
}

/// Which kinds may be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreRule {
    /// All.
    All,
    /// These only.
    Only(BTreeSet<Kind>),
}

/// A replacement that would stand outside a string of a JSON document: a
/// number cannot be rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a number cannot be rewritten")]
pub struct NotInString(());

/// A token that waits for what follows it.
struct Waiting {
    token: String,
    /// What is written if it is put back.
    value: String,
    /// The layer it stands in, by its serial number.
    layer: u64,
    tail: Option<Tail>,
    /// An open bracket may turn out to be a link.
    bracket: Bracket,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting(..)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    None,
    Open,
    Closed,
}

enum Piece {
    Text(String),
    Token(Waiting),
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Piece(..)")
    }
}

/// The state of one channel's outgoing text.
#[derive(Debug)]
pub struct Rewriter {
    layers: Layers,
    rule: RestoreRule,
    queue: VecDeque<Piece>,
    waiting_bytes: usize,
    grown_bytes: usize,
    counts: RestoreCounts,
}

impl Rewriter {
    /// The start of a text.
    #[must_use]
    pub fn new(root: Root, rule: RestoreRule) -> Self {
        Self {
            layers: Layers::new(root),
            rule,
            queue: VecDeque::new(),
            waiting_bytes: 0,
            grown_bytes: 0,
            counts: RestoreCounts::default(),
        }
    }

    /// Writes text as it is.
    pub fn plain(&mut self, text: &str, out: &mut String) {
        let mut rest = text.chars();
        while !self.queue.is_empty()
            && let Some(char) = rest.next()
        {
            self.feed(char);
            self.put(char);
            self.drain(out, false);
            worked(WAITING_CHAR_BYTES);
        }
        // Nothing waits, so nobody is told.
        out.push_str(rest.as_str());
        for char in rest {
            self.layers.feed(char);
            worked(CHAR_BYTES);
        }
    }

    /// Writes a replacement.
    ///
    /// # Errors
    /// When it would stand outside a string of a JSON document.
    pub fn replace(&mut self, with: &str, out: &mut String) -> Result<(), NotInString> {
        if self.layers.bare() {
            return Err(NotInString(()));
        }
        self.plain(with, out);
        Ok(())
    }

    /// How many characters of `text`, written here, would still belong to an
    /// escape that has begun: those cannot be replaced.
    #[must_use]
    pub fn escape_rest(&self, text: &str) -> usize {
        self.layers.escape_rest(text)
    }

    /// Writes a token, or, if that is safe, the value that it stands for.
    pub fn token(&mut self, token: &str, tokens: &Tokens, out: &mut String) {
        let Some(issued) = tokens.resolve(token) else {
            self.counts.foreign = self.counts.foreign.saturating_add(1);
            self.plain(token, out);
            return;
        };
        self.tell_token();
        // An array of a text that is no JSON shows itself here.
        let bare = self.layers.word();
        let (place, layer, depth) = self.layers.here();
        let allowed = match &self.rule {
            RestoreRule::All => true,
            RestoreRule::Only(kinds) => kinds.contains(issued.kind()),
        };
        let value = issued.spelled().at(depth).filter(|_| allowed);
        let withheld = bare
            || self.layers.in_key()
            || self.layers.carry()
            || depth >= LAYERS_MAX
            || place.glued()
            || self.layers.in_escape();
        if let Some(value) = value.filter(|_| !withheld) {
            let bracket = if place.in_brackets() {
                Bracket::Open
            } else {
                Bracket::None
            };
            let value = escaped(value, depth);
            let more = value.len().saturating_sub(token.len());
            self.grown_bytes = self.grown_bytes.saturating_add(more);
            self.waiting_bytes += token.len();
            self.queue.push_back(Piece::Token(Waiting {
                token: token.to_owned(),
                value,
                layer,
                tail: Some(Tail::default()),
                bracket,
            }));
            self.layers.token();
        } else {
            self.counts.withheld = self.counts.withheld.saturating_add(1);
            self.layers.token();
            for char in token.chars() {
                self.put(char);
            }
        }
        self.drain(out, false);
    }

    /// The text ended.
    pub fn finish(&mut self, _tokens: &Tokens, out: &mut String) {
        self.end(|_| true);
        self.drain(out, true);
    }

    /// What became of the tokens so far.
    #[must_use]
    pub const fn counts(&self) -> RestoreCounts {
        self.counts
    }

    /// By how many bytes values are longer than the tokens that they replace.
    #[must_use]
    pub const fn grown_bytes(&self) -> usize {
        self.grown_bytes
    }

    /// Bytes that wait for a decision.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.waiting_bytes
    }

    fn put(&mut self, char: char) {
        self.waiting_bytes += char.len_utf8();
        match self.queue.back_mut() {
            Some(Piece::Text(text)) => text.push(char),
            Some(Piece::Token(_)) | None => self.queue.push_back(Piece::Text(char.to_string())),
        }
    }

    /// Takes a character through the layers and tells those that wait.
    fn feed(&mut self, char: char) {
        let before = self.layers.serial();
        let decoded = self.layers.feed(char);
        if let Some(decoded) = decoded {
            self.tell(decoded, before);
        }
        if !self.queue.is_empty() {
            let alive = self.layers.alive();
            self.end(|layer| !alive.contains(&layer));
        }
    }

    /// Some strings ended, and so did the texts that the tokens in them stand in.
    fn end(&mut self, ended: impl Fn(u64) -> bool) {
        let mut withheld = Vec::new();
        for (index, piece) in self.queue.iter_mut().enumerate() {
            let Piece::Token(waiting) = piece else {
                continue;
            };
            if !ended(waiting.layer) {
                continue;
            }
            waiting.bracket = Bracket::None;
            if waiting.tail.take().map(|tail| tail.end()) == Some(Says::Carried) {
                withheld.push(index);
            }
        }
        for index in withheld {
            self.leave(index, false);
        }
    }

    /// Tells those that wait that a token follows.
    fn tell_token(&mut self) {
        let layer = self.layers.serial();
        let mut left = Vec::new();
        for (index, piece) in self.queue.iter_mut().enumerate() {
            let Piece::Token(waiting) = piece else {
                continue;
            };
            if waiting.layer != layer {
                continue;
            }
            match waiting.tail.as_mut().map(Tail::token) {
                Some(Says::Carried) => left.push((index, false)),
                Some(Says::Altered) => left.push((index, true)),
                Some(Says::Plain) => waiting.tail = None,
                Some(Says::Wait) | None => {}
            }
            // No link begins with a token: what has closed is no link's text.
            if waiting.bracket == Bracket::Closed {
                waiting.bracket = if self.layers.in_brackets() {
                    Bracket::Open
                } else {
                    Bracket::None
                };
            }
        }
        for (index, foreign) in left {
            self.leave(index, foreign);
        }
    }

    fn tell(&mut self, char: char, layer: u64) {
        let (mut withheld, mut altered) = (Vec::new(), Vec::new());
        for (index, piece) in self.queue.iter_mut().enumerate() {
            let Piece::Token(waiting) = piece else {
                continue;
            };
            if waiting.layer != layer {
                continue;
            }
            match waiting.tail.as_mut().map(|tail| tail.feed(char)) {
                Some(Says::Carried) => withheld.push(index),
                Some(Says::Altered) => altered.push(index),
                Some(Says::Plain) => waiting.tail = None,
                Some(Says::Wait) | None => {}
            }
            waiting.bracket = match (waiting.bracket, char) {
                (Bracket::Closed, '(' | '[' | ':') => {
                    withheld.push(index);
                    Bracket::None
                }
                (Bracket::Closed, ']') => Bracket::Closed,
                (Bracket::Open | Bracket::Closed, _)
                    if !self.layers.in_brackets() && !self.layers.just_closed() =>
                {
                    Bracket::None
                }
                (Bracket::Open, ']') => Bracket::Closed,
                (Bracket::Closed, _) if self.layers.in_brackets() => Bracket::Open,
                (Bracket::Closed, _) => Bracket::None,
                (bracket, _) => bracket,
            };
        }
        for index in withheld {
            self.leave(index, false);
        }
        for index in altered {
            self.leave(index, true);
        }
    }

    /// Leaves a waiting token as it is.
    fn leave(&mut self, index: usize, foreign: bool) {
        let Some(piece) = self.queue.get_mut(index) else {
            return;
        };
        if let Piece::Token(waiting) = piece {
            let count = if foreign {
                &mut self.counts.foreign
            } else {
                &mut self.counts.withheld
            };
            *count = count.saturating_add(1);
            *piece = Piece::Text(std::mem::take(&mut waiting.token));
        }
    }

    /// Writes what is decided, from the front.
    fn drain(&mut self, out: &mut String, end: bool) {
        loop {
            let over = self.waiting_bytes > WAITING_BYTES_MAX;
            match self.queue.front() {
                None => return,
                Some(Piece::Text(text)) => {
                    out.push_str(text);
                    self.waiting_bytes -= text.len();
                }
                Some(Piece::Token(waiting)) => {
                    let decided = waiting.tail.is_none() && waiting.bracket == Bracket::None;
                    if !decided && !end && !over {
                        return;
                    }
                    self.waiting_bytes -= waiting.token.len();
                    if decided || end {
                        out.push_str(&waiting.value);
                        self.counts.restored = self.counts.restored.saturating_add(1);
                    } else {
                        out.push_str(&waiting.token);
                        self.counts.withheld = self.counts.withheld.saturating_add(1);
                    }
                }
            }
            self.queue.pop_front();
        }
    }
}

/// A value as the inside of a string in a string …, `depth` times.
fn escaped(value: &str, depth: usize) -> String {
    let mut text = value.to_owned();
    for _ in 0..depth {
        let mut out = String::with_capacity(text.len() + 8);
        for char in text.chars() {
            match char {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                control if u32::from(control) < 0x20 => {
                    out.push_str(&format!("\\u{:04x}", u32::from(control)))
                }
                other => out.push(other),
            }
        }
        text = out;
    }
    text
}

#[cfg(test)]
mod tests;
