//! `merestone ledger`: verify, show and tail. Reads beside a running gate.

mod audit;
mod captures;
mod count;
mod evidence;
mod head_counts;
mod reconcile;

use std::{
    collections::VecDeque, io::IsTerminal, path::Path, process::ExitCode, sync::Arc, time::Duration,
};

use govern::{count::Compared, reconcile::Ask};
use indicatif::{ProgressBar, ProgressStyle};
use ledger::{Entry, Reader, Verified, captures::Audited, files::DiskFiles};
use serde_json::json;
use terms::{Captured, Code, ControlRun, Event, ExchangeId, FindingNote, Leaf, RoomNote};

use crate::{
    cli::{LedgerCommand, VerifyWhat},
    config::{self, VendorKeys},
    present,
    state::State,
};

use evidence::Checked;

/// LIMIT: entries that `tail` shows at once.
const TAIL_MAX: usize = 100_000;
/// LIMIT: open exchanges that `verify` names for people.
const OPEN_SHOWN_MAX: usize = 32;

pub(super) fn run(command: LedgerCommand) -> anyhow::Result<ExitCode> {
    match command {
        LedgerCommand::Verify { config, what, json } => match &what.proof {
            Some(proof) => evidence::verify_proof(proof, what.key.as_deref(), json),
            None => verify(&config.config, &what, json),
        },
        LedgerCommand::Key { config, origin } => evidence::key(&config.config, origin.as_deref()),
        LedgerCommand::Prove { config, entry, out } => {
            evidence::prove(&state(&config.config)?, entry, out.as_deref())
        }
        LedgerCommand::Prune {
            config,
            before,
            past_exports,
        } => evidence::prune(&config.config, before, past_exports),
        LedgerCommand::Hold(command) => evidence::hold(command),
        LedgerCommand::Count { config, days, json } => {
            count::run(&state(&config.config)?, days.days(), json)
        }
        LedgerCommand::Reconcile {
            config,
            vendors,
            file,
            gate_keys,
            days,
            json,
        } => {
            let ask = Ask {
                vendors: vendors.into_iter().collect(),
                gate_keys: gate_keys.into_iter().collect(),
                days: days.days(),
            };
            reconcile::run(&config.config, &file, ask, json)
        }
        LedgerCommand::Reveal(wish) => captures::reveal(*wish),
        LedgerCommand::Erase(wish) => captures::erase(*wish),
        LedgerCommand::Show { config, id, json } => show(&state(&config.config)?, &id, json),
        LedgerCommand::Tail {
            config,
            count,
            follow,
            json,
        } => tail(&state(&config.config)?, count.min(TAIL_MAX), follow, json),
    }
}

fn state(path: &Path) -> anyhow::Result<State> {
    State::existing(&config::load(path, VendorKeys::Leave)?.state)
}

fn verify(path: &Path, what: &VerifyWhat, as_json: bool) -> anyhow::Result<ExitCode> {
    let state = match &what.dir {
        Some(_) => None,
        None => Some(state(path)?),
    };
    let checked = Checked::new(what, state.as_ref())?;
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template(
        "{spinner} {pos} entries, {per_sec}",
    )?);
    let outcome = checked.verify(state.as_ref(), &mut |entries| {
        if entries.is_multiple_of(256) {
            bar.set_position(entries);
        }
    });
    bar.finish_and_clear();
    let verified = match outcome {
        Ok(verified) => verified,
        Err(fault) if as_json => {
            present::say!("{}", json!({ "sound": false, "fault": fault.to_string() }))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(fault) => anyhow::bail!("the ledger is not sound: {fault}"),
    };
    let kept = state.as_ref().filter(|_| checked.dir.is_none());
    let audited = kept.map(audit::audit).transpose()?;
    let compared = kept.map(head_counts::compare).transpose()?;
    let sound = audited.as_ref().is_none_or(Audited::is_sound)
        && compared.as_ref().is_none_or(Compared::is_sound);
    let code = if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    if as_json {
        let open: Vec<String> = verified.open.iter().map(ToString::to_string).collect();
        present::say!(
            "{}",
            json!({
                "sound": true, "entries": verified.entries, "admitted": verified.admitted, "closed": verified.closed,
                "gap_free": true, "complete": open.is_empty(), "open": open, "refused": verified.refused, "unclean_starts": verified.unclean_starts,
                "root": verified.root, "tail_bytes": verified.tail_bytes,
                "first": verified.first, "closed_of_pruned": verified.closed_of_pruned,
                "checkpoint": verified.checkpoint.as_ref().map(|signed| signed.size),
                "captures": audited.as_ref().map(audit::document), "head_counts": compared,
            })
        )?;
        return Ok(code);
    }
    tell_verified(&verified)?;
    audited.as_ref().map_or(Ok(()), audit::tell)?;
    compared.as_ref().map_or(Ok(()), head_counts::tell)?;
    Ok(code)
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
        return present::say!("  each admitted exchange was closed exactly once");
    }
    present::say!(
        "  each admitted exchange was closed exactly once, except {} that are open: they run just now, or ran when the gate was stopped hard and was not started again",
        verified.open.len()
    )?;
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

