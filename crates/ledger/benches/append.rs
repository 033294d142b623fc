//! Durable appends: this log beside a bare loop and beside SQLite, in one run,
//! on one file system. `benches/README.md` says what is compared and how.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ledger::{
    Ledger, Publication, Publishing, Settings, canonical,
    files::DiskFiles,
    note::LogKey,
    segment::{FRAME_BYTES, GROUP_BYTES_MAX},
};
use serde_json::json;
use terms::{ExchangeId, FixedClock, Leaf, Secret, SeededEntropy};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
};

/// Appends that wait at the same time.
const WAITERS: usize = 1_024;
/// Bytes of each record in its canonical form.
const RECORD_BYTES: usize = 1_024;
/// Places in each queue, as the log has by default.
const QUEUE: usize = 8_192;
/// The pause between checkpoints, as the product has it.
const CHECKPOINT_TIME: Duration = Duration::from_millis(400);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Ledger,
    Unpublished,
    /// Its waiters form each record as the log's do.
    Bare,
    /// Its waiters have the bytes ready.
    BareReady,
    Sqlite,
}

const SUBJECTS: [(Subject, &str); 5] = [
    (Subject::Ledger, "ledger, with tiles and checkpoints"),
    (Subject::Unpublished, "ledger, without them"),
    (Subject::Bare, "bare loop, records formed alike"),
    (Subject::BareReady, "bare loop, bytes ready beforehand"),
    (Subject::Sqlite, "SQLite, WAL, synchronous=FULL"),
];

/// A record as the gate writes it, filled up to the wanted size.
fn record() -> Leaf {
    let exchange = ExchangeId::new(&FixedClock::new(1_000), &SeededEntropy::new(1));
    let commitment = "5a".repeat(32);
    let with = |fill: usize| -> Leaf {
        let leaf = json!({
            "type": "admitted", "v": 1, "exchange": exchange, "at_ms": 1_000,
            "caller": {"key": "mk-0123456789ab", "owner": commitment, "source": commitment},
            "request": {
                "dialect": "openai-chat", "vendor": "openai", "model": "a-model", "stream": true,
                "body_bytes": 4_096, "sent_bytes": 4_096, "edited": false, "body": commitment,
                "tools": 2,
            },
            "policy": {"policy": commitment, "rules": commitment},
            "controls": [], "findings": [], "findings_more": 0,
            "inspected": {
                "bytes": {}, "media_bytes": 0, "opaque_bytes": 0, "unknown_values": 0,
                "unknown_places": [],
            },
            "durability": "before-reply",
            "rooms": [{"room": "known", "decided": "x".repeat(fill), "at_us": 12}],
        });
        serde_json::from_value(leaf).unwrap()
    };
    let bare = canonical::to_bytes(&with(0)).unwrap().len();
    let leaf = with(RECORD_BYTES.checked_sub(bare).unwrap());
    let bytes = canonical::to_bytes(&leaf).unwrap();
    assert_eq!(bytes.len(), RECORD_BYTES);
    leaf
}

type Waiting = (Vec<u8>, oneshot::Sender<u64>);

/// Takes what waits, up to the group's limit; `None` once nobody sends.
fn gather(queue: &mut mpsc::Receiver<Waiting>, group: &mut Vec<Waiting>) -> Option<()> {
    let mut next = queue.blocking_recv();
    next.as_ref()?;
    let mut bytes = 0;
    while let Some(waiting) = next {
        bytes += waiting.0.len() + FRAME_BYTES;
        group.push(waiting);
        next = if bytes < GROUP_BYTES_MAX {
            queue.try_recv().ok()
        } else {
            None
        };
    }
    Some(())
}

/// One write and one sync for each group, and nothing else.
fn bare(path: &Path, mut queue: mpsc::Receiver<Waiting>) {
    let mut file: File = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(path)
        .unwrap();
    let (mut group, mut bytes, mut next) = (Vec::new(), Vec::new(), 0);
    while gather(&mut queue, &mut group).is_some() {
        bytes.clear();
        for (payload, _) in &group {
            bytes.extend_from_slice(payload);
        }
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        for (_, done) in group.drain(..) {
            let _ = done.send(next);
            next += 1;
        }
    }
}

/// One transaction for each group.
fn sqlite(path: &Path, mut queue: mpsc::Receiver<Waiting>) {
    let mut database = rusqlite::Connection::open(path).unwrap();
    let mode: String = database
        .query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    database.execute_batch("PRAGMA synchronous=FULL; CREATE TABLE entries (number INTEGER PRIMARY KEY, payload BLOB NOT NULL)").unwrap();
    let (mut group, mut next) = (Vec::new(), 0_u64);
    while gather(&mut queue, &mut group).is_some() {
        let transaction = database.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO entries (number, payload) VALUES (?1, ?2)")
                .unwrap();
            for (place, (payload, _)) in (next..).zip(&group) {
                insert.execute((place.cast_signed(), payload)).unwrap();
            }
        }
        transaction.commit().unwrap();
        for (_, done) in group.drain(..) {
            let _ = done.send(next);
            next += 1;
        }
    }
}

