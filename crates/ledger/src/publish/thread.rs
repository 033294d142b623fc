//! The thread that publishes behind the one that writes.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use terms::{Clock, Digest};
use tokio::sync::watch;

use super::{Builder, Leaves, PublishFault};
use crate::{
    files::Files,
    note::{Checkpoint, LogKey, Note, VerifierKey},
    prune::PruneFault,
    tile::Shelf,
};

/// How long the last rounds may take when the log is closed. What is not
/// published then is at the next start.
const LAST_TIME: Duration = Duration::from_secs(5);
/// Between a round that failed and the next.
const FAILED_TIME: Duration = Duration::from_secs(1);

/// How a log is published.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// The key that signs.
    pub(super) key: LogKey,
    /// LIMIT: how long an acknowledged entry may be without a checkpoint,
    /// apart from the time that the disk takes.
    pub(super) every: Duration,
}

impl Publishing {
    /// With this key; a new checkpoint this often while entries come.
    #[must_use]
    pub const fn new(key: LogKey, every: Duration) -> Self {
        Self { key, every }
    }

    /// The key by which others check.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// Begins to publish the log in a folder; `leaves` brings hashes of what
    /// is acknowledged.
    pub(crate) fn start(
        self,
        files: Arc<dyn Files>,
        ledger: &Path,
        clock: Arc<dyn Clock>,
        durable: watch::Receiver<u64>,
        leaves: Arc<Leaves>,
    ) -> Result<(Publisher, Publication), PublishFault> {
        let builder = Builder::open(files, ledger, self.key)?.with_leaves(leaves);
        Ok(Publisher::start(builder, self.every, clock, durable)?)
    }
}

/// How far a log is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Entries that the newest checkpoint covers.
    pub size: u64,
    /// Its root; `None` as long as there is no checkpoint.
    pub root: Option<Digest>,
    /// When it was signed, milliseconds since 1970.
    pub at_ms: u64,
    /// Entries that the newest checkpoint with a witness's line covers.
    pub witnessed: u64,
    /// Since when there is a checkpoint that no witness cosigned, milliseconds
    /// since 1970; `None` if the newest one is cosigned.
    pub unwitnessed_since_ms: Option<u64>,
    /// Why the last round failed, if it did.
    pub fault: Option<PublishFault>,
}

/// What the thread and who asks it share.
#[derive(Debug)]
struct Shared {
    builder: Mutex<Builder>,
    told: watch::Sender<Published>,
}

/// The publishing of one log; ends its thread when it is dropped.
#[derive(Debug)]
pub(crate) struct Publisher {
    shared: Arc<Shared>,
    clock: Clocked,
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A door to the publishing of a log.
#[derive(Debug, Clone)]
pub struct Publication {
    shared: Arc<Shared>,
    clock: Clocked,
}

#[derive(Clone)]
struct Clocked(Arc<dyn Clock>);

impl std::fmt::Debug for Clocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Publisher {
    /// Begins to publish what `durable` says.
    pub(crate) fn start(
        builder: Builder,
        every: Duration,
        clock: Arc<dyn Clock>,
        durable: watch::Receiver<u64>,
    ) -> std::io::Result<(Self, Publication)> {
        let first = first(&builder, clock.now_ms());
        let shared = Arc::new(Shared {
            builder: Mutex::new(builder),
            told: watch::Sender::new(first),
        });
        let (end, ended) = mpsc::channel();
        let own = Arc::clone(&shared);
        let own_clock = Arc::clone(&clock);
        let thread = std::thread::Builder::new()
            .name("ledger-tiles".to_owned())
            .spawn(move || {
                // Serving comes first.
                terms::give_way();
                run(&own, every, &*own_clock, &durable, &ended);
            })?;
        let publication = Publication {
            shared: Arc::clone(&shared),
            clock: Clocked(clock),
        };
        let publisher = Self {
            shared,
            clock: publication.clock.clone(),
            end: Some(end),
            thread: Some(thread),
        };
        Ok((publisher, publication))
    }

    /// Publishes the rest, as far as it comes in time, and ends.
    pub(crate) fn finish(mut self, durable: u64) {
        self.stop();
        let began = Instant::now();
        while began.elapsed() < LAST_TIME && self.shared.round(durable, &*self.clock.0) {}
    }

