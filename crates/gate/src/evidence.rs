//! The gate's hold on the ledger: records that must be durable before something happens.

use ledger::{Ledger, Reservation};
use terms::{Code, Leaf, Refusal};
use tokio::task::JoinHandle;

/// A record on its way to the disk.
#[derive(Debug)]
pub(crate) struct Recording(JoinHandle<Result<u64, ledger::AppendError>>);

/// The record could not be made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost(());

impl Recording {
    /// Starts at once; the disk works while the vendor thinks.
    pub(crate) fn start(ledger: &Ledger, leaf: Leaf) -> Self {
        let ledger = ledger.clone();
        Self(tokio::spawn(async move { ledger.append(leaf).await }))
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
