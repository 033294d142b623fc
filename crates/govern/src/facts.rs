//! Folds the ledger, entry by entry, into what the matrix is computed from.
//! Memory does not grow with the ledger.
//!
//! Of events it reads these facts: `config-loaded` has `policy`, `rules`,
//! `control.<name>` (a mode), `weakest.<control>.<kind>` (an action, and where)
//! and `mild.<control>`; `canary-shown` has the control as its subject,
//! `caught` (`true`) and `policy`; `key-created` and `key-revoked` have the
//! key's public name as their subject, and the first has `restricted`,
//! `vendors`, `models` and `expires_ms`. What an event does not say is not
//! assumed.

mod access;
mod config;
mod epoch;
mod span;
mod vendor;

use std::collections::BTreeMap;

use terms::{Act, Admitted, Closed, Code, Event, ExchangeId, Leaf, PolicyVersion, Refused};

pub(crate) use self::{
    access::Access,
    config::{Configs, Load},
    epoch::{Epoch, Runs},
    span::{Labels, Span},
    vendor::VendorFacts,
};
use crate::{Period, Window};

/// LIMIT: exchanges that may be open at once; beyond it the oldest is
/// forgotten, and its closing entry then counts as unmatched, which costs the
/// rows about replies their proof.
pub const OPEN_EXCHANGES_MAX: usize = 16_384;
/// LIMIT: bytes of a model's name that are kept to compare it with the reply's.
const MODEL_BYTES_MAX: usize = 128;

/// What must be remembered of an admitted exchange until it is closed.
#[derive(Debug)]
struct Open {
    /// Number of its epoch; `None` when it was admitted before the window.
    epoch: Option<u64>,
    model: Option<Box<str>>,
}

/// What the ledger says, as far as the matrix needs it.
#[derive(Debug)]
pub struct Facts {
    pub(crate) period: Period,
    pub(crate) configs: Configs,
    /// Exchanges under the configuration in force.
    pub(crate) current: Epoch,
    /// Exchanges under a configuration that no event announced.
    unannounced: Epoch,
    /// All of those since the newest `config-loaded`.
    pub(crate) strays: Span,
    /// Exchanges in the window under configurations that are no longer in force.
    pub(crate) earlier: u64,
    pub(crate) access: Access,
    pub(crate) vendor: VendorFacts,
    /// Refusals in the window, by reason, counted summaries included.
    pub(crate) refusals: BTreeMap<Code, u64>,
    /// Closing entries in the window that belong to no open exchange.
    pub(crate) unmatched: u64,
    /// Unclean starts in the window.
    pub(crate) unclean: u64,
    /// Entries that came out of order and were not counted.
    pub(crate) disordered: u64,
    /// Entries that were passed over between two that were read.
    pub(crate) skipped: u64,
    open: BTreeMap<ExchangeId, Open>,
    last_sequence: Option<u64>,
    epochs: u64,
}

impl Facts {
    /// Nothing read yet. Exchanges count from the begin of the window on;
    /// those later than `now_ms` count too, since a clock may have been set
    /// back.
    #[must_use]
    pub fn new(now_ms: u64, window: Window) -> Self {
        Self {
            period: window.until(now_ms),
            configs: Configs::default(),
            current: Epoch::new(0, None),
            unannounced: Epoch::new(1, None),
            strays: Span::default(),
            earlier: 0,
            access: Access::default(),
            vendor: VendorFacts::default(),
            refusals: BTreeMap::new(),
            unmatched: 0,
            unclean: 0,
            disordered: 0,
            skipped: 0,
            open: BTreeMap::new(),
            last_sequence: None,
            epochs: 2,
        }
    }

    /// Reads one entry. Give every entry of the ledger, also those older than
    /// the window (a configuration or key may be older than its traffic), each
    /// once and in the order of the sequence.
    pub fn add(&mut self, sequence: u64, leaf: &Leaf) {
        if let Some(last) = self.last_sequence {
            if sequence <= last {
                self.disordered = self.disordered.saturating_add(1);
                return;
            }
            self.skipped = self.skipped.saturating_add(sequence - last - 1);
        }
        self.last_sequence = Some(sequence);
        match leaf {
            Leaf::Admitted(leaf) => self.admitted(sequence, leaf),
            Leaf::Closed(leaf) => self.closed(sequence, leaf),
            Leaf::Refused(leaf) => self.refused(sequence, leaf),
            Leaf::RefusedSummary(leaf) => {
                if self.in_window(leaf.to_ms) {
                    self.count_refusals(leaf.code, leaf.count);
                }
            }
            Leaf::Event(event) => self.event(sequence, event),
            Leaf::HeadCount(_) => {}
            Leaf::UncleanStart(leaf) => {
                if self.in_window(leaf.at_ms) {
                    self.unclean = self.unclean.saturating_add(1);
                }
            }
        }
    }

