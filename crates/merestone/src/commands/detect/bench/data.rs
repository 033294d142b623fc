//! Records of test data, one a line, plain or gzipped.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    ops::Range,
    path::Path,
};

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// LIMIT: bytes of one record.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Whether a text holds something at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Label {
    /// Something must be found in it.
    Pos,
    /// Nothing may be found in it.
    Neg,
}

#[derive(Debug, Deserialize)]
struct RawSpan {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct RawRecord {
    text: String,
    #[serde(default)]
    spans: Vec<RawSpan>,
    label: Option<Label>,
}

/// One text, and what is in it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) text: String,
    /// Places in bytes, and the type that the data give.
    pub(super) spans: Vec<(Range<usize>, String)>,
    pub(super) label: Option<Label>,
}

impl Record {
    /// Reads a record whose places count bytes or characters.
    pub(super) fn read(line: &[u8], characters: bool) -> anyhow::Result<Self> {
        let raw: RawRecord = serde_json::from_slice(line).context("this is no record")?;
        let offsets: Vec<usize> = if characters {
            let starts = raw.text.char_indices().map(|(at, _)| at);
            starts.chain([raw.text.len()]).collect()
        } else {
            Vec::new()
        };
        let place = |at: usize| {
            if characters {
                offsets.get(at).copied()
            } else {
                (at <= raw.text.len()).then_some(at)
            }
        };
        let mut spans = Vec::new();
        for span in raw.spans {
            let range = place(span.start).zip(place(span.end));
            let (start, end) = range.context("a span lies outside the text")?;
            anyhow::ensure!(start < end, "a span is empty");
            spans.push((start..end, span.kind));
        }
        Ok(Self {
            text: raw.text,
            spans,
            label: raw.label,
        })
    }
}

/// The lines of a file.
pub(super) struct Lines {
    from: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    number: u64,
    passed: u64,
}

impl Lines {
    /// Opens a file, gzipped if it is named so.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let gzipped = path.extension().is_some_and(|ending| ending == "gz");
        let from: Box<dyn Read> = if gzipped {
            Box::new(MultiGzDecoder::new(BufReader::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self {
            from: BufReader::with_capacity(1 << 18, from),
            line: Vec::new(),
            number: 0,
            passed: 0,
        })
    }

    /// Goes on to the next line that is not empty; whether there is one.
    pub(super) fn advance(&mut self) -> anyhow::Result<bool> {
        loop {
            self.line.clear();
            let got = self
                .from
                .by_ref()
                .take(RECORD_BYTES_MAX)
                .read_until(b'\n', &mut self.line)?;
            if got == 0 {
                return Ok(false);
            }
            anyhow::ensure!(
                (got as u64) < RECORD_BYTES_MAX,
                "a record has at most {RECORD_BYTES_MAX} bytes"
            );
            self.number += 1;
            self.passed += got as u64;
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// The number of the line, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Bytes that were read.
    pub(super) const fn passed(&self) -> u64 {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Label, Lines, Record};

    #[test]
    fn places_count_bytes_or_characters() {
        let line =
            r#"{"text": "é abc", "spans": [{"start": 2, "end": 5, "type": "X"}], "label": "pos"}"#;
        let record = Record::read(line.as_bytes(), true).unwrap();
        assert_eq!(&record.text[record.spans[0].0.clone()], "abc");
        assert_eq!(record.label, Some(Label::Pos));
        let record = Record::read(line.as_bytes(), false).unwrap();
        assert_eq!(&record.text[record.spans[0].0.clone()], " ab");
        for bad in [
            r#"{"text": "a", "spans": [{"start": 0, "end": 9, "type": "X"}]}"#,
            r#"{"text": "a", "spans": [{"start": 1, "end": 1, "type": "X"}]}"#,
            r#"{"txt": "a"}"#,
        ] {
            assert!(Record::read(bad.as_bytes(), true).is_err(), "{bad}");
        }
    }

    #[test]
    fn gzipped_lines_are_read_as_plain_ones() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a.jsonl");
        std::fs::write(&plain, "one\n\ntwo").unwrap();
        let zipped = folder.path().join("a.jsonl.gz");
        let file = std::fs::File::create(&zipped).unwrap();
        let mut writer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        writer.write_all(b"one\n\ntwo").unwrap();
        writer.finish().unwrap();
        for path in [plain, zipped] {
            let mut lines = Lines::open(&path).unwrap();
            assert!(lines.advance().unwrap() && lines.line() == b"one\n");
            assert!(lines.advance().unwrap() && lines.line() == b"two");
            assert_eq!((lines.number(), lines.passed()), (3, 8));
            assert!(!lines.advance().unwrap());
        }
    }
}
