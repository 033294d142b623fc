//! The key by which the log's checkpoints are signed. It is made once, before
//! the first checkpoint; with another key it would be another log.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use anyhow::Context;
use ledger::{
    Publishing,
    note::{LogKey, VerifierKey},
    publish::{CHECKPOINT, FOLDER},
};
use terms::{Entropy, Secret};

use super::State;

/// Name of the key's file, among the node's own keys.
const FILE: &str = "checkpoint.key";
/// How often tiles and a checkpoint are made while entries come: with the time
/// that a disk takes, within the second that is promised.
const EVERY: Duration = Duration::from_millis(400);

impl State {
    /// How this folder's log is published; its key is made if there is none.
    pub fn publishing(&self, node: &str, entropy: &dyn Entropy) -> anyhow::Result<Publishing> {
        Ok(Publishing::new(self.log_key(node, None, entropy)?, EVERY))
    }

    /// The key by which others check the log, if it has one yet.
    pub fn known_log_key(&self) -> anyhow::Result<Option<VerifierKey>> {
        let key = read(&self.0.join("secrets").join(FILE))?;
        Ok(key.map(|key| key.verifier().clone()))
    }

    /// The key of the log; made if there is none, for the origin if one is
    /// given, and otherwise for a name that nobody else has.
    pub fn log_key(
        &self,
        node: &str,
        origin: Option<&str>,
        entropy: &dyn Entropy,
    ) -> anyhow::Result<LogKey> {
        let path = self.0.join("secrets").join(FILE);
        if let Some(key) = read(&path)? {
            anyhow::ensure!(
                origin.is_none_or(|origin| origin == key.verifier().name()),
                "this log has the origin {} already; an origin is for ever",
                key.verifier().name()
            );
            return Ok(key);
        }
        anyhow::ensure!(
            !self.ledger().join(FOLDER).join(CHECKPOINT).exists(),
            "secrets/{FILE} is missing beside a ledger with a checkpoint; put it back from a copy, or begin with a new state folder"
        );
        let key = LogKey::new(
            &origin.map_or_else(|| unlike_any(node, entropy), str::to_owned),
            seed(entropy),
        )?;
        write(&path, &key).with_context(|| format!("{FILE} cannot be written"))?;
        // Another process may have been first: its key counts.
        read(&path)?.with_context(|| format!("{FILE} is gone again"))
    }
}

fn seed(entropy: &dyn Entropy) -> Secret<[u8; 32]> {
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    Secret::new(seed)
}

fn unlike_any(node: &str, entropy: &dyn Entropy) -> String {
    let plain: String = node
        .chars()
        .map(|char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => char,
            _ => '-',
        })
        .collect();
    let mut number = [0; 8];
    entropy.fill(&mut number);
    format!(
        "merestone.local/{plain}/{:016x}",
        u64::from_be_bytes(number)
    )
}

fn read(path: &Path) -> anyhow::Result<Option<LogKey>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let text = Secret::new(text);
            let key = LogKey::read(text.reveal().trim_end());
            Ok(Some(key.with_context(|| format!("secrets/{FILE}"))?))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("secrets/{FILE} cannot be read")),
    }
}

/// Puts the key there whole; one that is there stays.
fn write(path: &Path, key: &LogKey) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let draft = folder.join(format!("{FILE}.{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{}", key.encode().reveal())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => fs::File::open(folder)?.sync_all(),
    }
}
