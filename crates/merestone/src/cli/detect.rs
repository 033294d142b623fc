//! `merestone detect`: what can be asked of the detectors.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which way a text travels.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DirectionArg {
    /// From the caller to the vendor
    Request,
    /// From the vendor to the caller
    Reply,
}

/// What kind of text it is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ProfileArg {
    /// Prompts and replies
    Prompt,
    /// Source code and configuration
    Code,
}

/// Which detectors look, and how.
#[derive(Debug, Clone, Args)]
pub struct Looking {
    /// Which way the text travels
    #[arg(long, value_enum, default_value_t = DirectionArg::Request)]
    pub direction: DirectionArg,
    /// What kind of text it is
    #[arg(long, value_enum, default_value_t = ProfileArg::Prompt)]
    pub profile: ProfileArg,
    /// A service for names and addresses that looks too, as [names] of a gate (docs/specs/names.md)
    #[arg(long, value_name = "URL")]
    pub names: Option<String>,
    /// Rules of other scanners
    #[command(flatten)]
    pub imported: Imported,
}

/// Rules of other scanners.
#[derive(Debug, Clone, Args)]
pub struct Imported {
    /// A rule file of gitleaks or Betterleaks that looks too; may be given again
    #[arg(long = "rules", value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Only those rules look, none of the built-in detectors
    #[arg(long, requires = "rules")]
    pub only_rules: bool,
    /// Use rules also where a condition of theirs is not understood; they may find more than was meant
    #[arg(long, requires = "rules")]
    pub wider: bool,
}

/// What to look at, and what to print.
#[derive(Debug, Args)]
pub struct TextArgs {
    /// The file to look at; - or nothing for standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What looks, and how
    #[command(flatten)]
    pub looking: Looking,
    /// Print the text, each finding replaced by its kind in brackets; there is no way back
    #[arg(long, conflicts_with_all = ["json", "jsonl", "show_secrets"])]
    pub redact: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "jsonl")]
    pub json: bool,
    /// Each line is a JSON object; look at this member of each (a name, or a pointer as /a/0/b) and print a JSON object for each
    #[arg(long, value_name = "FIELD")]
    pub jsonl: Option<String>,
    /// Tell findings that overlap surer ones, too
    #[arg(long, conflicts_with = "redact")]
    pub overlapping: bool,
    /// Print what was found, too; without this no output holds any of it
    #[arg(long)]
    pub show_secrets: bool,
}

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Records {"text", "spans": [{"start", "end", "type"}], "label": "pos" or "neg"}, one a line; also gzipped
    #[arg(value_name = "DATA", required_unless_present = "clean")]
    pub data: Vec<PathBuf>,
    /// Files or folders of clean text: every finding there is told per detector and megabyte; may be given again
    #[arg(long, value_name = "PATH")]
    pub clean: Vec<PathBuf>,
    /// Which kinds answer to which types of the data, instead of the built-in table
    #[arg(long, value_name = "FILE")]
    pub types: Option<PathBuf>,
    /// Places in the data count characters, not bytes
    #[arg(long)]
    pub characters: bool,
    /// What looks, and how
    #[command(flatten)]
    pub looking: Looking,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The detectors.
#[derive(Debug, Subcommand)]
pub enum DetectCommand {
    /// Look at a text; ends with 0 if nothing was found, 1 if something was, 2 if not everything could be looked at
    Text(Box<TextArgs>),
    /// List the detectors
    List {
        /// Print JSON
        #[arg(long, conflicts_with = "markdown")]
        json: bool,
        /// Print the reference page
        #[arg(long)]
        markdown: bool,
    },
    /// Explain a detector, or what became of everything that was seen in a text
    Explain {
        /// Name of a detector, or a file; - or nothing for standard input
        what: Option<String>,
        /// What looks, and how
        #[command(flatten)]
        looking: Looking,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Print what matched, too; without this no output holds any of it
        #[arg(long)]
        show_secrets: bool,
    },
    /// Try every example and counter-example in the surroundings of prompts; ends with 1 if any fails
    Check {
        /// Rules of other scanners
        #[command(flatten)]
        imported: Imported,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure precision, recall and speed on data of yours
    Bench(Box<BenchArgs>),
}
