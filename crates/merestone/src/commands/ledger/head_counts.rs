//! Head-counts of the log, held against its entries.

use std::sync::Arc;

use govern::count::{Compared, Comparing, Recorded, Tally};
use ledger::{Reader, files::DiskFiles};
use terms::Leaf;

use crate::{present, state::State};

/// LIMIT: differences that are shown to people.
const SHOWN_MAX: usize = 32;

/// Compares all that there are.
pub(super) fn compare(state: &State) -> anyhow::Result<Compared> {
    let reader = || Reader::new(Arc::new(DiskFiles), &state.ledger());
    let (mut recorded, mut first) = (Recorded::default(), None);
    let mut entries = reader();
    while let Some(entry) = entries.read_next()? {
        first.get_or_insert((entry.sequence, entry.leaf.at_ms()));
        if let Leaf::HeadCount(leaf) = &entry.leaf {
            recorded.add(leaf);
        }
    }
    let mut comparing = Comparing::new(recorded, first.unwrap_or_default());
    let until = entries.position();
    let mut entries = reader();
    while let Some(entry) = entries.read_next()? {
        if entry.sequence >= until || comparing.is_done() {
            break;
        }
        comparing.add(entry.sequence, &entry.leaf);
    }
    Ok(comparing.end(until))
}

/// For people; nothing where no day was counted.
pub(super) fn tell(compared: &Compared) -> anyhow::Result<()> {
    if *compared == Compared::default() {
        return Ok(());
    }
    present::say!(
        "  head-counts of {} days: {} say what the entries say, {} cannot be compared (pruned)",
        compared.recorded,
        compared.equal,
        compared.not_compared
    )?;
    if compared.broken_off > 0 {
        present::say!(
            "    {} more are not whole yet: the next start of the gate finishes them",
            compared.broken_off
        )?;
    }
    for fault in &compared.faults {
        present::say!("    FAULT: {}", present::plain(&fault.to_string()))?;
    }
    let says = |tally: Option<Tally>| {
        tally.map_or_else(
            || "nothing".to_owned(),
            |tally| {
                format!(
                    "{} admitted, {} closed, {} tokens in, {} out",
                    tally.admitted, tally.closed, tally.input_tokens, tally.output_tokens
                )
            },
        )
    };
    for one in compared.differences.iter().take(SHOWN_MAX) {
        present::say!(
            "    DIFFERS: {} {} {} {}: the head-count says {}; the entries say {}",
            one.group.day,
            present::plain(&one.group.key),
            present::plain(&one.group.vendor),
            present::plain(&one.group.model),
            says(one.recorded),
            says(one.entries)
        )?;
    }
    if compared.differences.len() > SHOWN_MAX {
        present::say!("    and more; --json names all")?;
    }
    Ok(())
}
