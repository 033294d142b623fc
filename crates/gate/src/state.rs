//! What it takes to stand at the door.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use detect::redact::TokenKey;
use ledger::{Ledger, Reservation, commit::CommitmentKey};
use policy::Switches;
use terms::{Act, Clock, Code, Entropy, Event, ExchangeId, Leaf, RECORD_VERSION, Refusal};
use tokio_util::task::TaskTracker;

use crate::{
    Metrics, Observer, Ruling, ServerTls,
    budget::Budget,
    callers::Callers,
    canary::{self, CanaryFault, Shown},
    capture::Sealing,
    connection::Lingering,
    evidence::{self, Evidence, Lost, Recording, Waived},
    lockouts::Lockouts,
    metrics::{CheckpointReading, Readings},
    parties::{Parties, Use},
    running::Running,
    settings::{Limits, Settings},
    sources::Sources,
    summaries::Summaries,
    vault::Vault,
    work::Work,
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
    /// How callers connect; in the clear without it.
    pub tls: Option<ServerTls>,
    /// Who is told of each exchange that ended.
    pub observer: Option<Arc<dyn Observer>>,
    /// Where content is sealed and kept, if there is a tenant's key.
    pub sealing: Option<Arc<Sealing>>,
    /// Where redacted values are kept for later exchanges, if they are.
    pub vault: Option<Arc<Vault>>,
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
    callers: Callers,
    ruling: ArcSwap<Ruling>,
    tls: ArcSwap<Option<ServerTls>>,
    budget: Budget,
    work: Work,
    lingering: Lingering,
    summaries: Summaries,
    lockouts: Lockouts,
    parties: Arc<Parties>,
    sources: Arc<Sources>,
    running: Running,
    /// INVARIANT: changed before `running` is searched, see [`Running::enter`].
    pub(crate) switches: ArcSwap<Switches>,
    metrics: Arc<Metrics>,
    observer: Option<Arc<dyn Observer>>,
    sealing: Option<Arc<Sealing>>,
    vault: Option<Arc<Vault>>,
    waived: Waived,
    stopping: AtomicBool,
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
        if parts.vault.is_some() {
            canary::never(&ruling)?;
        }
        let limits = &parts.settings.limits;
        let clock: Arc<dyn SharedClock> = parts.clock;
        let gate = Self {
            parties: Arc::new(Parties::new(Arc::clone(&clock))),
            sources: Arc::new(Sources::new(
                limits.connections_per_source_max,
                limits.connections_per_source_exempt.clone(),
            )),
            budget: Budget::new(
                limits.in_flight_max,
                limits.in_flight_bytes_max,
                limits.body_bytes_max,
            ),
            settings: parts.settings,
            clock,
            entropy: parts.entropy,
            ledger: parts.ledger,
            commitments: parts.commitments,
            tokens: parts.tokens,
            callers: Callers::default(),
            ruling: ArcSwap::from_pointee(ruling),
            tls: ArcSwap::from_pointee(parts.tls),
            work: Work::default(),
            lingering: Lingering::default(),
            summaries: Summaries::default(),
            lockouts: Lockouts::default(),
            running: Running::default(),
            switches: ArcSwap::default(),
            metrics: Arc::default(),
            observer: parts.observer,
            sealing: parts.sealing,
            vault: parts.vault,
            waived: Waived::default(),
            stopping: AtomicBool::new(false),
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
        if self.vault.is_some() {
            canary::never(&ruling)?;
        }
        self.ruling.store(Arc::new(ruling));
        Ok(shown)
    }

    /// Puts a new certificate in force, for connections from now on.
    pub fn install_tls(&self, tls: Option<ServerTls>) {
        self.tls.store(Arc::new(tls));
    }

    /// What a new connection shakes hands with.
    pub(crate) fn tls_config(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.tls.load().as_ref().as_ref().map(ServerTls::config)
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

    /// Where content is sealed and kept.
    pub const fn sealing(&self) -> Option<&Arc<Sealing>> {
        self.sealing.as_ref()
    }

    /// Where redacted values are kept for later exchanges.
    pub const fn vault(&self) -> Option<&Arc<Vault>> {
        self.vault.as_ref()
    }

    pub(crate) fn shared_entropy(&self) -> Arc<dyn SharedEntropy> {
        Arc::clone(&self.entropy)
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

    pub(crate) const fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) const fn work(&self) -> &Work {
        &self.work
    }

    pub(crate) const fn lingering(&self) -> &Lingering {
        &self.lingering
    }

    pub(crate) const fn summaries(&self) -> &Summaries {
        &self.summaries
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
        self.running.end_all();
    }

    pub(crate) const fn running(&self) -> &Running {
        &self.running
    }

    pub(crate) const fn lockouts(&self) -> &Lockouts {
        &self.lockouts
    }

    pub(crate) fn parties(&self) -> Arc<Parties> {
        Arc::clone(&self.parties)
    }

    pub(crate) const fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Counts and times.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn observer(&self) -> Option<Arc<dyn Observer>> {
        self.observer.clone()
    }

    pub(crate) fn metrics_shared(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    pub(crate) fn reserve(&self) -> Result<Reservation, Refusal> {
        evidence::reserve(&self.ledger)
    }

    pub(crate) fn record_later(&self, leaf: Leaf) -> Recording {
        Recording::start(&self.ledger, leaf, &self.metrics)
    }

    pub(crate) async fn record(&self, leaf: Leaf) -> Result<Option<u64>, Lost> {
        self.record_later(leaf).wait().await
    }

    /// Room for one more exchange's records, or leave to go without.
    pub(crate) fn evidence(&self, ruling: &Ruling, now_ms: u64) -> Result<Evidence, Refusal> {
        match self.reserve() {
            Ok(reservation) => Ok(Evidence::Kept(reservation)),
            // A disk that failed is no lack of space: the process is ending.
            Err(_)
                if ruling.policy().when_down.evidence.passes(now_ms)
                    && !self.ledger.has_failed() =>
            {
                self.metrics.unrecorded();
                if self.waived.count(now_ms) {
                    tracing::error!(
                        "there is no room for evidence: exchanges pass without a record, as when_down.evidence says"
                    );
                }
                Ok(Evidence::Waived)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether there is room for records; a log that failed has none either,
    /// but there it makes no difference.
    pub(crate) fn has_room(&self) -> bool {
        self.ledger.has_failed() || self.reserve().is_ok()
    }

    /// Writes the counts of refusals that wait, and who was locked
    /// out; all of them at the end. While there is no room they wait: a write
    /// that fails would end the process.
    pub(crate) async fn write_summaries(&self, all: bool) {
        if !all && !self.has_room() {
            return;
        }
        let id = ExchangeId::new(self.clock(), self.entropy());
        for leaf in self
            .lockout_leaves(&id, all)
            .into_iter()
            .chain(self.waived.take(self.clock().now_ms()))
        {
            if self.record(leaf).await.is_err() {
                return;
            }
        }
        for leaf in self.summaries.take(&id, &self.commitments, all) {
            if self.record(leaf).await.is_err() {
                // The failed ledger stops the process; its count goes with it.
                return;
            }
        }
    }

    fn lockout_leaves(&self, id: &ExchangeId, all: bool) -> Vec<Leaf> {
        let news = self.lockouts.news(all);
        let at_ms = self.clock().now_ms();
        let mut leaves: Vec<Leaf> = news
            .sources
            .iter()
            .map(|source| {
                let source = source.to_string();
                let subject = self.commitments.commit(id, "source", source.as_bytes());
                self.locked(at_ms, id, subject.to_string(), 1)
            })
            .collect();
        if news.more > 0 {
            leaves.push(self.locked(at_ms, id, "many".to_owned(), news.more));
        }
        leaves
    }

    fn locked(&self, at_ms: u64, id: &ExchangeId, subject: String, count: u64) -> Leaf {
        let mut facts = std::collections::BTreeMap::from([
            ("reference".to_owned(), id.to_string()),
            ("count".to_owned(), count.to_string()),
        ]);
        if let Some(rule) = &self.ruling().policy().lockout {
            facts.insert("failures_max".to_owned(), rule.failures_max.to_string());
            facts.insert("minutes".to_owned(), (rule.time_ms / 60_000).to_string());
        }
        Leaf::Event(Event {
            v: RECORD_VERSION,
            at_ms,
            act: Act::SourceLocked,
            by: "node".to_owned(),
            subject,
            facts,
        })
    }

    /// Why no exchange would be admitted now; `None` if one would.
    #[must_use]
    pub fn unready(&self) -> Option<Code> {
        let everything = policy::Call {
            vendor: "",
            route: "",
            keys: &[],
            model: None,
        };
        if self.is_stopping() {
            Some(Code::ShuttingDown)
        } else if self.switches().stops(&everything) {
            Some(Code::SwitchedOff)
        } else if let Err(refusal) = self.callers.are_current(self.clock().now_ms()) {
            Some(refusal.code())
        } else {
            self.reserve().err().map(|refusal| refusal.code())
        }
    }

    /// What can be read off now.
    #[must_use]
    pub fn readings(&self) -> Readings {
        let now_ms = self.clock().now_ms();
        let ruling = self.ruling();
        let vendors = ruling.vendors().iter().map(|vendor| {
            let age = vendor.key_age;
            let ratio = age.age_ms_max.zip(age.since_ms).map(|(most, since)| {
                let age = u32::try_from(now_ms.saturating_sub(since) / 1_000).unwrap_or(u32::MAX);
                let most = u32::try_from(most / 1_000).unwrap_or(u32::MAX).max(1);
                f64::from(age) / f64::from(most)
            });
            (vendor.name.clone(), vendor.breaker.is_open(now_ms), ratio)
        });
        Readings {
            in_flight: self.running.count() as u64,
            connections: self.sources.count() as u64,
            ledger_waiting: self.ledger.waiting() as u64,
            ledger_failed: self.ledger.has_failed(),
            checkpoint: self.checkpoint(now_ms),
            sources_locked: self.lockouts.locked(now_ms) as u64,
            switches_off: self.switches().iter().count() as u64,
            keys_age_ms: self.callers.age_ms(now_ms),
            vendors: vendors.collect(),
            exports: Vec::new(),
        }
    }

    fn checkpoint(&self, now_ms: u64) -> CheckpointReading {
        let published = self.ledger.publication().map(ledger::Publication::now);
        published.map_or_else(CheckpointReading::default, |now| CheckpointReading {
            entries: now.size,
            age_ms: now_ms.saturating_sub(now.at_ms),
            unwitnessed_ms: now
                .unwitnessed_since_ms
                .map_or(0, |since| now_ms.saturating_sub(since)),
            failed: now.fault.is_some(),
        })
    }

    /// What each party uses, the busiest first; at most so many.
    #[must_use]
    pub fn uses(&self, most: usize) -> Vec<Use> {
        self.parties.uses(most)
    }
}
