//! Vendors' usage exports: the pages of their usage APIs, and the tables that
//! their consoles write. Any bytes are read without trust.
//!
//! Sources of the shapes, seen in November 2026:
//! - `OpenAI`, `GET /v1/organization/usage/completions`
//!   (platform.openai.com/docs/api-reference/usage): pages of buckets, times in
//!   seconds, `input_tokens` with cached ones in it. The dashboard's export is
//!   a table with a row for each result and the same names.
//! - Anthropic, `GET /v1/organizations/usage_report/messages`
//!   (platform.claude.com/docs/en/api/admin/usage_report): buckets, times by
//!   RFC 3339, cached tokens apart, no number of requests. The console's
//!   export is a table by UTC day (`usage_date_utc`).

mod anthropic;
mod openai;
mod table;

use std::str::FromStr;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

/// LIMIT: bytes of an export.
pub const EXPORT_BYTES_MAX: usize = 64 << 20;
/// LIMIT: rows of an export.
pub const ROWS_MAX: usize = 500_000;
/// LIMIT: bytes of a name in it.
const NAME_BYTES_MAX: usize = 256;
/// LIMIT: what a row can count; above it, JSON numbers are not exact.
const COUNT_MAX: u64 = 1 << 53;
/// LIMIT: seconds since 1970 that a time can be, the year 9000.
const SECONDS_MAX: u64 = 221_845_392_000;

/// Whose export it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exporter {
    /// `OpenAI`.
    OpenAi,
    /// Anthropic.
    Anthropic,
}

impl Exporter {
    /// Whether its input tokens include those that came from its cache.
    #[must_use]
    pub const fn input_includes_cached(self) -> bool {
        match self {
            Self::OpenAi => true,
            Self::Anthropic => false,
        }
    }
}

/// A name is none of an exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("usage exports of openai and anthropic are known")]
pub struct UnknownExporter(());

impl FromStr for Exporter {
    type Err = UnknownExporter;
    fn from_str(name: &str) -> Result<Self, UnknownExporter> {
        match name {
            "openai" => Ok(Self::OpenAi),
            "anthropic" => Ok(Self::Anthropic),
            _ => Err(UnknownExporter(())),
        }
    }
}

/// What a vendor counted in one stretch of time, for one model and key if it
/// tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// First second, since 1970.
    pub from_seconds: u64,
    /// The second after the last.
    pub until_seconds: u64,
    /// The vendor's name of its key.
    pub key: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Requests, if the vendor counts them.
    pub requests: Option<u64>,
    /// Tokens read, cached ones in it or not as the exporter has it.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens that came from the cache.
    pub cached_tokens: u64,
    /// Tokens that went into the cache.
    pub cache_written_tokens: u64,
}

/// A whole export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageExport {
    /// Whose it is.
    pub exporter: Exporter,
    /// Its rows, in the order of the file.
    pub rows: Vec<UsageRow>,
    /// Stretches of time that it covers, also those with no use.
    pub spans: Vec<(u64, u64)>,
}

/// Why bytes are no export.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsageFault {
    /// Too long.
    #[error(
        "the export has more than {EXPORT_BYTES_MAX} bytes; ask the vendor for fewer days at once"
    )]
    TooLong,
    /// Too many rows.
    #[error(
        "the export has more than {ROWS_MAX} rows; ask the vendor for fewer days, or for whole days"
    )]
    TooManyRows,
    /// Not UTF-8.
    #[error("the export is not UTF-8")]
    Encoding,
    /// Nothing in it.
    #[error("the export is empty")]
    Empty,
    /// Not the JSON of a usage page.
    #[error("page {page} of the export: {why}, at line {line}, column {column}")]
    Json {
        /// Which page, from 1.
        page: usize,
        /// What is wrong; names of members, and no values.
        why: String,
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// A value that cannot be.
    #[error("{path}: {why}")]
    Value {
        /// Where, as `page 1, data[3].results[0].model` or `line 7, column model`.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The vendor has more.
    #[error(
        "the last page says that more pages follow (`has_more`): fetch them (`next_page`) and append them to the same file"
    )]
    MorePages,
    /// A table without a column.
    #[error("the table has no column `{0}`; export the usage table, not the costs")]
    NoColumn(&'static str),
    /// A table that is none.
    #[error("line {line} of the table: {why}")]
    Table {
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        why: &'static str,
    },
}

