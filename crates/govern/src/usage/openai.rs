//! Usage exports of `OpenAI`.

use serde::Deserialize;

use super::{UsageExport, UsageFault, UsageRow, table::Table};

#[derive(Deserialize)]
pub(super) struct Bucket {
    start_time: u64,
    end_time: u64,
    /// The page has had both names.
    #[serde(alias = "result")]
    results: Vec<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    input_cached_tokens: Option<u64>,
    #[serde(default)]
    input_cache_write_tokens: Option<u64>,
    num_model_requests: u64,
    #[serde(default)]
    api_key_id: Option<String>,
    #[serde(default)]
    model: Option<String>,
}

impl super::Bucket for Bucket {
    fn span(&self) -> Result<(u64, u64), &'static str> {
        Ok((self.start_time, self.end_time))
    }

    fn rows(self, (from, until): (u64, u64)) -> impl Iterator<Item = UsageRow> {
        self.results.into_iter().map(move |counted| UsageRow {
            from_seconds: from,
            until_seconds: until,
            key: counted.api_key_id,
            model: counted.model,
            requests: Some(counted.num_model_requests),
            input_tokens: counted.input_tokens,
            output_tokens: counted.output_tokens,
            cached_tokens: counted.input_cached_tokens.unwrap_or(0),
            cache_written_tokens: counted.input_cache_write_tokens.unwrap_or(0),
        })
    }
}

/// The dashboard's table: a row for each result. Stretches without use have a
/// row with nothing in its counts.
pub(super) fn table(text: &str, export: &mut UsageExport) -> Result<(), UsageFault> {
    let mut table = Table::read(text)?;
    let from = table.needed("start_time")?;
    let until = table.needed("end_time")?;
    let requests = table.needed("num_model_requests")?;
    let input = table.needed("input_tokens")?;
    let output = table.needed("output_tokens")?;
    let cached = table.column("input_cached_tokens");
    let written = table.column("input_cache_write_tokens");
    let (key, model) = (table.column("api_key_id"), table.column("model"));
    while let Some(line) = table.next_line()? {
        let span = (line.seconds(from)?, line.seconds(until)?);
        export.span(span.0, span.1, || line.path(from))?;
        if line.is_blank(requests) && line.is_blank(input) && line.is_blank(output) {
            continue;
        }
        let row = UsageRow {
            from_seconds: span.0,
            until_seconds: span.1,
            key: line.name(key),
            model: line.name(model),
            requests: Some(line.count(Some(requests))?),
            input_tokens: line.count(Some(input))?,
            output_tokens: line.count(Some(output))?,
            cached_tokens: line.count(cached)?,
            cache_written_tokens: line.count(written)?,
        };
        export.push(row, || line.path(input))?;
    }
    Ok(())
}
