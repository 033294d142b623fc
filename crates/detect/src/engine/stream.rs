//! A text that comes piece by piece: what is released never has to be taken back.

mod gathered;

use std::{fmt, ops::Range};

use terms::{Direction, Finding, View as Reading};
use thiserror::Error;

use super::{
    Engine,
    look::{self, Reached, Seen, Task},
    matches,
};
use crate::{
    catalogue::CONTEXT_BYTES,
    view::{self, Made, View},
};

use gathered::{Gathered, Piece};

/// LIMIT: bytes of the part before that are kept.
const SEAM_BYTES: usize = 512;

/// LIMIT: bytes of what was released that are kept.
const KEPT_BYTES_MAX: usize = 12 * CONTEXT_BYTES;

/// LIMITS of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes that may be held back.
    pub held_bytes_max: usize,
}

/// More would have to be held back than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("more text would have to be held back than allowed")]
pub struct HeldTooMuch(());

/// A text that was found: it can be read by who must, and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Held(String);

impl Held {
    /// Holds a text.
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({} bytes)", self.0.len())
    }
}

/// A cleared piece of the text. All pieces in a row are the text.
#[derive(Clone, PartialEq, Eq)]
pub enum Segment {
    /// Nothing was found in it.
    Plain(String),
    /// Overlapping findings, and the text that they cover together.
    Found {
        /// The text.
        text: Held,
        /// The findings, by bytes from the start of the stream.
        findings: Vec<Finding>,
    },
    /// What looks like a placeholder of this product.
    Token(String),
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "Plain({} bytes)", text.len()),
            Self::Found { text, findings } => write!(f, "Found({text:?}, {findings:?})"),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

/// The state of one stream.
pub struct StreamScan {
    engine: Engine,
    direction: Direction,
    limits: StreamLimits,
    /// Text already released, kept as context, then text still held.
    buffer: String,
    context: usize,
    /// Where the text begins in the buffer, while text that stood before it
    /// elsewhere is still in the context.
    seam: Option<usize>,
    /// Bytes released before the buffer.
    released: usize,
    bytes: u64,
    exceeded: bool,
    /// What is held begins with an opener whose closer is still to come.
    opened: Option<Opened>,
    /// How often the views were made.
    #[cfg(test)]
    pub(super) looks: usize,
}

/// An opener at the beginning of what is held. Whatever else there is, nothing
/// is released before its closer or the end.
#[derive(Debug, Clone, Copy)]
struct Opened {
    /// The rule, by its number.
    rule: usize,
    /// Up to where no closer is, in bytes of what is held.
    none_upto: usize,
}

impl fmt::Debug for StreamScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "StreamScan({} bytes, {} held)",
            self.bytes,
            self.held_bytes()
        )
    }
}

impl StreamScan {
    pub(super) const fn new(engine: Engine, direction: Direction, limits: StreamLimits) -> Self {
        Self {
            engine,
            direction,
            limits,
            buffer: String::new(),
            context: 0,
            seam: None,
            released: 0,
            bytes: 0,
            exceeded: false,
            opened: None,
            #[cfg(test)]
            looks: 0,
        }
    }

    /// Says what stood right before this text, in another part of the same
    /// message: what begins there and ends here is found, as far as it lies
    /// here. Only before the first push.
    pub fn follows(&mut self, before: &str) {
        if self.bytes > 0 || before.is_empty() {
            return;
        }
        let mut from = before.len().saturating_sub(SEAM_BYTES);
        while !before.is_char_boundary(from) {
            from += 1;
        }
        before
            .get(from..)
            .unwrap_or_default()
            .clone_into(&mut self.buffer);
        self.context = self.buffer.len();
        self.seam = Some(self.context);
    }

