//! The command line: what can be asked for.

pub mod captures;
pub mod detect;
pub mod export;
pub mod vault;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use govern::count::{Day, Days};

/// Your half of the shared responsibility for AI that you buy.
#[derive(Debug, Parser)]
#[command(name = "merestone", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", default_value = crate::config::DEFAULT_PATH, env = "MERESTONE_CONFIG")]
    pub config: PathBuf,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented configuration to begin with
    Init {
        /// Folder to write it into
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        dir: PathBuf,
    },
    /// Run the gate
    Up(ConfigArg),
    /// Show the whole walk on this machine, against fake vendors, and stay up
    Demo {
        /// End when all is told
        #[arg(long)]
        exit: bool,
    },
    /// Make, list and revoke virtual keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Switch vendors, models, routes, keys or everything off, and on again
    #[command(subcommand)]
    Switch(SwitchCommand),
    /// Check the policies, and explain what they allow
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Watch a running gate: rate, verdicts, latency, per key and vendor
    Top {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Print one look and end
        #[arg(long)]
        once: bool,
        /// Print JSON, one object a look
        #[arg(long)]
        json: bool,
    },
    /// Check, show and explain the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Have a running gate read its configuration again
    Reload(ConfigArg),
    /// Verify, show and follow the record of everything
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Look into, erase from and show out of the vault of redacted values
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Send the record's events to others: how far, a test, once more
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Look for sensitive data and injections in texts; explain, check and measure the detectors
    #[command(subcommand)]
    Detect(detect::DetectCommand),
    /// Compute the responsibility matrix from the ledger
    Matrix {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON, with --explain of that row alone
        #[arg(long)]
        json: bool,
        /// Tell all about one row
        #[arg(long, value_name = "ROW")]
        explain: Option<u16>,
        /// Days of traffic to look at
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        days: u32,
    },
}

