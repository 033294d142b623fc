//! Sealed content: shown, with the log told first, and erased.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use ledger::{
    Entry, Reader,
    captures::{Erasing, Found, Table, Which, pending},
    files::DiskFiles,
    seal::{self, Content, Wrap},
};
use serde::{Deserialize, Serialize};
use terms::{Act, CapturePart, Captured, ExchangeId, KeyId, Leaf, Secret};
use tokio::task::JoinSet;

use super::{Admin, Answer, OWNER_BYTES_MAX, revealed};

/// What is to be shown of an exchange.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevealWish {
    /// The exchange.
    pub exchange: ExchangeId,
    /// Its parts; all of them if none is named.
    pub parts: BTreeSet<CapturePart>,
    /// Why, for the record.
    pub reason: String,
    /// A key that holds the verb, in place of the account.
    #[serde(with = "revealed", default)]
    pub key: Option<Secret<String>>,
}

/// Whose sealed content is to be erased.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EraseWhat {
    /// One exchange's.
    Exchange(ExchangeId),
    /// That of all calls of a virtual key.
    Key(KeyId),
    /// That of all keys of one owner.
    Person(String),
}

impl EraseWhat {
    const fn word(&self) -> &'static str {
        match self {
            Self::Exchange(_) => "exchange",
            Self::Key(_) => "key",
            Self::Person(_) => "person",
        }
    }
}

/// What was shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The parts in the clear.
    pub parts: BTreeMap<CapturePart, String>,
    /// What the log says was sealed.
    pub captured: Captured,
}

/// Where captures and the log about them are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The ledger's folder.
    pub ledger: PathBuf,
    /// The captures' folder.
    pub captures: PathBuf,
}

impl Places {
    fn table(&self) -> Table {
        Table::new(Arc::new(DiskFiles), self.captures.clone())
    }
}

impl Admin {
    /// Shows sealed parts of an exchange. The log is told before anything is
    /// opened; what opens is checked against what the log says was sealed.
    pub async fn reveal(
        &self,
        places: &Places,
        tenant: Arc<dyn Wrap>,
        wish: RevealWish,
        by: &str,
    ) -> anyhow::Result<Answer> {
        let RevealWish {
            exchange,
            parts,
            reason,
            ..
        } = wish;
        let (table, ledger) = (places.table(), places.ledger.clone());
        let looked = tokio::task::spawn_blocking(move || look(&table, &ledger, exchange));
        let (found, captured) = looked.await??;
        let named: Vec<&str> = parts.iter().map(|part| part.word()).collect();
        let facts = BTreeMap::from([
            (
                "parts".to_owned(),
                if named.is_empty() {
                    "all".to_owned()
                } else {
                    named.join(",")
                },
            ),
            ("reason".to_owned(), reason),
        ]);
        // INVARIANT: nothing is opened that the log does not tell of.
        self.record(Act::Revealed, by, &exchange.to_string(), facts)
            .await?;
        let table = places.table();
        let open = move || open(&table, &*tenant, &found, captured, exchange, &parts);
        let shown = tokio::task::spawn_blocking(open).await??;
        Ok(Answer::Revealed(Box::new(shown)))
    }

    /// Destroys the keys of sealed content and tells the log of each, unless a
    /// hold is set.
    pub async fn erase(
        &self,
        places: &Places,
        what: EraseWhat,
        reason: &str,
        by: &str,
    ) -> anyhow::Result<Answer> {
        let which = match &what {
            EraseWhat::Exchange(exchange) => Which::Exchange(*exchange),
            EraseWhat::Key(key) => Which::Key(key.clone()),
            EraseWhat::Person(owner) => {
                anyhow::ensure!(
                    !owner.is_empty() && owner.len() <= OWNER_BYTES_MAX,
                    "an owner's name is 1 to {OWNER_BYTES_MAX} bytes"
                );
                Which::Person(self.commitments.person(owner))
            }
        };
        let mut facts = BTreeMap::from([
            ("asked".to_owned(), what.word().to_owned()),
            ("reason".to_owned(), reason.to_owned()),
        ]);
        if let EraseWhat::Key(key) = &what {
            facts.insert("key".to_owned(), key.to_string());
        }
        let table = places.table();
        let begun = tokio::task::spawn_blocking(move || table.erasure(which));
        let mut erasure = begun.await??;
        let mut erased = 0_u64;
        loop {
            // For each step alone, so that a hold does not wait for the last.
            let _alone = self.retention.lock().await;
            erased += self
                .finish_erasing(places, "an earlier erasure that broke off")
                .await?;
            let ledger = places.ledger.clone();
            let step = tokio::task::spawn_blocking(move || {
                let step = erasure.step(&ledger);
                (erasure, step)
            });
            let (next, step) = step.await?;
            erasure = next;
            let step = step.with_context(|| format!("{erased} keys are destroyed"))?;
            let Some(step) = step else { break };
            erased += step.gone.len() as u64;
            self.tell_erased(step, by, &facts).await?;
        }
        anyhow::ensure!(
            erased > 0,
            "nothing of that is sealed here, or it is erased already"
        );
        Ok(Answer::Erased { erased })
    }

