//! Head-counts that the log itself holds: one of each day, in one entry or
//! several. They stand for a day whose entries were pruned, and are held
//! against the entries where these are still there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use terms::{HeadCount, HeadCountRow, Leaf, RECORD_VERSION};
use thiserror::Error;

use super::{Counting, DAY_SECONDS, Day, Days, Group, HeadCounts, Tally};

/// LIMIT: rows of one entry; further ones stand in further entries, which are
/// numbered.
pub const ROWS_MAX: usize = 64;
/// LIMIT: days that are counted at once, the newest of those that lack a
/// head-count.
pub const DAYS_AT_ONCE_MAX: u64 = 31;
/// Seconds after a day's end at which it is counted: what ran by then has
/// mostly ended.
pub const SETTLE_SECONDS: u64 = 600;
/// Numbers beyond this are not exact in every reader of JSON.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// What is wrong with a head-count by itself.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[error("the head-count of {day}: {why}")]
pub struct RecordFault {
    /// The day, as the entry has it.
    pub day: String,
    /// What is wrong.
    pub why: &'static str,
}

/// One day's head-count, as far as its parts are there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    /// The first entry that was counted, and the first that was not.
    span: (u64, u64),
    parts: u32,
    rows: BTreeMap<u32, (Vec<HeadCountRow>, u64)>,
}

impl Record {
    fn is_whole(&self) -> bool {
        u32::try_from(self.rows.len()).is_ok_and(|count| count == self.parts)
    }

    fn groups(&self, day: Day) -> BTreeMap<Group, Tally> {
        let rows = self.rows.values().flat_map(|(rows, _)| rows);
        rows.map(|row| (group(day, row), tally(row))).collect()
    }

    fn more(&self) -> u64 {
        self.rows.values().map(|(_, more)| *more).sum()
    }
}

/// The head-counts of a log.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    days: BTreeMap<Day, Record>,
    /// What is wrong with some.
    pub faults: Vec<RecordFault>,
}

impl Recorded {
    /// Reads one. Give all of a log, in order.
    pub fn add(&mut self, leaf: &HeadCount) {
        let mut fault = |why| {
            self.faults.push(RecordFault {
                day: leaf.day.clone(),
                why,
            });
        };
        let Ok(day) = leaf.day.parse::<Day>() else {
            return fault("it is of no day");
        };
        if leaf.part == 0 || leaf.part > leaf.parts {
            return fault("its parts are not numbered as they should be");
        }
        let (span, rows) = ((leaf.first, leaf.entries), (leaf.rows.clone(), leaf.more));
        let record = self.days.entry(day).or_insert_with(|| Record {
            span,
            parts: leaf.parts,
            rows: BTreeMap::new(),
        });
        if record.span != span || record.parts != leaf.parts {
            return fault("it was recorded twice");
        }
        match record.rows.get(&leaf.part) {
            None => {
                record.rows.insert(leaf.part, rows);
            }
            Some(_) if leaf.carried.is_none() => fault("it was recorded twice"),
            Some(known) if *known != rows => fault("what was carried on says something else"),
            Some(_) => {}
        }
    }

