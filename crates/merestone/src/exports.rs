//! The exports of a running gate: a thread for each destination, apart from
//! everything that serves callers.

mod build;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context;
use export::{
    Cursor, Feed, Progress, Reading, Runner,
    runner::{Stop, Told},
};
use ledger::{files::DiskFiles, note::VerifierKey};

pub use build::sink;

use crate::{config::ExportAt, source::SystemEntropy};

/// For the threads to end. One that waits for a sink is left: its cursor stands
/// where the sink last confirmed.
const END_TIME: Duration = Duration::from_secs(2);

/// All of them.
#[derive(Debug, Default)]
pub struct Exports {
    runs: Vec<Run>,
    stop: Arc<Stop>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Run {
    progress: Arc<Progress>,
    lag_ms_max: u64,
    /// Since when each look found it failing, milliseconds since 1970; 0 if the
    /// last did not.
    failing_ms: AtomicU64,
}

impl Run {
    /// For how long it has failed, by the looks that were taken. Where the log or
    /// the cursor cannot be read, nothing else tells that it is late.
    fn failing_for(&self, reading: &Reading, now_ms: u64) -> u64 {
        if reading.failing.is_none() {
            self.failing_ms.store(0, Ordering::Relaxed);
            return 0;
        }
        let first =
            self.failing_ms
                .compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        now_ms.saturating_sub(first.map_or_else(|since| since, |_| now_ms))
    }
}

/// Where the log and the cursors are.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The ledger's folder.
    pub ledger: &'a Path,
    /// The folder of cursors.
    pub folder: &'a Path,
    /// The node's name.
    pub node: &'a str,
}

impl Exports {
    /// Starts a thread for each destination.
    ///
    /// # Errors
    /// When a destination cannot be set up, or the system gives no thread.
    pub fn start(
        wanted: Vec<ExportAt>,
        key: &VerifierKey,
        places: Places<'_>,
    ) -> anyhow::Result<Self> {
        let exports = Self {
            runs: wanted
                .iter()
                .map(|at| Run {
                    progress: Arc::new(Progress::new(&at.name)),
                    lag_ms_max: at.lag_ms_max,
                    failing_ms: AtomicU64::new(0),
                })
                .collect(),
            ..Self::default()
        };
        for (at, run) in wanted.into_iter().zip(&exports.runs) {
            let feed = Feed::new(Arc::new(DiskFiles), places.ledger, key.clone());
            let limits = at.limits;
            let name = at.name.clone();
            let runner = Runner::new(
                &name,
                places.folder,
                Box::new(feed),
                sink(at, places.node)?,
                limits,
                Arc::clone(&run.progress),
            );
            let stop = Arc::clone(&exports.stop);
            let thread = std::thread::Builder::new()
                .name(format!("export-{name}"))
                .spawn(move || runner.run(&stop, &SystemEntropy, &tell))
                .context("no thread for an export")?;
            let mut threads = exports.threads.lock();
            threads
                .as_mut()
                .unwrap_or_else(|poisoned| poisoned.get_mut())
                .push(thread);
        }
        Ok(exports)
    }

    /// How far they are.
    pub fn readings(&self) -> Vec<Reading> {
        self.runs.iter().map(|run| run.progress.read()).collect()
    }

    /// Which are later than they may be.
    pub fn late(&self, now_ms: u64) -> Vec<(Reading, bool)> {
        self.runs
            .iter()
            .map(|run| {
                let reading = run.progress.read();
                let behind = reading.lag_ms(now_ms);
                let behind = behind.max(run.failing_for(&reading, now_ms));
                let late = reading.stopped || behind > run.lag_ms_max;
                (reading, late)
            })
            .collect()
    }

    /// Ends them.
    pub fn end(&self) {
        self.stop.say();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        for thread in threads.drain(..) {
            while !thread.is_finished() && begun.elapsed() < END_TIME {
                std::thread::sleep(Duration::from_millis(10));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

/// In fixed words: never an event, an address or a credential.
fn tell(name: &str, told: Told<'_>) {
    match told {
        Told::Failing(why) => tracing::error!(
            export = name,
            "events are not delivered, and it is tried again: {why}"
        ),
        Told::Well => tracing::warn!(export = name, "events are delivered again"),
        Told::SetAside(count) => tracing::error!(
            export = name,
            count,
            "events were refused for good and set aside"
        ),
        Told::Pruned(count) => tracing::error!(
            export = name,
            count,
            "entries were pruned before they were delivered; they will never be"
        ),
    }
}

/// How far the destinations of a gate that does not run are.
///
/// # Errors
/// When the log cannot be read.
pub fn at_rest(
    wanted: &[ExportAt],
    key: Option<&VerifierKey>,
    places: Places<'_>,
) -> anyhow::Result<Vec<Reading>> {
    use export::Log as _;
    let mut readings = Vec::new();
    for at in wanted {
        let mut reading = Reading {
            name: at.name.clone(),
            ..Reading::default()
        };
        // One that is damaged is told, and hides no other.
        match Cursor::read(places.folder, &at.name) {
            Ok(None) => {}
            Ok(Some(cursor)) => {
                reading.next = cursor.next;
                reading.delivered = cursor.delivered;
                reading.set_aside = cursor.set_aside;
                reading.pruned = cursor.pruned;
            }
            Err(fault) => reading.failing = Some(fault.to_string()),
        }
        if let Some(key) = key {
            let mut feed = Feed::new(Arc::new(DiskFiles), places.ledger, key.clone());
            reading.size = feed.size()?;
            let next = reading.next.max(feed.first());
            if next < reading.size {
                match feed.read(next, reading.size, 1, 1) {
                    Ok(items) => {
                        reading.oldest_ms = items.first().map(|item| item.leaf.at_ms());
                    }
                    Err(fault) => reading.failing = Some(fault.to_string()),
                }
            }
        }
        readings.push(reading);
    }
    Ok(readings)
}

/// The destinations that have not had everything before an entry.
///
/// # Errors
/// When a cursor cannot be read.
pub fn behind(
    names: impl Iterator<Item = (String, export::Begin)>,
    folder: &Path,
    before: u64,
) -> anyhow::Result<Vec<String>> {
    let mut behind = Vec::new();
    for (name, begin) in names {
        let cursor = Cursor::read(folder, &name);
        let next = match cursor.with_context(|| format!("the export `{name}`"))? {
            Some(cursor) => cursor.next,
            // One that begins with what comes misses nothing.
            None if begin == export::Begin::Now => u64::MAX,
            None => 0,
        };
        if next < before {
            behind.push(name);
        }
    }
    Ok(behind)
}
