//! All matches in one view: one pass for what patterns can be found by, then
//! each pattern only where it can begin.

mod bytes;
mod edits;
mod judge;
mod places;
mod reached;

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use terms::{Direction, Finding, View as Reading, worked};

use super::{
    Engine, FINDINGS_MAX, Rule,
    hits::{HIT_BYTES, Hits, hits},
    plan::{Digits, Plan, Spot},
    published::Published,
    refused::{Refusals, Why},
};
use crate::{anchor::Anchor, catalogue::CONTEXT_BYTES, index::Hit, sides::is_whole, view::View};

pub(super) use bytes::tail;
use bytes::{RUN_BYTES_MAX, next_char, row_bytes, run};
use edits::{Around, Edits};
use places::Place;
pub(super) use reached::Reached;

/// LIMIT: bytes after an opener without a closer that are taken for the rest.
const UNCLOSED_BYTES_MAX: usize = 16 << 10;

/// What the check of a match counts for, in bytes that are read: so much, and
/// so often each of its own.
const ACCEPT_BYTES: usize = 256;
const ACCEPT_FACTOR: usize = 8;

/// A match, and whether it may still grow.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) finding: Finding,
    /// It touches the open end of the view: it may become longer, or nothing.
    pub(super) unsettled: bool,
    /// It is an opener in the text itself whose closer is still to come: where
    /// the opener ends, and the rule by its number.
    pub(super) opened: Option<(usize, usize)>,
}

/// What is looked for where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    /// `None` for both.
    pub(super) direction: Option<Direction>,
    /// Matches that end before this source byte do not count.
    pub(super) from: usize,
    /// Where a part of a longer text begins.
    pub(super) seam: Option<usize>,
    /// Whether to keep what was refused, and why.
    pub(super) explain: bool,
}

/// What one view holds.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) found: Vec<Found>,
    /// In an open view, where something begins that may become a match.
    pub(super) alive: Option<usize>,
    /// Bytes that were looked at: the measure of the work.
    pub(super) work: usize,
    /// A pattern could not be tried, or there was too much to look at.
    pub(super) failed: bool,
    pub(super) refused: Refusals,
    pub(super) hits: Hits,
}

struct Looking<'a> {
    plan: &'a Plan,
    rules: &'a [Rule],
    published: &'a Published,
    view: &'a View<'a>,
    task: Task,
    /// Context words, by their ends.
    words: Vec<Hit>,
    /// Rules, and from where on they have no closer.
    unclosed: Vec<(usize, usize)>,
    places: Vec<Place>,
    /// How many of them wait until some are tried.
    places_many: usize,
    /// Up to where a pattern was tried in places, if not all were tried at once.
    tried: BTreeMap<u32, usize>,
    reached: &'a mut Reached,
    /// Likewise, for any rule.
    any_upto: usize,
    work_max: usize,
    /// Up to where a rule's matches were refused, by the reason.
    refused_upto: BTreeMap<(usize, Why), usize>,
    seen: Seen,
}

/// Every match of every detector, by source bytes; matches of different
/// patterns may overlap. More than `work_max` bytes are not looked at.
pub(super) fn in_view(
    engine: &Engine,
    view: &View<'_>,
    task: Task,
    plain: Option<&Hits>,
    work_max: usize,
    reached: &mut Reached,
) -> Seen {
    let hits = hits(&engine.0.plan, view, task.direction, plain);
    let mut looking = Looking {
        plan: &engine.0.plan,
        rules: &engine.0.rules,
        published: &engine.0.published,
        view,
        task,
        words: Vec::new(),
        unclosed: Vec::new(),
        places: Vec::new(),
        places_many: places::MANY,
        tried: BTreeMap::new(),
        reached,
        any_upto: 0,
        work_max,
        refused_upto: BTreeMap::new(),
        seen: Seen {
            work: view.text.len() + hits.work,
            failed: hits.full,
            ..Seen::default()
        },
    };
    let rows = looking.rows(&hits);
    looking.pass(&hits, &rows);
    looking.ahead();
    looking.unnamed();
    looking.try_all();
    looking.seen.hits = hits;
    let seen = looking.seen;
    reached.reset();
    seen
}

