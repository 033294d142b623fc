//! The power fails, or the disk does, at any step; what was not synced reaches
//! the disk page by page, in any order. Nothing acknowledged is ever lost, and
//! what is left opens again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{
    check, event, last_segment, open, open_with, read, reader, settings, snapshot, wait_for_end,
    write,
};
use ledger::{
    AppendError, Ledger, OpenError, Opened, canonical,
    files::{Fault, Files, MemoryFiles},
    segment,
};
use terms::{Act, Entropy, Event, Leaf, RECORD_VERSION, SeededEntropy};
use tokio::runtime::{Builder, Runtime};

/// Lives of one node, one after the other, on one folder.
const LIVES: usize = 5;

/// How entries come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// One by one, each followed by a head.
    Single,
    /// Several in one group.
    Grouped,
}

/// One folder and what must be in it.
struct Node {
    files: MemoryFiles,
    entropy: SeededEntropy,
    pace: Pace,
    segment_bytes: u64,
    lying: bool,
    runtime: Runtime,
    /// The entries that were acknowledged or found.
    log: Vec<u64>,
    next: u64,
    cuts: usize,
}

/// An entry of some size: some lie in one page, some over several.
fn sized(number: u64, bytes: usize) -> Leaf {
    Leaf::Event(Event {
        v: RECORD_VERSION,
        at_ms: number,
        act: Act::KeyCreated,
        by: "node".into(),
        subject: format!("mk-{number}"),
        facts: BTreeMap::from([("filled".to_owned(), "x".repeat(bytes))]),
    })
}

impl Node {
    fn new(seed: u64, pace: Pace, lying: bool) -> Self {
        let mut node = Self {
            files: MemoryFiles::default(),
            entropy: SeededEntropy::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            pace,
            segment_bytes: 0,
            lying,
            runtime: Builder::new_current_thread().build().unwrap(),
            log: Vec::new(),
            next: 0,
            cuts: 0,
        };
        node.segment_bytes = 200 + node.roll(3_000);
        node
    }

    /// A number below `below`.
    fn roll(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes) % below
    }

    fn fault(&self) -> Option<Fault> {
        if self.lying {
            return Some(Fault::LyingSync);
        }
        match self.roll(6) {
            0 => Some(Fault::Sync(1 + self.roll(8))),
            1 => Some(Fault::Space(self.roll(3_000))),
            2 => Some(Fault::ShortWrite(1 + self.roll(8))),
            3 | 4 => Some(Fault::Power(1 + self.roll(25))),
            _ => None,
        }
    }

    /// Opens, writes, and ends well or not; then perhaps the power fails.
    fn live(&mut self) -> Result<(), String> {
        let before = snapshot(&self.files);
        check(&self.files).map_err(|fault| format!("not sound: {fault}"))?;
        let early = !self.lying && self.roll(4) == 0;
        if early {
            self.files.fail(self.fault());
        }
        let mut settings = settings(self.segment_bytes);
        if self.pace == Pace::Single {
            settings.head_time = Duration::ZERO;
        }
        match open_with(&self.files, settings) {
            Ok(opened) => {
                self.compare(&opened)?;
                self.work(opened, early)?;
            }
            Err(OpenError::Io(_)) if early => {}
            Err(error) => {
                assert_eq!(snapshot(&self.files), before, "refused and changed");
                return Err(format!("refused: {error}"));
            }
        }
        wait_for_end(&self.files);
        self.files.fail(None);
        if self.lying || self.roll(4) > 0 {
            self.files.crash_pages(&self.entropy);
        }
        Ok(())
    }

    /// Everything that was acknowledged is there; what is there counts.
    fn compare(&mut self, opened: &Opened) -> Result<(), String> {
        let mut found = Vec::new();
        let mut reader = reader(&self.files);
        while let Some(entry) = reader.read_next().map_err(|fault| fault.to_string())? {
            found.push(entry.leaf.at_ms());
        }
        if !found.starts_with(&self.log) || opened.entries != found.len() as u64 {
            return Err(format!(
                "{:?} were acknowledged, {found:?} are there",
                self.log
            ));
        }
        self.cuts += usize::from(opened.tail_cut_bytes > 0);
        self.log = found;
        Ok(())
    }

    fn work(&mut self, opened: Opened, early: bool) -> Result<(), String> {
        if !early {
            self.files.fail(self.fault());
        }
        let ledger = opened.ledger.clone();
        drop(opened);
        if self.roll(2) == 0 {
            // Its failure is the disk's, and not of interest here.
            let _ = ledger.mark_running();
        }
        for _ in 0..self.roll(6) {
            if !self.append(&ledger)? {
                return Ok(());
            }
        }
        if self.roll(3) == 0 {
            let _ = self.runtime.block_on(ledger.close());
        }
        Ok(())
    }

    /// Writes one group; answers whether it was acknowledged.
    fn append(&mut self, ledger: &Ledger) -> Result<bool, String> {
        let count = match self.pace {
            Pace::Single => 1,
            Pace::Grouped => 1 + self.roll(5),
        };
        let mut numbers = Vec::new();
        let mut leaves = Vec::new();
        for _ in 0..count {
            let bytes = if self.roll(3) == 0 {
                self.roll(2_000)
            } else {
                0
            };
            numbers.push(self.next);
            leaves.push(sized(self.next, bytes as usize));
            self.next += 1;
        }
        let answers = match self.pace {
            Pace::Single => vec![ledger.append_blocking(leaves.remove(0))],
            Pace::Grouped => self.group(ledger, leaves),
        };
        for (number, answer) in numbers.into_iter().zip(answers) {
            match answer {
                Ok(sequence) if sequence == self.log.len() as u64 => self.log.push(number),
                Ok(sequence) => return Err(format!("number {sequence} out of order")),
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Writes several at once: the disk is held until all of them wait.
    fn group(&self, ledger: &Ledger, leaves: Vec<Leaf>) -> Vec<Result<u64, AppendError>> {
        self.runtime.block_on(async {
            self.files.hold();
            let mut tasks = Vec::new();
            for leaf in leaves {
                let ledger = ledger.clone();
                tasks.push(tokio::spawn(async move { ledger.append(leaf).await }));
                // The first goes alone, so that the rest is one group.
                while !self.files.waits() && !tasks[0].is_finished() {
                    std::thread::yield_now();
                    tokio::task::yield_now().await;
                }
            }
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.files.release();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.unwrap());
            }
            answers
        })
    }
}

