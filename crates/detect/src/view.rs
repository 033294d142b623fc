//! Views: the same text as somebody else would read it. Every byte of a view
//! knows the source bytes that it stands for.

mod decode;
mod escape;
mod fold;
mod map;
mod readable;

use std::{borrow::Cow, ops::Range};

use terms::{Turn, View as Kind};

use map::Map;

/// LIMIT: views of views.
const DEPTH_MAX: usize = 2;
/// LIMIT: bytes of all views of one text, as a multiple of the text's, and a
/// floor for short ones.
const BYTES_FACTOR: usize = 24;
const BYTES_FLOOR: usize = 16 << 10;

/// One reading of a text.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: Cow<'a, str>,
    /// The source bytes that each byte stands for; `None` in the plain view,
    /// where each stands for itself.
    map: Option<Map>,
    /// Where it differs from the source; `None` in the plain view.
    edits: Option<Vec<Range<usize>>>,
    /// Of a view of a view that was read in the same place.
    twice: Option<Twice>,
    /// Whether its end is the end of the text so far and may go on.
    pub(crate) open: bool,
    /// The source position of something whose other bytes are still to come: a
    /// character, or a group that spells some.
    pending: Option<usize>,
}

/// What was read in two ways, one after the other. All that is new in it has
/// edits of both near: elsewhere one of the two stands alone, in a view of its
/// own.
#[derive(Debug, Clone)]
struct Twice {
    /// Where the view differs from the one it was made of.
    last: Vec<Range<usize>>,
    /// Where that one differs from the source, by places of this view.
    first: Vec<Range<usize>>,
}

/// Whether a stretch has one of these in it, or beside it.
fn touches(edits: &[Range<usize>], stretch: &Range<usize>) -> bool {
    let first = edits.partition_point(|edit| edit.end < stretch.start);
    edits
        .get(first)
        .is_some_and(|edit| edit.start <= stretch.end)
}

impl View<'_> {
    /// The source bytes of a stretch.
    pub(crate) fn source(&self, span: &Range<usize>) -> Range<usize> {
        let Some(map) = &self.map else {
            return span.clone();
        };
        let start = map.source(span.start).start;
        let last = span.end.checked_sub(1).filter(|last| *last >= span.start);
        let end = last.map_or(start, |last| map.source(last).end);
        start..end.max(start)
    }

    /// The source position of a byte.
    pub(crate) fn source_start(&self, at: usize) -> usize {
        self.map.as_ref().map_or(at, |map| map.source(at).start)
    }

    /// The source position from which on an escape or a character may be
    /// unfinished, if one may.
    pub(crate) fn unfinished(&self) -> Option<usize> {
        let at = escape::unfinished(&self.text);
        let escape = (at < self.text.len()).then(|| self.source_start(at));
        let first = escape.into_iter().chain(self.pending).min();
        first.filter(|_| self.open)
    }

    /// Whether something in this stretch differs from the source.
    pub(crate) fn is_edited(&self, stretch: &Range<usize>) -> bool {
        let edits = self.edits.as_ref();
        edits.is_none_or(|edits| touches(edits, stretch))
    }

    /// Whether something in this stretch is new in this view.
    pub(crate) fn is_fresh(&self, stretch: &Range<usize>) -> bool {
        match &self.twice {
            Some(twice) => touches(&twice.last, stretch) && touches(&twice.first, stretch),
            None => self.is_edited(stretch),
        }
    }

    /// Where the view differs from the source; `None` in the plain view.
    pub(crate) fn edits(&self) -> Option<&[Range<usize>]> {
        self.edits.as_deref()
    }

    /// Stretches that are as in the source: where each begins in the view, and
    /// its source bytes.
    pub(crate) fn unchanged(&self) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        self.map.iter().flat_map(Map::unchanged)
    }

    /// The first byte of the view that stands for the source at or after `from`.
    pub(crate) fn view_start(&self, from: usize) -> usize {
        let at = match &self.map {
            None => from.min(self.text.len()),
            Some(map) => map.view_start(from),
        };
        (at..self.text.len())
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(self.text.len())
    }
}

/// A view in the making.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    text: String,
    map: Map,
    pending: Option<usize>,
}

impl Builder {
    /// Adds a character that stands for these source bytes.
    pub(crate) fn push(&mut self, char: char, source: &Range<usize>) {
        self.text.push(char);
        self.map.together(char.len_utf8(), source);
    }

    /// Adds a part of the source as it is.
    pub(crate) fn copy(&mut self, source: &str, part: Range<usize>) {
        if let Some(text) = source.get(part.clone()) {
            self.text.push_str(text);
            self.map.plain(text.len(), part.start);
        }
    }

    /// The map of a part of another one, whose text was added; `together` says
    /// whether the part stands for all of its source.
    fn keep(&mut self, other: &Self, part: &Range<usize>, together: bool) {
        match part.end.checked_sub(1) {
            Some(last) if together && !part.is_empty() => {
                let source = other.map.source(part.start).start..other.map.source(last).end;
                self.map.together(part.len(), &source);
            }
            _ => self.map.extend(&other.map, part),
        }
    }