/// What was reached, and what it took.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    per_second: f64,
    /// CPU time of the whole process, waiters included. What others take of
    /// the machine weighs on it far less than on the rate.
    cpu_us: f64,
}

/// CPU seconds of this process, to a hundredth.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
    // User and system time (proc(5), fields 14 and 15), in USER_HZ of 100.
    (ticks(11) + ticks(12)) / 100.0
}

/// What a round gave.
#[derive(Debug, Clone, Default)]
struct Round {
    rate: Rate,
    /// Until a checkpoint covered an entry that was just acknowledged.
    covered: Vec<Duration>,
}

/// Counts acknowledgements while it lasts.
#[derive(Clone, Default)]
struct Count {
    acknowledged: Arc<AtomicU64>,
    newest: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Count {
    fn told(&self, place: u64) -> bool {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.newest.fetch_max(place, Ordering::Relaxed);
        !self.ended.load(Ordering::Relaxed)
    }

    /// Lets it warm up, then measures.
    async fn rate(&self, time: Duration) -> Rate {
        tokio::time::sleep(time / 5).await;
        let (before, begun) = (self.acknowledged.load(Ordering::Relaxed), Instant::now());
        let cpu = cpu_seconds();
        tokio::time::sleep(time).await;
        let records = self.acknowledged.load(Ordering::Relaxed) - before;
        Rate {
            per_second: records as f64 / begun.elapsed().as_secs_f64(),
            cpu_us: (cpu_seconds() - cpu) * 1e6 / records.max(1) as f64,
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
}

/// What a waiter begins with.
#[derive(Clone)]
enum Made {
    /// A record: it is copied and formed for each append.
    Record(Box<Leaf>),
    /// Its bytes: they are copied.
    Bytes(Vec<u8>),
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Record(leaf) => canonical::to_bytes(&leaf.clone()).unwrap(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

async fn through_queue(queue: mpsc::Sender<Waiting>, made: Made, time: Duration) -> Rate {
    let count = Count::default();
    let waiters: Vec<_> = (0..WAITERS)
        .map(|_| {
            let (queue, made, count) = (queue.clone(), made.clone(), count.clone());
            tokio::spawn(async move {
                loop {
                    let (done, written) = oneshot::channel();
                    queue.send((made.bytes(), done)).await.unwrap();
                    if !count.told(written.await.unwrap()) {
                        return;
                    }
                }
            })
        })
        .collect();
    let rate = count.rate(time).await;
    count.ended.store(true, Ordering::Relaxed);
    for waiter in waiters {
        waiter.await.unwrap();
    }
    rate
}

async fn through_ledger(ledger: Ledger, leaf: Leaf, time: Duration) -> Round {
    let count = Count::default();
    let waiters: Vec<_> = (0..WAITERS)
        .map(|_| {
            let (ledger, leaf, count) = (ledger.clone(), leaf.clone(), count.clone());
            tokio::spawn(
                async move { while count.told(ledger.append(leaf.clone()).await.unwrap()) {} },
            )
        })
        .collect();
    let watching = ledger
        .publication()
        .map(|publication| tokio::spawn(watch(publication.clone(), count.clone())));
    let rate = count.rate(time).await;
    count.ended.store(true, Ordering::Relaxed);
    for waiter in waiters {
        waiter.await.unwrap();
    }
    let covered = match watching {
        Some(watching) => watching.await.unwrap(),
        None => Vec::new(),
    };
    ledger.close().await.unwrap();
    Round { rate, covered }
}

/// Takes the newest acknowledged entry now and then, and waits for its
/// checkpoint.
async fn watch(publication: Publication, count: Count) -> Vec<Duration> {
    let mut watchers = Vec::new();
    while !count.ended.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (newest, mut follow) = (count.newest.load(Ordering::Relaxed), publication.follow());
        watchers.push(tokio::spawn(async move {
            let begun = Instant::now();
            follow.wait_for(|now| now.size > newest).await.unwrap();
            begun.elapsed()
        }));
    }
    let mut covered = Vec::new();
    for watcher in watchers {
        covered.push(watcher.await.unwrap());
    }
    covered
}

fn round(subject: Subject, folder: &Path, leaf: &Leaf, time: Duration) -> Round {
    // It stays until the end: a file system that frees the last round's blocks
    // would slow this one.
    let folder = tempfile::tempdir_in(folder).unwrap().keep();
    if matches!(subject, Subject::Ledger | Subject::Unpublished) {
        let key = LogKey::new("log.example/bench", Secret::new([7; 32])).unwrap();
        let settings = Settings {
            folder,
            free_bytes_min: 0,
            publishing: (subject == Subject::Ledger).then(|| Publishing::new(key, CHECKPOINT_TIME)),
            ..Settings::default()
        };
        let clock = Arc::new(FixedClock::new(1));
        let opened = Ledger::open(Arc::new(DiskFiles), settings, clock).unwrap();
        return runtime().block_on(through_ledger(opened.ledger, leaf.clone(), time));
    }
    let (queue, taken) = mpsc::channel(QUEUE);
    let path = folder.join("entries");
    let made = match subject {
        Subject::BareReady => Made::Bytes(canonical::to_bytes(leaf).unwrap()),
        _ => Made::Record(Box::new(leaf.clone())),
    };
    let write = match subject {
        Subject::Bare | Subject::BareReady => bare,
        Subject::Ledger | Subject::Unpublished | Subject::Sqlite => sqlite,
    };
    let writer = thread::spawn(move || write(&path, taken));
    let rate = runtime().block_on(through_queue(queue, made, time));
    writer.join().unwrap();
    Round {
        rate,
        covered: Vec::new(),
    }
}

fn median<T: PartialOrd + Copy>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    sorted[sorted.len() / 2]
}

/// `--rounds N --milliseconds N --folder DIR --only ledger|unpublished|bare|bareready|sqlite --json FILE`
struct Words {
    rounds: usize,
    time: Duration,
    folder: PathBuf,
    only: Option<String>,
    json: Option<PathBuf>,
}

impl Words {
    fn read() -> Self {
        let mut words = Self {
            rounds: 5,
            time: Duration::from_millis(500),
            folder: std::env::temp_dir(),
            only: None,
            json: None,
        };
        let mut given = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = given.next() {
            let value = given.next().unwrap_or_else(|| panic!("{word} what?"));
            match word.as_str() {
                "--rounds" => words.rounds = value.parse().unwrap(),
                "--milliseconds" => words.time = Duration::from_millis(value.parse().unwrap()),
                "--folder" => words.folder = PathBuf::from(value),
                "--only" => words.only = Some(value.to_lowercase()),
                "--json" => words.json = Some(PathBuf::from(value)),
                _ => panic!("{word} is no option"),
            }
        }
        words
    }
}

fn main() {
    let words = Words::read();
    let leaf = record();
    let folder = tempfile::tempdir_in(&words.folder).unwrap();
    let wanted: Vec<(Subject, &str)> = SUBJECTS
        .into_iter()
        .filter(|(subject, _)| {
            let name = format!("{subject:?}").to_lowercase();
            words.only.as_ref().is_none_or(|only| *only == name)
        })
        .collect();
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); wanted.len()];
    for turn in 0..words.rounds {
        for place in 0..wanted.len() {
            // Each round begins with another.
            let place = (place + turn) % wanted.len();
            rounds[place].push(round(wanted[place].0, folder.path(), &leaf, words.time));
        }
    }
    report(&words, &wanted, &rounds);
}

fn report(words: &Words, wanted: &[(Subject, &str)], rounds: &[Vec<Round>]) {
    let of = |place: usize, what: fn(&Rate) -> f64| -> Vec<f64> {
        let rates = rounds[place].iter().map(|round| what(&round.rate));
        rates.collect()
    };
    let per_second = |rate: &Rate| rate.per_second;
    let cpu_us = |rate: &Rate| rate.cpu_us;
    let bare = wanted
        .iter()
        .position(|(subject, _)| *subject == Subject::Bare);
    let bare = bare.map(|place| (median(&of(place, per_second)), median(&of(place, cpu_us))));
    let (bare_rate, bare_cpu) = bare.unwrap_or((f64::NAN, f64::NAN));
    let mut text = String::from(
        "| what | records/s, median | least | most | beside the bare loop | CPU µs a record | bare loop's beside it |\n|---|---|---|---|---|---|---|\n",
    );
    let mut document = serde_json::Map::new();
    for (place, (subject, name)) in wanted.iter().enumerate() {
        let (rates, cpu) = (of(place, per_second), median(&of(place, cpu_us)));
        let middle = median(&rates);
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        text += &format!(
            "| {name} | {middle:.0} | {least:.0} | {most:.0} | {:.2} | {cpu:.1} | {:.2} |\n",
            middle / bare_rate,
            bare_cpu / cpu
        );
        let name = format!("{subject:?}").to_lowercase();
        let record = json!({ "per_second": rates, "cpu_us": of(place, cpu_us) });
        document.insert(name, record);
        let covered: Vec<Duration> = rounds[place]
            .iter()
            .flat_map(|round| round.covered.iter().copied())
            .collect();
        if let Some(longest) = covered.iter().max() {
            let middle = median(&covered);
            text += &format!(
                "\nA checkpoint covered an acknowledged entry after {} ms in the median and {} ms at the most ({} looks).\n",
                middle.as_millis(),
                longest.as_millis(),
                covered.len()
            );
            let times: Vec<u128> = covered.iter().map(Duration::as_millis).collect();
            document.insert("covered_ms".to_owned(), json!(times));
        }
    }
    let head = format!(
        "{WAITERS} waiters, records of {RECORD_BYTES} bytes, {} rounds of {} ms, in turn\n\n",
        words.rounds,
        words.time.as_millis()
    );
    // The sentence about checkpoints must not stand inside the table.
    let (table, sentences): (Vec<&str>, Vec<&str>) = text
        .lines()
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with('|'));
    let page = format!("{head}{}\n\n{}\n", table.join("\n"), sentences.join("\n"));
    std::io::stdout().write_all(page.as_bytes()).unwrap();
    if let Some(path) = &words.json {
        std::fs::write(path, serde_json::to_vec(&document).unwrap()).unwrap();
    }
}
