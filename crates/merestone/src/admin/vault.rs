//! The vault of redacted values: how much it holds, erasing, and showing one
//! value with the log told first.

use std::{collections::BTreeMap, fmt, path::Path};

use anyhow::Context;
use gate::{Vault, VaultPerson};
use ledger::{files::DiskFiles, prune};
use serde::{Deserialize, Serialize};
use terms::{Act, ExchangeId, KeyId, Secret};

use super::{Admin, Answer, revealed};
use crate::source::SystemEntropy;

/// Whose values are to be erased.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// A person's, as callers name them.
    Person(String),
    /// All those of a virtual key.
    Key(KeyId),
}

impl fmt::Debug for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(_) => f.write_str("Person(..)"),
            Self::Key(key) => write!(f, "Key({key})"),
        }
    }
}

/// Which value is to be shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wish {
    /// Its token.
    pub token: String,
    /// Why, for the record.
    pub reason: String,
    /// A key that holds the verb, in place of the account.
    #[serde(with = "revealed", default)]
    pub key: Option<Secret<String>>,
}

/// How much the vault holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Values.
    pub entries: u64,
    /// Persons, once for each virtual key.
    pub persons: u64,
    /// When the next value expires, milliseconds since 1970.
    pub next_expiry_ms: Option<u64>,
    /// Kinds that are kept.
    pub kinds: Vec<String>,
    /// For how many days.
    pub days: u64,
    /// The most values of one virtual key.
    pub entries_per_key_max: u64,
    /// The most values.
    pub entries_max: u64,
}

/// What was erased.
#[derive(Debug, Serialize, Deserialize)]
pub struct Erased {
    /// How many values.
    pub erased: u64,
    /// Whether the database's own files are rid of them too, as far as it can.
    pub scrubbed: bool,
}

/// What was shown.
#[derive(Serialize, Deserialize)]
pub struct Shown {
    /// The virtual key whose token it is.
    pub key: KeyId,
    /// The value.
    pub value: String,
    /// When it expires, milliseconds since 1970.
    pub expires_ms: u64,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({}, ..)", self.key)
    }
}

impl Admin {
    /// Tells how much the vault holds.
    pub async fn vault_status(&self, vault: &Vault) -> anyhow::Result<Answer> {
        let status = vault.status().await?;
        Ok(Answer::VaultStatus(Status {
            entries: status.count.entries,
            persons: status.count.persons,
            next_expiry_ms: status.count.next_expiry_ms,
            kinds: status.rules.kinds.iter().map(ToString::to_string).collect(),
            days: status.rules.age_ms / 86_400_000,
            entries_per_key_max: status.rules.entries_per_key_max,
            entries_max: status.rules.entries_max,
        }))
    }

    /// Destroys the data keys of a person, or of all persons of a virtual key,
    /// and tells the log, unless a hold is set.
    pub async fn vault_erase(
        &self,
        vault: &Vault,
        ledger: &Path,
        whose: Whose,
        reason: String,
        by: &str,
    ) -> anyhow::Result<Answer> {
        let mut facts = BTreeMap::from([("reason".to_owned(), reason)]);
        let (person, subject) = match &whose {
            Whose::Key(key) => {
                facts.insert("asked".to_owned(), "key".to_owned());
                (VaultPerson::Key(key), key.to_string())
            }
            Whose::Person(name) => {
                anyhow::ensure!(
                    gate::is_vault_person(name),
                    "a person's name is 1 to {} bytes without control characters",
                    gate::VAULT_PERSON_BYTES_MAX
                );
                facts.insert("asked".to_owned(), "person".to_owned());
                let mark = self.mark("person", name, &mut facts);
                (VaultPerson::Named(name), mark)
            }
        };
        // A hold that is set meanwhile waits until this is done.
        let _alone = self.retention.lock().await;
        anyhow::ensure!(
            !prune::is_held(&DiskFiles, ledger),
            "a legal hold is set: nothing is erased until it is lifted"
        );
        let erased = vault.erase(person).await?;
        facts.insert("entries".to_owned(), erased.entries.to_string());
        facts.insert("scrubbed".to_owned(), erased.scrubbed.to_string());
        self.record(Act::VaultErased, by, &subject, facts)
            .await
            .context("the values are erased, but that")?;
        Ok(Answer::VaultErased(Erased {
            erased: erased.entries,
            scrubbed: erased.scrubbed,
        }))
    }

    /// Shows a value. The log is told before it is opened.
    pub async fn vault_reveal(
        &self,
        vault: &Vault,
        token: &str,
        reason: String,
        by: &str,
    ) -> anyhow::Result<Answer> {
        let found = vault.find(token).await?.context(
            "no such token is in the vault, it has expired, or its kind is no longer kept",
        )?;
        let mut facts = BTreeMap::from([
            ("reason".to_owned(), reason),
            ("key".to_owned(), found.scope().to_string()),
        ]);
        let mark = self.mark("token", token, &mut facts);
        // INVARIANT: nothing is opened that the log does not tell of.
        self.record(Act::VaultRevealed, by, &mark, facts).await?;
        let opened = vault.value(found).await?;
        let opened = opened.context("its key was destroyed just now, or it was changed")?;
        Ok(Answer::VaultRevealed(Shown {
            key: opened.scope,
            value: opened.value.reveal().clone(),
            expires_ms: opened.expires_ms,
        }))
    }

    /// A commitment to a word that the record does not hold. Who has the
    /// node's key and the word can check it by the reference beside it.
    fn mark(&self, field: &str, word: &str, facts: &mut BTreeMap<String, String>) -> String {
        let reference = ExchangeId::new(&*self.clock, &SystemEntropy);
        facts.insert(format!("{field}_reference"), reference.to_string());
        let mark = self.commitments.commit(&reference, field, word.as_bytes());
        mark.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_and_no_value_is_printed() {
        let key: KeyId = "mk-000000000001".parse().unwrap();
        let shown = Shown {
            key: key.clone(),
            value: "hush".to_owned(),
            expires_ms: 1,
        };
        let whose = [Whose::Person("hush".to_owned()), Whose::Key(key)];
        let text = format!("{whose:?} {:?}", Answer::VaultRevealed(shown));
        assert!(!text.contains("hush") && text.contains("mk-000000000001"));
    }
}
