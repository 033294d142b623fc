//! What became of redacted values and the vault.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// What was done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultDid {
    /// It was kept.
    Kept,
    /// It was longer than what is kept.
    TooLong,
    /// It passed without being kept, by `when_down.vault`.
    Unkept,
    /// It could not be kept, and its request was refused.
    Failed,
    /// Its token came back in a later exchange.
    Recalled,
    /// It was looked for, and is not there.
    Missed,
    /// It could not be looked for.
    LookFailed,
    /// It expired and was removed.
    Swept,
}

impl VaultDid {
    const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::TooLong => "too-long",
            Self::Unkept => "unkept",
            Self::Failed => "failed",
            Self::Recalled => "recalled",
            Self::Missed => "missed",
            Self::LookFailed => "look-failed",
            Self::Swept => "swept",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    what: &'static str,
}

/// Values, by what was done with them.
#[derive(Debug, Default)]
pub(super) struct VaultCounts(Family<Labels, Counter>);

impl VaultCounts {
    pub(super) fn count(&self, did: VaultDid, values: u64) {
        if values > 0 {
            let labels = Labels { what: did.word() };
            self.0.get_or_create(&labels).inc_by(values);
        }
    }

    pub(super) fn enter(&self, registry: &mut Registry) {
        registry.register(
            "vault_values",
            "Redacted values and what the vault did with them",
            self.0.clone(),
        );
    }
}