    fn stop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// One round; whether there may be more to do at once.
    fn round(&self, durable: u64, clock: &dyn Clock) -> bool {
        let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
        let before = builder.size();
        let outcome = builder.round(durable);
        let now_ms = clock.now_ms();
        let more = outcome.is_ok() && builder.size() > before && builder.size() < durable;
        self.told.send_modify(|told| match outcome {
            Ok(made) => {
                told.fault = None;
                if let Some(signed) = builder.signed().filter(|_| made.is_some()) {
                    told.size = signed.size;
                    told.root = Some(signed.root);
                    told.at_ms = now_ms;
                    told.unwitnessed_since_ms.get_or_insert(now_ms);
                }
            }
            Err(fault) => told.fault = Some(fault),
        });
        more
    }
}

/// What is known before the first round.
fn first(builder: &Builder, now_ms: u64) -> Published {
    let witnessed = builder.witnessed_size();
    let Some(signed) = builder.signed() else {
        return Published::default();
    };
    Published {
        size: signed.size,
        root: Some(signed.root),
        // A checkpoint holds no time: it counts from when it was found.
        at_ms: now_ms,
        witnessed,
        unwitnessed_since_ms: (witnessed < signed.size).then_some(now_ms),
        fault: None,
    }
}

fn run(
    shared: &Shared,
    every: Duration,
    clock: &dyn Clock,
    durable: &watch::Receiver<u64>,
    ended: &mpsc::Receiver<()>,
) {
    let mut pause = Duration::ZERO;
    while matches!(ended.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
        let until = *durable.borrow();
        let more = shared.round(until, clock);
        pause = if more {
            Duration::ZERO
        } else if shared.told.borrow().fault.is_some() {
            every.max(FAILED_TIME)
        } else {
            every
        };
    }
}

impl Publication {
    /// How far the log is published now.
    #[must_use]
    pub fn now(&self) -> Published {
        self.shared.told.borrow().clone()
    }

    /// Waits until there is a checkpoint: at once, unless the log is new or
    /// none can be written.
    pub async fn first(&self) {
        let mut told = self.shared.told.subscribe();
        // Who tells lives as long as this does.
        let _ = told.wait_for(|told| told.root.is_some()).await;
    }

    /// Tells when that changes.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Published> {
        self.shared.told.subscribe()
    }

    /// The newest checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.builder(|builder| builder.signed().cloned())
    }

    /// The newest checkpoint as a note, with the tiles for its proofs; `None`
    /// if it covers nothing.
    #[must_use]
    pub fn snapshot(&self) -> Option<(Note, Checkpoint, Shelf)> {
        self.builder(Builder::snapshot)
    }

    /// Keeps a checkpoint with the lines of witnesses, which was asked for at
    /// `asked_ms`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_witnessed(&self, cosigned: &Note, asked_ms: u64) -> Result<(), PublishFault> {
        let size = Checkpoint::read(&cosigned.text)?.size;
        self.builder(|builder| builder.keep_witnessed(cosigned))?;
        self.shared.told.send_modify(|told| {
            told.witnessed = told.witnessed.max(size);
            // What was signed since is without a witness since then at most.
            told.unwitnessed_since_ms = (told.witnessed < told.size).then_some(asked_ms);
        });
        Ok(())
    }

    /// How far a wish to prune can be met now: the first entry that stays. The
    /// log must tell of it before it is done: [`crate::Ledger::prune`].
    ///
    /// # Errors
    /// When nothing may be removed, or not so much.
    pub(crate) fn agree_to_prune(&self, wanted: u64) -> Result<u64, PruneFault> {
        self.builder(|builder| builder.agree_to_prune(wanted))
    }

    pub(crate) fn prune(&self, until: u64) -> Result<(), PruneFault> {
        self.builder(|builder| builder.prune(until))
    }

    /// The time by which checkpoints are dated.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.0.now_ms()
    }

    fn builder<T>(&self, asked: impl FnOnce(&Builder) -> T) -> T {
        let builder = self.shared.builder.lock();
        asked(&builder.unwrap_or_else(PoisonError::into_inner))
    }
}
