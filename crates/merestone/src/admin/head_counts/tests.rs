use govern::count::{Comparing, Day, SETTLE_SECONDS};
use ledger::{Ledger, Settings, commit::CommitmentKey};
use serde_json::{Value, json};
use store::Store;
use terms::Secret;

use super::*;
use crate::source::SystemClock;

const DAY_MS: u64 = 86_400_000;
/// 2026-11-26 12:00 UTC.
const NOON_MS: u64 = 1_795_694_400_000;

struct Bench {
    folder: tempfile::TempDir,
    admin: Admin,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::start());
        let settings = Settings {
            folder: folder.path().to_owned(),
            free_bytes_min: 0,
            ..Settings::default()
        };
        let opened = Ledger::open(Arc::new(DiskFiles), settings, Arc::clone(&clock) as _);
        Self {
            admin: Admin {
                store: Arc::new(Store::in_memory().await.unwrap()),
                ledger: opened.unwrap().ledger,
                commitments: CommitmentKey::new(Secret::new([3; 32])),
                clock,
                retention: tokio::sync::Mutex::default(),
            },
            folder,
        }
    }

    async fn tell(&self, leaf: Value) {
        let leaf = serde_json::from_value(leaf).unwrap();
        self.admin.ledger.append(leaf).await.unwrap();
    }

    /// One request of a key that a room refused.
    async fn refused(&self, number: u64, at_ms: u64) {
        let commitment = "00".repeat(32);
        self.tell(json!({
            "type": "refused", "v": 1, "exchange": format!("mx-{number:032x}"), "at_ms": at_ms,
            "caller": {"key": format!("mk-{number:012x}"), "owner": commitment, "source": commitment},
            "code": "MS-KNOW-001", "policy": {"policy": commitment, "rules": commitment},
            "controls": [], "findings": [], "findings_more": 0, "rooms": [],
            "inspected": {"bytes": {}, "media_bytes": 0, "opaque_bytes": 0, "unknown_values": 0,
                "unknown_places": []},
        }))
        .await;
    }

    async fn record(&self, now_ms: u64) -> usize {
        let ledger = self.folder.path();
        self.admin.record_head_counts(ledger, now_ms).await.unwrap()
    }

    fn leaves(&self) -> Vec<Leaf> {
        let mut reader = Reader::new(Arc::new(DiskFiles), self.folder.path());
        let mut leaves = Vec::new();
        while let Some(entry) = reader.read_next().unwrap() {
            leaves.push(entry.leaf);
        }
        leaves
    }

    fn counts(&self) -> Vec<HeadCount> {
        let leaves = self.leaves().into_iter();
        leaves
            .filter_map(|leaf| match leaf {
                Leaf::HeadCount(leaf) => Some(*leaf),
                _ => None,
            })
            .collect()
    }

    fn recorded(&self) -> Recorded {
        let mut recorded = Recorded::default();
        self.counts().iter().for_each(|leaf| recorded.add(leaf));
        recorded
    }
}

fn settled(days: u64) -> u64 {
    let day = Day::of_ms(NOON_MS + days * DAY_MS);
    (day.next().starts_seconds() + SETTLE_SECONDS) * 1_000
}

#[tokio::test]
async fn a_day_is_recorded_once_also_when_the_clock_goes_back() {
    let bench = Bench::new().await;
    assert_eq!(
        bench.record(settled(0)).await,
        0,
        "nothing was ever written"
    );
    bench.refused(1, NOON_MS).await;
    assert_eq!(bench.record(NOON_MS).await, 0, "the day goes on");
    assert_eq!(bench.record(settled(0)).await, 1);
    for now_ms in [settled(0), settled(0) + 1, NOON_MS, settled(0)] {
        assert_eq!(bench.record(now_ms).await, 0);
    }
    // It was back before midnight, something came, and midnight came again.
    bench.refused(2, NOON_MS + 5).await;
    assert_eq!(bench.record(settled(0)).await, 0);
    assert_eq!(bench.record(settled(1)).await, 1);
    let days: Vec<String> = bench.counts().into_iter().map(|count| count.day).collect();
    assert_eq!(days, ["2026-11-26", "2026-11-27"]);
    assert_eq!(bench.counts()[0].rows[0].refused, 1);
    assert!(
        bench.counts()[1].rows.is_empty(),
        "nothing passed on that day"
    );
    // Held against the entries as they were.
    let mut comparing = Comparing::new(bench.recorded(), (0, NOON_MS));
    let leaves = bench.leaves();
    for (sequence, leaf) in leaves.iter().enumerate() {
        comparing.add(sequence as u64, leaf);
    }
    let compared = comparing.end(leaves.len() as u64);
    assert_eq!((compared.equal, compared.is_sound()), (2, true));
}

#[tokio::test]
async fn a_head_count_that_broke_off_is_finished_as_it_was_begun() {
    let bench = Bench::new().await;
    for number in 0..100 {
        bench.refused(number, NOON_MS + number).await;
    }
    // Both parts of another log over the same entries.
    let parts = due(bench.folder.path(), settled(0)).unwrap();
    assert_eq!(parts.len(), 2);
    bench.admin.write(vec![parts[0].clone()]).await.unwrap();
    // What came meanwhile belongs to no part.
    bench.refused(200, NOON_MS + 200).await;
    assert_eq!(bench.record(settled(0) + 60_000).await, 1);
    let finished = bench.counts();
    assert_eq!(finished[1].rows, parts[1].rows);
    assert_eq!((finished[1].part, finished[1].entries), (2, 100));
    assert_eq!(bench.record(settled(0) + 60_000).await, 0);
    assert!(bench.recorded().faults.is_empty());
    assert_eq!(bench.recorded().days().count(), 1);
}

#[tokio::test]
async fn a_head_count_outlives_the_entries_that_are_pruned() {
    let bench = Bench::new().await;
    bench.refused(1, NOON_MS).await;
    assert_eq!(bench.record(settled(0)).await, 1);
    let ledger = bench.folder.path();
    // Entry 1 stays, then it goes.
    assert_eq!(bench.admin.carry_head_counts(ledger, 1).await.unwrap(), 0);
    assert_eq!(bench.admin.carry_head_counts(ledger, 2).await.unwrap(), 1);
    let [first, carried] = &bench.counts()[..] else {
        panic!("{:?}", bench.counts());
    };
    assert_eq!(carried.carried, Some(1));
    assert_eq!(carried.rows, first.rows);
    assert!(bench.recorded().faults.is_empty());
    assert_eq!(bench.record(settled(0)).await, 0, "still recorded");
    // The carried one stands behind it, and is enough.
    assert_eq!(bench.admin.carry_head_counts(ledger, 2).await.unwrap(), 0);
    assert_eq!(bench.admin.carry_head_counts(ledger, 3).await.unwrap(), 1);
    assert_eq!(bench.counts()[2].carried, Some(1));
}
