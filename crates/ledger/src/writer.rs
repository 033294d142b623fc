//! Writing: entries are gathered, written at once and synced once, by one thread.

mod thread;
mod wait;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use terms::{Act, Event, Leaf};
use thiserror::Error;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

use crate::{
    canonical,
    files::{Append, Files, Lock},
    head::Head,
    merkle::Tree,
    open::{MARKER, Settings},
    prune::{self, PruneFault},
    publish::{Leaves, Publication, Publisher},
    space::{RESERVED_BYTES, Reservation, Space},
};

/// How long a reading of the free space counts.
const FREE_TIME: Duration = Duration::from_millis(100);

/// Why an entry was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The disk failed at some time; nothing is written any more.
    #[error("the ledger failed and takes nothing any more; end the process and start it again")]
    Failed,
    /// Too little space is free.
    #[error("too little disk space is free for evidence")]
    NoSpace,
    /// The record has no canonical form.
    #[error("the record cannot be written: {0}")]
    Form(#[from] canonical::CanonicalFault),
    /// The log was closed.
    #[error("the ledger is closed")]
    Closed,
}

/// Why entries were not removed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PruneError {
    /// They may not be, or cannot.
    #[error(transparent)]
    Prune(#[from] PruneFault),
    /// That they are could not be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// What the writing thread is handed at its start.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) settings: Settings,
    /// The thread that publishes; it ends before the lock goes.
    pub(crate) published: Option<(Publisher, Publication)>,
    /// Where the hashes of what was acknowledged go to be published.
    pub(crate) leaves: Option<Arc<Leaves>>,
    /// Told how many entries were acknowledged.
    pub(crate) durable: watch::Sender<u64>,
    #[expect(dead_code, reason = "holding it is its use")]
    pub(crate) lock: Box<dyn Lock>,
    pub(crate) segment: Option<Box<dyn Append>>,
    pub(crate) next: u64,
    pub(crate) bytes: u64,
    /// The tree over the entries that are there.
    pub(crate) tree: Tree,
    /// The head as it is on the disk.
    pub(crate) head: Head,
}

/// An entry that is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its number.
    pub sequence: u64,
    /// How long it took from being handed over.
    pub took: Duration,
}

/// One entry on its way.
#[derive(Debug)]
struct Waiting {
    payload: Vec<u8>,
    since: Instant,
    done: oneshot::Sender<Result<Written, AppendError>>,
}

/// What became of an entry that was handed over.
#[derive(Debug)]
pub enum Handed {
    /// It is being written, whether anybody waits for that or not.
    Queued(Appending),
    /// The queue is full: it is written once somebody waited for a place.
    Full(Unqueued),
}

/// An entry that is being written.
#[derive(Debug)]
pub struct Appending {
    failed: watch::Receiver<bool>,
    written: oneshot::Receiver<Result<Written, AppendError>>,
}

impl Appending {
    /// Waits until it is on the disk. Who gives up waiting can begin again; who
    /// was told is not to ask again.
    ///
    /// # Errors
    /// When it was not written, or may not have been.
    pub async fn written(&mut self) -> Result<Written, AppendError> {
        let written = (&mut self.written).await;
        written.map_err(|_| gone(&self.failed))?
    }
}

/// An entry that waits for a place in the queue.
#[derive(Debug)]
pub struct Unqueued {
    orders: mpsc::Sender<Order>,
    waiting: Waiting,
    appending: Appending,
}

impl Unqueued {
    /// Waits for a place, then until it is on the disk.
    ///
    /// # Errors
    /// When it was not written, or may not have been.
    pub async fn written(mut self) -> Result<Written, AppendError> {
        let failed = &self.appending.failed;
        self.orders
            .send(Order::Write(self.waiting))
            .await
            .map_err(|_| gone(failed))?;
        self.appending.written().await
    }
}

fn gone(failed: &watch::Receiver<bool>) -> AppendError {
    if *failed.borrow() {
        AppendError::Failed
    } else {
        AppendError::Closed
    }
}

