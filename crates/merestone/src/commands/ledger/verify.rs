//! `merestone ledger verify`: the node's own log, a copy of what is published,
//! or the proof of one entry.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use govern::count::Compared;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::{
    Cosigned, Trust, Verified, VerifyFault,
    captures::Audited,
    files::{DiskFiles, Files},
    note::{Algorithm, Checkpoint, NOTE_BYTES_MAX, VerifierKey},
    proof::{BUNDLE_BYTES_MAX, Bundle},
    publish::FOLDER,
    verify::{all_of, cosigned_by},
};
use serde_json::{Value, json};

use super::{audit, evidence::small, head_counts};
use crate::{
    cli::VerifyWhat,
    config::{self, VendorKeys},
    present,
    state::State,
};

/// LIMIT: open exchanges that are named for people.
const OPEN_SHOWN_MAX: usize = 32;
/// LIMIT: bytes of a file of witnesses' keys.
const WITNESSES_BYTES_MAX: usize = 64 << 10;

/// What is to be verified, and against what.
struct Checked {
    /// A copy of what was published, or else the node's own log.
    place: Place,
    trust: Trust,
}

enum Place {
    Copy(PathBuf),
    Own(State),
}

impl Checked {
    fn new(path: &Path, what: &VerifyWhat) -> anyhow::Result<Self> {
        let named = witnesses(&what.witnesses)?;
        let all_witnesses = !named.is_empty();
        let (place, known, configured) = match &what.dir {
            Some(dir) => (Place::Copy(dir.clone()), None, Vec::new()),
            None => {
                let settled = config::load(path, VendorKeys::Leave)?;
                let state = State::existing(&settled.state)?;
                let known = state.known_log_key()?;
                let witnesses = settled.witnessing.witnesses.into_iter();
                let keys = witnesses.map(|at| at.key).collect();
                (Place::Own(state), known, keys)
            }
        };
        let key = match (&what.key, &place) {
            (Some(key), _) => Some(key_of(key)?),
            (None, Place::Own(_)) => known,
            (None, Place::Copy(_)) => {
                anyhow::bail!("give the log's key with --key; `merestone ledger key` shows it")
            }
        };
        let since = match &what.since {
            None => None,
            Some(path) => Some(older(path, key.as_ref())?),
        };
        let witnesses = if all_witnesses { named } else { configured };
        let trust = Trust {
            key,
            since,
            witnesses,
            all_witnesses,
        };
        Ok(Self { place, trust })
    }

    fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified, VerifyFault> {
        let files: Arc<dyn Files> = Arc::new(DiskFiles);
        let state = match &self.place {
            Place::Copy(dir) => {
                return ledger::verify_published(&files, dir, &self.trust, progress);
            }
            Place::Own(state) => state,
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

fn older(path: &Path, key: Option<&VerifierKey>) -> anyhow::Result<Checkpoint> {
    let key = key.context("an older checkpoint is checked with the log's key; give --key")?;
    let bytes = small(path, NOTE_BYTES_MAX)?;
    let (older, _) =
        Checkpoint::verified(&bytes, key).with_context(|| format!("{}", path.display()))?;
    Ok(older)
}

/// Witnesses' keys: each word is one, or a file with one on each line.
fn witnesses(words: &[String]) -> anyhow::Result<Vec<VerifierKey>> {
    let mut keys: Vec<VerifierKey> = Vec::new();
    for word in words {
        let text = match VerifierKey::read(word.trim()) {
            Ok(_) => word.clone(),
            Err(fault) => {
                let path = Path::new(word);
                anyhow::ensure!(
                    path.is_file(),
                    "--witness: this is neither a file nor a key: {fault}"
                );
                let bytes = small(path, WITNESSES_BYTES_MAX)?;
                anyhow::ensure!(
                    bytes.len() <= WITNESSES_BYTES_MAX,
                    "--witness: the file is longer than {WITNESSES_BYTES_MAX} bytes"
                );
                String::from_utf8(bytes).context("--witness: the file is not UTF-8")?
            }
        };
        let lines = text.lines().map(str::trim);
        let mut found = false;
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let key = VerifierKey::read(line).context("--witness")?;
            anyhow::ensure!(
                key.algorithm() == Algorithm::Cosignature,
                "--witness: this is the key of a log; a witness's is of kind 4"
            );
            found = true;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        anyhow::ensure!(found, "--witness: there is no key in the file");
    }
    Ok(keys)
}

fn unsound(fault: &dyn std::fmt::Display) -> anyhow::Result<ExitCode> {
    present::say!("{}", json!({ "sound": false, "fault": fault.to_string() }))?;
    Ok(ExitCode::FAILURE)
}

/// Checks a whole log.
pub(super) fn log(path: &Path, what: &VerifyWhat, as_json: bool) -> anyhow::Result<ExitCode> {
    let checked = Checked::new(path, what)?;
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template(
        "{spinner} {pos} entries, {per_sec}",
    )?);
    let outcome = checked.verify(&mut |entries| {
        if entries.is_multiple_of(256) {
            bar.set_position(entries);
        }
    });
    bar.finish_and_clear();
    let verified = match outcome {
        Ok(verified) => verified,
        Err(fault) if as_json => return unsound(&fault),
        Err(fault) => anyhow::bail!("the ledger is not sound: {fault}"),
    };
    let kept = match &checked.place {
        Place::Own(state) => Some(state),
        Place::Copy(_) => None,
    };
    let audited = kept.map(audit::audit).transpose()?;
    let compared = kept.map(head_counts::compare).transpose()?;
    if as_json {
        let document = document(&verified, audited.as_ref(), compared.as_ref());
        present::say!("{document}")?;
    } else {
        tell(&verified, &checked.trust.witnesses)?;
        audited.as_ref().map_or(Ok(()), audit::tell)?;
        compared.as_ref().map_or(Ok(()), head_counts::tell)?;
    }
    let sound = audited.as_ref().is_none_or(Audited::is_sound)
        && compared.as_ref().is_none_or(Compared::is_sound);
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn document(verified: &Verified, audited: Option<&Audited>, compared: Option<&Compared>) -> Value {
    let open: Vec<String> = verified.open.iter().map(ToString::to_string).collect();
    json!({
        "sound": true, "entries": verified.entries, "admitted": verified.admitted, "closed": verified.closed,
        "gap_free": true, "complete": open.is_empty(), "open": open, "refused": verified.refused, "unclean_starts": verified.unclean_starts,
        "root": verified.root, "tail_bytes": verified.tail_bytes,
        "first": verified.first, "closed_of_pruned": verified.closed_of_pruned,
        "checkpoint": verified.checkpoint.as_ref().map(|signed| signed.size),
        "checkpoint_witnessed": verified.witnessed,
        "witnessed": entries_of(&verified.cosigned), "witnesses": lines_json(&verified.cosigned),
        "captures": audited.map(audit::document), "head_counts": compared,
    })
}

/// Entries that at least one known witness cosigned.
fn entries_of(cosigned: &[Cosigned]) -> u64 {
    let entries = cosigned.iter().map(|line| line.entries);
    entries.max().unwrap_or(0)
}

fn lines_json(cosigned: &[Cosigned]) -> Vec<Value> {
    let line = |line: &Cosigned| json!({ "witness": line.witness, "entries": line.entries, "at_s": line.at_s });
    cosigned.iter().map(line).collect()
}

/// That nothing is missing: the numbers have no gap, and each exchange has its
/// end, or is named.
fn tell_complete(verified: &Verified) -> anyhow::Result<()> {
    if let Some(last) = verified.entries.checked_sub(1)
        && verified.first <= last
    {
        present::say!("  numbered {} to {last} without a gap", verified.first)?;
    }
    if verified.open.is_empty() {
        present::say!("  each admitted exchange was closed exactly once")?;
    } else {
        present::say!(
            "  each admitted exchange was closed exactly once, except {} that are open: they run just now, or ran when the gate was stopped hard and was not started again",
            verified.open.len()
        )?;
    }
    if verified.closed_of_pruned > 0 {
        present::say!(
            "  {} of the closed ones were admitted before entry {}, where the log was pruned",
            verified.closed_of_pruned,
            verified.first
        )?;
    }
    for open in verified.open.iter().take(OPEN_SHOWN_MAX) {
        present::say!("    open {open}")?;
    }
    if let Some(more) = verified.open.len().checked_sub(OPEN_SHOWN_MAX)
        && more > 0
    {
        present::say!("    and {more} more; --json names all")?;
    }
    Ok(())
}

/// How much of it is witnessed, and by whom.
fn tell_witnessed(verified: &Verified, known: &[VerifierKey]) -> anyhow::Result<()> {
    match verified.witnessed {
        None if verified.cosigned.is_empty() => {
            present::say!("  none are witnessed: whoever has the log's key could keep another")?;
        }
        Some(size) if known.is_empty() => present::say!(
            "  {size} have lines of witnesses that nobody checked here: name the witnesses with --witness"
        )?,
        None | Some(_) => {
            present::say!("  {} are witnessed", entries_of(&verified.cosigned))?;
        }
    }
    for line in &verified.cosigned {
        present::say!(
            "    {} by {} at {}",
            line.entries,
            present::plain(&line.witness),
            present::time(line.at_s.saturating_mul(1_000))
        )?;
    }
    let silent = known.iter().filter(|key| {
        verified
            .cosigned
            .iter()
            .all(|line| line.witness != key.name())
    });
    for key in silent {
        present::say!("    none by {}", present::plain(key.name()))?;
    }
    Ok(())
}

fn tell(verified: &Verified, known: &[VerifierKey]) -> anyhow::Result<()> {
    present::say!("sound: {} entries", verified.entries)?;
    present::say!(
        "  {} admitted, {} closed, {} open, {} refused",
        verified.admitted,
        verified.closed,
        verified.open.len(),
        verified.refused
    )?;
    tell_complete(verified)?;
    if let Some((first, last)) = verified.span_ms {
        present::say!("  from {} to {}", present::time(first), present::time(last))?;
    }
    if verified.unclean_starts > 0 {
        present::say!(
            "  the node found {} times that it had not stopped cleanly",
            verified.unclean_starts
        )?;
    }
    if verified.tail_bytes > 0 {
        present::say!(
            "  {} bytes at the end are no whole entry: a write that was cut off, or that is being made",
            verified.tail_bytes
        )?;
    }
    if verified.first > 0 {
        present::say!(
            "  entries before {} were pruned; their hashes stand for them",
            verified.first
        )?;
    }
    match &verified.checkpoint {
        Some(signed) => present::say!(
            "  {} are covered by the checkpoint of {}",
            signed.size,
            present::plain(&signed.origin)
        )?,
        None => present::say!(
            "  there is no checkpoint yet: nothing is published, and no gate was ever ready on this log"
        )?,
    }
    tell_witnessed(verified, known)?;
    present::say!("  Merkle root {}", verified.root)?;
    Ok(())
}

/// Checks the proof of one entry.
pub(super) fn proof(path: &Path, what: &VerifyWhat, as_json: bool) -> anyhow::Result<ExitCode> {
    let key = what.key.as_deref();
    let key = key.context("give the log's key with --key; `merestone ledger key` shows it")?;
    let key = key_of(key)?;
    let witnesses = witnesses(&what.witnesses)?;
    let bytes = small(path, BUNDLE_BYTES_MAX)?;
    let (bundle, checkpoint, cosigned) = match proved(&bytes, &key, &witnesses) {
        Ok(proved) => proved,
        Err(fault) if as_json => return unsound(&fault),
        Err(fault) => return Err(fault).context(format!("{} proves nothing", path.display())),
    };
    if as_json {
        let leaf: Value = serde_json::from_slice(&bundle.entry).unwrap_or_default();
        let (index, size) = (bundle.index, checkpoint.size);
        present::say!(
            "{}",
            json!({
                "sound": true, "sequence": index, "leaf": leaf, "origin": checkpoint.origin, "entries": size,
                "witnesses": lines_json(&cosigned),
            })
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    present::say!(
        "proved: entry {} of the {} of {}",
        bundle.index,
        checkpoint.size,
        present::plain(&checkpoint.origin)
    )?;
    for line in &cosigned {
        present::say!(
            "witnessed by {} at {}",
            present::plain(&line.witness),
            present::time(line.at_s.saturating_mul(1_000))
        )?;
    }
    let entry = String::from_utf8_lossy(&bundle.entry);
    present::say!("{}", present::plain(&entry))?;
    Ok(ExitCode::SUCCESS)
}

type Proved = (Bundle, Checkpoint, Vec<Cosigned>);

fn proved(bytes: &[u8], key: &VerifierKey, witnesses: &[VerifierKey]) -> anyhow::Result<Proved> {
    let bundle = Bundle::read(bytes)?;
    let (checkpoint, note) = bundle.verify(key)?;
    let cosigned = cosigned_by(&note, checkpoint.size, witnesses)?;
    all_of(witnesses, &cosigned)?;
    Ok((bundle, checkpoint, cosigned))
}
