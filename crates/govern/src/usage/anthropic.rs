//! Usage exports of Anthropic.

use jiff::Timestamp;
use serde::Deserialize;

use super::{UsageExport, UsageFault, UsageRow, table::Table};
use crate::count::Day;

#[derive(Deserialize)]
pub(super) struct Bucket {
    starting_at: String,
    ending_at: String,
    results: Vec<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    uncached_input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation: Option<CacheCreation>,
    #[serde(default)]
    api_key_id: Option<String>,
    #[serde(default)]
    model: Option<String>,
}

/// Tokens that went into the cache, by how long they stay.
#[derive(Deserialize)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_5m_input_tokens: u64,
    #[serde(default)]
    ephemeral_1h_input_tokens: u64,
}

impl super::Bucket for Bucket {
    fn span(&self) -> Result<(u64, u64), &'static str> {
        let from = seconds(&self.starting_at).ok_or("starting_at")?;
        let until = seconds(&self.ending_at).ok_or("ending_at")?;
        Ok((from, until))
    }

    fn rows(self, (from, until): (u64, u64)) -> impl Iterator<Item = UsageRow> {
        self.results.into_iter().map(move |counted| {
            let written = counted.cache_creation.map_or(0, |written| {
                written
                    .ephemeral_5m_input_tokens
                    .saturating_add(written.ephemeral_1h_input_tokens)
            });
            UsageRow {
                from_seconds: from,
                until_seconds: until,
                key: counted.api_key_id,
                model: counted.model,
                requests: None,
                input_tokens: counted.uncached_input_tokens,
                output_tokens: counted.output_tokens,
                cached_tokens: counted.cache_read_input_tokens.unwrap_or(0),
                cache_written_tokens: written,
            }
        })
    }
}

fn seconds(text: &str) -> Option<u64> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

/// The console's table: a row for each UTC day, model and key.
pub(super) fn table(text: &str, export: &mut UsageExport) -> Result<(), UsageFault> {
    let mut table = Table::read(text)?;
    let date = table.needed("usage_date_utc")?;
    let model = table.needed("model_version")?;
    let input = table.needed("usage_input_tokens_no_cache")?;
    let output = table.needed("usage_output_tokens")?;
    let cached = table.column("usage_input_tokens_cache_read");
    // One column before there were two.
    let written = [
        "usage_input_tokens_cache_write",
        "usage_input_tokens_cache_write_5m",
        "usage_input_tokens_cache_write_1h",
    ]
    .map(|name| table.column(name));
    let key = table.column("api_key");
    while let Some(line) = table.next_line()? {
        let day: Day = line.text(date).parse().map_err(|_| UsageFault::Value {
            path: line.path(date),
            why: "not a day as 2026-11-26",
        })?;
        let span = (day.starts_seconds(), day.next().starts_seconds());
        export.span(span.0, span.1, || line.path(date))?;
        let mut cache_written_tokens = 0_u64;
        for column in written {
            cache_written_tokens = cache_written_tokens.saturating_add(line.count(column)?);
        }
        let row = UsageRow {
            from_seconds: span.0,
            until_seconds: span.1,
            key: line.name(key),
            model: line.name(Some(model)),
            requests: None,
            input_tokens: line.count(Some(input))?,
            output_tokens: line.count(Some(output))?,
            cached_tokens: line.count(cached)?,
            cache_written_tokens,
        };
        export.push(row, || line.path(input))?;
    }
    Ok(())
}
