//! `merestone export`: how far, a test, and once more.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context;
use export::{Cursor, Fate, Fault, Feed, Log, LogName, Reading, Sink};
use ledger::{files::DiskFiles, note::VerifierKey};
use serde_json::json;
use terms::Clock;

use crate::{
    admin::{Answer, Request},
    cli::export::ExportCommand,
    config::{self, ExportAt, Settled, VendorKeys},
    control,
    exports::{self, Places},
    present,
    source::SystemClock,
    state::State,
};

pub(super) fn run(command: ExportCommand) -> anyhow::Result<ExitCode> {
    match command {
        ExportCommand::Status { config, json } => status(&config.config, json),
        ExportCommand::Test { config, name } => test(&config.config, &name),
        ExportCommand::Replay {
            config,
            name,
            from,
            before,
        } => replay(&config.config, &name, from, before),
    }
}

fn status(path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let state = State::existing(&settled.state)?;
    let running = match control::ask(&state.socket(), &Request::ExportStatus)? {
        Some(Answer::Exports(readings)) => Some(readings),
        Some(other) => return Err(super::ask::refused(other)),
        None => None,
    };
    let runs = running.is_some();
    let readings = match running {
        Some(readings) => readings,
        None => exports::at_rest(
            &settled.exports,
            state.known_log_key()?.as_ref(),
            Places {
                ledger: &state.ledger(),
                folder: &state.exports(),
                node: &settled.settings.node,
            },
        )?,
    };
    let now_ms = SystemClock::start().now_ms();
    if as_json {
        let told: Vec<serde_json::Value> = readings
            .iter()
            .map(|reading| told(reading, now_ms, runs))
            .collect();
        present::say!("{}", serde_json::Value::from(told))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = present::table(&[
        "export",
        "next",
        "behind",
        "seconds",
        "delivered",
        "set aside",
        "pruned",
        "state",
    ]);
    for reading in &readings {
        table.add_row([
            reading.name.clone(),
            reading.next.to_string(),
            reading.lag_entries().to_string(),
            (reading.lag_ms(now_ms) / 1_000).to_string(),
            reading.delivered.to_string(),
            reading.set_aside.to_string(),
            reading.pruned.to_string(),
            present::plain(word(reading, runs)),
        ]);
    }
    present::say!("{table}")?;
    Ok(ExitCode::SUCCESS)
}

fn word(reading: &Reading, runs: bool) -> &str {
    match &reading.failing {
        Some(why) => why,
        None if !runs => "no gate runs",
        None if reading.lag_entries() == 0 => "up to date",
        None => "sending",
    }
}

fn told(reading: &Reading, now_ms: u64, runs: bool) -> serde_json::Value {
    json!({
        "name": reading.name, "running": runs, "stopped": reading.stopped,
        "size": reading.size, "next": reading.next, "lag_entries": reading.lag_entries(),
        "lag_seconds": reading.lag_ms(now_ms) / 1_000, "delivered": reading.delivered,
        "set_aside": reading.set_aside, "pruned": reading.pruned,
        "failures": reading.failures, "failing": reading.failing,
    })
}

/// A destination, and what is needed to send to it.
struct Chosen {
    state: State,
    key: VerifierKey,
    sink: Box<dyn Sink>,
    limits: export::Limits,
}

fn chosen(path: &Path, name: &str) -> anyhow::Result<Chosen> {
    let settled = config::load(path, VendorKeys::Export(name))?;
    let state = State::existing(&settled.state)?;
    let key = state
        .known_log_key()?
        .context("this log has no key yet; `merestone up` makes it")?;
    let Settled {
        exports, settings, ..
    } = settled;
    let at: ExportAt = exports
        .into_iter()
        .find(|at| at.name == name)
        .context("no [[export]] has this name; `merestone export status` lists them")?;
    let limits = at.limits;
    Ok(Chosen {
        state,
        key,
        sink: exports::sink(at, &settings.node)?,
        limits,
    })
}

fn test(path: &Path, name: &str) -> anyhow::Result<ExitCode> {
    let mut chosen = chosen(path, name)?;
    let log = Arc::new(LogName::new(chosen.key.name()));
    let event = export::format::test_event(&log, SystemClock::start().now_ms());
    let id = event.id.clone();
    match chosen
        .sink
        .deliver(&[event])
        .map(|fates| fates.into_iter().next())
    {
        Ok(Some(Fate::Confirmed)) => {
            // Standard output may be the destination itself.
            present::note(&format!("{name} confirmed the test event {id}"));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Some(Fate::Refused(why)))
        | Err(Fault::Down(why) | Fault::Busy(why, _) | Fault::Unfit(why)) => {
            anyhow::bail!("{name} did not take the test event: {why}")
        }
        Ok(Some(Fate::Again) | None) => {
            anyhow::bail!("{name} did not take the test event, and says that it may later")
        }
    }
}

fn replay(path: &Path, name: &str, from: u64, before: Option<u64>) -> anyhow::Result<ExitCode> {
    let Chosen {
        state,
        key,
        mut sink,
        limits,
    } = chosen(path, name)?;
    let mut feed = Feed::new(Arc::new(DiskFiles), &state.ledger(), key);
    let size = feed.size()?;
    let reached = Cursor::read(&state.exports(), name)?.map_or(0, |cursor| cursor.next);
    let until = before.unwrap_or(reached).min(size);
    let first = feed.first();
    anyhow::ensure!(
        from >= first,
        "entries before {first} were pruned; begin there"
    );
    anyhow::ensure!(
        from < until,
        "there is nothing to send again: {name} has had the entries before {reached}"
    );
    let (mut sent, mut refused) = (0_u64, 0_u64);
    let mut failed = None;
    let ended =
        export::runner::replay(
            &mut feed,
            &mut *sink,
            limits,
            from..until,
            &mut |fate| match fate {
                Fate::Confirmed => sent += 1,
                Fate::Refused(_) => refused += 1,
                Fate::Again => {}
            },
        );
    if let Err(fault) = ended {
        failed = Some(fault);
    }
    present::note(&format!(
        "{name}: {sent} events were sent again and confirmed, {refused} refused"
    ));
    match failed {
        None if refused == 0 => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::FAILURE),
        Some(fault) => Err(fault).context("not everything was sent again"),
    }
}
