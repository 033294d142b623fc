//! Head-counts of days, as entries of the log: written once, and carried on
//! when they would be pruned.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use govern::count::{Counting, Days, Recorded, leaves};
use ledger::{Reader, canonical, files::DiskFiles};
use terms::{HeadCount, Leaf};

use super::Admin;

/// LIMIT: entries with head-counts that are carried on, the newest days'.
const CARRIED_MAX: usize = 4_096;

impl Admin {
    /// Writes the head-counts of days that ended and have none. Answers how
    /// many entries that took.
    pub async fn record_head_counts(&self, ledger: &Path, now_ms: u64) -> anyhow::Result<usize> {
        let _alone = self.retention.lock().await;
        let ledger = ledger.to_owned();
        let due = tokio::task::spawn_blocking(move || due(&ledger, now_ms)).await??;
        self.write(due).await
    }

    /// Writes those again that stand before an entry, so that they outlive it.
    pub(super) async fn carry_head_counts(
        &self,
        ledger: &Path,
        before: u64,
    ) -> anyhow::Result<usize> {
        let ledger = ledger.to_owned();
        let carried = tokio::task::spawn_blocking(move || carried(&ledger, before)).await??;
        self.write(carried).await
    }

    async fn write(&self, entries: Vec<HeadCount>) -> anyhow::Result<usize> {
        let count = entries.len();
        // In their order: a crash leaves the first parts, and the next start
        // adds the others.
        for entry in entries {
            self.ledger.append(Leaf::HeadCount(Box::new(entry))).await?;
        }
        Ok(count)
    }
}

/// The entries that are missing.
fn due(ledger: &Path, now_ms: u64) -> anyhow::Result<Vec<HeadCount>> {
    let (mut recorded, mut first) = (Recorded::default(), None);
    let mut reader = Reader::new(Arc::new(DiskFiles), ledger);
    while let Some(entry) = reader.read_next()? {
        first.get_or_insert((entry.sequence, entry.leaf.at_ms()));
        if let Leaf::HeadCount(leaf) = &entry.leaf {
            recorded.add(leaf);
        }
    }
    let Some(first) = first else {
        return Ok(Vec::new());
    };
    let span = (first.0, reader.position());
    let due = recorded.due(now_ms, first);
    let fits = |entry: &HeadCount| {
        let leaf = Leaf::HeadCount(Box::new(entry.clone()));
        canonical::to_bytes(&leaf).is_ok()
    };
    let mut entries = Vec::new();
    let fresh: Vec<_> = due
        .iter()
        .filter(|day| recorded.begun(**day).is_none())
        .collect();
    if let (Some(since), Some(until)) = (fresh.first(), fresh.last()) {
        let days = Days {
            since: Some(**since),
            until: Some(**until),
        };
        let counts = counted(ledger, days, span.1)?;
        for day in &fresh {
            entries.extend(leaves(**day, &counts, now_ms, span, &fits));
        }
    }
    for day in &due {
        // One that broke off is finished as it was begun.
        let Some((there, span)) = recorded.begun(*day) else {
            continue;
        };
        let days = Days {
            since: Some(*day),
            until: Some(*day),
        };
        let counts = counted(ledger, days, span.1)?;
        let missing = leaves(*day, &counts, now_ms, span, &fits).into_iter();
        entries.extend(missing.filter(|entry| !there.contains(&entry.part)));
    }
    Ok(entries)
}

/// Counts what stands before an entry.
fn counted(ledger: &Path, days: Days, until: u64) -> anyhow::Result<govern::count::HeadCounts> {
    let mut counting = Counting::new(days);
    let mut reader = Reader::new(Arc::new(DiskFiles), ledger);
    while let Some(entry) = reader.read_next()? {
        if entry.sequence >= until {
            break;
        }
        counting.add(&entry.leaf);
    }
    Ok(counting.end())
}

fn carried(ledger: &Path, before: u64) -> anyhow::Result<Vec<HeadCount>> {
    let mut found: BTreeMap<(String, u32), HeadCount> = BTreeMap::new();
    let mut later = BTreeSet::new();
    let mut reader = Reader::new(Arc::new(DiskFiles), ledger);
    while let Some(entry) = reader.read_next()? {
        let Leaf::HeadCount(leaf) = entry.leaf else {
            continue;
        };
        let name = (leaf.day.clone(), leaf.part);
        if entry.sequence >= before {
            later.insert(name);
            continue;
        }
        let carried = Some(leaf.carried.unwrap_or(entry.sequence));
        found.entry(name).or_insert(HeadCount { carried, ..*leaf });
        if found.len() > CARRIED_MAX {
            found.pop_first();
        }
    }
    found.retain(|name, _| !later.contains(name));
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests;