    /// Exchanges that were admitted and not closed so far.
    #[must_use]
    pub fn open_exchanges(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn refusals_of(&self, codes: &[Code]) -> u64 {
        codes
            .iter()
            .filter_map(|code| self.refusals.get(code))
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    const fn in_window(&self, at_ms: u64) -> bool {
        at_ms >= self.period.from_ms
    }

    fn count_refusals(&mut self, code: Code, count: u64) {
        let sum = self.refusals.entry(code).or_insert(0);
        *sum = sum.saturating_add(count);
    }

    fn event(&mut self, sequence: u64, event: &Event) {
        match event.act {
            Act::ConfigLoaded => self.config_loaded(Load::read(sequence, event)),
            Act::CanaryShown => self.configs.canary_shown(sequence, event),
            Act::KeyCreated => self.access.key_created(event),
            Act::KeyRevoked => self.access.key_revoked(event),
            Act::GateReady
            | Act::GateStopped
            | Act::ConfigRefused
            | Act::TailCut
            | Act::SwitchedOff
            | Act::SwitchedOn
            | Act::SwitchesRefused
            | Act::SourceLocked
            | Act::VendorKeyAged
            | Act::VendorKeySeen
            | Act::Degraded
            | Act::Recovered
            | Act::AdminDenied
            | Act::Pruned
            | Act::HoldSet
            | Act::HoldLifted
            | Act::Revealed
            | Act::Erased
            | Act::VaultRevealed
            | Act::VaultErased => {}
        }
    }

    /// The same configuration again, as after a restart, goes on counting;
    /// another one begins at zero.
    fn config_loaded(&mut self, load: Load) {
        let version = load.version;
        let same = version.is_some()
            && self
                .configs
                .in_force()
                .is_some_and(|old| old.version == version);
        if !same {
            let next = if version.is_some() && self.unannounced.version == version {
                // It was swapped in a moment before its event was written.
                let fresh = self.fresh_epoch(None);
                std::mem::replace(&mut self.unannounced, fresh)
            } else {
                self.fresh_epoch(version)
            };
            let old = std::mem::replace(&mut self.current, next);
            self.earlier = self.earlier.saturating_add(old.admitted.count);
        }
        self.strays = Span::default();
        self.configs.put_in_force(load);
    }

    fn fresh_epoch(&mut self, version: Option<PolicyVersion>) -> Epoch {
        self.epochs = self.epochs.saturating_add(1);
        Epoch::new(self.epochs, version)
    }

    fn admitted(&mut self, sequence: u64, leaf: &Admitted) {
        let mut epoch = None;
        if self.in_window(leaf.at_ms) {
            self.access.admitted(sequence, leaf);
            self.vendor.admitted(leaf);
            epoch = self.count_admitted(sequence, leaf);
        }
        let model = (leaf.request.model.len() <= MODEL_BYTES_MAX)
            .then(|| leaf.request.model.as_str().into());
        self.open.insert(leaf.exchange, Open { epoch, model });
        if self.open.len() > OPEN_EXCHANGES_MAX {
            // Names of exchanges sort by time.
            self.open.pop_first();
        }
    }

    fn count_admitted(&mut self, sequence: u64, leaf: &Admitted) -> Option<u64> {
        if self.configs.is_in_force(leaf.policy) {
            self.current.admitted(sequence, leaf);
            return Some(self.current.number);
        }
        if self.configs.was_in_flight(leaf.policy, leaf.at_ms) {
            self.earlier = self.earlier.saturating_add(1);
            return None;
        }
        if self.unannounced.version != Some(leaf.policy) {
            self.earlier = self.earlier.saturating_add(self.unannounced.admitted.count);
            self.unannounced = self.fresh_epoch(Some(leaf.policy));
        }
        self.strays.note(sequence);
        self.unannounced.admitted(sequence, leaf);
        Some(self.unannounced.number)
    }

    fn closed(&mut self, sequence: u64, leaf: &Closed) {
        let open = self.open.remove(&leaf.exchange);
        if !self.in_window(leaf.at_ms) {
            return;
        }
        self.vendor.closed(
            sequence,
            leaf,
            open.as_ref().and_then(|open| open.model.as_deref()),
        );
        match open {
            None => self.unmatched = self.unmatched.saturating_add(1),
            Some(Open {
                epoch: Some(number),
                ..
            }) if number == self.current.number => {
                self.current.closed(sequence, leaf);
            }
            Some(Open {
                epoch: Some(number),
                ..
            }) if number == self.unannounced.number => {
                self.unannounced.closed(sequence, leaf);
            }
            // Admitted before the window, or under an earlier configuration.
            Some(_) => {}
        }
    }

    fn refused(&mut self, sequence: u64, leaf: &Refused) {
        if !self.in_window(leaf.at_ms) {
            return;
        }
        self.access.refused(sequence, leaf.code);
        self.count_refusals(leaf.code, 1);
        if self.configs.is_in_force(leaf.policy) {
            self.current.refused(leaf);
        }
    }
}

#[cfg(test)]
mod tests;
