//! The state folder: ledger, virtual keys, the node's own keys, the control socket.

mod log_key;

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use ledger::{
    Ledger, OpenError, Opened, Publishing,
    commit::CommitmentKey,
    files::DiskFiles,
    seal::{RecordKey, Wrap, WrapFault},
};
use store::KeyRecord;
use terms::{Entropy, ExchangeId, Secret};

use crate::{
    admin::captures::Places,
    source::{SystemClock, SystemEntropy},
};

/// LIMIT: bytes of a small file of the folder.
const SMALL_BYTES_MAX: u64 = 64 << 20;

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
            folder.join("exports"),
        ] {
            if !path.is_dir() {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&path)
                    .with_context(|| format!("the folder {} cannot be made", path.display()))?;
            }
        }
        let mode = fs::metadata(folder)?.permissions().mode();
        anyhow::ensure!(
            mode & 0o077 == 0,
            "the folder {} can be read by other accounts of this machine; `chmod 700` it",
            folder.display()
        );
        Ok(Self(folder.to_path_buf()))
    }

    /// That the node's own keys are there if the log has entries: without them
    /// nobody could check what it committed to.
    pub fn fresh_secrets(&self, has_entries: bool) -> anyhow::Result<()> {
        for name in ["commitments.key", "tokens.key"] {
            let there = self.0.join("secrets").join(name).is_file();
            anyhow::ensure!(
                there || !has_entries,
                "secrets/{name} is missing beside a ledger with entries; put it back from a copy, or begin with a new state folder"
            );
        }
        Ok(())
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

    /// The folder of what exports keep: how far each destination is.
    pub fn exports(&self) -> PathBuf {
        self.0.join("exports")
    }

    /// The folders of the ledger and of captures.
    pub fn places(&self) -> Places {
        Places {
            ledger: self.ledger(),
            captures: ledger::captures::folder(&self.0),
        }
    }

    /// The virtual keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys.db")
    }

    /// The socket by which the command line reaches a running gate.
    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// The file by which an operator switches off without a command.
    pub fn switches_file(&self) -> PathBuf {
        self.0.join("switches")
    }

    /// A small file of the folder; `None` if it is not there.
    pub fn read_small(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.0.join(name);
        let mut bytes = Vec::new();
        match fs::File::open(&path) {
            Ok(file) => file.take(SMALL_BYTES_MAX).read_to_end(&mut bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        }
        .with_context(|| format!("{name} cannot be read"))?;
        Ok(Some(bytes))
    }

    /// Writes a small file whole, or not at all; on the disk when it returns.
    pub fn write_small(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let (path, next) = (self.0.join(name), self.0.join(format!("{name}.next")));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&next)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&next, &path)?;
            fs::File::open(&self.0)?.sync_all()
        };
        write().with_context(|| format!("{name} cannot be written"))
    }

    /// Keeps the table of keys, for a start while the store is out of reach.
    pub fn write_keys(
        &self,
        keys: &[KeyRecord],
        as_of_ms: u64,
        commitments: &CommitmentKey,
    ) -> anyhow::Result<()> {
        let text = serde_json::to_vec(&(as_of_ms, keys))?;
        let mut bytes = seal(commitments, &text)?.into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(&text);
        self.write_small("keys.snapshot", &bytes)
    }

    /// The table of keys as it was kept, and when that was. Nobody but this
    /// node can have written it.
    pub fn read_keys(&self, commitments: &CommitmentKey) -> anyhow::Result<(Vec<KeyRecord>, u64)> {
        let bytes = self
            .read_small("keys.snapshot")?
            .context("there is no table of keys from before")?;
        let at = bytes.iter().position(|byte| *byte == b'\n');
        let (mark, text) = bytes.split_at(at.unwrap_or(bytes.len()));
        let text = text.get(1..).unwrap_or_default();
        anyhow::ensure!(
            mark == seal(commitments, text)?.as_bytes(),
            "the table of keys from before was not written by this node"
        );
        let (as_of_ms, keys) = serde_json::from_slice(text)?;
        Ok((keys, as_of_ms))
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
        publishing: Publishing,
        clock: &Arc<SystemClock>,
    ) -> Result<Opened, OpenError> {
        let settings = ledger::Settings {
            folder: self.ledger(),
            free_bytes_min,
            publishing: Some(publishing),
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

/// Wraps a key that is used for nothing, and unwraps it.
///
/// # Errors
/// When the tenant's key is out of reach, or gives another one back.
pub fn try_tenant(tenant: &dyn Wrap) -> Result<(), WrapFault> {
    let exchange = ExchangeId::from_bytes([0; 16]);
    let key = RecordKey::new(&SystemEntropy);
    let wrapped = tenant.wrap(exchange, &key, &SystemEntropy)?;
    let back = tenant.unwrap(exchange, &wrapped)?;
    let context = ledger::seal::Context::part(exchange, terms::CapturePart::Caller);
    if back.commit(&context, b"") == key.commit(&context, b"") {
        Ok(())
    } else {
        Err(WrapFault::Odd)
    }
}

/// A mark that only who holds the node's key can make.
fn seal(commitments: &CommitmentKey, text: &[u8]) -> anyhow::Result<String> {
    let nobody: ExchangeId = format!("mx-{:032x}", 0).parse()?;
    Ok(commitments
        .commit(&nobody, "keys-snapshot", text)
        .to_string())
}
