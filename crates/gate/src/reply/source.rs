//! Reads a vendor's reply: bounded in time, counted and committed to as it comes.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ledger::commit;
use terms::{Code, Commitment, Refusal};

use super::Context;
use crate::{Gate, ReplySlot, running::Cut};

/// The bytes that come from the vendor.
#[derive(Debug)]
pub(super) struct Source {
    body: Incoming,
    cut: Arc<Cut>,
    bytes: u64,
    commitment: commit::Running,
}

impl Source {
    pub(super) fn new(context: &Context, cut: Arc<Cut>, body: Incoming) -> Self {
        let commitment = context.commitments.start(&context.id, "reply-body");
        Self {
            body,
            cut,
            bytes: 0,
            commitment,
        }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When the vendor is slow or cuts off, the caller has left, or the gate
    /// must stop.
    pub(super) async fn next(
        &mut self,
        gate: &Gate,
        slot: &mut ReplySlot,
    ) -> Result<Option<Bytes>, Refusal> {
        loop {
            let frame = tokio::select! {
                frame = tokio::time::timeout(gate.limits().reply_idle_time, self.body.frame()) => {
                    frame.map_err(|_| Refusal::new(Code::VendorSlow))?
                }
                () = slot.gone() => return Err(Refusal::new(Code::CallerGone)),
                code = self.cut.wait() => return Err(Refusal::new(code)),
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| Refusal::new(Code::VendorCut))?;
            // Trailers are dropped.
            if let Ok(data) = frame.into_data() {
                self.bytes = self.bytes.saturating_add(data.len() as u64);
                self.commitment.update(&data);
                return Ok(Some(data));
            }
        }
    }

    /// The word that the exchange must end.
    pub(super) fn cut(&self) -> &Cut {
        &self.cut
    }

    /// How much came, and the commitment to it.
    pub(super) fn seen(self) -> (u64, Commitment) {
        (self.bytes, self.commitment.finish())
    }
}
