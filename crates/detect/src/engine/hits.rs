//! What stands where in a view. A view that differs from the source in a few
//! places is looked at in those, and takes over the rest.

use std::ops::Range;

use terms::{Direction, worked};

use super::plan::Plan;
use crate::{index::Hit, marks::starts, sides::SIDE_BYTES_MAX, view::View};

/// LIMIT: hits of a view, of 12 bytes each. In prose there is one in about a
/// hundred bytes.
const HITS_MAX: usize = 4 << 20;
/// In the time that a hit, a row or an edit takes so many bytes are read.
pub(super) const HIT_BYTES: usize = 16;

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
    /// There were more hits than may be.
    pub(super) full: bool,
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
        let (hits, full) = (&mut found.hits, &mut found.full);
        plan.index.look(text, direction, |hit| {
            *full |= hits.len() >= HITS_MAX;
            if !*full {
                in_order(hits, hit);
            }
        });
        starts(text, is_digit, |at| found.rows.extend(u32::try_from(at)));
        found.work = text.len();
        return found;
    };
    inherited(view, edits, plain, &mut found.hits);
    found.rows = rows(view, edits, plain);
    let reach = plan.index.reach_bytes();
    let mut edits = edits.iter().peekable();
    while let Some(first) = edits.next() {
        worked(HIT_BYTES);
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
            // What stands beside no edit was taken over.
            let first = near.partition_point(|edit| edit.end + SIDE_BYTES_MAX <= hit.start());
            let edit = near.get(first);
            found.full |= found.hits.len() >= HITS_MAX;
            if !found.full && edit.is_some_and(|edit| edit.start < hit.end() + SIDE_BYTES_MAX) {
                found.hits.push(hit);
            }
        });
    }
    found.hits.sort_by_key(order);
    found
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
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
        worked(HIT_BYTES);
        // What stands before its first byte may be something else here.
        out.extend(Some(at).filter(begins).map(narrow));
        let skip = rest.partition_point(|row| (*row as usize) <= source.start);
        rest = rest.get(skip..).unwrap_or_default();
        let inside = rest.iter().take_while(|row| (**row as usize) < source.end);
        out.extend(inside.map(|row| narrow(*row as usize - source.start + at)));
    }
    for edit in edits {
        worked(HIT_BYTES);
        out.extend(edit.clone().filter(begins).map(narrow));
    }
    // Two rows in order, which this finds out.
    out.sort();
    out.dedup();
    out
}

/// Those of the text itself that stand whole in stretches that are alike, with
/// what tells them on either side.
fn inherited(view: &View<'_>, edits: &[Range<usize>], plain: &Hits, out: &mut Vec<Hit>) {
    let edited_end = edits.last().is_some_and(|last| last.end >= view.text.len());
    let mut rest = plain.hits.as_slice();
    for (at, source) in view.unchanged() {
        // No edit stands before a beginning or behind an end that are alike.
        let from = match (at, source.start) {
            (0, 0) => 0,
            (_, start) => start + SIDE_BYTES_MAX,
        };
        let upto = if edited_end || at + source.len() < view.text.len() {
            source.end.saturating_sub(SIDE_BYTES_MAX)
        } else {
            source.end
        };
        let skip = rest.partition_point(|hit| hit.end() <= source.start);
        rest = rest.get(skip..).unwrap_or_default();
        worked(HIT_BYTES);
        let inside = rest.iter().take_while(|hit| hit.end() <= upto);
        let whole = inside.filter(|hit| hit.start() >= from);
        out.extend(whole.map(|hit| {
            worked(HIT_BYTES);
            let moved = |place: usize| place - source.start + at;
            Hit::new(hit.text(), moved(hit.start()), moved(hit.end()))
        }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Catalogue, Engine, view::views};

    thread_local! {
        static ENGINE: Engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    }

    fn sorted(hits: &[Hit]) -> Vec<(usize, usize, usize)> {
        let mut hits: Vec<_> = hits
            .iter()
            .map(|hit| (hit.end(), hit.start(), hit.text()))
            .collect();
        hits.sort_unstable();
        hits
    }

    proptest! {
        // What a view takes over is what would be found in it.
        #[test]
        fn a_view_has_the_hits_of_its_text(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("%2e"), Just("\\u0031"), Just("\\n"), Just("=\n"), Just("&amp;"),
                    Just("\u{200b}"), Just("\u{ff41}"), Just("s."), Just("key"), Just(" name "),
                    Just(":"), Just("::"), Just("su"), Just("*"), Just("0123"), Just("a1b2C3"),
                    Just("0x"), Just("pub"), Just(" "), Just("c2VjcmV0X2tleTogYWJjZGVm"),
                ],
                0..40,
            ),
        ) {
            let text = parts.concat();
            ENGINE.with(|engine| {
                let plan = &engine.0.plan;
                for direction in [None, Some(Direction::Request), Some(Direction::Reply)] {
                    let all = views(&text, false);
                    let plain = hits(plan, &all[0], direction, None);
                    for view in &all[1..] {
                        let taken = hits(plan, view, direction, Some(&plain));
                        let mut looked = Hits::default();
                        plan.index.look(view.text.as_bytes(), direction, |hit| looked.hits.push(hit));
                        starts(view.text.as_bytes(), is_digit, |at| looked.rows.extend(u32::try_from(at)));
                        prop_assert_eq!(sorted(&taken.hits), sorted(&looked.hits), "{:?}", view.text);
                        prop_assert_eq!(&taken.rows, &looked.rows);
                    }
                }
                Ok(())
            })?;
        }
    }
}
