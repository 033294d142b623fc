//! `merestone ledger`: verify, show and tail. Reads beside a running gate.

mod audit;
mod captures;
mod count;
mod evidence;
mod head_counts;
mod reconcile;
mod verify;

use std::{collections::VecDeque, path::Path, process::ExitCode, sync::Arc, time::Duration};

use govern::reconcile::Ask;
use ledger::{Entry, Reader, files::DiskFiles};
use serde_json::json;
use terms::{Captured, Code, ControlRun, Event, ExchangeId, FindingNote, Leaf, RoomNote};

use crate::{
    cli::LedgerCommand,
    config::{self, VendorKeys},
    present,
    state::State,
};

/// LIMIT: entries that `tail` shows at once.
const TAIL_MAX: usize = 100_000;

pub(super) fn run(command: LedgerCommand) -> anyhow::Result<ExitCode> {
    match command {
        LedgerCommand::Verify { config, what, json } => match &what.proof {
            Some(proof) => verify::proof(proof, &what, json),
            None => verify::log(&config.config, &what, json),
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

fn show(state: &State, id: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let id: ExchangeId = id.parse().map_err(|_| anyhow::anyhow!("an exchange looks like mx- and 32 hexadecimal digits; it stands in the reply's x-merestone-exchange header"))?;
    let entries = Reader::new(Arc::new(DiskFiles), &state.ledger()).find(id)?;
    anyhow::ensure!(
        !entries.is_empty(),
        "the ledger has no entry of {id}; refusals of unknown callers, and many of requests that were broken off, are counted and not recorded one by one"
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
        Leaf::RefusedSummary(leaf) => match &leaf.key {
            Some(key) => format!("refused  {} by {key}: {}", leaf.count, leaf.code),
            None => format!("refused  {} strangers: {}", leaf.count, leaf.code),
        },
        Leaf::Event(event) => format!("event    {} {}", event.act, event.subject),
        Leaf::UncleanStart(leaf) => format!("unclean start, {} exchanges were open", leaf.open),
        Leaf::HeadCount(leaf) => format!("counted  {} ({} of {})", leaf.day, leaf.part, leaf.parts),
    }
}
