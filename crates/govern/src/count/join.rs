//! Joins the two halves of each exchange's record.

use std::collections::BTreeMap;

use terms::{Admitted, Closed, ExchangeId, KeyId, Leaf, Outcome, Usage};

/// LIMIT: exchanges open at once; beyond it, the one that arrived first is
/// taken for one that did not end.
const OPEN_MAX: usize = 262_144;

/// What became of an exchange, as far as the vendor is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was never sent.
    Unsent,
    /// It is not known to have ended.
    Open,
    /// The vendor's whole answer came.
    Answered,
    /// The vendor answered with an error.
    VendorRefused,
    /// It ended before the vendor's whole answer came.
    CutShort,
    /// The node stopped meanwhile: whether it was sent is not known.
    Stopped,
}

/// One exchange as far as counting needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub id: ExchangeId,
    /// When the request arrived, milliseconds since 1970.
    pub at_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// The virtual key.
    pub key: KeyId,
    /// The vendor, by its name in the configuration.
    pub vendor: String,
    /// Name of the dialect and operation.
    pub dialect: String,
    /// The model asked for.
    pub asked: String,
    /// The model that answered, if the vendor told.
    pub answered: Option<String>,
    /// Bytes of the body as it was sent.
    pub sent_bytes: u64,
    /// The most tokens that the caller let the model write.
    pub output_tokens_max: Option<u64>,
    /// Whether an SDK sent it again.
    pub is_retry: bool,
    /// What became of it.
    pub fate: Fate,
    /// What the vendor says it used.
    pub usage: Option<Usage>,
}

impl Exchange {
    fn new(leaf: &Admitted) -> Self {
        let request = &leaf.request;
        Self {
            id: leaf.exchange,
            at_ms: leaf.at_ms,
            ended_ms: None,
            key: leaf.caller.key.clone(),
            vendor: request.vendor.clone(),
            dialect: request.dialect.clone(),
            asked: request.model.clone(),
            answered: None,
            sent_bytes: request.sent_bytes,
            output_tokens_max: request.output_tokens_max,
            is_retry: request.retry.is_some_and(|retry| retry > 0),
            fate: Fate::Open,
            usage: None,
        }
    }

    fn end(&mut self, leaf: &Closed) {
        self.ended_ms = Some(leaf.at_ms);
        self.answered.clone_from(&leaf.vendor.model);
        self.usage = leaf.usage;
        self.fate = match leaf.outcome {
            Outcome::NodeStopped => Fate::Stopped,
            _ if !leaf.vendor.sent => Fate::Unsent,
            _ if leaf.vendor.status.is_some_and(|status| status >= 400) => Fate::VendorRefused,
            Outcome::Complete => Fate::Answered,
            Outcome::Blocked
            | Outcome::VendorError
            | Outcome::VendorFailed
            | Outcome::CallerGone
            | Outcome::SwitchedOff => Fate::CutShort,
        };
    }
}

/// The exchanges that did not end yet.
#[derive(Debug, Default)]
pub struct Join {
    open: BTreeMap<ExchangeId, Exchange>,
    unmatched: u64,
}

impl Join {
    /// Reads one entry; answers an exchange that it ends. A name of an
    /// exchange begins with its time, so the first open one is the oldest.
    pub fn add(&mut self, leaf: &Leaf) -> Option<Exchange> {
        match leaf {
            Leaf::Admitted(leaf) => {
                self.open.insert(leaf.exchange, Exchange::new(leaf));
                if self.open.len() <= OPEN_MAX {
                    return None;
                }
                self.open.pop_first().map(|(_, exchange)| exchange)
            }
            Leaf::Closed(leaf) => {
                let Some(mut exchange) = self.open.remove(&leaf.exchange) else {
                    self.unmatched = self.unmatched.saturating_add(1);
                    return None;
                };
                exchange.end(leaf);
                Some(exchange)
            }
            Leaf::Refused(_)
            | Leaf::RefusedSummary(_)
            | Leaf::Event(_)
            | Leaf::UncleanStart(_)
            | Leaf::HeadCount(_) => None,
        }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Exchanges that ended without a beginning.
    #[must_use]
    pub const fn unmatched(&self) -> u64 {
        self.unmatched
    }

    /// Those that did not end so far.
    pub(super) fn running(&self) -> impl Iterator<Item = &Exchange> {
        self.open.values()
    }

    /// Those that did not end.
    pub fn end(self) -> impl Iterator<Item = Exchange> {
        self.open.into_values()
    }
}
