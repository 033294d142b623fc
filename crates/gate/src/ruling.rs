//! What is in force: one policy, one rule set, these vendors. Swapped whole.

use std::sync::Arc;

use detect::{Cached, Engine, Scan};
use policy::{ControlRule, Policy, permission::Permission};
use sha2::{Digest as _, Sha256};
use terms::{CaptureMode, Control, Digest, Direction, PolicyVersion, Slot};

use crate::{
    NamesService, VendorClient,
    canary::{self, CanaryFault, Shown},
    capture,
    settings::Vendor,
};

/// One configuration's decisions. An exchange keeps the one it arrived under.
#[derive(Debug)]
pub struct Ruling {
    policy: Policy,
    permission: Permission,
    engine: Engine,
    /// All of them, for words that a record may hold.
    words: Cached,
    /// The detectors of controls that are not off.
    looking: Cached,
    /// The detectors of what is never kept.
    never: Engine,
    vendors: Vec<Arc<Vendor>>,
    client: VendorClient,
    names: Option<NamesService>,
    version: PolicyVersion,
}

impl Ruling {
    /// Puts the parts together and names the version. The key is random: texts
    /// that were looked at are remembered under it.
    #[must_use]
    pub fn new(
        policy: Policy,
        permission: Permission,
        engine: Engine,
        vendors: Vec<Vendor>,
        client: VendorClient,
        key: [u8; 32],
    ) -> Self {
        let version = PolicyVersion {
            policy: policy.digest_with(&permission),
            rules: engine.digest(),
        };
        let on = |control: Control| {
            policy
                .control(control)
                .is_none_or(|policy| policy.rule != ControlRule::Off)
        };
        let looking = if Control::ALL.iter().all(|control| on(*control)) {
            engine.clone()
        } else {
            // Without it every detector looks, and what is found for a control
            // that is off counts for nothing.
            engine.only(on).unwrap_or_else(|| engine.clone())
        };
        // Without them every detector looks, and more is masked.
        let never = engine
            .only_kinds(capture::is_never_kept)
            .unwrap_or_else(|| engine.clone());
        Self {
            words: Cached::new(engine.clone(), key),
            looking: Cached::new(looking, key),
            never,
            policy,
            permission,
            engine,
            vendors: vendors.into_iter().map(Arc::new).collect(),
            client,
            names: None,
            version,
        }
    }

    /// The same, with the operator's service for names. What it is asked for is
    /// a part of the version.
    #[must_use]
    pub fn with_names(mut self, names: Option<NamesService>) -> Self {
        if let Some(service) = &names {
            let mut hash = Sha256::new();
            hash.update(self.version.rules.0);
            hash.update(service.at().version());
            self.version.rules = Digest(hash.finalize().into());
        }
        self.names = names;
        self
    }

    /// The operator's service for names.
    #[must_use]
    pub const fn names(&self) -> Option<&NamesService> {
        self.names.as_ref()
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Who may do what.
    #[must_use]
    pub const fn permission(&self) -> &Permission {
        &self.permission
    }

    /// The detectors.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Those that look at exchanges: the ones of controls that are not off.
    pub(crate) const fn looking(&self) -> &Engine {
        self.looking.engine()
    }

    /// Those that find what is never kept, not even sealed.
    pub(crate) const fn never(&self) -> &Engine {
        &self.never
    }

    /// The vendors.
    #[must_use]
    pub fn vendors(&self) -> &[Arc<Vendor>] {
        &self.vendors
    }

    /// Whether any route's exchanges are sealed and kept.
    pub(crate) fn captures(&self) -> bool {
        let mut vendors = self.vendors.iter();
        vendors.any(|vendor| vendor.capture != CaptureMode::Nothing)
    }

    /// Connections to vendors.
    pub(crate) const fn client(&self) -> &VendorClient {
        &self.client
    }

    /// Looks at a text of this slot, unless it did before for this caller;
    /// `keys` are those of the value.
    pub(crate) fn look(
        &self,
        caller: &str,
        (keys, text): (&str, &str),
        slot: Slot,
        direction: Direction,
    ) -> Scan {
        if slot == Slot::Opaque {
            self.looking().scan_opaque(text, direction)
        } else {
            self.looking.scan_after(caller, keys, text, direction)
        }
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
    #[must_use]
    pub fn is_clean(&self, word: &str) -> bool {
        self.engine.is_clean(word)
    }

    /// The same of a word of an exchange; it is looked at once for a caller.
    pub(crate) fn may_record(&self, caller: &str, word: &str) -> bool {
        self.words.is_clean(caller, word)
    }

    /// Hashes of policy and rules, as every record names them.
    #[must_use]
    pub const fn version(&self) -> PolicyVersion {
        self.version
    }
}
