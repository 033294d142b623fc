//! `merestone ledger count`: what went to the vendors, by day, key and model.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use comfy_table::Table;
use govern::count::{Compared, Counting, Day, Days, Group, HeadCounts, Recorded, Tally};
use ledger::{Reader, files::DiskFiles};
use serde_json::{Value, json};
use terms::Leaf;

use crate::{present, state::State};

/// What the ledger holds, and where it begins if it was pruned.
struct Counted {
    counts: HeadCounts,
    pruned: Option<(u64, u64)>,
    /// What head-counts say of days that were pruned.
    recorded: BTreeMap<Group, Tally>,
    compared: Compared,
}

pub(super) fn run(state: &State, days: Days, as_json: bool) -> anyhow::Result<ExitCode> {
    let counted = count(state, days)?;
    if as_json {
        present::say!("{}", document(&counted))?;
    } else {
        tell(&counted)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn count(state: &State, days: Days) -> anyhow::Result<Counted> {
    let mut counting = Counting::new(days);
    let mut reader = Reader::new(Arc::new(DiskFiles), &state.ledger());
    let mut first = None;
    let mut head_counts = Recorded::default();
    while let Some(entry) = reader.read_next()? {
        first.get_or_insert((entry.sequence, entry.leaf.at_ms()));
        counting.add(&entry.leaf);
        if let Leaf::HeadCount(leaf) = &entry.leaf {
            head_counts.add(leaf);
        }
    }
    let pruned = first.filter(|(sequence, _)| *sequence > 0);
    let mut recorded = BTreeMap::new();
    if let Some((_, at_ms)) = pruned {
        for day in head_counts.days() {
            if day <= Day::of_ms(at_ms) && days.hold(day) {
                recorded.extend(head_counts.groups(day).unwrap_or_default());
            }
        }
    }
    Ok(Counted {
        counts: counting.end(),
        pruned,
        recorded,
        compared: super::head_counts::compare(state)?,
    })
}

fn document(counted: &Counted) -> Value {
    let counts = &counted.counts;
    json!({
        "groups": rows(&counts.groups),
        "rest": counts.rest,
        "total": counts.total(),
        "of_pruned": counts.of_pruned,
        "strangers": counts.strangers,
        "recorded": rows(&counted.recorded),
        "head_counts": counted.compared,
        "pruned_before": counted.pruned.map(|(sequence, _)| sequence),
    })
}

fn rows(groups: &BTreeMap<Group, Tally>) -> Vec<Value> {
    let rows = groups.iter();
    rows.map(|(group, tally)| json!({ "group": group, "count": tally }))
        .collect()
}

fn headed() -> Table {
    present::table(&[
        "day",
        "key",
        "vendor",
        "model",
        "requests",
        "in",
        "out",
        "cached",
        "no usage",
        "open",
        "vendor refused",
        "refused",
    ])
}

fn tell(counted: &Counted) -> anyhow::Result<()> {
    let counts = &counted.counts;
    let mut table = headed();
    for (group, tally) in &counts.groups {
        table.add_row(row(group, tally));
    }
    let total = counts.total();
    if counts.groups.len() != 1 {
        let all = |name: &str| name.to_owned();
        let mut cells = vec![all("all"), all(""), all(""), all("")];
        cells.extend(numbers(&total));
        table.add_row(cells);
    }
    present::say!("{table}")?;
    if counts.rest != Tally::default() {
        present::say!(
            "{} requests belong to further keys and models and stand in the last line only",
            counts.rest.requests
        )?;
    }
    if total.unsent > 0 {
        present::say!("{} were admitted and never sent", total.unsent)?;
    }
    if total.counting > 0 {
        present::say!(
            "{} asked for a count of tokens, which no vendor bills",
            total.counting
        )?;
    }
    if counts.strangers > 0 {
        present::say!("{} of unknown callers were refused", counts.strangers)?;
    }
    if let Some((first, at_ms)) = counted.pruned {
        present::say!(
            "entries before {first} were pruned: of what arrived before {}, only a part is counted",
            present::time(at_ms)
        )?;
    }
    if !counted.recorded.is_empty() {
        let mut table = headed();
        for (group, tally) in &counted.recorded {
            table.add_row(row(group, tally));
        }
        present::say!("of days that were pruned, as their head-counts say:\n{table}")?;
    }
    super::head_counts::tell(&counted.compared)?;
    if counts.of_pruned > 0 {
        present::say!(
            "{} exchanges ended whose beginning was pruned: their key is not known, and they are not counted",
            counts.of_pruned
        )?;
    }
    Ok(())
}

fn row(group: &Group, tally: &Tally) -> Vec<String> {
    let mut cells = vec![
        group.day.to_string(),
        present::plain(&group.key),
        present::plain(&group.vendor),
        present::plain(&group.model),
    ];
    cells.extend(numbers(tally));
    cells
}

fn numbers(tally: &Tally) -> [String; 8] {
    [
        tally.requests,
        tally.input_tokens,
        tally.output_tokens,
        tally.cached_tokens,
        tally.without_usage,
        tally.open,
        tally.vendor_refused,
        tally.refused,
    ]
    .map(|number| number.to_string())
}
