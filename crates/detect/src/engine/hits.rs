//! What stands where in a view. A view that differs from the source in a few
//! places is looked at in those, and takes over the rest.

use super::plan::Plan;
use crate::{index::Hit, view::View};

/// What was found in one pass.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// By their ends.
    pub(super) hits: Vec<Hit>,
    /// How many bytes at the end may begin a match, in a request and in a reply.
    pub(super) begun: [usize; 2],
    /// Bytes that were read.
    pub(super) work: usize,
}

/// All hits of a view; `plain` are those of the text itself.
pub(super) fn hits(plan: &Plan, view: &View<'_>, plain: Option<&Hits>) -> Hits {
    let mut found = Hits::default();
    let text = view.text.as_bytes();
    let (Some(edits), Some(plain)) = (view.edits(), plain) else {
        found.begun = plan.index.look(text, |hit| found.hits.push(hit));
        found.work = text.len();
        return found;
    };
    inherited(view, plain, &mut found.hits);
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
        let begun = plan.index.look(part, |hit| {
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
        if upto == text.len() {
            found.begun = begun;
        }
    }
    found.hits.sort_by_key(|hit| hit.end());
    found
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
