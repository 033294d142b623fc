//! What a running gate cannot change: a reload that would is refused, and says
//! which setting it is.

use std::{net::SocketAddr, path::PathBuf};

use super::{CaptureAt, Settled, StoreAt, VaultAt, Witnessing};

/// Settings that hold until the next start.
#[derive(Debug)]
pub struct RestartOnly {
    settings: gate::Settings,
    state: PathBuf,
    admin: Option<SocketAddr>,
    store: StoreAt,
    free_bytes_min: u64,
    witnessing: Witnessing,
    capture: CaptureAt,
    vault: Option<VaultAt>,
    telemetry: Option<String>,
    encrypted: bool,
    /// What is configured of the exports; their secrets show nothing here.
    exports: String,
}

impl RestartOnly {
    /// Those of a configuration.
    #[must_use]
    pub fn of(settled: &Settled) -> Self {
        Self {
            settings: settled.settings.clone(),
            state: settled.state.clone(),
            admin: settled.admin,
            store: settled.store.clone(),
            free_bytes_min: settled.free_bytes_min,
            witnessing: settled.witnessing.clone(),
            capture: settled.capture.clone(),
            vault: settled.vault.clone(),
            telemetry: settled.telemetry.clone(),
            encrypted: settled.tls.is_some(),
            exports: format!("{:?}", settled.exports),
        }
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.settings.node
    }

    /// Whether other nodes use the same store.
    #[must_use]
    pub const fn shares_store(&self) -> bool {
        matches!(self.store, StoreAt::Postgres(_))
    }

    /// That another configuration changes none of them.
    ///
    /// # Errors
    /// Names the first that differs.
    pub fn same(&self, other: &Self) -> anyhow::Result<()> {
        let settings = (&self.settings, &other.settings);
        let pairs = [
            ("gate.listen", settings.0.listen == settings.1.listen),
            ("gate.node", settings.0.node == settings.1.node),
            ("gate.state", self.state == other.state),
            (
                "gate.tls (its presence; certificates may change)",
                self.encrypted == other.encrypted,
            ),
            ("admin.listen", self.admin == other.admin),
            ("store", self.store.same(&other.store)),
            ("telemetry.otlp", self.telemetry == other.telemetry),
            ("limits", settings.0.limits == settings.1.limits),
            (
                "evidence.free_bytes_min",
                self.free_bytes_min == other.free_bytes_min,
            ),
            ("export", self.exports == other.exports),
            ("capture", self.capture == other.capture),
            ("vault", self.vault == other.vault),
            ("evidence.witnesses", self.witnessing == other.witnessing),
        ];
        match pairs.iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((name, _)) => {
                anyhow::bail!("`{name}` changed, which takes a restart; nothing was changed")
            }
        }
    }
}

impl StoreAt {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Embedded, Self::Embedded) | (Self::Unfetched, Self::Unfetched) => true,
            (Self::Postgres(one), Self::Postgres(other)) => one.same(other),
            _ => false,
        }
    }
}
