//! What an operator does to a node: each act is done and recorded, whether in
//! a running gate or by a command of its own.

pub mod captures;
mod head_counts;
mod retention;
mod stats;
pub mod vault;

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use gate::Principal;
use ledger::{Ledger, commit::CommitmentKey};
use policy::{Grant, Scope, Switches};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use store::{KeyRecord, Keys, Store, Wanted};
use terms::{Act, Clock, Digest, Event, ExchangeId, KeyId, Leaf, RECORD_VERSION, Secret};

use captures::{EraseWhat, RevealWish, Shown};
pub use stats::Stats;
#[cfg(test)]
pub use stats::sample as stats_sample;

use crate::source::{SystemClock, SystemEntropy};

/// LIMIT: keys that were made by one another, as the gate follows them.
const MAKERS_MAX: usize = 8;
/// LIMIT: bytes of an owner's name.
const OWNER_BYTES_MAX: usize = 128;

/// A request to a node.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// Make a virtual key.
    KeyCreate(KeyWish),
    /// List the virtual keys.
    KeyList,
    /// Revoke a virtual key.
    KeyRevoke {
        /// Its public name.
        id: KeyId,
    },
    /// Read the configuration again.
    Reload,
    /// Switch something off.
    SwitchOff {
        /// What.
        scope: Scope,
        /// Why.
        reason: String,
    },
    /// Switch it on again.
    SwitchOn {
        /// What.
        scope: Scope,
        /// Why.
        reason: String,
    },
    /// Tell what is off.
    SwitchList,
    /// Tell what goes on.
    Stats,
    /// Remove old entries of the log.
    LedgerPrune {
        /// The first entry that is to stay.
        before: u64,
        /// Whether also what an export has not had yet.
        #[serde(default)]
        past_exports: bool,
    },
    /// Tell how far the exports are.
    ExportStatus,
    /// Set a legal hold, or lift it.
    LedgerHold {
        /// Whether it is to hold.
        held: bool,
        /// Why.
        reason: String,
    },
    /// Show sealed content of an exchange.
    LedgerReveal(RevealWish),
    /// Destroy the keys of sealed content.
    LedgerErase {
        /// Whose.
        what: EraseWhat,
        /// Why.
        reason: String,
    },
    /// Tell how much the vault holds.
    VaultStatus,
    /// Destroy the keys of values in the vault.
    VaultErase {
        /// Whose.
        whose: vault::Whose,
        /// Why.
        reason: String,
    },
    /// Show a value in the vault.
    VaultReveal(vault::Wish),
}

/// What a new key is to be.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyWish {
    /// Whom it is for.
    pub owner: String,
    /// What it may do.
    pub allowed: Grant,
    /// When it stops working.
    pub expires_ms: Option<u64>,
    /// The key by which it is made: it can hold no more than that one.
    #[serde(with = "revealed", default)]
    pub maker: Option<Secret<String>>,
}

/// A secret on its way through the control socket, which only the account
/// that runs the gate can open.
mod revealed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use terms::Secret;

    #[expect(clippy::ref_option, reason = "the form that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        secret: &Option<Secret<String>>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(|secret| secret.reveal()).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Option<Secret<String>>, D::Error> {
        Ok(Option::<String>::deserialize(input)?.map(Secret::new))
    }
}

