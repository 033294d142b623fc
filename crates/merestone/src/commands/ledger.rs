//! `merestone ledger`: verify, show and tail. Reads beside a running gate.

use std::{
    collections::VecDeque,
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use ledger::{Entry, Reader, files::DiskFiles};
use serde_json::json;
use terms::{Code, ControlRun, ExchangeId, FindingNote, Leaf, RoomNote};

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
        LedgerCommand::Verify { config, json } => verify(&state(&config.config)?, json),
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

fn verify(state: &State, as_json: bool) -> anyhow::Result<ExitCode> {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template(
        "{spinner} {pos} entries, {per_sec}",
    )?);
    let outcome = ledger::verify(Arc::new(DiskFiles), &state.ledger(), &mut |entries| {
        if entries.is_multiple_of(256) {
            bar.set_position(entries);
        }
    });
    bar.finish_and_clear();
    let verified = match outcome {
        Ok(verified) => verified,
        Err(fault) if as_json => {
            println!("{}", json!({ "sound": false, "fault": fault.to_string() }));
            return Ok(ExitCode::FAILURE);
        }
        Err(fault) => anyhow::bail!("the ledger is not sound: {fault}"),
    };
    if as_json {
        let open: Vec<String> = verified.open.iter().map(ToString::to_string).collect();
        println!(
            "{}",
            json!({
                "sound": true, "entries": verified.entries, "admitted": verified.admitted, "closed": verified.closed,
                "open": open, "refused": verified.refused, "unclean_starts": verified.unclean_starts,
                "root": verified.root, "tail_bytes": verified.tail_bytes,
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!("sound: {} entries", verified.entries);
    println!(
        "  {} admitted, {} closed, {} open, {} refused",
        verified.admitted,
        verified.closed,
        verified.open.len(),
        verified.refused
    );
    if let Some((first, last)) = verified.span_ms {
        println!("  from {} to {}", present::time(first), present::time(last));
    }
    if verified.unclean_starts > 0 {
        println!(
            "  the node found {} times that it had not stopped cleanly",
            verified.unclean_starts
        );
    }
    if verified.tail_bytes > 0 {
        println!(
            "  {} bytes at the end are no whole entry: a write that was cut off, or that is being made",
            verified.tail_bytes
        );
    }
    println!("  Merkle root {}", verified.root);
    Ok(ExitCode::SUCCESS)
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
        println!("{}", json!({ "exchange": id, "entries": entries }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("exchange {id}");
    for entry in &entries {
        tell(entry);
    }
    Ok(ExitCode::SUCCESS)
}

/// One entry of an exchange, as a person reads it.
pub(super) fn tell(entry: &Entry) {
    let number = entry.sequence;
    match &entry.leaf {
        Leaf::Admitted(leaf) => {
            let (request, arrived) = (&leaf.request, present::time(leaf.at_ms));
            let rewritten = if request.edited { ", rewritten" } else { "" };
            println!("\nentry {number}: admitted, arrived {arrived}");
            println!(
                "  key {}, {} {} at {}, {} bytes{rewritten}",
                leaf.caller.key, request.dialect, request.model, request.vendor, request.body_bytes
            );
            decided(
                &leaf.rooms,
                &leaf.controls,
                &leaf.findings,
                leaf.findings_more,
            );
        }
        Leaf::Closed(leaf) => {
            let (ended, restored) = (present::time(leaf.at_ms), &leaf.restored);
            let status = leaf
                .vendor
                .status
                .map_or_else(|| "none".to_owned(), |status| status.to_string());
            println!("\nentry {number}: closed {ended}, {}", leaf.outcome);
            if let Some(code) = leaf.code {
                println!("  {}", reason(code, leaf.place.as_deref()));
            }
            println!(
                "  vendor status {status}, {} bytes, {} ms",
                leaf.reply_bytes,
                leaf.timings.total_us / 1_000
            );
            decided(
                &leaf.rooms,
                &leaf.controls,
                &leaf.findings,
                leaf.findings_more,
            );
            println!(
                "  tokens: {} put back, {} left in place, {} not ours",
                restored.restored, restored.withheld, restored.foreign
            );
        }
        Leaf::Refused(leaf) => {
            println!(
                "\nentry {number}: refused, arrived {}",
                present::time(leaf.at_ms)
            );
            println!("  {}", reason(leaf.code, leaf.place.as_deref()));
            decided(
                &leaf.rooms,
                &leaf.controls,
                &leaf.findings,
                leaf.findings_more,
            );
        }
        Leaf::RefusedSummary(_) | Leaf::Event(_) | Leaf::UncleanStart(_) => {}
    }
}

fn reason(code: Code, place: Option<&str>) -> String {
    let place = place
        .map(|place| format!(" at {place}"))
        .unwrap_or_default();
    format!("{code}: {}{place}", code.says())
}

fn decided(notes: &[RoomNote], runs: &[ControlRun], found: &[FindingNote], more: u32) {
    rooms(notes);
    controls(runs);
    findings(found, more);
}

fn rooms(notes: &[RoomNote]) {
    for note in notes {
        println!("  {:>9} µs  {:<9}  {}", note.at_us, note.room, note.decided);
    }
}

fn controls(runs: &[ControlRun]) {
    for run in runs {
        let would = if run.would == run.verdict {
            String::new()
        } else {
            format!(", would have been {}", run.would)
        };
        println!(
            "  {} ({}): {}{would}, {} findings in {} bytes",
            run.control, run.mode, run.verdict, run.findings, run.bytes
        );
    }
}

fn findings(notes: &[FindingNote], more: u32) {
    for note in notes {
        println!(
            "  found {} ({}) in {} at {}, seen {}, {} times: {}",
            note.detector, note.kind, note.slot, note.place, note.view, note.count, note.action
        );
    }
    if more > 0 {
        println!("  and {more} more");
    }
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
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", entry_json(entry))?;
    } else {
        writeln!(
            out,
            "{:>8}  {}  {}",
            entry.sequence,
            present::time(entry.leaf.at_ms()),
            brief(&entry.leaf)
        )?;
    }
    Ok(())
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
    }
}