    /// Days of which there is a whole head-count.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        let whole = self.days.iter().filter(|(_, record)| record.is_whole());
        whole.map(|(day, _)| *day)
    }

    /// What was counted of a day, if there is a whole head-count of it.
    #[must_use]
    pub fn groups(&self, day: Day) -> Option<BTreeMap<Group, Tally>> {
        let record = self.days.get(&day).filter(|record| record.is_whole())?;
        Some(record.groups(day))
    }

    /// Of a day whose head-count broke off: the parts that are there, and from
    /// which entry to before which one it counted.
    #[must_use]
    pub fn begun(&self, day: Day) -> Option<(BTreeSet<u32>, (u64, u64))> {
        let record = self.days.get(&day)?;
        Some((record.rows.keys().copied().collect(), record.span))
    }

    /// The days that have ended and lack a head-count, at most
    /// [`DAYS_AT_ONCE_MAX`], the oldest first. `first` is the first entry that
    /// is there, with its time: the day of one that others were pruned before
    /// cannot be counted any more.
    #[must_use]
    pub fn due(&self, now_ms: u64, first: (u64, u64)) -> Vec<Day> {
        let settled_ms = now_ms.saturating_sub(SETTLE_SECONDS * 1_000);
        let (last, begin) = (Day::of_ms(settled_ms), Day::of_ms(first.1));
        let mut day = if first.0 > 0 { begin.next() } else { begin };
        let oldest = Day::of_seconds(
            last.starts_seconds()
                .saturating_sub(DAYS_AT_ONCE_MAX * DAY_SECONDS),
        );
        day = day.max(oldest);
        let mut due = Vec::new();
        while day < last {
            if !self.days.get(&day).is_some_and(Record::is_whole) {
                due.push(day);
            }
            day = day.next();
        }
        due
    }
}

/// The entries for a day. `fits` says whether one is short enough for the log.
#[must_use]
pub fn leaves(
    day: Day,
    counts: &HeadCounts,
    at_ms: u64,
    (first, entries): (u64, u64),
    fits: &dyn Fn(&HeadCount) -> bool,
) -> Vec<HeadCount> {
    let entry = |rows: Vec<HeadCountRow>| HeadCount {
        v: RECORD_VERSION,
        at_ms,
        day: day.to_string(),
        part: u32::MAX,
        parts: u32::MAX,
        first,
        entries,
        rows,
        more: NUMBER_MAX,
        carried: Some(NUMBER_MAX),
    };
    let mut parts: Vec<Vec<HeadCountRow>> = vec![Vec::new()];
    for (group, tally) in counts.groups.iter().filter(|(group, _)| group.day == day) {
        let Some(last) = parts.last_mut() else { break };
        last.push(row(group, tally));
        if last.len() > 1 && (last.len() > ROWS_MAX || !fits(&entry(last.clone()))) {
            let over = last.pop();
            parts.push(over.into_iter().collect());
        }
    }
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let more = counts.rest.admitted.saturating_add(counts.rest.refused);
    let numbered = (1..=count).zip(parts);
    numbered
        .map(|(part, rows)| HeadCount {
            part,
            parts: count,
            more: if part == count {
                more.min(NUMBER_MAX)
            } else {
                0
            },
            carried: None,
            ..entry(rows)
        })
        .collect()
}

fn row(group: &Group, tally: &Tally) -> HeadCountRow {
    let exact = |number: u64| number.min(NUMBER_MAX);
    HeadCountRow {
        key: group.key.clone(),
        vendor: group.vendor.clone(),
        model: group.model.clone(),
        admitted: exact(tally.admitted),
        closed: exact(tally.closed),
        requests: exact(tally.requests),
        input_tokens: exact(tally.input_tokens),
        output_tokens: exact(tally.output_tokens),
        cached_tokens: exact(tally.cached_tokens),
        cache_written_tokens: exact(tally.cache_written_tokens),
        without_usage: exact(tally.without_usage),
        without_usage_bytes: exact(tally.without_usage_bytes),
        open: exact(tally.open),
        vendor_refused: exact(tally.vendor_refused),
        unsent: exact(tally.unsent),
        refused: exact(tally.refused),
        counting: exact(tally.counting),
    }
}

fn group(day: Day, row: &HeadCountRow) -> Group {
    Group {
        day,
        key: row.key.clone(),
        vendor: row.vendor.clone(),
        model: row.model.clone(),
    }
}

const fn tally(row: &HeadCountRow) -> Tally {
    Tally {
        admitted: row.admitted,
        closed: row.closed,
        requests: row.requests,
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        cached_tokens: row.cached_tokens,
        cache_written_tokens: row.cache_written_tokens,
        without_usage: row.without_usage,
        without_usage_bytes: row.without_usage_bytes,
        open: row.open,
        vendor_refused: row.vendor_refused,
        unsent: row.unsent,
        refused: row.refused,
        counting: row.counting,
    }
}

