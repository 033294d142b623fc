//! Words of the command line about the vault of redacted values.

use clap::{Args, Subcommand};

use super::ConfigArg;

/// The vault of redacted values. A gate must be running.
#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Tell how much it holds
    Status {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Destroy the keys of a person's values, or of all those of a virtual key
    Erase(Erase),
    /// Show the value of a token; the record tells of it
    Reveal(Reveal),
}

/// Whose values are to be erased.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
pub struct Erase {
    /// The configuration file
    #[command(flatten)]
    pub config: ConfigArg,
    /// A person, as callers name them in `safety_identifier`, `user` or `metadata.user_id`
    #[arg(long, value_name = "ID", group = "whose")]
    pub person: Option<String>,
    /// All values of a virtual key, by its public name
    #[arg(long, value_name = "KEY", group = "whose")]
    pub key: Option<String>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which value is to be shown.
#[derive(Debug, Args)]
pub struct Reveal {
    /// The configuration file
    #[command(flatten)]
    pub config: ConfigArg,
    /// The token, as MSEMAIL…
    pub token: String,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// Variable of the environment with a key that holds the verb reveal; the account is asked for if not given
    #[arg(long = "by-key-env", value_name = "NAME")]
    pub by_key: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
