//! `merestone export`: what can be asked for.

use clap::Subcommand;

use super::ConfigArg;

/// Destinations of the ledger's events.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Tell how far each destination is, whether a gate runs or not
    Status {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send one event that says it is a test, and wait for the confirmation
    Test {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The destination, by its name in the configuration
        name: String,
    },
    /// Send entries again, with the same names of events; the cursor stays
    Replay {
        /// The configuration file
        #[command(flatten)]
        config: ConfigArg,
        /// The destination, by its name in the configuration
        name: String,
        /// The first entry
        #[arg(long, value_name = "ENTRY")]
        from: u64,
        /// The entry to end before; where the cursor stands if not given
        #[arg(long, value_name = "ENTRY")]
        before: Option<u64>,
    },
}