/// Where a head-count and the entries that it counted say different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayDifference {
    /// Whose.
    pub group: Group,
    /// What the head-count says; nothing if it has no such row.
    pub recorded: Option<Tally>,
    /// What the entries say.
    pub entries: Option<Tally>,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Days with a whole head-count.
    pub recorded: u64,
    /// Of these, those whose entries are all there and say the same.
    pub equal: u64,
    /// Of these, those whose entries were pruned, or are too many to compare.
    pub not_compared: u64,
    /// Days of which only some parts are there.
    pub broken_off: u64,
    /// Where the others differ.
    pub differences: Vec<DayDifference>,
    /// What is wrong with head-counts by themselves.
    pub faults: Vec<RecordFault>,
}

impl Compared {
    /// Whether no head-count contradicts the entries or another.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.differences.is_empty() && self.faults.is_empty()
    }
}

/// Holds head-counts against the entries, as they were when it was counted.
#[derive(Debug)]
pub struct Comparing {
    recorded: Recorded,
    counting: Counting,
    /// Days by the first entry that was not counted any more.
    marks: BTreeMap<u64, Vec<Day>>,
    compared: Compared,
}

impl Comparing {
    /// Prepares to; `first` is the first entry that is there, with its time.
    #[must_use]
    pub fn new(recorded: Recorded, first: (u64, u64)) -> Self {
        let mut marks: BTreeMap<u64, Vec<Day>> = BTreeMap::new();
        let mut compared = Compared::default();
        let (mut since, mut until) = (None, None);
        for (day, record) in &recorded.days {
            if !record.is_whole() {
                compared.broken_off += 1;
                continue;
            }
            compared.recorded += 1;
            let is_pruned = first.0 > record.span.0 && *day <= Day::of_ms(first.1);
            if is_pruned || record.more() > 0 {
                compared.not_compared += 1;
                continue;
            }
            marks.entry(record.span.1).or_default().push(*day);
            since = since.or(Some(*day));
            until = Some(*day);
        }
        compared.faults.clone_from(&recorded.faults);
        Self {
            counting: Counting::new(Days { since, until }),
            recorded,
            marks,
            compared,
        }
    }

    /// Whether nothing is left to compare.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.marks.is_empty()
    }

    /// Reads one entry. Give every entry of the log, in order.
    pub fn add(&mut self, sequence: u64, leaf: &Leaf) {
        if self.marks.is_empty() {
            return;
        }
        self.reach(sequence);
        self.counting.add(leaf);
    }

    /// Compares the days that were counted up to here.
    fn reach(&mut self, sequence: u64) {
        while let Some(entry) = self.marks.first_entry().filter(|at| *at.key() <= sequence) {
            for day in entry.remove() {
                self.compare(day);
            }
        }
    }

    fn compare(&mut self, day: Day) {
        let (mut counted, rest) = self.counting.take_day(day);
        if rest != Tally::default() {
            self.compared.not_compared += 1;
            return;
        }
        let recorded = self.recorded.groups(day).unwrap_or_default();
        let before = self.compared.differences.len();
        for (group, tally) in recorded {
            let entries = counted.remove(&group);
            if entries != Some(tally) {
                self.compared.differences.push(DayDifference {
                    group,
                    recorded: Some(tally),
                    entries,
                });
            }
        }
        let others = counted.into_iter().map(|(group, tally)| DayDifference {
            group,
            recorded: None,
            entries: Some(tally),
        });
        self.compared.differences.extend(others);
        self.compared.equal += u64::from(self.compared.differences.len() == before);
    }

    /// What came out; `entries` is how many the log has.
    #[must_use]
    pub fn end(mut self, entries: u64) -> Compared {
        self.reach(entries);
        // It counted entries that are not there: the log was cut, and says so
        // elsewhere.
        self.compared.not_compared += self
            .marks
            .values()
            .map(|days| days.len() as u64)
            .sum::<u64>();
        self.compared
    }
}

#[cfg(test)]
mod tests;