impl Looking<'_> {
    fn word(&mut self, word: Hit) {
        let (text, start, end) = (word.text(), word.start(), word.end());
        self.words.push(word);
        let upto = start.saturating_add(CONTEXT_BYTES + 1);
        for rule in self
            .plan
            .uses
            .get(text)
            .into_iter()
            .flat_map(|uses| &uses.names)
        {
            self.reached.set_name(*rule, upto);
        }
        self.any_upto = self.any_upto.max(upto);
        let plan = self.plan;
        for spot in plan
            .uses
            .get(text)
            .into_iter()
            .flat_map(|uses| &uses.follows)
        {
            self.place(*spot, end..upto);
        }
    }

    /// What the one pass found, and rows of digits, in their order: a context
    /// word counts only for what stands behind it.
    fn pass(&mut self, hits: &Hits, rows: &[u32]) {
        let (plan, view) = (self.plan, self.view);
        let mut rows = rows.iter().map(|row| *row as usize).peekable();
        let mut edits = Edits::of(view);
        let mut edits_of_rows = edits;
        for hit in &hits.hits {
            worked(HIT_BYTES);
            if self.is_spent() {
                self.seen.failed = true;
                break;
            }
            while let Some(row) = rows.next_if(|row| *row < hit.end()) {
                self.row(row, edits_of_rows.around(&(row..row)));
                self.try_some(row);
            }
            let Some(uses) = plan.uses.get(hit.text()) else {
                continue;
            };
            if uses.is_word && is_whole(view.text.as_bytes(), &(hit.start()..hit.end())) {
                self.word(*hit);
                self.try_some(hit.end());
            }
            if uses.begins.is_empty() || !edits.around(&(hit.start()..hit.end())).within(uses.reach)
            {
                continue;
            }
            for begin in &uses.begins {
                if begin.most == 0 {
                    self.begin(begin.spot, hit.start());
                } else if let Some(starts) = begin.starts(view.text.as_bytes(), hit.start()) {
                    self.place(begin.spot, starts);
                }
            }
            self.try_some(hit.end());
        }
        for row in rows {
            if self.is_spent() {
                self.seen.failed = true;
                break;
            }
            self.row(row, edits_of_rows.around(&(row..row)));
            self.try_some(row);
        }
        if view.open && hits.begun > 0 {
            self.alive(view.text.len() - hits.begun);
        }
    }

    /// Where numbers begin.
    fn rows<'h>(&self, hits: &'h Hits) -> Cow<'h, [u32]> {
        let view = self.view;
        // A number may begin at a seam, whatever stands before it.
        let seam = self.task.seam.map(|seam| view.view_start(seam));
        let seam = seam
            .filter(|seam| *seam > 0 && run(view.text.as_bytes(), *seam, u8::is_ascii_digit) > 0);
        let seam = seam.and_then(|seam| u32::try_from(seam).ok());
        match seam.map(|seam| (seam, hits.rows.binary_search(&seam))) {
            Some((seam, Err(place))) => {
                let (before, behind) = hits.rows.split_at(place);
                Cow::Owned([before, &[seam], behind].concat())
            }
            _ => Cow::Borrowed(&hits.rows),
        }
    }

    fn row(&mut self, at: usize, edits: Around) {
        worked(HIT_BYTES);
        let (plan, bytes) = (self.plan, self.view.text.as_bytes());
        let digits = run(bytes, at, u8::is_ascii_digit);
        let after = bytes.get(at + digits).copied();
        // Who explains tells also what begins in the middle of a word, and what
        // is no number after all.
        let (open, explain) = (self.view.open, self.task.explain);
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let glued = before.is_some_and(u8::is_ascii_alphanumeric) && !explain && !self.is_seam(at);
        let named = if at < self.any_upto || explain {
            plan.rows_named.of(digits, glued, after, open)
        } else {
            &[]
        };
        let rows = plan.rows.of(digits, glued, after, open);
        let mut ahead = None;
        let mut letters = None;
        let mut whole = None;
        for row in rows.iter().chain(named) {
            let Some(spot) = plan.spots.get(row.spot) else {
                continue;
            };
            let ahead: &mut Option<Digits> = ahead.get_or_insert_with(|| Digits::count(bytes, at));
            if !explain && ahead.is_some_and(|ahead| !ahead.has(row.needed)) {
                continue;
            }
            // Where a match may begin in the row, all of it counts.
            let digits = if spot.inside_digits && digits == RUN_BYTES_MAX {
                *whole.get_or_insert_with(|| row_bytes(bytes, at))
            } else {
                digits
            };
            let starts = row.before();
            // A match begins in the row, or so many bytes before it.
            let (before, behind) = spot.reach;
            let reach = (before + starts.end(), behind.saturating_add(digits));
            if !edits.within(reach)
                || !self.may_be_named(spot, at.saturating_sub(*starts.end()))
                || !self.looks(spot)
            {
                continue;
            }
            for before in starts {
                let Some(start) = at.checked_sub(before) else {
                    continue;
                };
                if before > 0 {
                    self.begin(row.spot, start);
                } else if spot.inside_digits {
                    self.place(row.spot, start..start + digits);
                } else {
                    let letters = letters.get_or_insert_with(|| {
                        digits + run(bytes, at + digits, u8::is_ascii_alphanumeric)
                    });
                    let open = open && at + *letters == bytes.len();
                    let counted = digits + RUN_BYTES_MAX;
                    if *letters >= row.run_min.min(counted) || open {
                        self.begin(row.spot, start);
                    }
                }
            }
        }
    }

    /// Where a match may have begun of which nothing of its own was seen yet.
    fn ahead(&mut self) {
        if !self.view.open {
            return;
        }
        let (plan, view) = (self.plan, self.view);
        for ahead in &plan.ahead {
            self.place(ahead.spot, ahead.starts(view.text.as_bytes()));
        }
    }

    /// Who explains tells also what no context word stands before.
    fn unnamed(&mut self) {
        if !self.task.explain {
            return;
        }
        let (plan, all) = (self.plan, 0..self.view.text.len());
        for (number, spot) in plan.spots.iter().enumerate() {
            if spot.pattern.anchors().contains(&Anchor::Words) {
                self.place(number, all.clone());
            }
        }
    }

    /// A pattern may begin right here.
    fn begin(&mut self, number: usize, at: usize) {
        let Some(spot) = self.plan.spots.get(number) else {
            return;
        };
        let upto = self.reached.spot(number);
        let range = at..at + 1;
        if at >= upto
            && self.looks(spot)
            && self.may_be_named(spot, at)
            && self.next(spot, range.clone()).is_some()
            && self.is_fresh(spot, &range)
        {
            let found = self.seen.found.len();
            let next = self.try_one(spot, at);
            // Only a match rules out what begins in it: hits come by their ends,
            // so one that began earlier may still follow.
            if self.seen.found.len() > found {
                self.reached.set_spot(number, next);
            }
        }
    }

    /// Whether a context word is near, where there must be one.
    fn may_be_named(&self, spot: &Spot, at: usize) -> bool {
        let upto = || spot.rule.map_or(0, |rule| self.reached.name(rule));
        !spot.named || self.task.explain || at < upto()
    }

    /// What is the same in the view that this one was made of was found there.
    fn is_fresh(&self, spot: &Spot, range: &Range<usize>) -> bool {
        let (before, behind) = spot.reach;
        let stretch = range.start.saturating_sub(before)..range.end.saturating_add(behind);
        self.view.is_fresh(&stretch)
    }

    /// What began in a text that was released counts only over a seam.
    fn alive(&mut self, at: usize) {
        if self.task.seam.is_none() && self.view.source_start(at) < self.task.from {
            return;
        }
        self.seen.alive = Some(self.seen.alive.map_or(at, |first| first.min(at)));
    }

    /// Nothing more is tried, and so nothing more found.
    const fn is_spent(&self) -> bool {
        self.seen.work > self.work_max || self.seen.found.len() > FINDINGS_MAX
    }

    /// Tries a pattern at one place; answers where to go on.
    fn try_one(&mut self, spot: &Spot, at: usize) -> usize {
        if self.is_spent() {
            self.seen.failed = true;
            return usize::MAX;
        }
        let work = self.seen.work;
        let next = self.try_at(spot, at).unwrap_or(usize::MAX);
        worked(HIT_BYTES + self.seen.work - work);
        next
    }

    fn looks(&self, spot: &Spot) -> bool {
        match spot.rule {
            Some(_) => spot.looks(self.task.direction),
            // A placeholder that is still being written.
            None => self.view.open && self.view.kind == Reading::Plain,
        }
    }

    /// The first place in a range where a pattern may begin.
    fn next(&self, spot: &Spot, range: Range<usize>) -> Option<usize> {
        let text = &*self.view.text;
        let from = range.start;
        let bytes = text.as_bytes().get(from..range.end.min(text.len()))?;
        let fits = |(index, byte): (usize, &u8)| {
            let at = from + index;
            let begins = spot.first.has(*byte) && text.is_char_boundary(at);
            // Who explains tells also what begins in the middle of a word.
            let left = || self.task.explain || self.left_fits(spot, at);
            (begins && left() && self.is_long(spot, at)).then_some(at)
        };
        bytes.iter().enumerate().find_map(fits)
    }

    /// Whether letters and digits enough stand there, or may still come.
    fn is_long(&self, spot: &Spot, start: usize) -> bool {
        let least = spot.run_min;
        let bytes = self.view.text.as_bytes();
        let here = bytes.get(start..start.saturating_add(least));
        match here {
            Some(here) => here.iter().all(u8::is_ascii_alphanumeric),
            None => self.view.open,
        }
    }

    fn left_fits(&self, spot: &Spot, start: usize) -> bool {
        spot.left.allows_at(&self.view.text, start) || self.is_seam(start)
    }

    /// A seam between two parts is a boundary as well as none.
    fn is_seam(&self, at: usize) -> bool {
        self.task
            .seam
            .is_some_and(|seam| seam == self.view.source_start(at))
    }

    /// Tries a pattern at one place; answers where to go on, or nothing when it
    /// could not be tried.
    fn try_at(&mut self, spot: &Spot, start: usize) -> Option<usize> {
        let text = &*self.view.text;
        let Ok(tried) = spot.pattern.try_at(text.as_bytes(), start) else {
            self.seen.failed = true;
            return None;
        };
        self.seen.work += tried.bytes;
        if tried.alive && self.view.open {
            self.alive(start);
        }
        // What was swallowed may hold the true match.
        let next = next_char(text, start);
        let (Some(end), Some(number)) = (tried.end, spot.rule) else {
            return Some(next);
        };
        let Some(rule) = self.rules.get(number) else {
            return Some(next);
        };
        if self.task.explain && !self.left_fits(spot, start) {
            self.refuse(rule, &(start..end), Why::Before);
            return Some(next);
        }
        if rule.closer.is_some() {
            return Some(self.opened(rule, number, &(start..end)));
        }
        self.seen.work += ACCEPT_BYTES + ACCEPT_FACTOR * (end - start);
        match self.accept(rule, &(start..end)) {
            Ok((valid, score)) => {
                let unsettled = self.view.open && valid.looked >= text.len();
                if unsettled {
                    // Its name has to stay with it.
                    self.alive(start);
                }
                // The name before a value stays as it is.
                let begins = rule.detector.validator.value_start(text, &(start..end));
                self.found(rule, &(begins..valid.end), score, unsettled, None);
                Some(valid.end.max(next))
            }
            Err(why) => {
                if self.task.explain {
                    self.refuse(rule, &(start..end), why);
                    if why == Why::Context {
                        // It is only told: what begins in it is one with it.
                        return Some(end.max(next));
                    }
                }
                Some(next)
            }
        }
    }
}
