use serde_json::json;

use super::*;
use crate::count::tests::{NOON_MS, admitted, closed};

const DAY_MS: u64 = 86_400_000;

fn today() -> Day {
    Day::of_ms(NOON_MS)
}

/// Counts these entries as of `until`, and records the day.
fn record(log: &[Leaf], until: usize) -> Vec<HeadCount> {
    let days = Days {
        since: Some(today()),
        until: Some(today()),
    };
    let mut counting = Counting::new(days);
    log.iter().take(until).for_each(|leaf| counting.add(leaf));
    let span = (0, until as u64);
    leaves(today(), &counting.end(), NOON_MS + DAY_MS, span, &|_| true)
}

fn with_record(mut log: Vec<Leaf>, record: Vec<HeadCount>) -> Vec<Leaf> {
    log.extend(
        record
            .into_iter()
            .map(|leaf| Leaf::HeadCount(Box::new(leaf))),
    );
    log
}

fn recorded(log: &[Leaf]) -> Recorded {
    let mut all = Recorded::default();
    for leaf in log {
        if let Leaf::HeadCount(leaf) = leaf {
            all.add(leaf);
        }
    }
    all
}

/// Holds a log's head-counts against it, its first entries pruned.
fn compare(log: &[Leaf], first: usize) -> Compared {
    let at_ms = log.get(first).map_or(0, Leaf::at_ms);
    let mut comparing = Comparing::new(recorded(log), (first as u64, at_ms));
    for (sequence, leaf) in log.iter().enumerate().skip(first) {
        comparing.add(sequence as u64, leaf);
    }
    comparing.end(log.len() as u64)
}

fn some() -> Vec<Leaf> {
    vec![
        admitted(1, &[]),
        closed(1, &[]),
        admitted(2, &[("/caller/key", json!("mk-ba9876543210"))]),
        admitted(3, &[]),
        closed(3, &[("/usage", json!(null))]),
        // Of the day before.
        admitted(4, &[("/at_ms", json!(NOON_MS - DAY_MS))]),
    ]
}

#[test]
fn a_head_count_says_what_the_entries_said_when_it_was_counted() {
    let parts = record(&some(), 6);
    assert_eq!(parts.len(), 1);
    let rows = &parts[0].rows;
    assert_eq!((parts[0].part, parts[0].parts, rows.len()), (1, 1, 2));
    assert_eq!((rows[0].admitted, rows[0].closed, rows[0].open), (2, 2, 0));
    assert_eq!((rows[0].requests, rows[0].without_usage), (2, 1));
    assert_eq!((rows[0].input_tokens, rows[0].output_tokens), (10, 4));
    assert_eq!(rows[0].without_usage_bytes, 100);
    assert_eq!((rows[1].admitted, rows[1].closed, rows[1].open), (1, 0, 1));
    let mut log = with_record(some(), parts);
    // What ends or comes later changes nothing of it.
    log.extend([closed(2, &[]), admitted(5, &[]), closed(5, &[])]);
    let compared = compare(&log, 0);
    assert!(compared.is_sound(), "{compared:?}");
    assert_eq!((compared.recorded, compared.equal), (1, 1));
}

#[test]
fn a_difference_is_named() {
    let mut parts = record(&some(), 6);
    parts[0].rows[0].input_tokens += 1;
    let gone = parts[0].rows.pop().unwrap();
    let compared = compare(&with_record(some(), parts), 0);
    assert!(!compared.is_sound());
    assert_eq!((compared.recorded, compared.equal), (1, 0));
    let [tokens, missing] = &compared.differences[..] else {
        panic!("{compared:?}");
    };
    assert_eq!(tokens.recorded.unwrap().input_tokens, 11);
    assert_eq!(tokens.entries.unwrap().input_tokens, 10);
    assert_eq!(
        (missing.recorded, missing.group.key.clone()),
        (None, gone.key)
    );
    // An entry that was left out is a difference too.
    let mut log = with_record(some(), record(&some(), 6));
    log.remove(4);
    log.insert(0, admitted(9, &[("/at_ms", json!(NOON_MS - DAY_MS))]));
    // The row of the model that answered, and one of the model asked for.
    assert_eq!(compare(&log, 0).differences.len(), 2);
}

#[test]
fn what_was_pruned_is_not_compared_and_is_still_known() {
    let mut log = with_record(some(), record(&some(), 6));
    log.push(admitted(7, &[("/at_ms", json!(NOON_MS + DAY_MS))]));
    let compared = compare(&log, 2);
    assert!(compared.is_sound());
    assert_eq!((compared.equal, compared.not_compared), (0, 1));
    let groups = recorded(&log).groups(today()).unwrap();
    assert_eq!(groups.values().map(|tally| tally.admitted).sum::<u64>(), 3);
    // Entries of other days that were pruned since are not needed.
    let mut log = vec![admitted(8, &[("/at_ms", json!(NOON_MS - DAY_MS))])];
    log.extend(some());
    let parts = record(&log, 7);
    let compared = compare(&with_record(log, parts), 1);
    assert_eq!(
        compared.not_compared, 1,
        "the day of the first entry may be cut"
    );
}

