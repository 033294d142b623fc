//! What the views of a text show, before it is known what may leave.

use std::ops::Range;

use terms::Finding;

use super::{Opened, Seen};
use crate::{engine::FINDINGS_MAX, view::View};

/// What the views of a text show together.
pub(super) struct Gathered {
    /// Bytes of it that were released before.
    pub(super) context: usize,
    /// From where on it is held.
    pub(super) hold: usize,
    pub(super) pieces: Vec<Piece>,
    pub(super) openers: Vec<(usize, Opened)>,
    pub(super) failed: bool,
}

impl Gathered {
    /// Takes what one view shows; whether more may be taken.
    pub(super) fn take(&mut self, view: &View<'_>, seen: Seen) -> bool {
        self.failed |= seen.failed;
        if view.open {
            if let Some(at) = seen.alive {
                self.holds(view.source_start(at));
            }
            // Only what is not decoded twice over can go on being decoded.
            if let Some(at) = view.unfinished() {
                self.holds(at);
            }
        }
        for found in seen.found {
            let mut finding = found.finding;
            finding.span.start = finding.span.start.max(self.context);
            if found.unsettled {
                self.holds(finding.span.start);
            }
            if let Some((end, rule)) = found.opened {
                let start = finding.span.start;
                // Of one that ended before the seam, the closer may have
                // begun there too.
                let inside = end.checked_sub(start);
                let opener = inside.map(|none_upto| (start, Opened { rule, none_upto }));
                self.openers.extend(opener);
            }
            self.pieces.push(Piece {
                span: finding.span.clone(),
                findings: vec![finding],
            });
        }
        let full = self.pieces.len() > FINDINGS_MAX;
        self.failed |= full;
        !full
    }

    fn holds(&mut self, from: usize) {
        self.hold = self.hold.min(from.max(self.context));
    }
}

/// A stretch that leaves as one segment.
pub(super) struct Piece {
    pub(super) span: Range<usize>,
    pub(super) findings: Vec<Finding>,
}
