//! The gate's hold on the ledger: records that must be durable before something happens.

use std::sync::Arc;

use ledger::{AppendError, Appending, Handed, Ledger, Reservation, Written};
use terms::{Code, Leaf, Refusal};
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