#[test]
fn many_rows_stand_in_several_numbered_entries() {
    let mut log = Vec::new();
    for number in 0..200_u64 {
        let key = json!(format!("mk-{number:012x}"));
        log.push(admitted(number, &[("/caller/key", key)]));
        log.push(closed(number, &[]));
    }
    let parts = record(&log, 400);
    let sizes: Vec<usize> = parts.iter().map(|part| part.rows.len()).collect();
    assert_eq!(sizes, [64, 64, 64, 8]);
    let numbers: Vec<(u32, u32)> = parts.iter().map(|part| (part.part, part.parts)).collect();
    assert_eq!(numbers, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    let whole = with_record(log.clone(), parts.clone());
    assert_eq!(compare(&whole, 0).equal, 1);
    // One part is missing: the day counts as not recorded, and is due.
    let part_of = with_record(log.clone(), parts[..3].to_vec());
    let compared = compare(&part_of, 0);
    assert_eq!((compared.recorded, compared.broken_off), (0, 1));
    assert!(recorded(&part_of).groups(today()).is_none());
    let due = recorded(&part_of).due(NOON_MS + 2 * DAY_MS, (0, NOON_MS));
    assert_eq!(due, [today(), today().next()]);
    assert_eq!(recorded(&part_of).begun(today()).unwrap().0.len(), 3);
    // Rows that are too long for one entry are parted earlier.
    let mut counting = Counting::new(Days::default());
    log.iter().for_each(|leaf| counting.add(leaf));
    let few = |entry: &HeadCount| entry.rows.len() <= 3;
    let parts = leaves(today(), &counting.end(), 0, (0, 400), &few);
    assert!(parts.len() == 67 && parts.iter().all(few));
}

#[test]
fn a_day_is_due_once_it_ended_and_only_until_it_is_recorded() {
    let empty = Recorded::default();
    let (first, noon) = ((0, NOON_MS), NOON_MS);
    let midnight = Day::of_ms(noon).next().starts_seconds() * 1_000;
    let settled = midnight + SETTLE_SECONDS * 1_000;
    assert_eq!(empty.due(noon, first), []);
    assert_eq!(empty.due(settled - 1, first), []);
    assert_eq!(empty.due(settled, first), [today()]);
    assert_eq!(empty.due(0, first), []);
    // Days without an entry are counted as well, the newest ones.
    assert_eq!(empty.due(settled + DAY_MS, first).len(), 2);
    let late = empty.due(settled + 1_000 * DAY_MS, first);
    assert_eq!(late.len(), usize::try_from(DAYS_AT_ONCE_MAX).unwrap());
    assert_eq!(
        late.last().copied(),
        Some(Day::of_ms(noon + 1_000 * DAY_MS))
    );
    // Of the day of the first entry behind pruned ones, not all is there.
    assert_eq!(empty.due(settled, (9, noon)), []);
    // Recorded: not again, whatever the clock says.
    let known = recorded(&with_record(some(), record(&some(), 6)));
    for now_ms in [settled, settled + 1, noon, midnight, settled + DAY_MS - 1] {
        assert_eq!(known.due(now_ms, first), [], "{now_ms}");
    }
    assert_eq!(known.due(settled + DAY_MS, first), [today().next()]);
}

#[test]
fn twice_is_a_fault_and_carried_on_is_none() {
    let part = record(&some(), 6).remove(0);
    let faults = |more: HeadCount| {
        let log = with_record(some(), vec![part.clone(), more]);
        recorded(&log).faults
    };
    assert_eq!(faults(part.clone()).len(), 1);
    let carried = HeadCount {
        carried: Some(6),
        ..part.clone()
    };
    assert_eq!(faults(carried.clone()), []);
    let mut other = carried.clone();
    other.rows[0].admitted += 1;
    assert_eq!(faults(other).len(), 1);
    let again = HeadCount {
        entries: 7,
        ..carried.clone()
    };
    assert_eq!(faults(again).len(), 1);
    for wrong in [("yesterday", 1), ("2026-11-26", 2), ("2026-11-26", 0)] {
        let odd = HeadCount {
            day: wrong.0.to_owned(),
            part: wrong.1,
            ..carried.clone()
        };
        assert_eq!(faults(odd).len(), 1, "{wrong:?}");
    }
    // Alone, once what it repeats was pruned.
    assert!(
        recorded(&with_record(Vec::new(), vec![carried]))
            .groups(today())
            .is_some()
    );
}