    /// Adds bytes, each with its source; what is not UTF-8 becomes U+FFFD. At
    /// an open end the first bytes of a character wait for the others.
    pub(crate) fn bytes(&mut self, bytes: &[(u8, Range<usize>)], open: bool) {
        let plain: Vec<u8> = bytes.iter().map(|(byte, _)| *byte).collect();
        let mut at = 0;
        for chunk in plain.utf8_chunks() {
            for char in chunk.valid().chars() {
                let source = joined(bytes.get(at..at + char.len_utf8()).unwrap_or_default());
                self.push(char, &source);
                at += char.len_utf8();
            }
            let invalid = chunk.invalid();
            let begins =
                std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if invalid.is_empty() {
                continue;
            }
            let source = joined(bytes.get(at..at + invalid.len()).unwrap_or_default());
            if open && begins && at + invalid.len() == bytes.len() {
                self.pending = Some(source.start);
                continue;
            }
            self.push(char::REPLACEMENT_CHARACTER, &source);
            at += invalid.len();
        }
    }

    /// What begins here in the source is still to come, if anything.
    fn waits(mut self, from: Option<usize>) -> Self {
        self.pending = self.pending.into_iter().chain(from).min();
        self
    }

    fn finish(mut self, kind: Kind, open: bool) -> View<'static> {
        self.text.shrink_to_fit();
        self.map.shrink_to_fit();
        View {
            kind,
            edits: None,
            twice: None,
            text: Cow::Owned(self.text),
            map: Some(self.map),
            open,
            pending: self.pending,
        }
    }
}

fn joined(bytes: &[(u8, Range<usize>)]) -> Range<usize> {
    let start = bytes.first().map_or(0, |(_, range)| range.start);
    let end = bytes.last().map_or(start, |(_, range)| range.end);
    start..end
}

/// All views of a text, and whether there were too many to make.
#[derive(Debug)]
pub(crate) struct Views<'a> {
    pub(crate) views: Vec<View<'a>>,
    pub(crate) exceeded: bool,
    /// Bytes of all views: a measure of the work.
    pub(crate) bytes: usize,
}

/// The text as it is, and no other view.
pub(crate) fn plain(text: &str, open: bool) -> Views<'_> {
    let plain = View {
        kind: Kind::Plain,
        text: Cow::Borrowed(text),
        map: None,
        edits: None,
        twice: None,
        open,
        pending: None,
    };
    Views {
        views: vec![plain],
        exceeded: false,
        bytes: text.len(),
    }
}

/// Makes the views. `open` says that the text may go on, so that a sequence
/// at its end may be unfinished.
pub(crate) fn views(text: &str, open: bool) -> Views<'_> {
    let most = text.len().saturating_mul(BYTES_FACTOR).max(BYTES_FLOOR);
    let mut all = plain(text, open);
    let mut level = 0..1;
    for _ in 0..DEPTH_MAX {
        let start = all.views.len();
        for index in level.clone() {
            let Some(parent) = all.views.get(index) else {
                continue;
            };
            for child in children(parent, text.len()) {
                if all.bytes.saturating_add(child.text.len()) > most {
                    all.exceeded = true;
                    return all;
                }
                all.bytes += child.text.len();
                all.views.push(child);
            }
        }
        level = start..all.views.len();
    }
    all
}

/// The views of one view, with their maps composed.
fn children(parent: &View<'_>, source_bytes: usize) -> Vec<View<'static>> {
    let mut children = Vec::new();
    let mut turn = Turn::default();
    if parent.kind != Kind::Folded && !parent.text.is_ascii() {
        children.extend(
            fold::fold(&parent.text).map(|builder| builder.finish(Kind::Folded, parent.open)),
        );
    }
    let open = parent.open;
    for (read, kind) in [
        (escape::percent as escape::Read, Kind::Url),
        (escape::spelled, Kind::Escape),
        (escape::quoted, Kind::Escape),
    ] {
        let builder = read(parent);
        turn.read(parent.text.len());
        children.extend(builder.map(|builder| builder.finish(kind, open)));
    }
    if let Some(edits) = &parent.edits {
        for child in &mut children {
            let map = child.map.as_ref();
            child.twice = map.map(|map| Twice {
                last: map.edits(parent.text.len()),
                first: edits.iter().map(|edit| map.covering(edit)).collect(),
            });
        }
    }
    decode::runs(parent, |builder, kind, at_end| {
        children.push(builder.finish(kind, parent.open && at_end));
    });
    for child in &mut children {
        if let Some(map) = &parent.map {
            child.pending = child.pending.map(|at| parent.source_start(at));
            child.map = child.map.take().map(|child| child.through(map));
        }
        child.edits = child.map.as_ref().map(|map| map.edits(source_bytes));
    }
    children
}

/// The text that a whole run of base64 stands for.
pub(crate) fn from_base64(run: &str) -> Option<String> {
    let mut bytes = Vec::new();
    decode::base64(run.as_bytes(), 0..run.len(), |placed| bytes.push(placed))?;
    let mut builder = Builder::default();
    builder.bytes(&bytes, false);
    Some(builder.text)
}

#[cfg(test)]
mod tests;
