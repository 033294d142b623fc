//! What stands where in a view. A view that differs from the source in a few
//! places is looked at in those, and takes over the rest.

use std::ops::Range;

use terms::Direction;

use super::plan::Plan;
use crate::{
    index::{Hit, digit_rows},
    view::View,
};

/// What was found in one pass.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// By their ends, longer ones first.
    pub(super) hits: Vec<Hit>,
    /// Where rows of digits begin, in order.
    pub(super) rows: Vec<u32>,
    /// How many bytes at an open end may begin a match.
    pub(super) begun: usize,
    /// Bytes that were read.
    pub(super) work: usize,
}

/// All hits of a view; `plain` are those of the text itself.
pub(super) fn hits(
    plan: &Plan,
    view: &View<'_>,
    direction: Option<Direction>,
    plain: Option<&Hits>,
) -> Hits {
    let mut found = Hits::default();
    let text = view.text.as_bytes();
    if view.open {
        found.begun = plan.index.begun(text, direction);
    }
    let (Some(edits), Some(plain)) = (view.edits(), plain) else {
        let hits = &mut found.hits;
        plan.index.look(text, direction, |hit| in_order(hits, hit));
        digit_rows(text, |at| found.rows.extend(u32::try_from(at)));
        found.work = text.len();
        return found;
    };
    inherited(view, plain, &mut found.hits);
    found.rows = rows(view, edits, plain);
    let reach = plan.index.reach_bytes();
    let mut edits = edits.iter().peekable();
    while let Some(first) = edits.next() {
        let from = first.start.saturating_sub(reach);
        let mut near = vec![first.clone()];
        let mut upto = first.end.saturating_add(reach);
        while let Some(next) = edits.next_if(|next| next.start.saturating_sub(reach) <= upto) {
            near.push(next.clone());
            upto = next.end.saturating_add(reach);
        }
        let upto = upto.min(text.len());
        let part = text.get(from..upto).unwrap_or_default();
        found.work += part.len();
        plan.index.look(part, direction, |hit| {
            let hit = Hit::new(hit.text(), hit.start() + from, hit.end() + from);
            // What touches no edit was taken over.
            let first =
                near.partition_point(|edit| edit.end <= hit.start() && edit.start < hit.end());
            let over = near.get(first).is_some_and(|edit| {
                edit.start < hit.end() && (edit.end > hit.start() || edit.is_empty())
            });
            if over {
                found.hits.push(hit);
            }
        });
    }
    found.hits.sort_by_key(order);
    found
}

/// By their ends, longer ones first.
fn order(hit: &Hit) -> (usize, usize) {
    (hit.end(), hit.start())
}

/// Adds one to those in order. They come nearly so: none is further from its
/// place than the longest text is long.
fn in_order(hits: &mut Vec<Hit>, hit: Hit) {
    hits.push(hit);
    let mut at = hits.len() - 1;
    while let Some(before) = at.checked_sub(1)
        && hits
            .get(before)
            .is_some_and(|before| order(before) > order(&hit))
    {
        hits.swap(before, at);
        at = before;
    }
}

/// Rows of digits of a view with edits.
fn rows(view: &View<'_>, edits: &[Range<usize>], plain: &Hits) -> Vec<u32> {
    let bytes = view.text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let begins = |at: &usize| is_digit(*at) && !at.checked_sub(1).is_some_and(is_digit);
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(plain.rows.len());
    let mut rest = plain.rows.as_slice();
    for (at, source) in view.unchanged() {
        // What stands before its first byte may be something else here.
        out.extend(Some(at).filter(begins).map(narrow));
        let skip = rest.partition_point(|row| (*row as usize) <= source.start);
        rest = rest.get(skip..).unwrap_or_default();
        let inside = rest.iter().take_while(|row| (**row as usize) < source.end);
        out.extend(inside.map(|row| narrow(*row as usize - source.start + at)));
    }
    for edit in edits {
        out.extend(edit.clone().filter(begins).map(narrow));
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// Those of the text itself that stand whole in stretches that are alike.
fn inherited(view: &View<'_>, plain: &Hits, out: &mut Vec<Hit>) {
    let mut rest = plain.hits.as_slice();
    for (at, source) in view.unchanged() {
        let skip = rest.partition_point(|hit| hit.end() <= source.start);
        rest = rest.get(skip..).unwrap_or_default();
        let inside = rest.iter().take_while(|hit| hit.end() <= source.end);
        let whole = inside.filter(|hit| hit.start() >= source.start);
        out.extend(whole.map(|hit| {
            let moved = |place: usize| place - source.start + at;
            Hit::new(hit.text(), moved(hit.start()), moved(hit.end()))
        }));
    }
}
