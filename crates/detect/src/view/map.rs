//! Which source bytes each byte of a view stands for.

use std::ops::Range;

/// A stretch of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// Where it begins in the view.
    at: u32,
    /// The source bytes it stands for.
    from: u32,
    to: u32,
    /// Whether each byte stands for one, or all of them for all.
    plain: bool,
}

/// The map of one view; empty where each byte stands for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Map {
    runs: Vec<Run>,
    /// Bytes of the view.
    length: usize,
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
            && last.plain
            && last.to == narrow(from)
        {
            last.to = narrow(from + count);
        } else {
            self.runs.push(Run {
                at: narrow(self.length),
                from: narrow(from),
                to: narrow(from + count),
                plain: true,
            });
        }
        self.length += count;
    }

    /// Adds bytes that stand for these source bytes together.
    pub(super) fn together(&mut self, count: usize, source: &Range<usize>) {
        if count == 0 {
            return;
        }
        let run = Run {
            at: narrow(self.length),
            from: narrow(source.start),
            to: narrow(source.end),
            plain: false,
        };
        let goes_on = |last: &Run| !last.plain && (last.from, last.to) == (run.from, run.to);
        if !self.runs.last().is_some_and(goes_on) {
            self.runs.push(run);
        }
        self.length += count;
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
            let end = self.runs.last().map_or(0, |run| run.to as usize);
            return end..end;
        }
        let run = self.runs.get(self.run_at(at));
        run.map_or(0..0, |run| run.source(at))
    }

    /// The first byte of the view that stands for the source at or after
    /// `from`.
    pub(super) fn view_start(&self, from: usize) -> usize {
        let before = self.runs.partition_point(|run| {
            if run.plain {
                (run.to as usize) <= from
            } else {
                (run.from as usize) < from
            }
        });
        match self.runs.get(before) {
            Some(run) if run.plain => run.at as usize + from.saturating_sub(run.from as usize),
            Some(run) => run.at as usize,
            None => self.length,
        }
    }

    /// Where the view is not the source as it is: stretches that stand for
    /// others, and places where something of the source, which has so many
    /// bytes, is left out. In order, none touching.
    pub(super) fn edits(&self, source_bytes: usize) -> Vec<Range<usize>> {
        let mut edits: Vec<Range<usize>> = Vec::new();
        let mut source = 0;
        for (number, run) in self.runs.iter().enumerate() {
            let at = run.at as usize;
            let next = self
                .runs
                .get(number + 1)
                .map_or(self.length, |run| run.at as usize);
            let left_out = source != run.from;
            source = run.to;
            let edit = match (run.plain, left_out) {
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
        let plain = self.runs.iter().filter(|run| run.plain);
        plain.map(|run| (run.at as usize, run.from as usize..run.to as usize))
    }

    /// Adds a part of another map.
    pub(super) fn extend(&mut self, other: &Self, part: &Range<usize>) {
        let mut at = part.start;
        let mut number = other.run_at(at);
        while at < part.end {
            let Some(run) = other.runs.get(number) else {
                return;
            };
            let next = other
                .runs
                .get(number + 1)
                .map_or(other.length, |run| run.at as usize);
            let count = next.min(part.end).saturating_sub(at);
            if run.plain {
                self.plain(count, run.source(at).start);
            } else {
                self.together(count, &run.source(at));
            }
            at += count;
            number += 1;
        }
    }

    /// The map of a view of a view: this one leads to places of the parent.
    pub(super) fn through(&self, parent: &Self) -> Self {
        let mut out = Self::default();
        for (number, run) in self.runs.iter().enumerate() {
            let (from, to) = (run.from as usize, run.to as usize);
            if run.plain {
                out.extend(parent, &(from..to));
            } else {
                let next = self
                    .runs
                    .get(number + 1)
                    .map_or(self.length, |run| run.at as usize);
                let start = parent.source(from).start;
                let end = to
                    .checked_sub(1)
                    .map_or(start, |last| parent.source(last).end);
                out.together(next - run.at as usize, &(start..end.max(start)));
            }
        }
        out
    }
}

impl Run {
    fn source(&self, at: usize) -> Range<usize> {
        if self.plain {
            let start = self.from as usize + (at - self.at as usize);
            start..start + 1
        } else {
            self.from as usize..self.to as usize
        }
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
