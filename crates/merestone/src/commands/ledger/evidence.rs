//! The log as evidence: its key, proofs, checks of copies, pruning and holds.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use ledger::{
    Trust, Verified, VerifyFault,
    files::{DiskFiles, Files},
    note::{Checkpoint, NOTE_BYTES_MAX, VerifierKey},
    proof::{BUNDLE_BYTES_MAX, Bundle},
    publish::{CHECKPOINT, FOLDER},
    tile::Shelf,
};
use serde_json::json;

use crate::{
    admin::{Answer, Request},
    cli::{HoldCommand, VerifyWhat},
    commands::ask::{ask, refused},
    config::{self, VendorKeys},
    present,
    source::SystemEntropy,
    state::State,
};

/// What is to be verified, and against what.
pub(super) struct Checked {
    /// A copy of what was published; the node's own log if not given.
    pub(super) dir: Option<PathBuf>,
    trust: Trust,
}

impl Checked {
    pub(super) fn new(what: &VerifyWhat, state: Option<&State>) -> anyhow::Result<Self> {
        let key = match (&what.key, state) {
            (Some(key), _) => Some(key_of(key)?),
            (None, Some(state)) => state.known_log_key()?,
            (None, None) => {
                anyhow::bail!("give the log's key with --key; `merestone ledger key` shows it")
            }
        };
        let since = match &what.since {
            None => None,
            Some(path) => {
                let key = key
                    .as_ref()
                    .context("an older checkpoint is checked with the log's key; give --key")?;
                let bytes = small(path, NOTE_BYTES_MAX)?;
                let (older, _) = Checkpoint::verified(&bytes, key)
                    .with_context(|| format!("{}", path.display()))?;
                Some(older)
            }
        };
        Ok(Self {
            dir: what.dir.clone(),
            trust: Trust { key, since },
        })
    }

    pub(super) fn verify(
        &self,
        state: Option<&State>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Verified, VerifyFault> {
        let files: Arc<dyn Files> = Arc::new(DiskFiles);
        let (Some(state), None) = (state, &self.dir) else {
            let dir = self.dir.as_deref().unwrap_or(Path::new("."));
            return ledger::verify_published(&files, dir, &self.trust, progress);
        };
        let ledger = state.ledger();
        let verified = ledger::verify_trusting(Arc::clone(&files), &ledger, &self.trust, progress)?;
        if verified.first > 0 {
            // Bundles that the segments no longer hold have only their hashes.
            ledger::verify_published(&files, &ledger.join(FOLDER), &self.trust, &mut |_| ())?;
        }
        Ok(verified)
    }
}

fn key_of(text: &str) -> anyhow::Result<VerifierKey> {
    VerifierKey::read(text.trim()).context("--key")
}

fn small(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks the proof of one entry.
pub(super) fn verify_proof(
    path: &Path,
    key: Option<&str>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let key = key.context("give the log's key with --key; `merestone ledger key` shows it")?;
    let key = key_of(key)?;
    let bytes = small(path, BUNDLE_BYTES_MAX)?;
    let judged = Bundle::read(&bytes)
        .and_then(|bundle| bundle.verify(&key).map(|checkpoint| (bundle, checkpoint)));
    let (bundle, checkpoint) = match judged {
        Ok(judged) => judged,
        Err(fault) if as_json => {
            present::say!("{}", json!({ "sound": false, "fault": fault.to_string() }))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(fault) => anyhow::bail!("{} proves nothing: {fault}", path.display()),
    };
    let entry = String::from_utf8_lossy(&bundle.entry);
    if as_json {
        let leaf: serde_json::Value = serde_json::from_slice(&bundle.entry).unwrap_or_default();
        let (index, size) = (bundle.index, checkpoint.size);
        present::say!(
            "{}",
            json!({ "sound": true, "sequence": index, "leaf": leaf, "origin": checkpoint.origin, "entries": size })
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    present::say!(
        "proved: entry {} of the {} of {}",
        bundle.index,
        checkpoint.size,
        present::plain(&checkpoint.origin)
    )?;
    present::say!("{}", present::plain(&entry))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the proof of one entry.
pub(super) fn prove(state: &State, index: u64, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let tlog = state.ledger().join(FOLDER);
    let files: Arc<dyn Files> = Arc::new(DiskFiles);
    let note = small(&tlog.join(CHECKPOINT), NOTE_BYTES_MAX)?;
    let key = state
        .known_log_key()?
        .context("this log has no key yet; `merestone up` makes it")?;
    let (checkpoint, _) = Checkpoint::verified(&note, &key)?;
    let mut shelf = Shelf::new(files, &tlog, checkpoint.size);
    let bundle = Bundle {
        index,
        entry: shelf.entry(index)?,
        proof: shelf.inclusion(index)?,
        checkpoint: note,
    };
    // A proof that does not prove is not handed out.
    bundle.verify(&key)?;
    match out {
        Some(path) => std::fs::write(path, bundle.encode())
            .with_context(|| format!("{} cannot be written", path.display()))?,
        None => std::io::stdout().write_all(&bundle.encode())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the key by which others check the log.
pub(super) fn key(path: &Path, origin: Option<&str>) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let state = State::open(&settled.state)?;
    let key = state.log_key(&settled.settings.node, origin, &SystemEntropy)?;
    present::say!("{}", key.verifier())?;
    Ok(ExitCode::SUCCESS)
}

/// Removes old entries.
pub(super) fn prune(path: &Path, before: u64, past_exports: bool) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let request = Request::LedgerPrune {
        before,
        past_exports,
    };
    match ask(&settled, request)? {
        Answer::Pruned { first } => {
            present::say!("entries before {first} are removed; their hashes stay")?;
            Ok(ExitCode::SUCCESS)
        }
        other => Err(refused(other)),
    }
}

/// Sets or lifts a legal hold.
pub(super) fn hold(command: HoldCommand) -> anyhow::Result<ExitCode> {
    let (config, reason, held) = match command {
        HoldCommand::Set { config, reason } => (config, reason, true),
        HoldCommand::Lift { config, reason } => (config, reason, false),
    };
    let settled = config::load(&config.config, VendorKeys::Leave)?;
    match ask(&settled, Request::LedgerHold { held, reason })? {
        Answer::Done => {
            let says = if held { "set" } else { "lifted" };
            present::say!("the hold is {says}")?;
            Ok(ExitCode::SUCCESS)
        }
        other => Err(refused(other)),
    }
}
