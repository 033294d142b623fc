//! `merestone detect`: the detectors on texts of one's own.
//!
//! Nothing here prints what was found unless `--show-secrets` asks for it.

mod bench;
mod check;
mod explain;
mod jsonl;
mod list;
mod out;
mod pieces;
mod places;
mod scanner;
mod text;

use std::process::ExitCode;

use crate::{cli::detect::DetectCommand, present};
use explain::Telling;

/// What a command ends with where not everything could be looked at, and
/// where it could not be done: neither clean nor found.
const DEGRADED: u8 = 2;

pub(super) fn run(command: DetectCommand) -> anyhow::Result<ExitCode> {
    match done(command) {
        Err(error) if !error.is::<present::ReaderGone>() => {
            // 1 would say that something was found.
            present::note(&format!(
                "{} {}",
                present::error_mark(),
                present::told(&error)
            ));
            Ok(ExitCode::from(DEGRADED))
        }
        done => done,
    }
}

fn done(command: DetectCommand) -> anyhow::Result<ExitCode> {
    match command {
        DetectCommand::Text(args) => match args.jsonl.as_deref() {
            Some(field) => jsonl::run(&args, field),
            None => text::run(&args),
        },
        DetectCommand::List { json, markdown } => list::run(json, markdown),
        DetectCommand::Explain {
            what,
            looking,
            json,
            show_secrets,
        } => explain::run(what.as_deref(), &looking, Telling { json, show_secrets }),
        DetectCommand::Check { imported, json } => check::run(&imported, json),
        DetectCommand::Bench(args) => bench::run(&args),
    }
}

/// How a command ends that looked at a text.
fn ending(found: bool, whole: bool) -> ExitCode {
    match (whole, found) {
        (false, _) => ExitCode::from(DEGRADED),
        (true, true) => ExitCode::from(1),
        (true, false) => ExitCode::SUCCESS,
    }
}
