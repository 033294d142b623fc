//! The gate's hold on the ledger: records that must be durable before something happens.

use std::{sync::Arc, time::Instant};

use ledger::{Ledger, Reservation};
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
pub(crate) struct Recording(Option<JoinHandle<Result<u64, ledger::AppendError>>>);

/// The record could not be made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost(());

impl Recording {
    /// Starts at once; the disk works while the vendor thinks.
    pub(crate) fn start(ledger: &Ledger, leaf: Leaf, metrics: &Arc<Metrics>) -> Self {
        let (ledger, metrics) = (ledger.clone(), Arc::clone(metrics));
        Self(Some(tokio::spawn(async move {
            let since = Instant::now();
            let appended = ledger.append(leaf).await;
            metrics.appended(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
            appended
        })))
    }

    /// No record, as the operator wants it.
    pub(crate) const fn waived() -> Self {
        Self(None)
    }

    /// Waits until the record is durable; answers its sequence number, if
    /// there is to be a record.
    pub(crate) async fn wait(&mut self) -> Result<Option<u64>, Lost> {
        let Some(appending) = &mut self.0 else {
            return Ok(None);
        };
        match appending.await {
            Ok(Ok(sequence)) => Ok(Some(sequence)),
            Ok(Err(_)) | Err(_) => Err(Lost(())),
        }
    }
}

/// Sets space aside for the second record of an exchange.
pub(crate) fn reserve(ledger: &Ledger) -> Result<Reservation, Refusal> {
    ledger
        .reserve()
        .map_err(|_| Refusal::new(Code::EvidenceDown))
}
