//! How long entries are kept: pruning, and legal holds that stop it.

use std::{collections::BTreeMap, path::Path};

use ledger::{files::DiskFiles, prune};
use terms::Act;

use super::{Admin, Answer};

impl Admin {
    /// Removes entries of the log, after the log told of it.
    /// `behind` are the exports that have not had all of them: they keep
    /// everything, unless the operator wants it so.
    pub async fn prune(
        &self,
        ledger: &Path,
        before: u64,
        behind: &[String],
        past_exports: bool,
        by: &str,
    ) -> anyhow::Result<Answer> {
        anyhow::ensure!(
            past_exports || behind.is_empty(),
            "not everything before entry {before} was delivered to {}; wait, take the [[export]] out, or say --past-exports to lose it there",
            behind.join(", ")
        );
        // A hold that is set has nothing removed behind it, and one that is
        // being set comes before or after.
        let _alone = self.retention.lock().await;
        if self.ledger.publication().is_some() && !prune::is_held(&DiskFiles, ledger) {
            self.carry_head_counts(ledger, before).await?;
        }
        let mut facts = BTreeMap::new();
        if !behind.is_empty() {
            facts.insert("past-exports".to_owned(), behind.join(","));
        }
        let event = self.event(Act::Pruned, by, "ledger", facts);
        let first = self.ledger.prune(before, event).await?;
        let kept = prune::kept(&DiskFiles, ledger, first)?;
        Ok(Answer::Pruned { first, kept })
    }

    /// Sets a legal hold or lifts it. It holds before it is recorded, and is
    /// lifted after.
    pub async fn hold(
        &self,
        ledger: &Path,
        held: bool,
        reason: String,
        by: &str,
    ) -> anyhow::Result<Answer> {
        anyhow::ensure!(
            !reason.trim().is_empty() && reason.len() <= prune::REASON_BYTES_MAX,
            "a reason is 1 to {} bytes",
            prune::REASON_BYTES_MAX
        );
        let facts = BTreeMap::from([("reason".to_owned(), reason.clone())]);
        let _alone = self.retention.lock().await;
        if held {
            prune::hold(&DiskFiles, ledger, &reason)?;
            self.record(Act::HoldSet, by, "ledger", facts).await?;
        } else {
            anyhow::ensure!(prune::is_held(&DiskFiles, ledger), "no hold is set");
            self.record(Act::HoldLifted, by, "ledger", facts).await?;
            prune::lift(&DiskFiles, ledger)?;
        }
        Ok(Answer::Done)
    }
}
