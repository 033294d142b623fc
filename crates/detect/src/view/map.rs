//! Which source bytes each byte of a view stands for.

use std::ops::Range;

use terms::worked;

/// A stretch of a view: units in a row, each standing for as many source bytes
/// as the next. Text that is encoded throughout is one stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// Where it begins in the view.
    at: u32,
    /// Where its source bytes begin.
    from: u32,
    units: u32,
    unit: Unit,
}

/// Bytes of a unit in the view, and of the source that they stand for together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unit(u32, u32);

impl Unit {
    /// The source as it is, byte for byte. Others have a byte in the view.
    const PLAIN: Self = Self(0, 0);

    const fn is_plain(self) -> bool {
        self.0 == 0
    }

    /// Bytes in the view.
    const fn bytes(self) -> u32 {
        if self.is_plain() { 1 } else { self.0 }
    }

    /// Bytes of the source.
    const fn source_bytes(self) -> u32 {
        if self.is_plain() { 1 } else { self.1 }
    }
}

impl Run {
    /// Where its source bytes end.
    const fn to(&self) -> u32 {
        let bytes = self.units.saturating_mul(self.unit.source_bytes());
        self.from.saturating_add(bytes)
    }

    /// Whether its last unit begins before this place of the source.
    fn begins_before(&self, from: usize) -> bool {
        self.unit_source(self.units.saturating_sub(1)).start < from
    }

    /// The number of the unit that holds a byte of the view.
    fn unit_at(&self, at: usize) -> u32 {
        let inside = narrow(at).saturating_sub(self.at);
        inside.checked_div(self.unit.bytes()).unwrap_or(0)
    }

    /// Where a unit ends in the view.
    fn unit_end(&self, unit: u32) -> usize {
        self.at as usize + (unit as usize + 1) * self.unit.bytes() as usize
    }

    /// The source bytes of a unit.
    fn unit_source(&self, unit: u32) -> Range<usize> {
        let bytes = self.unit.source_bytes() as usize;
        let start = self.from as usize + unit as usize * bytes;
        start..start + bytes
    }

    fn source(&self, at: usize) -> Range<usize> {
        self.unit_source(self.unit_at(at))
    }
}

/// LIMIT: runs of a map, of 20 bytes each: the text leaves a reading and comes
/// back to it half as often.
const RUNS_MAX: usize = 3 << 20;
/// LIMIT: bytes of a view that is longer than its source. There are characters
/// that stand for eighteen others.
const VIEW_BYTES_MAX: usize = 64 << 20;

