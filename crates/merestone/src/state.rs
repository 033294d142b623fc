//! The state folder: ledger, virtual keys, the node's own keys, the control socket.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use ledger::{Ledger, OpenError, Opened, commit::CommitmentKey, files::DiskFiles};
use terms::{Entropy, Secret};

use crate::source::SystemClock;

/// Paths in a state folder.
#[derive(Debug, Clone)]
pub struct State(PathBuf);

impl State {
    /// The folder, made if it is not there, for its owner only.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        for path in [
            folder.to_path_buf(),
            folder.join("ledger"),
            folder.join("secrets"),
        ] {
            if !path.is_dir() {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&path)
                    .with_context(|| format!("the folder {} cannot be made", path.display()))?;
            }
        }
        Ok(Self(folder.to_path_buf()))
    }

    /// The folder, which must be there already.
    pub fn existing(folder: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            folder.join("ledger").is_dir(),
            "there is no state in {} yet; `merestone up` makes it",
            folder.display()
        );
        Ok(Self(folder.to_path_buf()))
    }

    /// The ledger's folder.
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// The virtual keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys.db")
    }

    /// The socket by which the command line reaches a running gate.
    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// Key of the commitments in records. Losing it makes commitments
    /// uncheckable; leaking it lets others test guesses.
    pub fn commitments(&self, entropy: &dyn Entropy) -> anyhow::Result<CommitmentKey> {
        self.secret("commitments.key", entropy)
            .map(CommitmentKey::new)
    }

    /// Key of the tokens that stand for redacted values.
    pub fn tokens(&self, entropy: &dyn Entropy) -> anyhow::Result<detect::redact::TokenKey> {
        self.secret("tokens.key", entropy)
            .map(detect::redact::TokenKey::new)
    }

    /// Opens the ledger; one process at a time.
    pub fn open_ledger(
        &self,
        free_bytes_min: u64,
        clock: &Arc<SystemClock>,
    ) -> Result<Opened, OpenError> {
        let settings = ledger::Settings {
            folder: self.ledger(),
            free_bytes_min,
            ..ledger::Settings::default()
        };
        Ledger::open(
            Arc::new(DiskFiles),
            settings,
            Arc::clone(clock) as Arc<dyn terms::Clock>,
        )
    }

    /// Reads 32 bytes, or makes them the first time.
    fn secret(&self, name: &str, entropy: &dyn Entropy) -> anyhow::Result<Secret<[u8; 32]>> {
        let path = self.0.join("secrets").join(name);
        let mut key = [0_u8; 32];
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(mut file) => {
                entropy.fill(&mut key);
                file.write_all(&key)
                    .and_then(|()| file.sync_all())
                    .with_context(|| format!("{name} cannot be written"))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let mut file =
                    fs::File::open(&path).with_context(|| format!("{name} cannot be read"))?;
                file.read_exact(&mut key).with_context(|| format!("{name} is too short; it was not written whole. If the ledger is new, remove it"))?;
            }
            Err(error) => return Err(error).with_context(|| format!("{name} cannot be made")),
        }
        Ok(Secret::new(key))
    }
}