/// The wish to end.
#[derive(Debug)]
struct Closing {
    /// Whether the mark of a running gate is this process's to take away.
    unmark: bool,
    done: oneshot::Sender<Result<(), AppendError>>,
}

#[derive(Debug)]
enum Order {
    Write(Waiting),
    Close(Closing),
}

/// The log, to be written to. Clones share it.
#[derive(Debug, Clone)]
pub struct Ledger {
    orders: mpsc::Sender<Order>,
    failed: watch::Receiver<bool>,
    space: Space,
    free: Arc<Mutex<Option<(Instant, u64)>>>,
    files: Arc<dyn Files>,
    folder: PathBuf,
    free_bytes_min: u64,
    publication: Option<Publication>,
    /// Whether this process set the mark of a running gate, or may take the
    /// one that it found away.
    marked: Arc<AtomicBool>,
}

/// Tells when the log failed.
#[derive(Debug, Clone)]
pub struct Failed(watch::Receiver<bool>);

impl Failed {
    /// Waits until the log failed; for ever if it does not.
    pub async fn wait(&mut self) {
        // An error means that the writer ended in good order.
        if self.0.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Ledger {
    pub(crate) fn start(start: Start) -> Self {
        let (orders, queue) = mpsc::channel(start.settings.queue_entries_max.max(1));
        let (tell, failed) = watch::channel(false);
        let ledger = Self {
            orders,
            failed,
            space: Space::default(),
            free: Arc::default(),
            files: Arc::clone(&start.files),
            folder: start.settings.folder.clone(),
            free_bytes_min: start.settings.free_bytes_min,
            publication: start.published.as_ref().map(|(_, door)| door.clone()),
            marked: Arc::default(),
        };
        let spawned = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || thread::run(start, queue, &tell));
        // Without its thread the queue is closed, and every append fails.
        drop(spawned);
        ledger
    }

    /// Writes an entry; resolves when it is on the disk, with its number.
    /// While the queue is full, it waits.
    ///
    /// # Errors
    /// When it was not written, or may not have been.
    pub async fn append(&self, leaf: Leaf) -> Result<u64, AppendError> {
        let written = match self.hand_over(leaf)? {
            Handed::Queued(mut appending) => appending.written().await,
            Handed::Full(unqueued) => unqueued.written().await,
        };
        written.map(|written| written.sequence)
    }

    /// Hands an entry over and does not wait.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn hand_over(&self, leaf: Leaf) -> Result<Handed, AppendError> {
        let payload = canonical::leaf_bytes(leaf)?;
        let (done, written) = oneshot::channel();
        let waiting = Waiting {
            payload,
            since: Instant::now(),
            done,
        };
        let appending = Appending {
            failed: self.failed.clone(),
            written,
        };
        match self.orders.try_send(Order::Write(waiting)) {
            Ok(()) => Ok(Handed::Queued(appending)),
            Err(TrySendError::Full(Order::Write(waiting))) => Ok(Handed::Full(Unqueued {
                orders: self.orders.clone(),
                waiting,
                appending,
            })),
            Err(TrySendError::Full(Order::Close(_)) | TrySendError::Closed(_)) => Err(self.gone()),
        }
    }

    /// The same for a thread that may wait. Not to be called in a task.
    ///
    /// # Errors
    /// When it was not written, or may not have been.
    pub fn append_blocking(&self, leaf: Leaf) -> Result<u64, AppendError> {
        let payload = canonical::leaf_bytes(leaf)?;
        let (done, written) = oneshot::channel();
        self.orders
            .blocking_send(Order::Write(Waiting {
                payload,
                since: Instant::now(),
                done,
            }))
            .map_err(|_| self.gone())?;
        let written = written.blocking_recv().map_err(|_| self.gone())?;
        written.map(|written| written.sequence)
    }

