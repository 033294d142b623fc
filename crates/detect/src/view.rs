//! Views: the same text as somebody else would read it. Every byte of a view
//! knows the source bytes that it stands for.

mod decode;
mod escape;
mod fold;

use std::ops::Range;

use terms::View as Kind;

/// LIMIT: views of views.
const DEPTH_MAX: usize = 2;
/// LIMIT: bytes of all views of one text, as a multiple of the text's, and a
/// floor for short ones.
const BYTES_FACTOR: usize = 24;
const BYTES_FLOOR: usize = 16 << 10;
/// A decoded run without as many readable characters in a row holds nothing.
const READABLE_CHARS_MIN: usize = 6;

/// One reading of a text.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// For each byte, the source bytes that it stands for; empty in the plain
    /// view, where each stands for itself.
    map: Vec<Range<u32>>,
    /// Whether its end is the end of the text so far and may go on.
    pub(crate) open: bool,
    /// The source position of a character whose other bytes are still to come.
    pending: Option<usize>,
}

impl View {
    /// The source bytes of a stretch.
    pub(crate) fn source(&self, span: &Range<usize>) -> Range<usize> {
        if self.map.is_empty() {
            return span.clone();
        }
        let start = self
            .map
            .get(span.start)
            .map_or_else(|| self.end(), |range| range.start as usize);
        let end = span
            .end
            .checked_sub(1)
            .and_then(|last| self.map.get(last))
            .map_or(start, |range| range.end as usize);
        start..end.max(start)
    }

    /// The source position of a byte.
    pub(crate) fn source_start(&self, at: usize) -> usize {
        if self.map.is_empty() {
            at
        } else {
            self.map
                .get(at)
                .map_or_else(|| self.end(), |range| range.start as usize)
        }
    }

    /// The source position from which on an escape or a character may be
    /// unfinished, if one may.
    pub(crate) fn unfinished(&self) -> Option<usize> {
        let at = escape::unfinished(&self.text);
        let escape = (at < self.text.len()).then(|| self.source_start(at));
        let first = escape.into_iter().chain(self.pending).min();
        first.filter(|_| self.open)
    }

    fn end(&self) -> usize {
        self.map.last().map_or(0, |range| range.end as usize)
    }

    /// The first byte of the view that stands for the source at or after `from`.
    pub(crate) fn view_start(&self, from: usize) -> usize {
        if self.map.is_empty() {
            return from.min(self.text.len());
        }
        let at = self
            .map
            .partition_point(|range| (range.start as usize) < from);
        (at..self.text.len())
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(self.text.len())
    }
}

/// A view in the making.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    text: String,
    map: Vec<Range<u32>>,
    pending: Option<usize>,
}

impl Builder {
    /// Adds a character that stands for these source bytes.
    pub(crate) fn push(&mut self, char: char, source: &Range<usize>) {
        self.text.push(char);
        self.cover(char.len_utf8(), source);
    }

    fn cover(&mut self, count: usize, source: &Range<usize>) {
        let start = u32::try_from(source.start).unwrap_or(u32::MAX);
        let end = u32::try_from(source.end).unwrap_or(u32::MAX);
        self.map.extend(std::iter::repeat_n(start..end, count));
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

    /// Only the stretches that can be read, with a mark for what stood between
    /// them: most runs are words, which decode to nothing. At an open end the
    /// last stretch may become one. `None` when there is none.
    fn readable(self, open: bool) -> Option<Self> {
        let mut kept = Self {
            pending: self.pending,
            ..Self::default()
        };
        let mut gap: Option<usize> = None;
        let mut at = 0;
        for stretch in self.text.split_inclusive(strange) {
            let words = stretch.trim_end_matches(strange);
            let end = at + words.len();
            let may_grow = open && end == self.text.len();
            if may_grow || words.chars().nth(READABLE_CHARS_MIN - 1).is_some() {
                if let Some(source) = gap.take().and_then(|gap| self.map.get(gap)) {
                    let source = source.start as usize..source.end as usize;
                    kept.push(char::REPLACEMENT_CHARACTER, &source);
                }
                kept.text.push_str(words);
                kept.map
                    .extend_from_slice(self.map.get(at..end).unwrap_or_default());
                gap = (stretch.len() > words.len()).then_some(end);
            } else {
                gap = gap.or(Some(at));
            }
            at += stretch.len();
        }
        (open || !kept.text.is_empty()).then_some(kept)
    }

    fn finish(self, kind: Kind, open: bool) -> View {
        View {
            kind,
            text: self.text,
            map: self.map,
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
pub(crate) struct Views {
    pub(crate) views: Vec<View>,
    pub(crate) exceeded: bool,
    /// Bytes of all views: the measure of the work.
    pub(crate) bytes: usize,
}

/// Makes the views. `open` says that the text may go on, so that a sequence
/// at its end may be unfinished.
pub(crate) fn views(text: &str, open: bool) -> Views {
    let plain = View {
        kind: Kind::Plain,
        text: text.to_owned(),
        map: Vec::new(),
        open,
        pending: None,
    };
    let most = text.len().saturating_mul(BYTES_FACTOR).max(BYTES_FLOOR);
    let mut all = Views {
        views: vec![plain],
        exceeded: false,
        bytes: text.len(),
    };
    let mut level = 0..1;
    for _ in 0..DEPTH_MAX {
        let start = all.views.len();
        for index in level.clone() {
            let Some(parent) = all.views.get(index) else {
                continue;
            };
            for child in children(parent) {
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
fn children(parent: &View) -> Vec<View> {
    let mut children = Vec::new();
    if parent.kind != Kind::Folded && !parent.text.is_ascii() {
        children.extend(
            fold::fold(&parent.text).map(|builder| builder.finish(Kind::Folded, parent.open)),
        );
    }
    // What may be half of an escape waits for its other half.
    let end = if parent.open {
        escape::unfinished(&parent.text)
    } else {
        parent.text.len()
    };
    let open = parent.open;
    let escapes = [
        (escape::percent(&parent.text, end, open), Kind::Url),
        (escape::spelled(&parent.text, end), Kind::Escape),
        (escape::quoted(&parent.text, end, open), Kind::Escape),
    ];
    for (builder, kind) in escapes {
        children.extend(builder.map(|builder| builder.finish(kind, open)));
    }
    for (builder, kind, at_end) in decode::runs(&parent.text, parent.open) {
        let open = parent.open && at_end;
        let readable = builder.readable(open);
        children.extend(readable.map(|builder| builder.finish(kind, open)));
    }
    if !parent.map.is_empty() {
        for child in &mut children {
            child.pending = child.pending.map(|at| parent.source_start(at));
            for range in &mut child.map {
                let source = parent.source(&(range.start as usize..range.end as usize));
                *range = u32::try_from(source.start).unwrap_or(u32::MAX)
                    ..u32::try_from(source.end).unwrap_or(u32::MAX);
            }
        }
    }
    children
}

/// The text that a whole run of base64 stands for.
pub(crate) fn from_base64(run: &str) -> Option<String> {
    let places: Vec<usize> = (0..run.len()).collect();
    decode::base64(run.as_bytes(), &places, false).map(|builder| builder.text)
}

/// What text does not have: bytes that were none, control characters.
fn strange(char: char) -> bool {
    char == char::REPLACEMENT_CHARACTER || (char.is_control() && !char.is_whitespace())
}

#[cfg(test)]
mod tests;
