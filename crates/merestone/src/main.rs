//! The binary: command line, configuration and wiring. The only crate that
//! knows all the others.

mod admin;
mod cli;
mod commands;
mod config;
mod control;
mod present;
mod source;
mod state;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{} {error:#}", present::error_mark());
            ExitCode::FAILURE
        }
    }
}
