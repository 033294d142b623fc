//! Tokens of a reply that other exchanges issued, looked up in the vault.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use detect::redact::Tokens;
use ledger::seal::WrapFault;
use store::VaultFound;
use terms::{Commitment, KeyId, Secret};

use super::{
    Vault, VaultFault, VaultPerson, VaultReach, apart,
    marks::{self, Place},
    named,
};
use crate::metrics::{Metrics, VaultDid};

/// LIMIT: tokens of one reply that are looked up.
const TOKENS_MAX: usize = 1_000;
/// LIMIT: looks into the vault for one reply; a stream takes one for each
/// event with such a token.
const LOOKS_MAX: u32 = 200;
/// For one look. After one that fails the reply goes on without.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// What one reply wants of the vault.
#[derive(Debug)]
pub(crate) struct Recall {
    vault: Arc<Vault>,
    metrics: Arc<Metrics>,
    scope: KeyId,
    person: Option<Secret<String>>,
    wanted: Vec<String>,
    /// Those that were looked up, found or not.
    looked: BTreeSet<String>,
    looks: u32,
    down: bool,
}

impl Recall {
    /// Nothing yet, for the tokens of a scope; `person` is whom the request
    /// names.
    pub(crate) const fn new(
        vault: Arc<Vault>,
        metrics: Arc<Metrics>,
        scope: KeyId,
        person: Option<Secret<String>>,
    ) -> Self {
        Self {
            vault,
            metrics,
            scope,
            person,
            wanted: Vec::new(),
            looked: BTreeSet::new(),
            looks: 0,
            down: false,
        }
    }

    /// Notes the tokens of a text that this exchange does not know.
    pub(crate) fn spot(&mut self, tokens: &Tokens, text: &str) {
        if self.down || self.looks >= LOOKS_MAX {
            return;
        }
        let left = TOKENS_MAX.saturating_sub(self.looked.len());
        for token in tokens.unknown_in(text, left) {
            if self.vault.keeps(&token) && self.looked.insert(token.clone()) {
                self.wanted.push(token);
            }
        }
    }

    /// Whether there are any to look up.
    pub(crate) fn lacks(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Looks them up. What is not found stays as it is, and so does everything
    /// while the vault is down: a reply is not lost for want of it.
    pub(crate) async fn fetch(&mut self, tokens: &mut Tokens) {
        let wanted = std::mem::take(&mut self.wanted);
        self.looks += 1;
        let count = wanted.len() as u64;
        let named = self.person.as_ref().map(|name| name.reveal().as_str());
        let person = named.map_or(VaultPerson::Key(&self.scope), VaultPerson::Named);
        let look = self.vault.recall(&self.scope, person, wanted);
        let found = tokio::time::timeout(LOOK_TIME, look).await;
        match found.unwrap_or(Err(VaultFault::Slow)) {
            Ok(values) => {
                let mut back = 0_u64;
                for (token, value) in values {
                    // Beyond the limit it stays as it is.
                    back += u64::from(tokens.recall(&token, value.reveal()).unwrap_or(false));
                }
                self.metrics.vault(VaultDid::Recalled, back);
                self.metrics
                    .vault(VaultDid::Missed, count.saturating_sub(back));
            }
            Err(fault) => {
                tracing::error!("tokens of a reply cannot be looked up in the vault: {fault}");
                self.metrics.vault(VaultDid::LookFailed, count);
                self.down = true;
            }
        }
    }
}

impl Vault {
    /// The values of these tokens, of kinds that are kept, that were kept for
    /// this scope, or for this person in it, and have not expired.
    pub(super) async fn recall(
        &self,
        scope: &KeyId,
        person: VaultPerson<'_>,
        tokens: Vec<String>,
    ) -> Result<Vec<(String, Secret<String>)>, VaultFault> {
        let _turn = self.turns.acquire().await;
        let root = self.root().await?;
        let mut wanted: BTreeMap<String, (Commitment, String)> = BTreeMap::new();
        for token in tokens.into_iter().filter(|token| self.keeps(token)) {
            let mark = root.token(&token);
            wanted.insert(mark.to_string(), (mark, token));
        }
        let marks: Vec<&str> = wanted.keys().map(String::as_str).collect();
        let person = match self.rules.comes_back {
            VaultReach::Key => None,
            VaultReach::Person => Some(root.person(person).to_string()),
        };
        let (rows, now_ms) = (self.rows(), self.clock.now_ms());
        let found = rows.find(&marks, Some(scope), person.as_deref(), now_ms);
        let mut by_key: BTreeMap<String, Vec<VaultFound>> = BTreeMap::new();
        for row in found.await? {
            by_key.entry(row.key.name.clone()).or_default().push(row);
        }
        let mut values: BTreeMap<String, Secret<String>> = BTreeMap::new();
        for rows in by_key.into_values() {
            match self.opened(rows, &wanted).await {
                Ok(opened) => values.extend(opened),
                // One person's damage is not the others'.
                Err(
                    VaultFault::Damaged | VaultFault::Key(WrapFault::Sealed(_) | WrapFault::Odd),
                ) => {
                    tracing::error!("a person's key in the vault does not open: it was changed");
                }
                Err(fault) => return Err(fault),
            }
        }
        let named = |(mark, value): (String, Secret<String>)| {
            wanted.get(&mark).map(|(_, token)| (token.clone(), value))
        };
        Ok(values.into_iter().filter_map(named).collect())
    }

    /// Opens values under one data key, by their marks. One that does not open
    /// is left out and told.
    pub(super) async fn opened(
        &self,
        rows: Vec<VaultFound>,
        wanted: &BTreeMap<String, (Commitment, String)>,
    ) -> Result<Vec<(String, Secret<String>)>, VaultFault> {
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };
        let (name, key) = (named(&first.key)?, self.unwrap(&first.key).await?);
        let mut sealed = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some((mark, _)) = wanted.get(&row.token) {
                sealed.push((*mark, row));
            }
        }
        let opening = move || {
            let open = |(mark, row): (Commitment, VaultFound)| {
                let bytes = STANDARD.decode(row.sealed).ok()?;
                let place = Place {
                    key: name,
                    token: &mark,
                    person: &row.person,
                    scope: &row.scope,
                };
                let value = marks::open(&key, place, &bytes).ok()?;
                Some((row.token, value))
            };
            let count = sealed.len();
            let opened: Vec<_> = sealed.into_iter().filter_map(open).collect();
            if opened.len() < count {
                tracing::error!("values in the vault do not open: they were changed");
            }
            opened
        };
        apart(opening).await
    }
}

#[cfg(test)]
mod tests;