impl UsageExport {
    /// Reads an export: pages of JSON, one after the other, or a table (CSV).
    ///
    /// # Errors
    /// When it is none, or not whole.
    pub fn read(exporter: Exporter, bytes: &[u8]) -> Result<Self, UsageFault> {
        if bytes.len() > EXPORT_BYTES_MAX {
            return Err(UsageFault::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| UsageFault::Encoding)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut export = Self {
            exporter,
            rows: Vec::new(),
            spans: Vec::new(),
        };
        match (text.trim_start().chars().next(), exporter) {
            (None, _) => return Err(UsageFault::Empty),
            (Some('{'), Exporter::OpenAi) => pages::<openai::Bucket>(text, &mut export)?,
            (Some('{'), Exporter::Anthropic) => pages::<anthropic::Bucket>(text, &mut export)?,
            (Some(_), Exporter::OpenAi) => openai::table(text, &mut export)?,
            (Some(_), Exporter::Anthropic) => anthropic::table(text, &mut export)?,
        }
        Ok(export)
    }

    fn span(&mut self, from: u64, until: u64, path: impl Fn() -> String) -> Result<(), UsageFault> {
        let value = |why| UsageFault::Value { path: path(), why };
        if from >= until {
            return Err(value("the stretch of time ends before it begins"));
        }
        if until > SECONDS_MAX {
            return Err(value("the time is no time of this era"));
        }
        if self.spans.last() != Some(&(from, until)) {
            if self.spans.len() >= ROWS_MAX {
                return Err(UsageFault::TooManyRows);
            }
            self.spans.push((from, until));
        }
        Ok(())
    }

    fn push(&mut self, row: UsageRow, path: impl Fn() -> String) -> Result<(), UsageFault> {
        if self.rows.len() >= ROWS_MAX {
            return Err(UsageFault::TooManyRows);
        }
        let names = [&row.key, &row.model].into_iter().flatten();
        for name in names {
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(UsageFault::Value {
                    path: path(),
                    why: "a name is empty or too long",
                });
            }
        }
        let counts = [
            row.requests.unwrap_or(0),
            row.input_tokens,
            row.output_tokens,
            row.cached_tokens,
            row.cache_written_tokens,
        ];
        if counts.iter().any(|count| *count > COUNT_MAX) {
            return Err(UsageFault::Value {
                path: path(),
                why: "a count is too large",
            });
        }
        self.rows.push(row);
        Ok(())
    }
}

/// A stretch of time on a page, with what was counted in it.
trait Bucket: DeserializeOwned {
    /// Its first second and the one after its last, since 1970; otherwise the
    /// member that is no time.
    fn span(&self) -> Result<(u64, u64), &'static str>;
    /// A row for each of its results, in their order.
    fn rows(self, span: (u64, u64)) -> impl Iterator<Item = UsageRow>;
}

/// One page.
#[derive(Deserialize)]
struct Page<B> {
    data: Vec<B>,
    #[serde(default)]
    has_more: bool,
}

/// Pages of JSON, one after the other. Members that are not known are passed
/// over: vendors add some.
fn pages<B: Bucket>(text: &str, export: &mut UsageExport) -> Result<(), UsageFault> {
    let mut has_more = false;
    let pages = serde_json::Deserializer::from_str(text).into_iter::<Page<B>>();
    for (page, read) in (1..).zip(pages) {
        let read = read.map_err(|error| UsageFault::Json {
            page,
            why: reason(&error),
            line: error.line(),
            column: error.column(),
        })?;
        has_more = read.has_more;
        for (number, bucket) in read.data.into_iter().enumerate() {
            let path = || format!("page {page}, data[{number}]");
            let span = bucket.span().map_err(|member| UsageFault::Value {
                path: format!("{}.{member}", path()),
                why: "not a time by RFC 3339",
            })?;
            export.span(span.0, span.1, path)?;
            for (place, row) in bucket.rows(span).enumerate() {
                export.push(row, || format!("{}.results[{place}]", path()))?;
            }
        }
    }
    if has_more {
        return Err(UsageFault::MorePages);
    }
    Ok(())
}

/// What serde says, without the value that it found and without the place,
/// which is told apart.
fn reason(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let told = told.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Data => match told.split_once(", expected ") {
            Some((_, expected)) => format!("another kind of value than {expected}"),
            // A missing or doubled member: its name is one of ours.
            None => told.to_owned(),
        },
        _ => "no JSON".to_owned(),
    }
}

#[cfg(test)]
mod tests;