/// What a new key is to be.
#[derive(Debug, Args)]
pub struct KeyCreate {
    /// The configuration file
    #[command(flatten)]
    pub config: ConfigArg,
    /// The person or application that it is for
    #[arg(long)]
    pub owner: String,
    /// A vendor that it may use, by its name in the configuration; all if not given
    #[arg(long = "vendor", value_name = "NAME")]
    pub vendors: Vec<String>,
    /// A model that it may use, * stands for anything; all if not given
    #[arg(long = "model", value_name = "PATTERN")]
    pub models: Vec<String>,
    /// What it may do: infer, finetune, view_log, reveal, export, admin; infer if not given
    #[arg(long = "verb", value_name = "VERB")]
    pub verbs: Vec<String>,
    /// How long it works, as 90d, 12h or 30m; for ever if not given
    #[arg(long, value_name = "TIME")]
    pub expires_in: Option<String>,
    /// Requests that it may make in a minute
    #[arg(long, value_name = "N")]
    pub requests_per_minute: Option<std::num::NonZeroU64>,
    /// Tokens, read and written, that it may use in a minute
    #[arg(long, value_name = "N")]
    pub tokens_per_minute: Option<std::num::NonZeroU64>,
    /// Exchanges that it may have at once
    #[arg(long, value_name = "N")]
    pub in_flight: Option<std::num::NonZeroU64>,
    /// Variable of the environment with the key by which it is made; it can hold no more than that one
    #[arg(long = "made-by-env", value_name = "NAME")]
    pub maker: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Virtual keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is shown this once
    Create(Box<KeyCreate>),
    /// List the keys
    List {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key; a running gate refuses it at once
    Revoke {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The key's public name, as mk-…
        id: String,
    },
}

/// The configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the file and say whether a gate could run with it
    Check(ConfigArg),
    /// Show what the file means, defaults included, without secrets
    Show {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Explain a setting, the detectors, or a refusal's code
    Explain {
        /// Name of a setting, `detectors`, `refusals`, or a code as MS-ADMIT-003; all settings if not given
        name: Option<String>,
        /// Print the reference page of the settings, or of `refusals`
        #[arg(long)]
        markdown: bool,
    },
}

/// The ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Show sealed content of an exchange; the log is told first
    Reveal(Box<captures::Reveal>),
    /// Destroy the keys of sealed content; nobody can open it any more
    Erase(Box<captures::Erase>),
    /// Check every entry, every tile and the checkpoint; or a copy of what is published, or a proof
    Verify {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// What is checked, and against what
        #[command(flatten)]
        what: VerifyWhat,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the key by which others check the log; made if there is none yet
    Key {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The log's name for ever, as example.com/log; one that nobody else has if not given
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
    },
    /// Write the proof of one entry, to be checked without the log (.tlog-proof)
    Prove {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The entry's number, as `ledger show` tells it
        entry: u64,
        /// Where to write it; standard output if not given
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Remove old entries, in whole bundles of 256; their hashes stay
    Prune {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The first entry that is to stay
        #[arg(long, value_name = "ENTRY")]
        before: u64,
        /// Also what an export has not had yet; the log tells so
        #[arg(long)]
        past_exports: bool,
    },
    /// Set or lift a legal hold, which keeps everything
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Count what went to the vendors, by UTC day, key, vendor and model
    Count {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Which days
        #[command(flatten)]
        days: DaysArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Hold a vendor's usage export against the ledger and explain each difference; exit code 1 if something is not explained
    Reconcile {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The vendor, by its name in the configuration; more than one if they share an account
        #[arg(long = "vendor", value_name = "NAME", required = true)]
        vendors: Vec<String>,
        /// The export: the pages of the vendor's usage API, or the table (CSV) of its console; - for standard input
        file: PathBuf,
        /// The vendor's name of a key that the gate uses, as the export has it; what other keys used went past the gate
        #[arg(long = "gate-key", value_name = "NAME")]
        gate_keys: Vec<String>,
        /// Which days; those of the export if not given
        #[command(flatten)]
        days: DaysArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what each room decided about one exchange, and why
    Show {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The exchange, as mx-… in the reply's x-merestone-exchange header
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the newest entries
    Tail {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20)]
        count: usize,
        /// Go on printing as entries come
        #[arg(long)]
        follow: bool,
        /// Print JSON, one object a line; the keys of a record stand in another order than in the log
        #[arg(long)]
        json: bool,
    },
}

/// Which days.
#[derive(Debug, Clone, Copy, Args)]
pub struct DaysArg {
    /// One day in UTC, as 2026-11-26
    #[arg(long, value_name = "DAY", conflicts_with_all = ["since", "until"])]
    pub day: Option<Day>,
    /// The first day
    #[arg(long, value_name = "DAY")]
    pub since: Option<Day>,
    /// The last day
    #[arg(long, value_name = "DAY")]
    pub until: Option<Day>,
}

impl DaysArg {
    /// The days that are meant.
    #[must_use]
    pub fn days(self) -> Days {
        Days {
            since: self.day.or(self.since),
            until: self.day.or(self.until),
        }
    }
}

/// What is verified.
#[derive(Debug, Clone, Args)]
pub struct VerifyWhat {
    /// A copy of what is published, with `checkpoint` and `tile`; no configuration is needed
    #[arg(long, value_name = "FOLDER", conflicts_with = "proof")]
    pub dir: Option<PathBuf>,
    /// The proof of one entry; no configuration is needed
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// The log's key, as `merestone ledger key` shows it; that of the state folder if not given
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// A checkpoint from before: the log must have grown from it
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    pub since: Option<PathBuf>,
    /// A witness that must have cosigned it: its key, or a file with a key on each line; can be given more than once. Without it, those of `evidence.witnesses` are looked at, and none is demanded
    #[arg(long = "witness", value_name = "KEY")]
    pub witnesses: Vec<String>,
}

/// Legal holds.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Set a hold: nothing is removed while it holds
    Set {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
    /// Lift it
    Lift {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

/// The kill switch.
#[derive(Debug, Subcommand)]
pub enum SwitchCommand {
    /// Switch off: nothing new passes, and what runs is ended
    Off {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// What: all, or vendor, model, route or key and its name
        #[arg(required = true, value_name = "SCOPE", num_args = 1..=2)]
        scope: Vec<String>,
        /// Why, for the record
        #[arg(long)]
        reason: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Switch on again
    On {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// What: all, or vendor, model, route or key and its name
        #[arg(required = true, value_name = "SCOPE", num_args = 1..=2)]
        scope: Vec<String>,
        /// Why, for the record
        #[arg(long)]
        reason: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what is off
    List {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check the policies strictly against the schema
    Check(ConfigArg),
    /// Print the schema that policies are written against
    Schema,
    /// Tell whether a call would be allowed, and by which policies
    Explain {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The key's public name, as mk-…
        #[arg(long)]
        key: String,
        /// The vendor, by its name in the configuration
        #[arg(long)]
        vendor: String,
        /// The model
        #[arg(long)]
        model: String,
        /// The caller's address
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
        source: std::net::IpAddr,
        /// Tools that the request offers
        #[arg(long, value_name = "N", default_value_t = 0)]
        tools: u32,
        /// Whether a stream is asked for
        #[arg(long)]
        stream: bool,
        /// The most tokens to write
        #[arg(long, value_name = "N")]
        max_tokens: Option<u64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
