//! What it takes to stand at the door.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use detect::redact::TokenKey;
use ledger::{Ledger, Reservation, commit::CommitmentKey};
use terms::{Clock, Entropy, ExchangeId, Leaf, Refusal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Ruling, VendorClient,
    budget::Budget,
    callers::Callers,
    canary::{self, CanaryFault, Shown},
    evidence::{self, Lost, Recording},
    settings::{Limits, Settings},
    strangers::Strangers,
};

/// Everything that a gate is made from.
#[derive(Debug)]
pub struct Parts<C, E> {
    /// What needs a restart to change.
    pub settings: Settings,
    /// Tells the time.
    pub clock: Arc<C>,
    /// Gives random bytes.
    pub entropy: Arc<E>,
    /// The record of everything.
    pub ledger: Ledger,
    /// Key of the commitments in records.
    pub commitments: CommitmentKey,
    /// Key of the tokens that stand for redacted values.
    pub tokens: TokenKey,
    /// Connections to vendors.
    pub client: VendorClient,
}

/// A clock that can be printed and shared.
pub(crate) trait SharedClock: Clock + std::fmt::Debug {}
impl<T: Clock + std::fmt::Debug> SharedClock for T {}
/// A source of randomness that can be printed and shared.
pub(crate) trait SharedEntropy: Entropy + std::fmt::Debug {}
impl<T: Entropy + std::fmt::Debug> SharedEntropy for T {}

/// One gate, shared by all its exchanges.
#[derive(Debug)]
pub struct Gate {
    settings: Settings,
    clock: Arc<dyn SharedClock>,
    entropy: Arc<dyn SharedEntropy>,
    ledger: Ledger,
    commitments: CommitmentKey,
    tokens: TokenKey,
    client: VendorClient,
    callers: Callers,
    ruling: ArcSwap<Ruling>,
    budget: Budget,
    strangers: Strangers,
    stopping: AtomicBool,
    cut: CancellationToken,
    tasks: TaskTracker,
}

impl Gate {
    /// A gate with a first ruling, whose canaries are shown before it exists:
    /// there is no gate whose controls were not seen to work.
    ///
    /// # Errors
    /// When a control that is switched on does not catch its canary.
    pub fn new<C, E>(parts: Parts<C, E>, ruling: Ruling) -> Result<(Self, Vec<Shown>), CanaryFault>
    where
        C: Clock + std::fmt::Debug + 'static,
        E: Entropy + std::fmt::Debug + 'static,
    {
        let shown = canary::show(&ruling, parts.clock.now_ms())?;
        let limits = &parts.settings.limits;
        let gate = Self {
            budget: Budget::new(limits.in_flight_max, limits.in_flight_bytes_max),
            settings: parts.settings,
            clock: parts.clock,
            entropy: parts.entropy,
            ledger: parts.ledger,
            commitments: parts.commitments,
            tokens: parts.tokens,
            client: parts.client,
            callers: Callers::default(),
            ruling: ArcSwap::from_pointee(ruling),
            strangers: Strangers::default(),
            stopping: AtomicBool::new(false),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Ok((gate, shown))
    }

    /// Swaps the ruling whole, after its canaries were caught; otherwise the
    /// old one stays.
    ///
    /// # Errors
    /// When a control that is switched on does not catch its canary.
    pub fn install(&self, ruling: Ruling) -> Result<Vec<Shown>, CanaryFault> {
        let shown = canary::show(&ruling, self.clock.now_ms())?;
        self.ruling.store(Arc::new(ruling));
        Ok(shown)
    }

    /// The virtual keys in force.
    pub const fn callers(&self) -> &Callers {
        &self.callers
    }

    /// The ruling in force.
    pub fn ruling(&self) -> Arc<Ruling> {
        self.ruling.load_full()
    }

    /// The ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn shared_clock(&self) -> Arc<dyn SharedClock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    pub(crate) const fn commitments(&self) -> &CommitmentKey {
        &self.commitments
    }

    pub(crate) const fn tokens(&self) -> &TokenKey {
        &self.tokens
    }

    pub(crate) const fn client(&self) -> &VendorClient {
        &self.client
    }

    pub(crate) const fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) const fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn stop_admitting(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Ends every running exchange now, each with its record.
    pub(crate) fn cut_all(&self) {
        self.cut.cancel();
    }

    /// Waits until running exchanges must end.
    pub(crate) async fn cut(&self) {
        self.cut.cancelled().await;
    }

    pub(crate) fn reserve(&self) -> Result<Reservation, Refusal> {
        evidence::reserve(&self.ledger)
    }

    pub(crate) fn record_later(&self, leaf: Leaf) -> Recording {
        Recording::start(&self.ledger, leaf)
    }

    pub(crate) async fn record(&self, leaf: Leaf) -> Result<u64, Lost> {
        self.record_later(leaf).wait().await
    }

    /// Writes the counts of refused strangers that wait; all of them at the end.
    pub(crate) async fn write_strangers(&self, all: bool) {
        let id = ExchangeId::new(self.clock(), self.entropy());
        for leaf in self.strangers.take(&id, &self.commitments, all) {
            if self.record(leaf).await.is_err() {
                // The failed ledger stops the process; its count goes with it.
                return;
            }
        }
    }
}
