//! The power fails while tiles and checkpoints are written. What was signed is
//! there, fits the log, and never becomes less; what was acknowledged stays.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{path::Path, sync::Arc};

use common::{
    FOLDER, check_published, check_trusting, checkpoint, event, key, open_with, read, settings,
    snapshot, wait_for_end, write,
};
use ledger::{
    Ledger, OpenError,
    files::{Fault, Files, MemoryFiles},
    note::Checkpoint,
    publish::{Builder, checkpoint_of},
};
use terms::{Entropy, SeededEntropy};

/// Lives of one node, one after the other, on one folder; after each the power
/// fails.
const LIVES: usize = 5;
/// Nodes in a short run, and in a long one: 120,000 lives, seven of eight of
/// which end with a power cut.
const NODES: u64 = 600;
const NODES_LONG: u64 = 24_000;

/// One folder and what must be in it.
struct Node {
    files: MemoryFiles,
    entropy: SeededEntropy,
    lying: bool,
    /// The entries that were acknowledged or found.
    log: Vec<u64>,
    /// Numbers that entries were given.
    next: u64,
    /// The newest checkpoint that was said to be written.
    signed: Option<Checkpoint>,
}

impl Node {
    fn new(seed: u64, base: &MemoryFiles, entries: u64, lying: bool) -> Self {
        Self {
            files: base.copy(),
            entropy: SeededEntropy::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            lying,
            log: (0..entries).collect(),
            next: 1_000,
            signed: (entries > 0).then(|| checkpoint(base)),
        }
    }

    fn roll(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes) % below
    }

    fn fault(&self) -> Option<Fault> {
        if self.lying {
            return Some(Fault::LyingSync);
        }
        match self.roll(7) {
            0 => Some(Fault::Sync(1 + self.roll(16))),
            1 => Some(Fault::Space(self.roll(20_000))),
            2 => Some(Fault::ShortWrite(1 + self.roll(16))),
            3..6 => Some(Fault::Power(1 + self.roll(70))),
            _ => None,
        }
    }

    /// What is on the disk is sound, and holds all that was told.
    fn check(&self) -> Result<(), String> {
        check_trusting(&self.files, self.signed.clone())
            .map_err(|fault| format!("not sound: {fault}"))?;
        let key = key();
        let found = checkpoint_of(&self.files, Path::new(FOLDER), Some(key.verifier()))
            .map_err(|fault| fault.to_string())?;
        let sizes = [&found, &self.signed].map(|known| known.as_ref().map_or(0, |one| one.size));
        if sizes[0] < sizes[1] {
            return Err(format!(
                "signed over {} and now over {}",
                sizes[1], sizes[0]
            ));
        }
        if found.is_some() {
            check_published(&self.files, self.signed.clone())
                .map_err(|fault| format!("what is published is not sound: {fault}"))?;
        }
        Ok(())
    }

    fn live(&mut self) -> Result<(), String> {
        self.check()?;
        let before = snapshot(&self.files);
        let early = !self.lying && self.roll(4) == 0;
        if early {
            self.files.fail(self.fault());
        }
        match open_with(&self.files, settings(200 + self.roll(3_000))) {
            Ok(opened) => {
                let found = read(&self.files);
                if !found.starts_with(&self.log) || opened.entries != found.len() as u64 {
                    return Err(format!(
                        "{} entries of {} are there",
                        found.len(),
                        self.log.len()
                    ));
                }
                self.log = found;
                self.work(&opened.ledger, early);
            }
            Err(OpenError::Io(_)) if early => {}
            Err(error) => {
                assert_eq!(snapshot(&self.files), before, "refused and changed");
                return Err(format!("refused: {error}"));
            }
        }
        wait_for_end(&self.files);
        self.files.fail(None);
        if self.lying || self.roll(8) > 0 {
            self.files.crash_pages(&self.entropy);
        }
        Ok(())
    }

    fn work(&mut self, ledger: &Ledger, early: bool) {
        let shared: Arc<dyn Files> = Arc::new(self.files.clone());
        if !early && self.roll(3) == 0 {
            self.files.fail(self.fault());
        }
        let Ok(mut builder) = Builder::open(shared, Path::new(FOLDER), key()) else {
            return;
        };
        if !early {
            self.files.fail(self.fault());
        }
        for _ in 0..=self.roll(5) {
            for _ in 0..self.roll(4) {
                if ledger.append_blocking(event(self.next)).is_err() {
                    return;
                }
                self.log.push(self.next);
                self.next += 1;
            }
            // A round that failed is tried again, as the thread does.
            if let Ok(Some(_)) = builder.round(self.log.len() as u64) {
                self.signed = builder.signed().cloned();
            }
        }
    }
}

fn lives(seed: u64, base: &MemoryFiles, entries: u64, lying: bool) -> Result<(), String> {
    let mut node = Node::new(seed, base, entries, lying);
    for life in 0..LIVES {
        node.live()
            .map_err(|what| format!("seed {seed}, {entries} entries, life {life}: {what}"))?;
    }
    node.check()
        .map_err(|what| format!("seed {seed}, {entries} entries, at the end: {what}"))
}

/// Logs whose next entries fill no tile, one, or one and a level above.
fn bases() -> Vec<(u64, MemoryFiles)> {
    [0, 3, 252, 510]
        .into_iter()
        .map(|entries| {
            let files = MemoryFiles::default();
            if entries > 0 {
                let opened = open_with(&files, common::publishing(20_000)).unwrap();
                assert_eq!(write(&opened.ledger, entries), entries);
                common::close(opened);
            }
            (entries, files)
        })
        .collect()
}

#[test]
fn nothing_signed_or_acknowledged_is_lost() {
    let nodes = if std::env::var_os("MERESTONE_LONG").is_some() {
        NODES_LONG
    } else {
        NODES
    };
    let bases = bases();
    std::thread::scope(|scope| {
        for part in 0..2 {
            let bases = &bases;
            scope.spawn(move || {
                for seed in (part..nodes).step_by(2) {
                    // Small logs are cheap to check, so there are more of them.
                    let (entries, base) = &bases[[0, 1, 0, 1, 0, 1, 2, 3][seed as usize / 2 % 8]];
                    lives(seed, base, *entries, false).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_sync_that_lies_is_noticed() {
    let bases = bases();
    let noticed = (0..60)
        .filter(|seed| {
            let (entries, base) = &bases[*seed as usize % 2];
            lives(*seed, base, *entries, true).is_err()
        })
        .count();
    assert!(noticed > 40, "noticed in {noticed} of 60 runs");
}