/// Answers how many of the lives began with a torn end.
fn lives(seed: u64, pace: Pace, lying: bool) -> Result<usize, String> {
    let mut node = Node::new(seed, pace, lying);
    for life in 0..LIVES {
        node.live()
            .map_err(|what| format!("seed {seed}, {pace:?}, life {life}: {what}"))?;
    }
    Ok(node.cuts)
}

#[test]
fn nothing_acknowledged_is_lost_entry_by_entry() {
    let cuts = (0..300).map(|seed| lives(seed, Pace::Single, false).unwrap());
    assert!(cuts.sum::<usize>() > 20, "too few writes were cut off");
}

#[test]
fn nothing_acknowledged_is_lost_in_groups() {
    let cuts = (0..300).map(|seed| lives(seed, Pace::Grouped, false).unwrap());
    assert!(cuts.sum::<usize>() > 20, "too few writes were cut off");
}

#[test]
fn a_sync_that_lies_is_noticed() {
    for pace in [Pace::Single, Pace::Grouped] {
        let noticed = (0..40)
            .filter(|seed| lives(*seed, pace, true).is_err())
            .count();
        assert!(noticed > 30, "{pace:?}: noticed in {noticed} of 40 runs");
    }
}

/// A log with one acknowledged entry, and behind it a group whose pages reached
/// the disk out of order.
fn with_group(zeroed: usize, later: bool) -> MemoryFiles {
    let files = MemoryFiles::default();
    let opened = open(&files, 1 << 20).unwrap();
    assert_eq!(write(&opened.ledger, 1), 1);
    drop(opened);
    wait_for_end(&files);
    let payloads: Vec<Vec<u8>> = (1..5)
        .map(|number| canonical::to_bytes(&event(number)).unwrap())
        .collect();
    let (unsynced, next) = payloads.split_at(3);
    let path = last_segment(&files);
    let mut bytes = files.read(&path).unwrap();
    let start = bytes.len();
    segment::encode_group(1, unsynced.iter().map(Vec::as_slice), &mut bytes);
    let group = segment::decode_group(&bytes, start, 1).unwrap();
    let mut at = group.frames;
    for sequence in 1..4 {
        let end = segment::decode(&bytes, at, sequence).unwrap().end;
        if sequence as usize == zeroed {
            bytes[at..end].fill(0);
        }
        at = end;
    }
    if later {
        segment::encode_group(4, next.iter().map(Vec::as_slice), &mut bytes);
    }
    files.put_file(&path, &bytes);
    files
}

#[test]
fn a_group_that_was_not_synced_is_cut_as_a_whole_whichever_page_is_missing() {
    for zeroed in 1..4 {
        let files = with_group(zeroed, false);
        assert!(check(&files).unwrap().tail_bytes > 0);
        let opened = open(&files, 1 << 20).unwrap();
        assert_eq!(opened.entries, 1);
        assert!(opened.tail_cut_bytes > 0);
        assert_eq!(opened.ledger.append_blocking(event(1)), Ok(1));
        assert_eq!(read(&files), [0, 1]);
    }
    assert_eq!(open(&with_group(0, false), 1 << 20).unwrap().entries, 4);
}

#[test]
fn a_broken_group_with_another_behind_it_was_synced_and_is_a_fault() {
    for zeroed in 1..4 {
        let files = with_group(zeroed, true);
        let before = snapshot(&files);
        assert!(matches!(open(&files, 1 << 20), Err(OpenError::Unsound(_))));
        assert_eq!(snapshot(&files), before);
        assert!(check(&files).is_err());
    }
    assert_eq!(open(&with_group(0, true), 1 << 20).unwrap().entries, 5);
}