    /// Sets room aside for one exchange's second record.
    ///
    /// # Errors
    /// When too little space is free, or the log failed.
    pub fn reserve(&self) -> Result<Reservation, AppendError> {
        if *self.failed.borrow() {
            return Err(AppendError::Failed);
        }
        let free = self.free_bytes().map_err(|_| AppendError::NoSpace)?;
        self.space
            .take(free, self.free_bytes_min)
            .ok_or(AppendError::NoSpace)
    }

    /// Exchanges whose second record is still to come.
    #[must_use]
    pub fn exchanges_open(&self) -> u64 {
        self.space.reserved() / RESERVED_BYTES
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let mut known = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((when, free)) if when.elapsed() < FREE_TIME => Ok(free),
            Some(_) | None => {
                let free = self.files.free_bytes(&self.folder)?;
                *known = Some((Instant::now(), free));
                Ok(free)
            }
        }
    }

    /// The tiles and checkpoints of this log, if it has any.
    #[must_use]
    pub const fn publication(&self) -> Option<&Publication> {
        self.publication.as_ref()
    }

    /// Removes entries before `wanted`, in whole bundles; their hashes stay.
    /// `event` tells of it first; its act and the fact of how far are set here.
    /// Answers the first entry that stays.
    ///
    /// # Errors
    /// When a legal hold is set, the checkpoint does not cover them, or the
    /// disk fails.
    pub async fn prune(&self, wanted: u64, event: Event) -> Result<u64, PruneError> {
        let door = self.publication.as_ref().ok_or(PruneFault::Unpublished)?;
        let until = door.agree_to_prune(wanted)?;
        let mut event = Event {
            act: Act::Pruned,
            ..event
        };
        let fact = (prune::FACT.to_owned(), until.to_string());
        event.facts.extend([fact]);
        let told = Leaf::Event(event);
        let number = self.append(told).await?;
        // Whoever has a copy of what is published must find it there.
        let mut published = door.follow();
        let known = published
            .wait_for(|now| now.size > number || now.fault.is_some())
            .await
            .is_ok_and(|now| now.size > number);
        if !known {
            return Err(PruneFault::Unpublished.into());
        }
        door.prune(until)?;
        Ok(until)
    }

    /// Entries that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.orders.max_capacity() - self.orders.capacity()
    }

    /// Whether the log failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        *self.failed.borrow()
    }

    /// Marks that a gate runs on this log: if the mark is still there at the
    /// next opening, the gate did not stop cleanly.
    ///
    /// # Errors
    /// When the mark cannot be brought to the disk.
    pub fn mark_running(&self) -> io::Result<()> {
        let path = self.folder.join(MARKER);
        if !self
            .files
            .list(&self.folder)?
            .iter()
            .any(|name| name == MARKER)
        {
            self.files.create(&path, 0)?.sync()?;
        }
        self.files.sync_folder(&self.folder)?;
        self.marked.store(true, Ordering::Release);
        Ok(())
    }

    /// The entries that tell of a crash are written: the mark that told of it
    /// may go when the log is closed.
    pub(crate) fn crash_is_told(&self) {
        self.marked.store(true, Ordering::Release);
    }

    /// Tells when the log failed.
    #[must_use]
    pub fn failed(&self) -> Failed {
        Failed(self.failed.clone())
    }

    /// Writes what waits, then the head, takes the mark of a running gate away
    /// and ends the writing. Later appends through clones fail. A mark that
    /// this process found and did not set stays ([`Ledger::mark_running`],
    /// [`crate::Opened::recover`]).
    ///
    /// # Errors
    /// When something that waited could not be written.
    pub async fn close(self) -> Result<(), AppendError> {
        let unmark = self.marked.load(Ordering::Acquire);
        let (done, closed) = oneshot::channel();
        self.orders
            .send(Order::Close(Closing { unmark, done }))
            .await
            .map_err(|_| self.gone())?;
        closed.await.map_err(|_| self.gone())?
    }

    fn gone(&self) -> AppendError {
        gone(&self.failed)
    }
}