    /// Takes more text; answers what is cleared.
    ///
    /// # Errors
    /// When more would have to be held back than allowed.
    pub fn push(&mut self, text: &str) -> Result<Vec<Segment>, HeldTooMuch> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        self.buffer.push_str(text);
        let segments = if self.goes_on() {
            Vec::new()
        } else {
            self.advance(true)
        };
        if self.held_bytes() > self.limits.held_bytes_max {
            Err(HeldTooMuch(()))
        } else {
            Ok(segments)
        }
    }

    /// Takes the rest of the text at once, and judges all as it stands. Nothing
    /// has to be held, so there is no limit to it.
    pub fn whole(&mut self, text: &str) -> Vec<Segment> {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        self.buffer.push_str(text);
        self.opened = None;
        self.advance(false)
    }

    /// The text ended: what is held is judged as it stands.
    pub fn finish(&mut self) -> Vec<Segment> {
        self.advance(false)
    }

    /// Bytes that are held back.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.buffer.len() - self.context
    }

    /// Bytes that were looked at.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether some text had more views or findings than may be, or would have
    /// been too much work: it must not pass.
    #[must_use]
    pub const fn work_exceeded(&self) -> bool {
        self.exceeded
    }

    /// Whether an opener still waits for its closer: then the new text is
    /// looked at for that alone, and all of it once the closer is there.
    fn goes_on(&mut self) -> bool {
        let Some(opened) = self.opened else {
            return false;
        };
        let rule = self.engine.0.rules.get(opened.rule);
        let Some(closer) = rule.and_then(|rule| rule.closer.as_ref()) else {
            return false;
        };
        let Some(bytes_max) = closer.bytes_max else {
            return false;
        };
        let held = self.buffer.get(self.context..).unwrap_or_default();
        let mut from = opened.none_upto;
        while !held.is_char_boundary(from) {
            from -= 1;
        }
        let waits = closer.pattern.find_at(held, from).is_none();
        // A closer may have begun in the last bytes.
        let none_upto = held.len().saturating_sub(bytes_max).max(opened.none_upto);
        self.opened = waits.then_some(Opened {
            none_upto,
            ..opened
        });
        waits
    }

    fn advance(&mut self, open: bool) -> Vec<Segment> {
        #[cfg(test)]
        {
            self.looks += 1;
        }
        let mut gathered = Gathered {
            context: self.context,
            hold: self.buffer.len(),
            pieces: Vec::new(),
            openers: Vec::new(),
            failed: false,
        };
        let task = Task {
            direction: Some(self.direction),
            from: self.context,
            seam: self.seam,
            explain: false,
        };
        let mut work_left = super::work_max(&self.buffer);
        let mut plain = None;
        let mut reached = Reached::new(&self.engine);
        let mut views = Vec::new();
        let kept = open.then_some(&mut views);
        let look = |view: &View<'_>| {
            let hits = plain.as_ref();
            let mut seen = look::in_view(&self.engine, view, task, hits, work_left, &mut reached);
            work_left = work_left.saturating_sub(seen.work);
            plain.get_or_insert(std::mem::take(&mut seen.hits));
            if !gathered.take(view, seen) {
                work_left = 0;
            }
            // What a view holds back counts, whatever was found before; at the
            // end nothing is held back.
            open || work_left > 0 || !gathered.failed
        };
        let made = each_view(&self.engine, self.direction, &self.buffer, open, kept, look);
        reached.leave();
        self.exceeded |= gathered.failed || made.exceeded;
        let mut hold = gathered.hold;
        let tokens = self.tokens();
        self.exceeded |= tokens.len() > matches::TOKENS_SEEN_MAX;
        let pieces = merged(gathered.pieces, &tokens, &mut hold);
        let hold = hold.max(self.context);
        let mut openers = gathered.openers.iter();
        let first = openers.find(|(start, _)| *start == hold);
        self.opened = first.map(|(_, opened)| *opened);
        let keep = kept_from(&views, hold);
        self.release(pieces, hold, keep)
    }

    /// The placeholders in what is held.
    fn tokens(&self) -> Vec<Range<usize>> {
        let held = self.buffer.get(self.context..).unwrap_or_default();
        let tokens = matches::tokens(&self.engine, held);
        tokens
            .into_iter()
            .map(|token| token.start + self.context..token.end + self.context)
            .collect()
    }

    /// Cuts the buffer into segments up to `hold`; what stands behind `keep`
    /// stays as context.
    fn release(&mut self, pieces: Vec<Piece>, hold: usize, keep: usize) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut at = self.context;
        for piece in pieces.into_iter().filter(|piece| piece.span.end <= hold) {
            self.plain(at..piece.span.start, &mut segments);
            let text = self
                .buffer
                .get(piece.span.clone())
                .unwrap_or_default()
                .to_owned();
            let mut findings: Vec<Finding> = piece.findings;
            for finding in &mut findings {
                finding.span.start += self.released;
                finding.span.end += self.released;
            }
            matches::dedupe(&mut findings);
            segments.push(Segment::Found {
                text: Held(text),
                findings,
            });
            at = piece.span.end;
        }
        self.plain(at..hold, &mut segments);
        self.forget(hold, keep);
        segments
    }

    /// Text without findings, its placeholders apart.
    fn plain(&self, span: Range<usize>, segments: &mut Vec<Segment>) {
        let Some(text) = self.buffer.get(span).filter(|text| !text.is_empty()) else {
            return;
        };
        let mut at = 0;
        for token in matches::tokens(&self.engine, text) {
            if let Some(before) = text
                .get(at..token.start)
                .filter(|before| !before.is_empty())
            {
                segments.push(Segment::Plain(before.to_owned()));
            }
            segments.push(Segment::Token(
                text.get(token.clone()).unwrap_or_default().to_owned(),
            ));
            at = token.end;
        }
        if let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            segments.push(Segment::Plain(rest.to_owned()));
        }
    }

    /// Keeps the end of what was released as context.
    fn forget(&mut self, upto: usize, keep: usize) {
        let mut from = keep.min(upto);
        while !self.buffer.is_char_boundary(from) {
            from += 1;
        }
        self.buffer.drain(..from);
        self.seam = self
            .seam
            .and_then(|seam| seam.checked_sub(from))
            .filter(|seam| *seam > 0);
        self.released += from;
        self.context = upto - from;
    }
}

