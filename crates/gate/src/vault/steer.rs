//! What an operator does to the vault: erase, look, show one value; and the
//! sweep of what has expired.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use store::{VaultCount, VaultFound, VaultWhose};
use terms::{Commitment, KeyId, Secret};

use super::{Vault, VaultFault, VaultPerson, VaultRules};

/// A data key of nothing stays for so long: somebody may be about to use it.
const UNUSED_MS: u64 = 3_600_000;
/// LIMIT: steps of one sweep, a thousand values and persons each.
const SWEEP_STEPS_MAX: usize = 100;

/// How the vault is.
#[derive(Debug, Clone)]
pub struct VaultStatus {
    /// What there is.
    pub count: VaultCount,
    /// What is kept.
    pub rules: VaultRules,
}

/// What an erasure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultErased {
    /// Values that went.
    pub entries: u64,
    /// Whether the database's own files are rid of them too, as far as it can.
    pub scrubbed: bool,
}

/// A sealed value that was found by its token.
#[derive(Debug)]
pub struct VaultSealed {
    row: VaultFound,
    mark: Commitment,
    token: String,
}

impl VaultSealed {
    /// The virtual key whose token it is.
    #[must_use]
    pub const fn scope(&self) -> &KeyId {
        &self.row.scope
    }
}

/// A value that was opened.
#[derive(Debug)]
pub struct VaultToken {
    /// The virtual key whose token it is.
    pub scope: KeyId,
    /// When it expires, milliseconds since 1970.
    pub expires_ms: u64,
    /// The value.
    pub value: Secret<String>,
}

impl Vault {
    /// How much there is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn status(&self) -> Result<VaultStatus, VaultFault> {
        Ok(VaultStatus {
            count: self.rows().count().await?,
            rules: self.rules.clone(),
        })
    }

    /// Destroys the data keys of a person, named under whatever key, or of
    /// all persons of a virtual key. Answers how many values went.
    ///
    /// # Errors
    /// When they may still be there.
    pub async fn erase(&self, whose: VaultPerson<'_>) -> Result<VaultErased, VaultFault> {
        let root = self.root().await?;
        let whose = match whose {
            VaultPerson::Named(_) => VaultWhose::Person(root.person(whose).to_string()),
            VaultPerson::Key(key) => VaultWhose::Key(key.clone()),
        };
        let (entries, _) = self.rows().erase(&whose).await?;
        self.counts.forget();
        Ok(VaultErased {
            entries,
            scrubbed: self.scrub().await,
        })
    }

    /// Rids the database's files of what was removed; answers whether it did.
    /// If somebody reads just now, the next sweep tries again.
    async fn scrub(&self) -> bool {
        // Before: what is removed meanwhile is left to the next time.
        self.unscrubbed.store(false, Ordering::SeqCst);
        let scrubbed = self.rows().scrub().await.is_ok();
        if !scrubbed {
            self.unscrubbed.store(true, Ordering::SeqCst);
        }
        scrubbed
    }

    /// The sealed value of a token, of whichever virtual key, if it is here,
    /// has not expired and is of a kind that is kept.
    ///
    /// # Errors
    /// When the store or the vault's key is out of reach.
    pub async fn find(&self, token: &str) -> Result<Option<VaultSealed>, VaultFault> {
        if !self.keeps(token) {
            return Ok(None);
        }
        let mark = self.root().await?.token(token);
        let name = mark.to_string();
        let found = self.found(&name).await?;
        Ok(found.into_iter().next().map(|row| VaultSealed {
            row,
            mark,
            token: token.to_owned(),
        }))
    }

    async fn found(&self, mark: &str) -> Result<Vec<VaultFound>, VaultFault> {
        let (rows, now_ms) = (self.rows(), self.clock.now_ms());
        Ok(rows.find(&[mark], None, None, now_ms).await?)
    }

    /// Opens it, unless it was erased meanwhile.
    ///
    /// # Errors
    /// When the store or the vault's key is out of reach, or the value was
    /// changed.
    pub async fn value(&self, sealed: VaultSealed) -> Result<Option<VaultToken>, VaultFault> {
        let VaultSealed { row, mark, token } = sealed;
        let name = mark.to_string();
        let still = self.found(&name).await?;
        if !still.contains(&row) {
            return Ok(None);
        }
        let (scope, expires_ms) = (row.scope.clone(), row.expires_ms);
        let wanted = BTreeMap::from([(name, (mark, token))]);
        let opened = self.opened(vec![row], &wanted).await?;
        let (_, value) = opened.into_iter().next().ok_or(VaultFault::Damaged)?;
        Ok(Some(VaultToken {
            scope,
            expires_ms,
            value,
        }))
    }

    /// Removes what has expired, and keys of nothing, in small steps; answers how many values.
    ///
    /// # Errors
    /// When the store fails; the rest goes the next time.
    pub async fn sweep(&self) -> Result<u64, VaultFault> {
        let (mut gone, mut changed) = (0_u64, false);
        for _ in 0..SWEEP_STEPS_MAX {
            let now_ms = self.clock.now_ms();
            let unused = now_ms.saturating_sub(UNUSED_MS);
            let (values, keys) = self.rows().sweep(now_ms, unused).await?;
            if values == 0 && keys == 0 {
                break;
            }
            gone += values as u64;
            changed = true;
        }
        if changed {
            self.counts.forget();
        }
        if changed || self.unscrubbed.load(Ordering::SeqCst) {
            self.scrub().await;
        }
        Ok(gone)
    }
}
