//! The log as evidence: its key, proofs, pruning and holds.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use ledger::{
    files::{DiskFiles, Files},
    note::{Checkpoint, NOTE_BYTES_MAX, VerifierKey},
    proof::Bundle,
    prune,
    publish::{CHECKPOINT, FOLDER, WITNESSED},
    tile::{Shelf, ShelfFault},
};

use crate::{
    admin::{Answer, Request},
    cli::HoldCommand,
    commands::ask::{ask, refused},
    config::{self, VendorKeys},
    present,
    source::SystemEntropy,
    state::State,
};

/// At most so many bytes of a file, and one more if it has more.
pub(super) fn small(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes the proof of one entry.
pub(super) fn prove(state: &State, index: u64, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let tlog = state.ledger().join(FOLDER);
    let key = state
        .known_log_key()?
        .context("this log has no key yet; `merestone up` makes it")?;
    // What a witness cosigned proves more, if it covers the entry.
    let bundle = match bundle(&tlog, WITNESSED, &key, index) {
        Ok(bundle) => bundle,
        Err(_) => bundle(&tlog, CHECKPOINT, &key, index)?,
    };
    match out {
        Some(path) => std::fs::write(path, bundle.encode())
            .with_context(|| format!("{} cannot be written", path.display()))?,
        None => std::io::stdout().write_all(&bundle.encode())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The proof of one entry by one of the checkpoints.
fn bundle(tlog: &Path, name: &str, key: &VerifierKey, index: u64) -> anyhow::Result<Bundle> {
    let files: Arc<dyn Files> = Arc::new(DiskFiles);
    let note = small(&tlog.join(name), NOTE_BYTES_MAX)?;
    let (checkpoint, _) = Checkpoint::verified(&note, key)?;
    let minimum = prune::minimum(&*files, tlog);
    let mut shelf = Shelf::new(files, tlog, checkpoint.size);
    let entry = match shelf.entry(index) {
        Err(ShelfFault::Unreadable { .. }) if index < minimum => anyhow::bail!(
            "entry {index} was pruned, as all before {minimum}: whoever kept it can still prove it"
        ),
        read => read?,
    };
    let bundle = Bundle {
        index,
        entry,
        proof: shelf.inclusion(index)?,
        checkpoint: note,
    };
    // A proof that does not prove is not handed out.
    bundle.verify(key)?;
    Ok(bundle)
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
        Answer::Pruned { first, kept } => {
            present::say!("bundles before {first} are removed; their hashes stay")?;
            if kept > 0 {
                present::say!(
                    "{kept} entries before it still stand in the oldest segment, beside some that stay; it goes as a whole once all of its entries may"
                )?;
            }
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
