//! What an operator does to a node: each act is done and recorded, whether in
//! a running gate or by a command of its own.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use ledger::{Ledger, commit::CommitmentKey};
use policy::Grant;
use serde::{Deserialize, Serialize};
use store::{KeyRecord, Keys, Store};
use terms::{Act, Clock, Event, ExchangeId, KeyId, Leaf, RECORD_VERSION};

use crate::source::{SystemClock, SystemEntropy};

/// LIMIT: bytes of an owner's name.
const OWNER_BYTES_MAX: usize = 128;

/// A request to a node.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// Make a virtual key.
    KeyCreate {
        /// Whom it is for.
        owner: String,
        /// What it may do.
        allowed: Grant,
        /// When it stops working.
        expires_ms: Option<u64>,
    },
    /// List the virtual keys.
    KeyList,
    /// Revoke a virtual key.
    KeyRevoke {
        /// Its public name.
        id: KeyId,
    },
    /// Read the configuration again.
    Reload,
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
    /// It is not done, and why.
    Refused(String),
}

/// The means to carry requests out.
#[derive(Debug)]
pub struct Admin {
    /// The virtual keys.
    pub store: Store,
    /// The record of every act.
    pub ledger: Ledger,
    /// Key of the commitments.
    pub commitments: CommitmentKey,
    /// The clock.
    pub clock: Arc<SystemClock>,
}

impl Admin {
    /// Makes a key. Recorded before it is shown: a key that the log does not
    /// know does not exist.
    pub async fn create(
        &self,
        owner: &str,
        allowed: Grant,
        expires_ms: Option<u64>,
        by: &str,
    ) -> anyhow::Result<Answer> {
        anyhow::ensure!(
            !owner.is_empty() && owner.len() <= OWNER_BYTES_MAX,
            "an owner's name is 1 to {OWNER_BYTES_MAX} bytes"
        );
        anyhow::ensure!(
            expires_ms.is_none_or(|at| at > self.clock.now_ms()),
            "the key would have expired already"
        );
        let new = Keys::new(&self.store).create(
            owner,
            allowed,
            expires_ms,
            &*self.clock,
            &SystemEntropy,
        )?;
        let facts = BTreeMap::from([
            (
                "vendors".to_owned(),
                listed(new.record.allowed.vendors().iter()),
            ),
            (
                "models".to_owned(),
                listed(new.record.allowed.models().iter()),
            ),
            (
                "restricted".to_owned(),
                new.record.allowed.is_restricted().to_string(),
            ),
            (
                "expires_ms".to_owned(),
                expires_ms.map_or_else(|| "never".to_owned(), |at| at.to_string()),
            ),
        ]);
        if let Err(error) = self
            .record(Act::KeyCreated, by, new.record.id.as_str(), facts)
            .await
        {
            let _ = Keys::new(&self.store).revoke(&new.record.id, &*self.clock);
            return Err(error);
        }
        Ok(Answer::Key {
            key: new.key.reveal().to_owned(),
            id: new.record.id,
        })
    }

    /// Every key.
    pub fn list(&self) -> anyhow::Result<Vec<KeyRecord>> {
        Ok(Keys::new(&self.store).list()?)
    }

    /// Revokes a key; the second time nothing happens.
    pub async fn revoke(&self, id: &KeyId, by: &str) -> anyhow::Result<Answer> {
        let revoked = Keys::new(&self.store).revoke(id, &*self.clock)?;
        anyhow::ensure!(
            revoked,
            "no such key is in force; `merestone key list` shows them"
        );
        self.record(Act::KeyRevoked, by, id.as_str(), BTreeMap::new())
            .await?;
        Ok(Answer::Done)
    }

    /// Writes an act into the ledger and waits until it is durable. `by` is
    /// the person's account, which the record holds as a commitment only.
    pub async fn record(
        &self,
        act: Act,
        by: &str,
        subject: &str,
        mut facts: BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        let by = if by == "node" {
            by.to_owned()
        } else {
            let reference = ExchangeId::new(&*self.clock, &SystemEntropy);
            facts.insert("reference".to_owned(), reference.to_string());
            self.commitments
                .commit(&reference, "by", by.as_bytes())
                .to_string()
        };
        let event = Event {
            v: RECORD_VERSION,
            at_ms: self.clock.now_ms(),
            act,
            by,
            subject: subject.to_owned(),
            facts,
        };
        self.ledger
            .append(Leaf::Event(event))
            .await
            .context("the act could not be recorded, so it was not done")?;
        Ok(())
    }
}

fn listed<T: ToString>(names: impl Iterator<Item = T>) -> String {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    if names.is_empty() {
        "all".to_owned()
    } else {
        names.join(",")
    }
}

/// A key as the command line shows it.
pub fn key_json(record: &KeyRecord, now_ms: u64) -> serde_json::Value {
    let state = if record.revoked_ms.is_some() {
        "revoked"
    } else if record.expires_ms.is_some_and(|at| at <= now_ms) {
        "expired"
    } else {
        "active"
    };
    let mut value = serde_json::to_value(record).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("state".to_owned(), state.into());
    }
    value
}
