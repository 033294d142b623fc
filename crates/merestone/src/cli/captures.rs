//! Words of the command line about sealed content.

use clap::Args;

use super::ConfigArg;

/// What is to be shown.
#[derive(Debug, Args)]
pub struct Reveal {
    /// The configuration file
    #[command(flatten)]
    pub config: ConfigArg,
    /// The exchange, as mx-… in the reply's x-merestone-exchange header
    pub exchange: String,
    /// A part: caller, findings, request or reply; all of them if not given
    #[arg(long = "part", value_name = "PART")]
    pub parts: Vec<String>,
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

/// Whose sealed content is to be erased.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Erase {
    /// The configuration file
    #[command(flatten)]
    pub config: ConfigArg,
    /// One exchange, as mx-…
    #[arg(group = "what")]
    pub exchange: Option<String>,
    /// All calls of a virtual key, by its public name
    #[arg(long, value_name = "KEY", group = "what")]
    pub key: Option<String>,
    /// All calls of the keys of one owner
    #[arg(long, value_name = "OWNER", group = "what")]
    pub person: Option<String>,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
