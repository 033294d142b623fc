//! The binary: command line, configuration and wiring. The only crate that
//! knows all the others.

#![cfg_attr(
    test,
    allow(clippy::string_slice, reason = "tests cut texts of their own")
)]

mod admin;
mod cli;
mod commands;
pub mod config;
mod control;
mod exports;
mod logs;
mod memory;
mod monitor;
mod node;
mod present;
mod source;
mod state;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

/// Reads the command line and does what it asks.
#[must_use]
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) if error.is::<present::ReaderGone>() => {
            ExitCode::from(present::READER_GONE_STATUS)
        }
        Err(error) => {
            present::note(&format!(
                "{} {}",
                present::error_mark(),
                present::told(&error)
            ));
            ExitCode::FAILURE
        }
    }
}
