//! Switching off and on, with what it takes until that holds.

use std::time::Duration;

use policy::{Off, Scope, Switches, TooManySwitches};
use terms::{Code, ExchangeId, KeyId};

use crate::Gate;

/// How long a switch is waited for until it is told that it does not hold.
const HOLD_TIME: Duration = Duration::from_secs(5);
/// How often it is looked whether the last exchange has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A switch that is in force, its effect on what runs not yet looked at.
#[derive(Debug)]
#[must_use = "how long it took to hold is to be recorded"]
pub struct Ordered {
    changed: bool,
    ended: Vec<ExchangeId>,
    since_us: u64,
}

/// What a switch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Whether it changed anything.
    pub changed: bool,
    /// Exchanges that it ended.
    pub ended: usize,
    /// Those of them of which something could still pass when it was no longer waited for.
    pub left: usize,
    /// From the order until it held, microseconds.
    pub took_us: u64,
}

impl Gate {
    /// What is off.
    #[must_use]
    pub fn switches(&self) -> std::sync::Arc<Switches> {
        self.switches.load_full()
    }

    /// Puts switches in force that were kept over a restart.
    pub fn install_switches(&self, switches: Switches) {
        self.switches.store(std::sync::Arc::new(switches));
    }

    /// Switches off: nothing new passes from now on, and what runs is told to
    /// end; [`Gate::held`] waits for that. `since_us` is the monotonic time of
    /// the order. It stands in no need of the store or of the ledger.
    ///
    /// # Errors
    /// When more is off already than is kept apart.
    pub fn switch_off(
        &self,
        scope: &Scope,
        off: &Off,
        since_us: u64,
    ) -> Result<Ordered, TooManySwitches> {
        let mut changed = Ok(false);
        self.switches.rcu(|switches| {
            let mut switches = (**switches).clone();
            changed = switches.off(scope.clone(), off.clone());
            switches
        });
        let changed = changed?;
        let ended = self
            .running()
            .end(Code::SwitchedOff, |call| scope.covers(call));
        Ok(Ordered {
            changed,
            ended,
            since_us,
        })
    }

    /// Switches on again.
    pub fn switch_on(&self, scope: &Scope, since_us: u64) -> Held {
        let mut changed = false;
        self.switches.rcu(|switches| {
            let mut switches = (**switches).clone();
            changed = switches.on(scope);
            switches
        });
        Held {
            changed,
            ended: 0,
            left: 0,
            took_us: self.clock().monotonic_us().saturating_sub(since_us),
        }
    }

    /// Ends the exchanges of keys that no longer hold, for this reason.
    pub fn end_keys(&self, keys: &[KeyId], code: Code) -> usize {
        if keys.is_empty() {
            return 0;
        }
        let revoked = |call: &policy::Call<'_>| call.keys.iter().any(|key| keys.contains(key));
        self.running().end(code, revoked).len()
    }

    /// Waits until nothing passes any more of what a switch ended.
    pub async fn held(&self, ordered: Ordered) -> Held {
        let Ordered {
            changed,
            ended,
            since_us,
        } = ordered;
        let waited = async {
            while self.running().left(&ended) > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(HOLD_TIME, waited).await;
        Held {
            changed,
            ended: ended.len(),
            left: self.running().left(&ended),
            took_us: self.clock().monotonic_us().saturating_sub(since_us),
        }
    }
}