/// From where on what was released is context: escapes are longer than what
/// they spell, and every reading needs as much before it as the text itself.
fn kept_from(views: &[View<'_>], hold: usize) -> usize {
    // Runs that were decoded are whole, or held.
    let whole = views.iter().filter(|view| {
        matches!(
            view.kind,
            Reading::Plain | Reading::Folded | Reading::Url | Reading::Escape
        )
    });
    let needed = whole.map(|view| {
        let at = view.view_start(hold).saturating_sub(CONTEXT_BYTES);
        view.source_start(at)
    });
    let from = needed.min().unwrap_or(hold);
    from.clamp(hold.saturating_sub(KEPT_BYTES_MAX), hold)
}

fn each_view<'a>(
    engine: &Engine,
    direction: Direction,
    text: &'a str,
    open: bool,
    kept: Option<&mut Vec<View<'a>>>,
    mut show: impl FnMut(&View<'a>) -> bool,
) -> Made {
    if engine.looks(direction) {
        view::each(text, open, kept, show)
    } else {
        // Only placeholders are looked for, which stand in the text itself.
        let plain = view::plain(text, open);
        show(&plain);
        kept.into_iter().for_each(|kept| kept.push(plain.clone()));
        Made::default()
    }
}

/// Overlapping findings become one piece; a piece or placeholder that reaches
/// into what is held is held whole, and moves the hold back.
fn merged(mut pieces: Vec<Piece>, tokens: &[Range<usize>], hold: &mut usize) -> Vec<Piece> {
    pieces.sort_by_key(|piece| (piece.span.start, piece.span.end));
    let mut out: Vec<Piece> = Vec::new();
    for piece in pieces {
        match out.last_mut() {
            Some(last) if piece.span.start < last.span.end => {
                last.span.end = last.span.end.max(piece.span.end);
                last.findings.extend(piece.findings);
            }
            Some(_) | None => out.push(piece),
        }
    }
    // A finding over a part of a placeholder takes all of it: whoever forges one
    // hides nothing, and no half of one is left.
    for piece in &mut out {
        let found = piece.span.clone();
        // They are in order, and none runs over another.
        let first = tokens.partition_point(|token| token.end <= found.start);
        let over = tokens.iter().skip(first);
        for token in over.take_while(|token| token.start < found.end) {
            piece.span = piece.span.start.min(token.start)..piece.span.end.max(token.end);
        }
    }
    // From the end: moving the hold back may make an earlier one reach into it.
    let mut spans: Vec<Range<usize>> = out
        .iter()
        .map(|piece| piece.span.clone())
        .chain(tokens.iter().cloned())
        .collect();
    spans.sort_by_key(|span| std::cmp::Reverse(span.end));
    for span in spans {
        if span.end > *hold && span.start < *hold {
            *hold = span.start;
        }
    }
    out.retain(|piece| piece.span.end <= *hold);
    out
}