/// What a node answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The new key, shown this once.
    Key {
        /// The key.
        key: String,
        /// Its public name.
        id: KeyId,
    },
    /// The keys, as JSON objects.
    Keys(Vec<serde_json::Value>),
    /// It is done.
    Done,
    /// It is switched.
    Switched {
        /// Whether that changed anything.
        changed: bool,
        /// Exchanges that were ended.
        ended: usize,
        /// Those of them that had not ended yet.
        left: usize,
        /// From the order until it held, microseconds.
        took_us: u64,
    },
    /// What is off.
    Switches(Switches),
    /// What goes on.
    Stats(Box<Stats>),
    /// Old entries are removed.
    Pruned {
        /// The first entry that stays.
        first: u64,
        /// Entries before it that a segment still holds.
        #[serde(default)]
        kept: u64,
    },
    /// How far the exports are.
    Exports(Vec<export::Reading>),
    /// Sealed content, opened.
    Revealed(Box<Shown>),
    /// Keys of sealed content are destroyed.
    Erased {
        /// Of how many exchanges.
        erased: u64,
    },
    /// How much the vault holds.
    VaultStatus(vault::Status),
    /// Keys of values in the vault are destroyed.
    VaultErased(vault::Erased),
    /// A value in the vault, opened.
    VaultRevealed(vault::Shown),
    /// It is not done, and why.
    Refused(String),
}

/// The means to carry requests out.
#[derive(Debug)]
pub struct Admin {
    /// The virtual keys.
    pub store: Arc<Store>,
    /// The record of every act.
    pub ledger: Ledger,
    /// Key of the commitments.
    pub commitments: CommitmentKey,
    /// The clock.
    pub clock: Arc<SystemClock>,
    /// Held while something is erased or pruned, or a hold is set: none slips
    /// between.
    pub retention: tokio::sync::Mutex<()>,
}

impl Admin {
    /// Makes a key, by another one if `maker` is given; then it can hold no
    /// more than that one. Recorded before it is shown: a key that the log
    /// does not know does not exist.
    pub async fn create(
        &self,
        wish: KeyWish,
        maker: Option<&Principal>,
        by: &str,
    ) -> anyhow::Result<Answer> {
        anyhow::ensure!(
            !wish.owner.is_empty() && wish.owner.len() <= OWNER_BYTES_MAX,
            "an owner's name is 1 to {OWNER_BYTES_MAX} bytes"
        );
        anyhow::ensure!(
            wish.expires_ms.is_none_or(|at| at > self.clock.now_ms()),
            "the key would have expired already"
        );
        if let Some(maker) = maker {
            wish.allowed
                .within(&maker.allowed)
                .map_err(|beyond| anyhow::anyhow!("the new key would hold {beyond}"))?;
            anyhow::ensure!(
                maker.line.len() < MAKERS_MAX,
                "this key was made by a key that was made by a key, and so on; it cannot make another"
            );
        }
        let wanted = Wanted {
            owner: wish.owner,
            allowed: wish.allowed,
            expires_ms: wish.expires_ms,
            made_by: maker.map(|maker| maker.key.clone()),
        };
        let keys = Keys::new(&self.store);
        let new = keys.create(wanted, &*self.clock, &SystemEntropy).await?;
        let facts = key_facts(&new.record);
        let by = maker.map_or(by, |maker| maker.key.as_str());
        if let Err(error) = self
            .record(Act::KeyCreated, by, new.record.id.as_str(), facts)
            .await
        {
            let _ = Keys::new(&self.store)
                .revoke(&new.record.id, &*self.clock)
                .await;
            return Err(error);
        }
        Ok(Answer::Key {
            key: new.key.reveal().to_owned(),
            id: new.record.id,
        })
    }

    /// Every key.
    pub async fn list(&self) -> anyhow::Result<Vec<KeyRecord>> {
        Ok(Keys::new(&self.store).list().await?)
    }

    /// Revokes a key in the store; the second time nothing happens.
    pub async fn revoke(&self, id: &KeyId) -> anyhow::Result<()> {
        let revoked = Keys::new(&self.store).revoke(id, &*self.clock).await?;
        anyhow::ensure!(
            revoked,
            "no such key is in force; `merestone key list` shows them"
        );
        Ok(())
    }

    /// Records that a key was revoked.
    pub async fn record_revoked(&self, id: &KeyId, by: &str) -> anyhow::Result<()> {
        self.record(Act::KeyRevoked, by, id.as_str(), BTreeMap::new())
            .await
            .context("the key is revoked, but that")
    }

