//! Kill -9 at any time, again and again: a process of its own writes to a real
//! folder and tells what was acknowledged; whatever it told is there after its
//! death, and the log, its tiles and its checkpoint are sound.
//!
//! A kill takes nothing from the system's memory, so it shows what was
//! acknowledged before it was written. What was not synced is lost in
//! `power.rs` and `publish_power.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use common::{key, trust};
use ledger::{
    Ledger, Publishing, Reader, Settings,
    files::{DiskFiles, Files},
    note::Checkpoint,
    publish, verify_published, verify_trusting,
};
use terms::{Act, Entropy, Event, FixedClock, Leaf, RECORD_VERSION, SeededEntropy};

const FOLDER: &str = "LEDGER_KILL_FOLDER";
const LIFE: &str = "LEDGER_KILL_LIFE";
const LIES: &str = "LEDGER_KILL_LIES";
/// Entries that are on their way at once.
const WAITERS: u64 = 16;
/// Deaths of one log; then another is begun.
const LIVES: u64 = 8;

/// Heads, segments and checkpoints come often, so that kills hit them too.
fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.to_owned(),
        segment_bytes: 8 << 10,
        free_bytes_min: 0,
        head_time: Duration::from_millis(3),
        publishing: Some(Publishing::new(key(), Duration::from_millis(2))),
        ..Settings::default()
    }
}

fn open(folder: &Path) -> ledger::Opened {
    let clock = Arc::new(FixedClock::new(1));
    Ledger::open(Arc::new(DiskFiles), settings(folder), clock).unwrap()
}

fn numbered(number: u64) -> Leaf {
    let filled = "x".repeat((number % 7 * 90) as usize);
    Leaf::Event(Event {
        v: RECORD_VERSION,
        at_ms: number,
        act: Act::KeyCreated,
        by: "node".into(),
        subject: format!("mk-{number}"),
        facts: BTreeMap::from([("filled".to_owned(), filled)]),
    })
}

/// The process that is killed: standard error gets `place number` for each
/// acknowledged entry, in one write.
#[test]
#[ignore = "the process that the other tests start and kill"]
fn writer() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let life: u64 = std::env::var(LIFE).unwrap().parse().unwrap();
    let lies = std::env::var_os(LIES).is_some();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let opened = open(&folder);
        opened.ledger.mark_running().unwrap();
        opened.recover(&FixedClock::new(1)).await.unwrap();
        let next = Arc::new(AtomicU64::new(life << 32));
        let waiters = (0..WAITERS).map(|_| {
            let (ledger, next) = (opened.ledger.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if lies {
                        tell("-", number);
                    }
                    let place = ledger.append(numbered(number)).await.unwrap();
                    if !lies {
                        tell(&place.to_string(), number);
                    }
                }
            })
        });
        // None ends by itself; what ends one ends all.
        let waiters: Vec<_> = waiters.collect();
        if let Some(first) = waiters.into_iter().next() {
            first.await.unwrap();
        }
    });
}

