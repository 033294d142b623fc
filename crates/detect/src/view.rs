//! Views: the same text as somebody else would read it. Every byte of a view
//! knows the source bytes that it stands for.

mod decode;
mod escape;
mod fold;
mod map;
mod readable;

use std::{borrow::Cow, ops::Range};

use terms::{View as Kind, worked};

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

impl Twice {
    /// Of a view that was read in the place of another, if that one differs
    /// from the source. The first leads to places of the other still.
    fn of(view: &View<'_>, parent: &View<'_>) -> Option<Self> {
        let (map, first) = view.map.as_ref().zip(parent.edits.as_ref())?;
        (!view.is_full()).then(|| Self {
            last: map.edits(parent.text.len()),
            first: map.covering(first),
        })
    }
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

    /// Whether its map leads nowhere for a part of it: then it is not shown.
    fn is_full(&self) -> bool {
        self.map.as_ref().is_some_and(Map::is_full)
    }

    /// This one, whose map leads to places of its parent, by places of the
    /// source.
    fn through(mut self, parent: &View<'_>, source_bytes: usize) -> Self {
        if self.is_full() {
            return self;
        }
        if let Some(map) = &parent.map {
            self.pending = self.pending.map(|at| parent.source_start(at));
            self.map = self.map.map(|own| own.through(map));
        }
        self.edits = self.map.as_ref().map(|map| map.edits(source_bytes));
        self
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
    /// Adds a character that stands for these source bytes, if there is room.
    pub(crate) fn push(&mut self, char: char, source: &Range<usize>) {
        if self.is_full() {
            return;
        }
        self.text.push(char);
        self.map.together(char.len_utf8(), source);
    }

    /// Likewise, a part of the source as it is.
    pub(crate) fn copy(&mut self, source: &str, part: Range<usize>) {
        if let Some(text) = source.get(part.clone()).filter(|_| !self.is_full()) {
            self.text.push_str(text);
            self.map.plain(text.len(), part.start);
        }
    }

    /// Whether it is longer, or leads to more places, than a view may.
    fn is_full(&self) -> bool {
        self.map.is_full()
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

/// What was made of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Made {
    /// There was more to make than may be, or nobody wanted more: not all of it
    /// may have been shown.
    pub(crate) exceeded: bool,
    /// Bytes of all views: a measure of the work.
    pub(crate) bytes: usize,
}

/// The text as it is.
pub(crate) fn plain(text: &str, open: bool) -> View<'_> {
    View {
        kind: Kind::Plain,
        text: Cow::Borrowed(text),
        map: None,
        edits: None,
        twice: None,
        open,
        pending: None,
    }
}

/// Shows each view of a text, the plain one first. `open` says that the text
/// may go on, so that a sequence at its end may be unfinished. A view is given
/// back when what was made of it was shown, if it is not `kept`: the views of a
/// long text take many times its size. No more are made when `show` says no.
pub(crate) fn each<'a>(
    text: &'a str,
    open: bool,
    kept: Option<&mut Vec<View<'a>>>,
    mut show: impl FnMut(&View<'a>) -> bool,
) -> Made {
    let mut making = Making {
        source_bytes: text.len(),
        bytes_max: text.len().saturating_mul(BYTES_FACTOR).max(BYTES_FLOOR),
        made: Made::default(),
        kept,
        show: &mut show,
    };
    making.view(plain(text, open), 0);
    making.made
}

/// Views in the making.
struct Making<'m, 'a> {
    source_bytes: usize,
    bytes_max: usize,
    made: Made,
    kept: Option<&'m mut Vec<View<'a>>>,
    show: &'m mut dyn FnMut(&View<'a>) -> bool,
}

impl<'a> Making<'_, 'a> {
    /// Shows a view and all that is made of it.
    fn view(&mut self, view: View<'a>, depth: usize) {
        let bytes = self.made.bytes.saturating_add(view.text.len());
        if self.made.exceeded || bytes > self.bytes_max || view.is_full() {
            self.made.exceeded = true;
            return;
        }
        self.made.bytes = bytes;
        self.made.exceeded |= !(self.show)(&view);
        if depth < DEPTH_MAX && !self.made.exceeded {
            let source_bytes = self.source_bytes;
            children(&view, source_bytes, |child| {
                self.view(child, depth + 1);
                !self.made.exceeded
            });
        }
        if let Some(kept) = &mut self.kept {
            kept.push(view);
        }
    }
}

/// The views of one view, with their maps composed, as long as `each` wants more.
fn children(parent: &View<'_>, source_bytes: usize, mut each: impl FnMut(View<'static>) -> bool) {
    let open = parent.open;
    if parent.kind != Kind::Folded
        && !parent.text.is_ascii()
        && let Some(builder) = fold::fold(&parent.text)
    {
        let mut child = builder.finish(Kind::Folded, open);
        child.twice = Twice::of(&child, parent);
        if !each(child.through(parent, source_bytes)) {
            return;
        }
    }
    for (read, kind) in [
        (escape::percent as escape::Read, Kind::Url),
        (escape::spelled, Kind::Escape),
        (escape::quoted, Kind::Escape),
    ] {
        let builder = read(parent);
        worked(parent.text.len());
        if let Some(builder) = builder {
            let mut child = builder.finish(kind, open);
            child.twice = Twice::of(&child, parent);
            if !each(child.through(parent, source_bytes)) {
                return;
            }
        }
    }
    let mut wanted = true;
    decode::runs(parent, |builder, kind, at_end| {
        if wanted {
            let child = builder.finish(kind, open && at_end);
            wanted = each(child.through(parent, source_bytes));
        }
    });
}

/// The text that a whole run of base64 stands for.
pub(crate) fn from_base64(run: &str) -> Option<String> {
    let mut bytes = Vec::new();
    decode::base64(run.as_bytes(), 0..run.len(), |placed| bytes.push(placed))?;
    let mut builder = Builder::default();
    builder.bytes(&bytes, false);
    Some(builder.text)
}

/// All of them at once.
#[cfg(test)]
pub(crate) fn views(text: &str, open: bool) -> Vec<View<'_>> {
    let mut kept = Vec::new();
    each(text, open, Some(&mut kept), |_| true);
    // The plain one is done with last.
    kept.rotate_right(1);
    kept
}

#[cfg(test)]
mod tests;