    /// A keyed hash by which a vendor's key is known again.
    #[must_use]
    pub fn fingerprint(&self, key: &str) -> Digest {
        let nobody: Option<ExchangeId> = format!("mx-{:032x}", 0).parse().ok();
        nobody.map_or(Digest([0; 32]), |nobody| {
            let mark = self
                .commitments
                .commit(&nobody, "vendor-key", key.as_bytes());
            Digest(sha2::Sha256::digest(mark.to_string()).into())
        })
    }

    /// Writes an act into the ledger and waits until it is durable. `by` is
    /// the person's account, which the record holds as a commitment only.
    pub async fn record(
        &self,
        act: Act,
        by: &str,
        subject: &str,
        facts: BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        self.ledger
            .append(Leaf::Event(self.event(act, by, subject, facts)))
            .await
            .context("could not be recorded")?;
        Ok(())
    }

    fn event(
        &self,
        act: Act,
        by: &str,
        subject: &str,
        mut facts: BTreeMap<String, String>,
    ) -> Event {
        // A key's public name is nobody's account.
        let by = if by == "node" || by.parse::<KeyId>().is_ok() {
            by.to_owned()
        } else {
            let reference = ExchangeId::new(&*self.clock, &SystemEntropy);
            facts.insert("reference".to_owned(), reference.to_string());
            self.commitments
                .commit(&reference, "by", by.as_bytes())
                .to_string()
        };
        Event {
            v: RECORD_VERSION,
            at_ms: self.clock.now_ms(),
            act,
            by,
            subject: subject.to_owned(),
            facts,
        }
    }
}

fn key_facts(record: &KeyRecord) -> BTreeMap<String, String> {
    let allowed = &record.allowed;
    let mut facts = BTreeMap::from([
        ("vendors".to_owned(), listed(allowed.vendors().iter())),
        ("models".to_owned(), listed(allowed.models().iter())),
        ("verbs".to_owned(), listed(allowed.verbs().iter())),
        ("restricted".to_owned(), allowed.is_restricted().to_string()),
        (
            "expires_ms".to_owned(),
            record
                .expires_ms
                .map_or_else(|| "never".to_owned(), |at| at.to_string()),
        ),
    ]);
    if let Some(maker) = &record.made_by {
        facts.insert("made_by".to_owned(), maker.to_string());
    }
    facts
}

fn listed<T: ToString>(names: impl Iterator<Item = T>) -> String {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    if names.is_empty() {
        "all".to_owned()
    } else {
        names.join(",")
    }
}

/// The keys as the command line shows them.
pub fn keys_json(records: &[KeyRecord], now_ms: u64) -> Vec<serde_json::Value> {
    let by_id: BTreeMap<&KeyId, &KeyRecord> =
        records.iter().map(|record| (&record.id, record)).collect();
    let shown = records.iter();
    shown
        .map(|record| key_json(record, &by_id, now_ms))
        .collect()
}

/// A key and its state, which is that of all the keys behind it.
fn key_json(
    record: &KeyRecord,
    by_id: &BTreeMap<&KeyId, &KeyRecord>,
    now_ms: u64,
) -> serde_json::Value {
    let (mut revoked, mut expired) = (false, false);
    let mut next = Some(record);
    for step in 0..=MAKERS_MAX {
        let Some(record) = next else { break };
        revoked |= record.revoked_ms.is_some() || step == MAKERS_MAX;
        expired |= record.expires_ms.is_some_and(|at| at <= now_ms);
        next = record.made_by.as_ref().and_then(|maker| {
            let maker = by_id.get(maker).copied();
            revoked |= maker.is_none();
            maker
        });
    }
    let state = match (revoked, expired) {
        (true, _) => "revoked",
        (false, true) => "expired",
        (false, false) => "active",
    };
    let mut value = serde_json::to_value(record).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("hash_hex");
        object.insert("state".to_owned(), state.into());
    }
    value
}
