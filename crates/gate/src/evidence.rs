//! The gate's hold on the ledger: records that must be durable before something happens.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ledger::{AppendError, Appending, Handed, Ledger, Reservation, Written};
use terms::{Act, Code, Event, Leaf, RECORD_VERSION, Refusal};
use tokio::task::JoinHandle;

use crate::Metrics;

/// Room for an exchange's second record; or the operator's word that, while
/// there is none, exchanges go on without a record, each one counted.
#[derive(Debug)]
pub(crate) enum Evidence {
    /// It is recorded.
    Kept(#[expect(dead_code, reason = "holding it is its use")] Reservation),
    /// It is counted only.
    Waived,
}

/// Exchanges that went without a record and are not yet told.
#[derive(Debug, Default)]
pub(crate) struct Waived(Mutex<Option<Gap>>);

#[derive(Debug, Clone, Copy)]
struct Gap {
    from_ms: u64,
    to_ms: u64,
    count: u64,
}

impl Waived {
    /// Counts one; answers whether it is the first of its gap.
    pub(crate) fn count(&self, now_ms: u64) -> bool {
        let mut gap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = gap.is_none();
        let gap = gap.get_or_insert(Gap {
            from_ms: now_ms,
            to_ms: now_ms,
            count: 0,
        });
        gap.to_ms = now_ms;
        gap.count = gap.count.saturating_add(1);
        first
    }

    /// What is to be told of them, once.
    pub(crate) fn take(&self, now_ms: u64) -> Option<Leaf> {
        let mut gap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Gap {
            from_ms,
            to_ms,
            count,
        } = gap.take()?;
        let facts = [
            ("unrecorded", count),
            ("from_ms", from_ms),
            ("to_ms", to_ms),
        ];
        Some(Leaf::Event(Event {
            v: RECORD_VERSION,
            at_ms: now_ms,
            act: Act::Degraded,
            by: "node".to_owned(),
            subject: "evidence".to_owned(),
            facts: BTreeMap::from(facts.map(|(name, value)| (name.to_owned(), value.to_string()))),
        }))
    }
}

/// A record on its way to the disk.
#[derive(Debug)]
pub(crate) struct Recording {
    state: State,
    metrics: Option<Arc<Metrics>>,
}

#[derive(Debug)]
enum State {
    Queued(Appending),
    /// The queue was full: a task of its own waits for a place.
    Full(JoinHandle<Result<Written, AppendError>>),
    /// Its number, if there is a record.
    Done(Result<Option<u64>, Lost>),
}

/// The record could not be made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost(());

impl Recording {
    /// Starts at once, and goes on even if nobody waits; the disk works while
    /// the vendor thinks.
    pub(crate) fn start(ledger: &Ledger, leaf: Leaf, metrics: &Arc<Metrics>) -> Self {
        let state = match ledger.hand_over(leaf) {
            Ok(Handed::Queued(appending)) => State::Queued(appending),
            Ok(Handed::Full(unqueued)) => State::Full(tokio::spawn(unqueued.written())),
            Err(_) => State::Done(Err(Lost(()))),
        };
        Self {
            state,
            metrics: Some(Arc::clone(metrics)),
        }
    }

    /// No record, as the operator wants it.
    pub(crate) const fn waived() -> Self {
        Self {
            state: State::Done(Ok(None)),
            metrics: None,
        }
    }

    /// Waits until the record is durable, as often as it is asked; answers its sequence number, if
    /// there is to be a record.
    pub(crate) async fn wait(&mut self) -> Result<Option<u64>, Lost> {
        let written = match &mut self.state {
            State::Queued(appending) => appending.written().await,
            State::Full(task) => task.await.unwrap_or(Err(AppendError::Closed)),
            State::Done(done) => return *done,
        };
        if let (Ok(written), Some(metrics)) = (&written, &self.metrics) {
            metrics.appended(u64::try_from(written.took.as_micros()).unwrap_or(u64::MAX));
        }
        let done = written
            .map(|written| Some(written.sequence))
            .map_err(|_| Lost(()));
        self.state = State::Done(done);
        done
    }
}

/// Sets space aside for the second record of an exchange.
pub(crate) fn reserve(ledger: &Ledger) -> Result<Reservation, Refusal> {
    ledger
        .reserve()
        .map_err(|_| Refusal::new(Code::EvidenceDown))
}