/// The map of one view; empty where each byte stands for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Map {
    /// The last one is a single unit that may still grow, unless it is plain.
    runs: Vec<Run>,
    /// Bytes of the view.
    length: usize,
    /// The view is longer, or more runs would have been needed, than may be.
    full: bool,
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Map {
    /// Adds bytes that stand for the source bytes from `from` on, one for one.
    pub(super) fn plain(&mut self, count: usize, from: usize) {
        if count == 0 {
            return;
        }
        if let Some(last) = self.runs.last_mut()
            && last.unit.is_plain()
            && last.to() == narrow(from)
        {
            last.units = last.units.saturating_add(narrow(count));
        } else {
            self.fold();
            self.add(Run {
                at: narrow(self.length),
                from: narrow(from),
                units: narrow(count),
                unit: Unit::PLAIN,
            });
        }
        self.length += count;
    }

    /// Adds bytes that stand for these source bytes together.
    pub(super) fn together(&mut self, count: usize, source: &Range<usize>) {
        if count == 0 {
            return;
        }
        let bytes = narrow(source.end.saturating_sub(source.start));
        let last = self.runs.last_mut().filter(|last| !last.unit.is_plain());
        match last {
            Some(last) if (last.from, last.unit.1) == (narrow(source.start), bytes) => {
                last.unit.0 = last.unit.0.saturating_add(narrow(count));
            }
            _ => {
                self.fold();
                self.add(Run {
                    at: narrow(self.length),
                    from: narrow(source.start),
                    units: 1,
                    unit: Unit(narrow(count), bytes),
                });
            }
        }
        self.length += count;
        self.full |= self.length > VIEW_BYTES_MAX.max(source.end);
    }

    fn add(&mut self, run: Run) {
        worked(size_of::<Run>());
        if self.runs.len() < RUNS_MAX {
            self.runs.push(run);
        } else {
            self.full = true;
        }
    }

    /// Whether it leads nowhere for a part of the view.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// The last unit is whole: it may be one more of the run before it.
    fn fold(&mut self) {
        let [.., before, last] = self.runs.as_mut_slice() else {
            return;
        };
        if !last.unit.is_plain()
            && last.unit == before.unit
            && last.from == before.to()
            && last.unit.source_bytes() > 0
        {
            before.units = before.units.saturating_add(1);
            self.runs.pop();
        }
    }

    /// Gives back what it does not need.
    pub(super) fn shrink_to_fit(&mut self) {
        self.runs.shrink_to_fit();
    }

    /// The number of the run that holds a byte of the view.
    fn run_at(&self, at: usize) -> usize {
        self.runs
            .partition_point(|run| run.at as usize <= at)
            .saturating_sub(1)
    }

    /// The source bytes of one byte of the view; behind the last one, the end.
    pub(super) fn source(&self, at: usize) -> Range<usize> {
        if at >= self.length {
            let end = self.runs.last().map_or(0, |run| run.to() as usize);
            return end..end;
        }
        let run = self.runs.get(self.run_at(at));
        run.map_or(0..0, |run| run.source(at))
    }

    /// The first byte of the view that stands for the source at or after
    /// `from`.
    pub(super) fn view_start(&self, from: usize) -> usize {
        let before = self.runs.partition_point(|run| run.begins_before(from));
        self.start_in(before, from)
    }

    /// Likewise, when so many runs stand before it.
    fn start_in(&self, before: usize, from: usize) -> usize {
        let Some(run) = self.runs.get(before) else {
            return self.length;
        };
        let missing = from.saturating_sub(run.from as usize);
        let units = missing.div_ceil((run.unit.source_bytes() as usize).max(1));
        run.at as usize + units * run.unit.bytes() as usize
    }

    /// Where the view stands for one of the bytes of each of these stretches of
    /// the source, which come in order; between two bytes where it stands for
    /// none.
    pub(super) fn covering(&self, stretches: &[Range<usize>]) -> Vec<Range<usize>> {
        // Runs before the beginning of a stretch, and before its end.
        let (mut starts, mut ends) = (0, 0);
        let covering = stretches.iter().map(|source| {
            starts = self.passed(starts, |run| run.to() as usize <= source.start);
            ends = self.passed(ends, |run| run.begins_before(source.end));
            self.covered(source, starts, ends)
        });
        covering.collect()
    }

    /// The first run that is not like this; those before `from` are.
    fn passed(&self, from: usize, like: impl Fn(&Run) -> bool) -> usize {
        let rest = self.runs.get(from..).unwrap_or_default();
        let like = |run: &&Run| {
            worked(size_of::<Run>());
            like(run)
        };
        from + rest.iter().take_while(like).count()
    }

    fn covered(&self, source: &Range<usize>, before: usize, ends: usize) -> Range<usize> {
        let start = self.runs.get(before).map_or(self.length, |run| {
            let missing = source.start.saturating_sub(run.from as usize);
            let unit = missing
                .checked_div(run.unit.source_bytes() as usize)
                .unwrap_or(0);
            run.at as usize + unit * run.unit.bytes() as usize
        });
        start..self.start_in(ends, source.end).max(start)
    }

    /// Where the view is not the source as it is: stretches that stand for
    /// others, and places where something of the source, which has so many
    /// bytes, is left out. In order, none touching.
    pub(super) fn edits(&self, source_bytes: usize) -> Vec<Range<usize>> {
        let mut edits: Vec<Range<usize>> = Vec::new();
        let mut source = 0;
        for run in &self.runs {
            worked(size_of::<Run>());
            let at = run.at as usize;
            let next = run.unit_end(run.units.saturating_sub(1));
            let left_out = source != run.from;
            source = run.to();
            let edit = match (run.unit.is_plain(), left_out) {
                (false, _) => at..next,
                (true, true) => at..at,
                (true, false) => continue,
            };
            match edits.last_mut() {
                Some(last) if last.end >= edit.start => last.end = last.end.max(edit.end),
                Some(_) | None => edits.push(edit),
            }
        }
        let end = self.length..self.length;
        if source != narrow(source_bytes) && edits.last().is_none_or(|last| last.end < self.length)
        {
            edits.push(end);
        }
        edits
    }

    /// Stretches that are as in the source: where each begins in the view, and
    /// its source bytes.
    pub(super) fn unchanged(&self) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let plain = self.runs.iter().filter(|run| run.unit.is_plain());
        plain.map(|run| (run.at as usize, run.from as usize..run.to() as usize))
    }

    /// Adds a part of another map.
    pub(super) fn extend(&mut self, other: &Self, part: &Range<usize>) {
        self.full |= other.full;
        let mut at = part.start;
        let mut number = other.run_at(at);
        while at < part.end {
            let Some(run) = other.runs.get(number) else {
                return;
            };
            let end = run.unit_end(run.units.saturating_sub(1)).min(part.end);
            if run.unit.is_plain() {
                self.plain(end.saturating_sub(at), run.source(at).start);
                at = end.max(at);
            }
            while at < end {
                let unit = run.unit_at(at);
                let next = run.unit_end(unit).min(end);
                self.together(next - at, &run.unit_source(unit));
                at = next;
            }
            number += 1;
        }
    }

    /// The map of a view of a view: this one leads to places of the parent.
    pub(super) fn through(&self, parent: &Self) -> Self {
        let mut out = Self {
            full: self.full || parent.full,
            ..Self::default()
        };
        for run in &self.runs {
            if run.unit.is_plain() {
                out.extend(parent, &(run.from as usize..run.to() as usize));
                continue;
            }
            for unit in 0..run.units {
                let source = run.unit_source(unit);
                let start = parent.source(source.start).start;
                let last = source.end.checked_sub(1).filter(|_| !source.is_empty());
                let end = last.map_or(start, |last| parent.source(last).end);
                out.together(run.unit.bytes() as usize, &(start..end.max(start)));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the map says, byte by byte.
    fn bytes(map: &Map) -> Vec<Range<usize>> {
        (0..map.length).map(|at| map.source(at)).collect()
    }

    fn made(parts: &[(bool, usize, usize)]) -> (Map, Vec<Range<usize>>) {
        let (mut map, mut slow, mut from) = (Map::default(), Vec::new(), 0);
        for (plain, count, gap) in parts {
            from += gap;
            if *plain {
                map.plain(*count, from);
                slow.extend((0..*count).map(|at| from + at..from + at + 1));
                from += count;
            } else {
                map.together(*count, &(from..from + count + 1));
                slow.extend((0..*count).map(|_| from..from + count + 1));
                from += count + 1;
            }
        }
        (map, slow)
    }

    #[test]
    fn what_is_encoded_throughout_is_one_stretch() {
        let mut map = Map::default();
        for unit in 0..10_000 {
            for _ in 0..3 {
                map.together(1, &(4 * unit..4 * unit + 4));
            }
        }
        assert_eq!(map.runs.len(), 2);
        assert_eq!(map.source(29_998), 4 * 9_999..40_000);
        assert_eq!(map.view_start(4 * 500 - 1), 1_500);
        let mut part = Map::default();
        part.extend(&map, &(4..29_000));
        assert!(part.runs.len() <= 4);
        assert_eq!((part.source(0), part.source(2)), (4..8, 8..12));
    }

    #[test]
    fn what_is_full_fills_what_is_made_of_it() {
        let mut map = Map::default();
        map.together(VIEW_BYTES_MAX + 1, &(0..3));
        assert!(map.is_full());
        let mut other = Map::default();
        other.extend(&map, &(0..10));
        assert!(other.is_full() && Map::default().through(&map).is_full());
    }

    proptest! {
        #[test]
        fn a_map_is_what_its_bytes_say(
            parts in prop::collection::vec((any::<bool>(), 0_usize..5, 0_usize..3), 0..12),
            outer in prop::collection::vec((any::<bool>(), 1_usize..4, 0_usize..2), 0..8),
            place in 0_usize..60,
        ) {
            let (map, slow) = made(&parts);
            prop_assert_eq!(bytes(&map), slow.clone());
            let first = slow.iter().position(|range| range.start >= place);
            prop_assert_eq!(map.view_start(place), first.unwrap_or(slow.len()));
            // What stands for a part of the source covers it, and nothing else.
            let part = place..place + 3;
            let around = [place.saturating_sub(5)..place.saturating_sub(4), place.saturating_sub(2)..place, part.clone()];
            let covered = map.covering(std::slice::from_ref(&part)).remove(0);
            prop_assert_eq!(map.covering(&around).pop(), Some(covered.clone()));
            for (at, range) in slow.iter().enumerate() {
                let stands = range.start < part.end && part.start < range.end;
                prop_assert_eq!(stands, covered.contains(&at), "{} {:?}", at, covered);
            }
            prop_assert_eq!(map.covering(std::slice::from_ref(&(place..place)))[0].is_empty(), !slow.iter().any(|range| range.start < place && place < range.end));
            // What is no edit lies side by side in the source.
            let total = slow.last().map_or(0, |range| range.end) + usize::from(place > 30);
            let edits = map.edits(total);
            let edited = |at: usize| edits.iter().any(|edit| edit.start <= at && at <= edit.end);
            prop_assert!(place <= 30 || edited(slow.len()));
            for at in (1..slow.len()).filter(|at| !edited(*at) && !edited(at - 1)) {
                prop_assert_eq!(slow[at].start, slow[at - 1].end);
                prop_assert_eq!(slow[at].len(), 1);
            }
            // A view of this view.
            let (child, child_slow) = made(&outer);
            prop_assume!(child_slow.iter().all(|range| range.end <= slow.len()));
            let through: Vec<Range<usize>> = child_slow
                .iter()
                .map(|range| slow[range.start].start..slow[range.end - 1].end)
                .collect();
            prop_assert_eq!(bytes(&child.through(&map)), through);
        }
    }
}
