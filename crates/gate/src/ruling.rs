//! What is in force: one policy, one rule set, these vendors. Swapped whole.

use std::sync::Arc;

use detect::Engine;
use policy::Policy;
use terms::{Direction, PolicyVersion};

use crate::{
    canary::{self, CanaryFault, Shown},
    settings::Vendor,
};

/// One configuration's decisions. An exchange keeps the one it arrived under.
#[derive(Debug)]
pub struct Ruling {
    policy: Policy,
    engine: Engine,
    vendors: Vec<Arc<Vendor>>,
    version: PolicyVersion,
}

impl Ruling {
    /// Puts the parts together and names the version.
    #[must_use]
    pub fn new(policy: Policy, engine: Engine, vendors: Vec<Vendor>) -> Self {
        let version = PolicyVersion {
            policy: policy.digest(),
            rules: engine.digest(),
        };
        Self {
            policy,
            engine,
            vendors: vendors.into_iter().map(Arc::new).collect(),
            version,
        }
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The detectors.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The vendors.
    #[must_use]
    pub fn vendors(&self) -> &[Arc<Vendor>] {
        &self.vendors
    }

    /// Shows every control its canary, as a gate does before it takes this
    /// ruling; `now_ms` tells which trials are over.
    ///
    /// # Errors
    /// When a control that is switched on does not catch its canary.
    pub fn show_canaries(&self, now_ms: u64) -> Result<Vec<Shown>, CanaryFault> {
        canary::show(self, now_ms)
    }

    /// Whether no detector minds a word: only then may a record hold it.
    pub(crate) fn is_clean(&self, word: &str) -> bool {
        Direction::ALL.iter().all(|direction| {
            let scan = self.engine.scan(word, *direction);
            scan.findings.is_empty() && !scan.work_exceeded
        })
    }

    /// Hashes of policy and rules, as every record names them.
    #[must_use]
    pub const fn version(&self) -> PolicyVersion {
        self.version
    }
}
