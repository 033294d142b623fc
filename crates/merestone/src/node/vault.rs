//! The vault of redacted values: swept now and then, and what an operator
//! does to it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use gate::{Vault, VaultDid};
use terms::Verb;

use super::{Node, switches};
use crate::admin::{
    Answer,
    vault::{Whose, Wish},
};

/// How often what has expired is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Node {
    pub(super) fn vault(&self) -> anyhow::Result<&Arc<Vault>> {
        let vault = self.gate.vault();
        vault.context("this gate keeps no redacted values: there is no [vault] table")
    }

    /// Removes what has expired, for ever.
    pub async fn sweep_vault(self: Arc<Self>) {
        let Ok(vault) = self.vault() else { return };
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            every.tick().await;
            match vault.sweep().await {
                Ok(gone) => self.gate.metrics().vault(VaultDid::Swept, gone),
                Err(fault) => tracing::warn!("the vault was not swept: {fault}"),
            }
        }
    }

    pub(super) async fn erase_from_vault(
        &self,
        whose: Whose,
        reason: String,
        by: &str,
    ) -> anyhow::Result<Answer> {
        self.allowed(Verb::Admin, by).await?;
        switches::fit(&reason, |reason| self.gate.ruling().is_clean(reason))?;
        let (vault, ledger) = (self.vault()?, self.state.ledger());
        self.admin
            .vault_erase(vault, &ledger, whose, reason, by)
            .await
    }

    /// Shows a value to who may see what is sealed.
    pub(super) async fn reveal_from_vault(&self, wish: Wish, by: &str) -> anyhow::Result<Answer> {
        switches::fit(&wish.reason, |reason| self.gate.ruling().is_clean(reason))?;
        let asker = self.revealer(wish.key.as_ref(), by).await?;
        let vault = self.vault()?;
        self.admin
            .vault_reveal(vault, &wish.token, wish.reason, &asker)
            .await
    }
}
