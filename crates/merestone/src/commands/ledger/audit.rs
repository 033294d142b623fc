//! `merestone ledger verify`: what is sealed beside the log.

use std::sync::Arc;

use ledger::{
    captures::{self, Audited, Table},
    files::DiskFiles,
};
use serde_json::{Value, json};
use terms::ExchangeId;

use crate::{present, state::State};

/// LIMIT: exchanges that are named for people.
const NAMES_MAX: usize = 32;

/// Holds the log against what is kept.
pub(super) fn audit(state: &State) -> anyhow::Result<Audited> {
    let places = state.places();
    let table = Table::new(Arc::new(DiskFiles), places.captures);
    Ok(captures::audit(
        Arc::new(DiskFiles),
        &places.ledger,
        &table,
    )?)
}

/// For programs.
pub(super) fn document(audited: &Audited) -> Value {
    let Audited {
        sealed,
        erased,
        missing,
        changed,
        untold,
        back,
        unnamed,
        damaged,
        beyond,
    } = audited;
    json!({
        "sound": audited.is_sound(), "sealed": sealed, "erased": erased, "missing": missing,
        "changed": changed, "untold": untold, "back": back, "unnamed": unnamed,
        "damaged": damaged, "not_looked_at": beyond,
    })
}

/// For people; nothing where nothing was ever sealed.
pub(super) fn tell(audited: &Audited) -> anyhow::Result<()> {
    if *audited == Audited::default() {
        return Ok(());
    }
    present::say!(
        "  sealed content: of {} exchanges there as the log names it, of {} erased",
        audited.sealed,
        audited.erased
    )?;
    let faults = [
        (
            &audited.missing,
            "MISSING: the log names content of which nothing is kept",
        ),
        (
            &audited.changed,
            "CHANGED: the sealed bytes are not there, or not those that the log names",
        ),
        (
            &audited.untold,
            "NOT TOLD: the key was destroyed without a word in the log",
        ),
        (
            &audited.back,
            "BACK: the key is there although the log says that it was destroyed",
        ),
    ];
    for (exchanges, says) in faults {
        named(exchanges, says)?;
    }
    let notes = [
        (
            audited.unnamed,
            "keys belong to exchanges that no entry names: a crash came before the entry, or it was pruned; an erasure reaches them",
        ),
        (
            audited.damaged,
            "places in the table of keys hold something else than a key: a write that was cut off, or damage",
        ),
        (audited.beyond, "further exchanges were not looked at"),
    ];
    for (count, says) in notes.iter().filter(|(count, _)| *count > 0) {
        present::say!("    {count} {says}")?;
    }
    Ok(())
}

fn named(exchanges: &[ExchangeId], says: &str) -> anyhow::Result<()> {
    if exchanges.is_empty() {
        return Ok(());
    }
    present::say!("    {says}: {}", exchanges.len())?;
    for exchange in exchanges.iter().take(NAMES_MAX) {
        present::say!("      {exchange}")?;
    }
    if exchanges.len() > NAMES_MAX {
        present::say!("      and more; --json names all")?;
    }
    Ok(())
}
