//! Output in great amounts, and findings as people and programs read them.

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

use serde_json::{Value, json};
use terms::Finding;

use super::places::Place;
use crate::present::{self, ReaderGone};

/// LIMIT: characters of a found text that `--show-secrets` prints in a table.
const SHOWN_MAX: usize = 80;

/// Standard output, written in larger pieces.
pub(super) struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    pub(super) fn new() -> Self {
        Self(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        gone(self.0.write_all(bytes))
    }

    pub(super) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        gone(self.0.flush())
    }
}

fn gone(done: io::Result<()>) -> anyhow::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        Err(error) => Err(anyhow::Error::new(error).context("standard output cannot be written")),
        Ok(()) => Ok(()),
    }
}

/// A finding at its place in the whole input.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) finding: Finding,
    /// UTF-8 byte offset in the input.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) place: Place,
    /// What was found, if it was asked for.
    pub(super) text: Option<String>,
}

impl Located {
    pub(super) fn json(&self) -> Value {
        let mut all = json!({
            "detector": self.finding.detector,
            "kind": self.finding.kind,
            "score": self.finding.score,
            "start": self.start,
            "end": self.end,
            "view": self.finding.view,
            "line": self.place.line,
            "column": self.place.column,
        });
        if let (Some(text), Some(members)) = (&self.text, all.as_object_mut()) {
            members.insert("text".to_owned(), json!(text));
        }
        all
    }

    /// Detector, kind, score, place, bytes, and what was found if asked for.
    pub(super) fn row(&self) -> Vec<String> {
        let mut row = vec![
            present::plain(self.finding.detector.as_str()),
            self.finding.kind.to_string(),
            self.finding.score.to_string(),
            format!("{}:{}", self.place.line, self.place.column),
            format!("{}..{}", self.start, self.end),
        ];
        if let Some(text) = &self.text {
            let short: String = text.chars().take(SHOWN_MAX).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            row.push(format!("{}{more}", present::plain(&short)));
        }
        row
    }
}

/// The headings of such rows.
pub(super) const HEADINGS: [&str; 5] = ["detector", "kind", "score", "place", "bytes"];
