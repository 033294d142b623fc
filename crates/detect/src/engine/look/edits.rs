//! How near a place of a view is to where the view differs from the text.

use std::ops::Range;

use crate::view::View;

/// The edits of a view, passed once from its beginning to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edits<'a> {
    /// Those that were not passed; `None` where all is new.
    rest: Option<&'a [Range<usize>]>,
    /// Where the last one ended that was passed.
    passed: Option<usize>,
}

/// Bytes to the nearest edit on either side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    before: usize,
    behind: usize,
}

impl<'a> Edits<'a> {
    pub(super) fn of(view: &'a View<'_>) -> Self {
        Self {
            rest: view.edits(),
            passed: None,
        }
    }

    /// Around a place that lies behind those that were asked for, or little
    /// before: then an edit may seem to be nearer.
    pub(super) fn around(&mut self, place: &Range<usize>) -> Around {
        let Some(rest) = &mut self.rest else {
            return Around {
                before: 0,
                behind: 0,
            };
        };
        while let [first, others @ ..] = *rest
            && first.end < place.start
        {
            self.passed = Some(first.end);
            *rest = others;
        }
        let passed = self.passed.map(|passed| place.start.saturating_sub(passed));
        let next = rest
            .first()
            .map(|next| next.start.saturating_sub(place.end));
        Around {
            before: passed.unwrap_or(usize::MAX),
            behind: next.unwrap_or(usize::MAX),
        }
    }
}

impl Around {
    /// Whether one is within these distances, before or behind.
    pub(super) const fn within(self, (before, behind): (usize, usize)) -> bool {
        self.before <= before || self.behind <= behind
    }
}
