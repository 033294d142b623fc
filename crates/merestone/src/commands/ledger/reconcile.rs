//! `merestone ledger reconcile`: a vendor's usage export against the ledger.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use govern::{
    reconcile::{Ask, Bypass, Difference, Reason, Reconciliation, Reconciling, Totals},
    usage::{EXPORT_BYTES_MAX, Exporter, UsageExport},
};
use ledger::{Reader, files::DiskFiles};
use serde_json::json;

use crate::{
    config::{self, Settled, VendorKeys},
    present,
    state::State,
};

pub(super) fn run(path: &Path, file: &Path, ask: Ask, as_json: bool) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let exporter = exporter(&settled, &ask)?;
    let state = State::existing(&settled.state)?;
    let named = || file.display().to_string();
    let export = UsageExport::read(exporter, &read(file)?).with_context(named)?;
    let mut work = Reconciling::new(export, ask).with_context(named)?;
    let mut first = true;
    let mut reader = Reader::new(Arc::new(DiskFiles), &state.ledger());
    while let Some(entry) = reader.read_next()? {
        if first && entry.sequence > 0 {
            work.pruned();
        }
        first = false;
        work.add(&entry.leaf);
    }
    let done = work.end();
    if as_json {
        present::say!("{}", serde_json::to_string(&document(&done))?)?;
    } else {
        tell(&done)?;
    }
    Ok(if done.explained {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whose export it is: that of the API which the named vendors speak.
fn exporter(settled: &Settled, ask: &Ask) -> anyhow::Result<Exporter> {
    let mut found: Option<Exporter> = None;
    for name in &ask.vendors {
        let known = settled.vendors.iter().find(|vendor| vendor.name == *name);
        // One that is no longer configured can still stand in the ledger.
        let api = known.map_or(name.as_str(), |vendor| vendor.api.name());
        let exporter: Exporter = api.parse().with_context(|| {
            format!(
                "--vendor {}: no vendor of this name is configured",
                present::plain(name)
            )
        })?;
        anyhow::ensure!(
            *found.get_or_insert(exporter) == exporter,
            "the vendors speak different APIs; each has an export of its own"
        );
    }
    found.context("name the vendor with --vendor")
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bytes_max = EXPORT_BYTES_MAX as u64 + 1;
    if file == Path::new("-") {
        io::stdin().take(bytes_max).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    let open = File::open(file);
    let open = open.with_context(|| format!("{} cannot be read", file.display()))?;
    open.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn document(done: &Reconciliation) -> serde_json::Value {
    let differences: Vec<_> = done
        .differences
        .iter()
        .map(|one| {
            let explained: Vec<_> = one
                .explained
                .iter()
                .map(|(reason, amount)| json!({ "reason": reason, "amount": amount }))
                .collect();
            json!({
                "day": one.day, "model": one.model, "measure": one.measure, "vendor": one.vendor,
                "ledger": one.ledger, "explained": explained, "unexplained": one.unexplained,
                "named": one.named,
            })
        })
        .collect();
    json!({
        "explained": done.explained, "first_day": done.days.0, "last_day": done.days.1,
        "days_begin_seconds": done.days_begin_seconds, "vendor": done.vendor,
        "ledger": done.ledger, "differences": differences, "bypassed": done.bypassed,
        "remarks": done.remarks,
    })
}

fn tell(done: &Reconciliation) -> anyhow::Result<()> {
    let (first, last) = done.days;
    present::say!("days compared: {first} to {last}")?;
    present::say!("  the vendor counted {}", totals(&done.vendor))?;
    present::say!("  the ledger has     {}", totals(&done.ledger))?;
    if done.differences.is_empty() {
        present::say!("no day and model differs")?;
    }
    done.differences.iter().try_for_each(difference)?;
    done.bypassed.iter().try_for_each(bypass)?;
    for remark in &done.remarks {
        present::say!(
            "note: {} ({})",
            present::plain(&remark.says),
            remark.reason.word()
        )?;
    }
    if done.explained {
        return present::say!("everything is explained");
    }
    let left = done.differences.iter();
    let left = left.filter(|one| one.unexplained > 0).count();
    present::say!(
        "NOT EXPLAINED: {left} differences, and {} uses of other keys",
        done.bypassed.len()
    )
}

fn totals(totals: &Totals) -> String {
    let requests = totals
        .requests
        .map(|requests| format!("{requests} requests, "))
        .unwrap_or_default();
    format!(
        "{requests}{} tokens in, {} out, {} cached, {} written to the cache",
        totals.input_tokens,
        totals.output_tokens,
        totals.cached_tokens,
        totals.cache_written_tokens
    )
}

fn difference(one: &Difference) -> anyhow::Result<()> {
    present::say!(
        "{} {}: {}: the vendor has {}, the ledger {}",
        one.day,
        present::plain(&one.model),
        one.measure.says(),
        one.vendor,
        one.ledger
    )?;
    for (reason, amount) in &one.explained {
        present::say!("    {amount} may be {} ({})", reason.says(), reason.word())?;
    }
    if let Some(reason) = one.named {
        present::say!(
            "    {} NOT EXPLAINED: {} ({})",
            one.unexplained,
            reason.says(),
            reason.word()
        )?;
    }
    Ok(())
}

fn bypass(one: &Bypass) -> anyhow::Result<()> {
    let requests = one
        .requests
        .map(|requests| format!("{requests} requests, "))
        .unwrap_or_default();
    present::say!(
        "{} {}: NOT EXPLAINED: {} used {requests}{} tokens in, {} out: {} ({})",
        one.day,
        present::plain(&one.model),
        present::plain(&one.key),
        one.input_tokens,
        one.output_tokens,
        Reason::OtherKey.says(),
        Reason::OtherKey.word()
    )
}
