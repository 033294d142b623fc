//! The settled policy of one configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use terms::{Action, Control, DetectorId, Digest, Durability, Kind, Mode, Slot};

use crate::{ActionTable, LockoutRule, Rates, WhenDown, permission::Permission};

/// How far one control's decisions are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ControlRule {
    /// Carried out.
    Enforce,
    /// Recorded only, until this time (milliseconds since 1970); carried out
    /// from then on, so that a trial cannot be forgotten.
    Shadow {
        /// End of the trial.
        until_ms: u64,
    },
    /// Not looked at.
    Off,
}

impl ControlRule {
    /// The mode at this time.
    #[must_use]
    pub const fn mode(self, now_ms: u64) -> Mode {
        match self {
            Self::Enforce => Mode::Enforce,
            Self::Shadow { until_ms } if now_ms < until_ms => Mode::Shadow,
            Self::Shadow { .. } => Mode::Enforce,
            Self::Off => Mode::Off,
        }
    }
}

/// One control's rule and actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlPolicy {
    /// How far its decisions are carried out.
    pub rule: ControlRule,
    /// What it does about each finding.
    pub actions: ActionTable,
}

/// Whether something that cannot be inspected may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Passage {
    /// It passes and is counted as not inspected.
    Count,
    /// The request is refused.
    Refuse,
}

/// LIMITS of every key, model and source that has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RatesPolicy {
    /// Of each virtual key.
    pub key: Rates,
    /// Of each model of each vendor, over all keys.
    pub model: Rates,
    /// Of each source address.
    pub source: Rates,
    /// Tokens that a reply is taken to have when the caller sets no limit.
    pub output_tokens_assumed: u64,
}

impl Default for RatesPolicy {
    fn default() -> Self {
        Self {
            key: Rates::default(),
            model: Rates::default(),
            source: Rates::default(),
            output_tokens_assumed: 4_096,
        }
    }
}

/// What is done about one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a decision that is not carried out is a hole"]
pub struct Decision {
    /// What the policy says.
    pub would: Action,
    /// What is carried out: milder than `would` in shadow only.
    pub action: Action,
}

/// Everything that decides about an exchange. Immutable; a reload makes a new
/// one, and an exchange keeps the one that it was admitted under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// INVARIANT: holds every [`Control`]; see [`Policy::new`].
    controls: BTreeMap<Control, ControlPolicy>,
    /// Kinds that may be put back into the arguments of a tool, by its name.
    pub restore_in_tools: BTreeMap<String, BTreeSet<Kind>>,
    /// Whether media pass uninspected.
    pub media: Passage,
    /// Whether opaque values pass uninspected.
    pub opaque: Passage,
    /// Whether the vendor may fetch or run what the gate cannot see.
    pub remote_features: Passage,
    /// When the first record of an exchange must be durable.
    pub durability: Durability,
    /// How much may be asked for.
    pub rates: RatesPolicy,
    /// When a source is locked out that fails to say who it is.
    pub lockout: Option<LockoutRule>,
    /// What is done when something is down.
    pub when_down: WhenDown,
}

impl Policy {
    /// A policy from one entry for each control; `None` if one is missing.
    #[must_use]
    pub fn new(controls: BTreeMap<Control, ControlPolicy>) -> Option<Self> {
        Control::ALL
            .iter()
            .all(|control| controls.contains_key(control))
            .then_some(Self {
                controls,
                restore_in_tools: BTreeMap::new(),
                media: Passage::Count,
                opaque: Passage::Count,
                remote_features: Passage::Count,
                durability: Durability::BeforeReply,
                rates: RatesPolicy::default(),
                lockout: None,
                when_down: WhenDown::default(),
            })
    }

    /// The mode of a control at this time.
    #[must_use]
    pub fn mode(&self, control: Control, now_ms: u64) -> Mode {
        // A control that is not there would be a hole; `new` rules it out, and
        // if it happened, its findings would be blocked by `decide`.
        self.controls
            .get(&control)
            .map_or(Mode::Enforce, |policy| policy.rule.mode(now_ms))
    }

    /// The rule and actions of a control.
    #[must_use]
    pub fn control(&self, control: Control) -> Option<&ControlPolicy> {
        self.controls.get(&control)
    }

    /// What is done about a finding of this detector in this slot.
    pub fn decide(
        &self,
        control: Control,
        detector: &DetectorId,
        slot: Slot,
        now_ms: u64,
    ) -> Decision {
        let Some(policy) = self.controls.get(&control) else {
            return Decision {
                would: Action::Block,
                action: Action::Block,
            };
        };
        let would = policy.actions.action(detector, slot);
        match policy.rule.mode(now_ms) {
            Mode::Enforce => Decision {
                would,
                action: would,
            },
            Mode::Shadow => Decision {
                would,
                action: Action::Allow,
            },
            Mode::Off => Decision {
                would: Action::Allow,
                action: Action::Allow,
            },
        }
    }

    /// The digest of this policy and of the permission beside it.
    #[must_use]
    pub fn digest_with(&self, permission: &Permission) -> Digest {
        let mut hash = Sha256::new();
        hash.update(self.digest().0);
        hash.update(permission.digest().0);
        Digest(hash.finalize().into())
    }

    /// SHA-256 over the policy's one serialisation: equal policies, equal hash.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for (control, policy) in &self.controls {
            hash.update(format!("{control}={:?};", policy.rule));
            for (selector, action) in policy.actions.chosen() {
                hash.update(format!("{control}:{selector}={action};"));
            }
        }
        for (tool, kinds) in &self.restore_in_tools {
            // `:?` quotes the name, so that no tool's name can look like another line.
            hash.update(format!("restore:{tool:?}={kinds:?};"));
        }
        hash.update(format!(
            "media={:?};opaque={:?};remote={:?};durability={};",
            self.media, self.opaque, self.remote_features, self.durability
        ));
        hash.update(format!(
            "rates={:?};lockout={:?};when_down={:?};",
            self.rates, self.lockout, self.when_down
        ));
        Digest(hash.finalize().into())
    }
}