fn tell(place: &str, number: u64) {
    let line = format!("{place} {number}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start: while it opens and mends, too.
    After(Duration),
    /// After it told of so many entries, and a little.
    Told(u64, Duration),
}

/// What a process told: entries by number, with their places if it said so.
type Told = BTreeMap<u64, Option<u64>>;

fn start(folder: &Path, life: u64, lies: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(LIFE, life.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if lies {
        command.env(LIES, "1");
    }
    command.spawn().unwrap()
}

/// Starts a process, kills it, and answers what it had told.
fn live(folder: &Path, life: u64, lies: bool, moment: Moment) -> Told {
    let mut child = start(folder, life, lies);
    let lines = BufReader::new(child.stderr.take().unwrap());
    let (heard, hears) = mpsc::channel();
    // Reads to the end: what was told before the kill is in the pipe.
    let listening = std::thread::spawn(move || {
        let mut told = Told::new();
        for line in lines.lines() {
            let line = line.unwrap();
            let (place, number) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            let number = number.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(told.insert(number, place.parse().ok()).is_none());
            let _ = heard.send(());
        }
        told
    });
    let until = Instant::now() + Duration::from_secs(30);
    match moment {
        Moment::After(time) => std::thread::sleep(time),
        Moment::Told(count, more) => {
            for _ in 0..count {
                let left = until.saturating_duration_since(Instant::now());
                hears.recv_timeout(left).unwrap();
            }
            std::thread::sleep(more);
        }
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
    listening.join().unwrap()
}

/// The entries in the log, by number, with their places.
fn entries(folder: &Path) -> BTreeMap<u64, u64> {
    let mut reader = Reader::new(Arc::new(DiskFiles), folder);
    let mut found = BTreeMap::new();
    while let Some(entry) = reader.read_next().unwrap() {
        if let Leaf::Event(event) = &entry.leaf
            && event.act == Act::KeyCreated
        {
            assert!(found.insert(event.at_ms, entry.sequence).is_none());
        }
    }
    found
}

/// One log and all that was told of it.
struct Log {
    folder: tempfile::TempDir,
    told: Told,
    checkpoint: Option<Checkpoint>,
}

impl Log {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            told: Told::new(),
            checkpoint: None,
        }
    }

    /// Kills one more process; answers the entries that are not there as it
    /// told.
    fn kill(&mut self, life: u64, lies: bool, moment: Moment) -> BTreeSet<u64> {
        let folder = self.folder.path();
        self.told.extend(live(folder, life, lies, moment));
        // The log, its head, its tiles, its checkpoint, and that it has grown
        // from the checkpoint of the life before.
        let files: Arc<dyn Files> = Arc::new(DiskFiles);
        let trusted = trust(self.checkpoint.take());
        let verified = verify_trusting(files, folder, &trusted, &mut |_| ())
            .unwrap_or_else(|fault| panic!("life {life}, {moment:?}: {fault}"));
        self.checkpoint = verified.checkpoint.or(trusted.since);
        let found = entries(folder);
        let told = self.told.iter();
        told.filter(|(number, place)| match (found.get(number), place) {
            (Some(found), Some(place)) => found != place,
            (Some(_), None) => false,
            (None, _) => true,
        })
        .map(|(number, _)| *number)
        .collect()
    }

    /// Opens it a last time, closes it well, and looks at everything.
    fn end(self) -> u64 {
        let folder = self.folder.path();
        let opened = open(folder);
        let ledger = opened.ledger.clone();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            opened.recover(&FixedClock::new(1)).await.unwrap();
            ledger.close().await.unwrap();
        });
        let files: Arc<dyn Files> = Arc::new(DiskFiles);
        let trusted = trust(self.checkpoint);
        let verified = verify_trusting(Arc::clone(&files), folder, &trusted, &mut |_| ()).unwrap();
        let tlog = folder.join(publish::FOLDER);
        let published = verify_published(&files, &tlog, &trusted, &mut |_| ()).unwrap();
        assert_eq!(verified.root, published.root);
        assert_eq!(verified.tail_bytes, 0);
        verified.entries
    }
}

fn roll(entropy: &SeededEntropy, below: u64) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes) % below
}

fn seed() -> u64 {
    let given = std::env::var("MERESTONE_SEED").ok();
    given.and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let long = std::env::var_os("MERESTONE_LONG").is_some();
    let kills = if long { 2_000 } else { 60 };
    let entropy = SeededEntropy::new(seed());
    let (mut log, mut told, mut found) = (Log::new(), 0, 0);
    for life in 0..kills {
        let moment = if roll(&entropy, 4) == 0 {
            Moment::After(Duration::from_micros(roll(&entropy, 40_000)))
        } else {
            let more = Duration::from_micros(roll(&entropy, 3_000));
            Moment::Told(1 + roll(&entropy, 250), more)
        };
        let lost = log.kill(life, false, moment);
        assert!(lost.is_empty(), "life {life}, {moment:?}: lost {lost:?}");
        if (life + 1) % LIVES == 0 || life + 1 == kills {
            let ended = std::mem::replace(&mut log, Log::new());
            told += ended.told.len();
            found += ended.end();
        }
    }
    let line =
        format!("{kills} kills: {told} entries were acknowledged, {found} found, none lost\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(told as u64 > kills * 20, "the processes did write");
}

#[test]
fn the_loop_would_notice_what_is_acknowledged_before_it_is_written() {
    let entropy = SeededEntropy::new(seed());
    let mut log = Log::new();
    let noticed = (0..40).any(|life| {
        let moment = Moment::Told(1 + roll(&entropy, 100), Duration::ZERO);
        !log.kill(life, true, moment).is_empty()
    });
    assert!(noticed, "40 kills lost nothing of what was never written");
}
