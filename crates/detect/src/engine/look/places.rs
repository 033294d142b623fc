//! Places that are known before they are tried: a context word may stand before
//! many, and what begins earlier is tried first.

use std::ops::Range;

use super::Looking;

/// Places that wait until some are tried, of 12 bytes each: in a text of
/// addresses there are six for each byte. Few enough to be put in order without
/// a pause. Tests try them sooner.
pub(super) const MANY: usize = if cfg!(test) { 64 } else { 16 << 10 };
/// LIMIT: those that wait on.
const WAITING_MAX: usize = 128 << 10;
/// What is found by a text of the index, or by a row of digits, begins at most
/// so many bytes before it.
const BEFORE_BYTES_MAX: usize = 256;

/// Patterns by their numbers, and where in a view they may begin.
pub(super) type Place = (u32, Range<u32>);

impl Looking<'_> {
    /// A pattern may begin somewhere here: it is tried when all places before
    /// are known.
    pub(super) fn place(&mut self, number: usize, range: Range<usize>) {
        let Some(spot) = self.plan.spots.get(number) else {
            return;
        };
        if self.looks(spot)
            && self.may_be_named(spot, range.start)
            && self.next(spot, range.clone()).is_some()
            && self.is_fresh(spot, &range)
        {
            let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let place = narrow(range.start)..narrow(range.end);
            self.places.push((narrow(number), place));
        }
    }

    /// Tries what no later place can begin before, if many wait. All hits that
    /// end before `upto` are known.
    pub(super) fn try_some(&mut self, upto: usize) {
        // Who explains tells what was refused in the order of all.
        if self.places.len() < self.places_many || self.task.explain {
            return;
        }
        let settled = upto.saturating_sub(BEFORE_BYTES_MAX + self.plan.index.reach_bytes());
        let places = std::mem::take(&mut self.places);
        let is_settled = |(_, range): &Place| (range.start as usize) < settled;
        let (now, later): (Vec<Place>, Vec<Place>) = places.into_iter().partition(is_settled);
        self.seen.failed |= later.len() > WAITING_MAX;
        // Those that wait on are not gone through again before as many came.
        self.places_many = MANY.max(2 * later.len());
        self.places = later;
        self.try_places(now, true);
    }

    /// Tries what is left.
    pub(super) fn try_all(&mut self) {
        let places = std::mem::take(&mut self.places);
        self.try_places(places, false);
    }

    /// `more` says that others of the same patterns follow.
    fn try_places(&mut self, mut places: Vec<Place>, more: bool) {
        places.sort_unstable_by_key(|(spot, range)| (*spot, range.start));
        for of_one in places.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((number, _)) = of_one.first() else {
                continue;
            };
            let Some(spot) = self.plan.spots.get(*number as usize) else {
                continue;
            };
            // Up to where the pattern was tried.
            let mut upto = self.tried.get(number).copied().unwrap_or(0);
            for (_, range) in of_one {
                let (start, end) = (range.start as usize, range.end as usize);
                while let Some(start) = self.next(spot, upto.max(start)..end) {
                    if self.seen.failed {
                        return;
                    }
                    upto = self.try_one(spot, start);
                }
            }
            if more {
                self.tried.insert(*number, upto);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Catalogue, Engine};

    #[test]
    fn nothing_begins_further_before_what_it_is_known_by() {
        let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
        let plan = &engine.0.plan;
        let begins = plan.uses.iter().flat_map(|uses| &uses.begins);
        let most = begins.map(|begin| begin.most).max().unwrap();
        // Before a row of digits no more than a byte can say.
        assert!(most.max(usize::from(u8::MAX)) <= BEFORE_BYTES_MAX);
    }
}