fn tell_verified(verified: &Verified) -> anyhow::Result<()> {
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
    if let Some(signed) = &verified.checkpoint {
        present::say!(
            "  {} are covered by the checkpoint of {}",
            signed.size,
            present::plain(&signed.origin)
        )?;
    }
    present::say!("  Merkle root {}", verified.root)?;
    Ok(())
}

fn show(state: &State, id: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let id: ExchangeId = id.parse().map_err(|_| anyhow::anyhow!("an exchange looks like mx- and 32 hexadecimal digits; it stands in the reply's x-merestone-exchange header"))?;
    let entries = Reader::new(Arc::new(DiskFiles), &state.ledger()).find(id)?;
    anyhow::ensure!(
        !entries.is_empty(),
        "the ledger has no entry of {id}; refusals of unknown callers are counted, not recorded one by one"
    );
    if as_json {
        let entries: Vec<_> = entries.iter().map(entry_json).collect();
        present::say!("{}", json!({ "exchange": id, "entries": entries }))?;
        return Ok(ExitCode::SUCCESS);
    }
    present::say!("exchange {id}")?;
    for entry in &entries {
        tell(entry)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One entry of an exchange, as a person reads it.
pub(super) fn tell(entry: &Entry) -> anyhow::Result<()> {
    let number = entry.sequence;
    match &entry.leaf {
        Leaf::Admitted(leaf) => {
            let (request, arrived) = (&leaf.request, present::time(leaf.at_ms));
            let rewritten = if request.edited { ", rewritten" } else { "" };
            present::say!("\nentry {number}: admitted, arrived {arrived}")?;
            present::say!(
                "  key {}, {} {} at {}, {} bytes{rewritten}",
                leaf.caller.key,
                request.dialect,
                present::plain(&request.model),
                request.vendor,
                request.body_bytes
            )?;
            decided(
                &leaf.rooms,
                &leaf.controls,
                &leaf.findings,
                leaf.findings_more,
            )?;
        }
        Leaf::Closed(leaf) => {
            let (ended, restored) = (present::time(leaf.at_ms), &leaf.restored);
            let status = leaf
                .vendor
                .status
                .map_or_else(|| "none".to_owned(), |status| status.to_string());
            present::say!("\nentry {number}: closed {ended}, {}", leaf.outcome)?;
            if let Some(code) = leaf.code {
                present::say!("  {}", reason(code, leaf.place.as_deref()))?;
            }
            present::say!(
                "  vendor status {status}, {} bytes, {} ms",
                leaf.reply_bytes,
                leaf.timings.total_us / 1_000
            )?;
            decided(
                &leaf.rooms,
                &leaf.controls,
                &leaf.findings,
                leaf.findings_more,
            )?;
            present::say!(
                "  tokens: {} put back, {} left in place, {} not ours",
                restored.restored,
                restored.withheld,
                restored.foreign
            )?;
            sealed(leaf.captured.as_ref())?;
        }
        Leaf::Refused(leaf) => {
            present::say!(
                "\nentry {number}: refused, arrived {}",
                present::time(leaf.at_ms)
            )?;
            present::say!("  {}", reason(leaf.code, leaf.place.as_deref()))?;
            decided(
                &leaf.rooms,
                &leaf.controls,
                &leaf.findings,
                leaf.findings_more,
            )?;
            sealed(leaf.captured.as_ref())?;
        }
        Leaf::Event(event) => act(number, event)?,
        Leaf::RefusedSummary(_) | Leaf::UncleanStart(_) | Leaf::HeadCount(_) => {}
    }
    Ok(())
}

/// What was done with the exchange's sealed content.
fn act(number: u64, event: &Event) -> anyhow::Result<()> {
    let reason = event.facts.get("reason").map(String::as_str);
    present::say!(
        "\nentry {number}: {} {}, by {}: {}",
        event.act,
        present::time(event.at_ms),
        event.by,
        present::plain(reason.unwrap_or("no reason given"))
    )
}

/// What of the exchange is sealed.
fn sealed(captured: Option<&Captured>) -> anyhow::Result<()> {
    let Some(captured) = captured else {
        return Ok(());
    };
    let parts = captured.parts.iter().map(|noted| match noted.left_out {
        Some(why) => format!("{} left out ({why})", noted.part),
        None => format!("{} ({} bytes)", noted.part, noted.bytes),
    });
    let parts: Vec<String> = parts.collect();
    present::say!("  sealed ({}): {}", captured.mode, parts.join(", "))
}

fn reason(code: Code, place: Option<&str>) -> String {
    let place = place
        .map(|place| format!(" at {}", present::plain(place)))
        .unwrap_or_default();
    format!("{code}: {}{place}", code.says())
}

fn decided(
    notes: &[RoomNote],
    runs: &[ControlRun],
    found: &[FindingNote],
    more: u32,
) -> anyhow::Result<()> {
    rooms(notes)?;
    controls(runs)?;
    findings(found, more)
}

fn rooms(notes: &[RoomNote]) -> anyhow::Result<()> {
    for note in notes {
        present::say!("  {:>9} µs  {:<9}  {}", note.at_us, note.room, note.decided)?;
    }
    Ok(())
}

fn controls(runs: &[ControlRun]) -> anyhow::Result<()> {
    for run in runs {
        let would = if run.would == run.verdict {
            String::new()
        } else {
            format!(", would have been {}", run.would)
        };
        present::say!(
            "  {} ({}): {}{would}, {} findings in {} bytes",
            run.control,
            run.mode,
            run.verdict,
            run.findings,
            run.bytes
        )?;
    }
    Ok(())
}

fn findings(notes: &[FindingNote], more: u32) -> anyhow::Result<()> {
    for note in notes {
        present::say!(
            "  found {} ({}) in {} at {}, seen {}, {} times: {}",
            note.detector,
            note.kind,
            note.slot,
            present::plain(&note.place),
            note.view,
            note.count,
            note.action
        )?;
    }
    if more > 0 {
        present::say!("  and {more} more")?;
    }
    Ok(())
}

fn entry_json(entry: &Entry) -> serde_json::Value {
    json!({ "sequence": entry.sequence, "leaf": entry.leaf })
}

fn tail(state: &State, count: usize, follow: bool, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut reader = Reader::new(Arc::new(DiskFiles), &state.ledger());
    let mut newest = VecDeque::with_capacity(count.min(1_024));
    while let Some(entry) = reader.read_next()? {
        if newest.len() >= count {
            newest.pop_front();
        }
        if count > 0 {
            newest.push_back(entry);
        }
    }
    for entry in &newest {
        line(entry, as_json)?;
    }
    if !follow {
        return Ok(ExitCode::SUCCESS);
    }
    // Ends with the process.
    loop {
        match reader.read_next()? {
            Some(entry) => line(&entry, as_json)?,
            None => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn line(entry: &Entry, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return present::say!("{}", entry_json(entry));
    }
    present::say!(
        "{:>8}  {}  {}",
        entry.sequence,
        present::time(entry.leaf.at_ms()),
        present::plain(&brief(&entry.leaf))
    )
}

fn brief(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Admitted(leaf) => format!(
            "admitted {} {} {} by {}",
            leaf.exchange, leaf.request.vendor, leaf.request.model, leaf.caller.key
        ),
        Leaf::Closed(leaf) => format!(
            "closed   {} {}{}",
            leaf.exchange,
            leaf.outcome,
            leaf.code.map(|code| format!(" {code}")).unwrap_or_default()
        ),
        Leaf::Refused(leaf) => format!(
            "refused  {} {} by {}",
            leaf.exchange, leaf.code, leaf.caller.key
        ),
        Leaf::RefusedSummary(leaf) => format!("refused  {} strangers: {}", leaf.count, leaf.code),
        Leaf::Event(event) => format!("event    {} {}", event.act, event.subject),
        Leaf::UncleanStart(leaf) => format!("unclean start, {} exchanges were open", leaf.open),
        Leaf::HeadCount(leaf) => format!("counted  {} ({} of {})", leaf.day, leaf.part, leaf.parts),
    }
}