    /// Goes on with an erasure that an earlier process could not finish.
    pub async fn resume_erasing(&self, places: &Places) -> anyhow::Result<()> {
        let _alone = self.retention.lock().await;
        self.finish_erasing(places, "before the last stop").await?;
        Ok(())
    }

    /// Finishes and tells what was being erased when that broke off: a list
    /// that stands there is never replaced before its keys are told. Answers
    /// how many they were.
    async fn finish_erasing(&self, places: &Places, asked: &str) -> anyhow::Result<u64> {
        let Some(left) = pending(&places.table())? else {
            return Ok(0);
        };
        let ledger = places.ledger.clone();
        let step = tokio::task::spawn_blocking(move || left.resume(&ledger)).await??;
        let facts = BTreeMap::from([("asked".to_owned(), asked.to_owned())]);
        let count = step.gone.len() as u64;
        self.tell_erased(step, "node", &facts).await?;
        Ok(count)
    }

    async fn tell_erased(
        &self,
        step: Erasing,
        by: &str,
        facts: &BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        // Together, so that one sync of the disk does for many.
        let mut telling = JoinSet::new();
        for exchange in &step.gone {
            let event = self.event(Act::Erased, by, &exchange.to_string(), facts.clone());
            let ledger = self.ledger.clone();
            telling.spawn(async move { ledger.append(Leaf::Event(event)).await });
        }
        while let Some(told) = telling.join_next().await {
            told?.context("the keys are destroyed, but that could not be recorded")?;
        }
        Ok(step.told()?)
    }
}

/// What is kept of an exchange, and what the log says of it.
fn look(table: &Table, ledger: &Path, exchange: ExchangeId) -> anyhow::Result<(Found, Captured)> {
    let found = table
        .find(exchange)?
        .context("nothing of this exchange is sealed here")?;
    anyhow::ensure!(
        found.slot.held.is_some(),
        "the key of this exchange's content was destroyed; nobody can open it any more"
    );
    let entries = Reader::new(Arc::new(DiskFiles), ledger).find(exchange)?;
    let is_erased =
        |entry: &Entry| matches!(&entry.leaf, Leaf::Event(event) if event.act == Act::Erased);
    anyhow::ensure!(
        !entries.iter().any(is_erased),
        "the log says that the key of this exchange's content was destroyed, and yet it is there: somebody put a copy back. It is not opened; erase it again"
    );
    let captured = entries.into_iter().find_map(|entry| match entry.leaf {
        Leaf::Closed(leaf) => leaf.captured,
        Leaf::Refused(leaf) => leaf.captured,
        Leaf::Admitted(_)
        | Leaf::RefusedSummary(_)
        | Leaf::Event(_)
        | Leaf::UncleanStart(_)
        | Leaf::HeadCount(_) => None,
    });
    let captured = captured
        .context("the log does not say that this exchange's content was sealed, or no longer")?;
    Ok((found, captured))
}

/// Opens parts, and holds them against what the log says was sealed. What is
/// erased meanwhile is not shown.
fn open(
    table: &Table,
    tenant: &dyn Wrap,
    found: &Found,
    captured: Captured,
    exchange: ExchangeId,
    wanted: &BTreeSet<CapturePart>,
) -> anyhow::Result<Shown> {
    let sealed = table.sealed(found)?;
    still(table, found)?;
    anyhow::ensure!(
        seal::content::digest(&sealed) == captured.sealed,
        "the sealed bytes are not those that the log names"
    );
    let held = found.slot.held.as_ref().context("the key is gone")?;
    let key = tenant.unwrap(exchange, &held.wrapped)?;
    let content = Content::read(&sealed)?;
    let mut parts = BTreeMap::new();
    for noted in &captured.parts {
        let is_wanted = wanted.is_empty() || wanted.contains(&noted.part);
        let Some(commitment) = noted.commitment.filter(|_| is_wanted) else {
            continue;
        };
        let text = content
            .open(&key, exchange, noted.part)?
            .context("a part that the log names is missing")?;
        let context = seal::Context::part(exchange, noted.part);
        anyhow::ensure!(
            key.commit(&context, text.reveal()) == commitment,
            "what opens is not what the log commits to"
        );
        let text = String::from_utf8_lossy(text.reveal()).into_owned();
        parts.insert(noted.part, text);
    }
    // The tenant's key may have been far away.
    still(table, found)?;
    Ok(Shown { parts, captured })
}

/// That the key is there now, not only when it was looked for.
fn still(table: &Table, found: &Found) -> anyhow::Result<()> {
    anyhow::ensure!(
        table.is_held(found)?,
        "the key of this exchange's content was destroyed just now"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
