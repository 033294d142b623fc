//! Each command in a file of its own.

mod ask;
mod config;
mod demo;
mod detect;
mod export;
mod init;
mod key;
mod ledger;
mod matrix;
mod policy;
mod reload;
mod switch;
mod top;
mod up;
mod vault;

use std::process::ExitCode;

use crate::cli::Command;

/// Does what was asked.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init { dir } => init::run(&dir),
        Command::Up(config) => up::run(&config.config),
        Command::Demo { exit } => demo::run(exit),
        Command::Key(command) => key::run(command),
        Command::Switch(command) => switch::run(command),
        Command::Policy(command) => policy::run(command),
        Command::Top { config, once, json } => top::run(&config.config, once, json),
        Command::Config(command) => config::run(command),
        Command::Reload(config) => reload::run(&config.config),
        Command::Ledger(command) => ledger::run(command),
        Command::Vault(command) => vault::run(command),
        Command::Export(command) => export::run(command),
        Command::Detect(command) => detect::run(command),
        Command::Matrix {
            config,
            json,
            explain,
            days,
        } => matrix::run(&config.config, json, explain, days),
    }
}
