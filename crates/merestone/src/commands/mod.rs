//! Each command in a file of its own.

mod config;
mod demo;
mod init;
mod key;
mod ledger;
mod matrix;
mod reload;
mod up;

use std::process::ExitCode;

use crate::cli::Command;

/// Does what was asked.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init { dir } => init::run(&dir),
        Command::Up(config) => up::run(&config.config),
        Command::Demo { exit } => demo::run(exit),
        Command::Key(command) => key::run(command),
        Command::Config(command) => config::run(command),
        Command::Reload(config) => reload::run(&config.config),
        Command::Ledger(command) => ledger::run(command),
        Command::Matrix {
            config,
            json,
            explain,
            days,
        } => matrix::run(&config.config, json, explain, days),
    }
}
