//! The gate's hold on the ledger: records that must be durable before something happens.

use std::{sync::Arc, time::Instant};

use ledger::{Ledger, Reservation};
use terms::{Code, Leaf, Refusal};
use tokio::task::JoinHandle;

use crate::Metrics;

/// A record on its way to the disk.
#[derive(Debug)]
pub(crate) struct Recording(JoinHandle<Result<u64, ledger::AppendError>>);

/// The record could not be made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost(());

impl Recording {
    /// Starts at once; the disk works while the vendor thinks.
    pub(crate) fn start(ledger: &Ledger, leaf: Leaf, metrics: &Arc<Metrics>) -> Self {
        let (ledger, metrics) = (ledger.clone(), Arc::clone(metrics));
        Self(tokio::spawn(async move {
            let since = Instant::now();
            let appended = ledger.append(leaf).await;
            metrics.appended(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
            appended
        }))
    }

    /// Waits until the record is durable; answers its sequence number.
    pub(crate) async fn wait(&mut self) -> Result<u64, Lost> {
        match (&mut self.0).await {
            Ok(Ok(sequence)) => Ok(sequence),
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
