//! `merestone detect text --jsonl`: a text in each line, an answer for each
//! line, so that a program need not start one process a text.

use std::{
    io::{BufRead, BufReader, Read},
    process::ExitCode,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{
    ending,
    out::{Located, Out},
    scanner::Scanner,
    text,
};
use crate::cli::detect::TextArgs;

/// LIMIT: bytes of one line; a longer one is answered with an error.
const LINE_BYTES_MAX: u64 = 64 << 20;

pub(super) fn run(args: &TextArgs, field: &str) -> anyhow::Result<ExitCode> {
    let scanner = Scanner::new(&args.looking)?;
    let (input, name) = text::open(args.file.as_deref())?;
    let mut input = BufReader::with_capacity(1 << 20, input);
    let mut out = Out::new();
    let (mut found, mut whole) = (false, true);
    let mut line = Vec::new();
    for number in 1_u64.. {
        if input.buffer().is_empty() {
            // Whoever writes line by line waits for the answer.
            out.flush()?;
        }
        let ended = read_line(&mut input, &mut line)?;
        if line.is_empty() && ended {
            break;
        }
        let answer = match subject(&line, field) {
            Ok(subject) => {
                let all = text::look(&scanner, subject.as_bytes(), name.as_deref(), args.into())?;
                found |= !all.findings.is_empty();
                whole &= all.whole;
                let findings: Vec<Value> = all.findings.iter().map(Located::json).collect();
                json!({ "line": number, "findings": findings, "whole": all.whole })
            }
            Err(says) => {
                whole = false;
                json!({ "line": number, "error": says })
            }
        };
        out.line(&answer.to_string())?;
        if ended {
            break;
        }
    }
    out.flush()?;
    Ok(ending(found, whole))
}

/// Reads a line without its end into `line`; whether the input ended with it.
/// Of a line that is too long the beginning is kept, which is no JSON.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> anyhow::Result<bool> {
    let unreadable = "the lines cannot be read";
    line.clear();
    input
        .by_ref()
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', line)
        .context(unreadable)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(false);
    }
    if (line.len() as u64) < LINE_BYTES_MAX {
        return Ok(true);
    }
    input.skip_until(b'\n').context(unreadable)?;
    Ok(false)
}

/// The text that a line is about.
fn subject(line: &[u8], field: &str) -> Result<String, &'static str> {
    let value: Value = serde_json::from_slice(line).map_err(|_| "the line is no JSON")?;
    let found = if field.starts_with('/') {
        value.pointer(field)
    } else {
        value.get(field)
    };
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err("the member is no text"),
        None => Err("the line has no such member"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{read_line, subject};

    #[test]
    fn a_member_is_found_by_name_or_by_pointer() {
        let line = br#"{"text": "a", "parts": [{"text": "b"}], "n": 1}"#;
        assert_eq!(subject(line, "text"), Ok("a".to_owned()));
        assert_eq!(subject(line, "/parts/0/text"), Ok("b".to_owned()));
        assert!(subject(line, "n").is_err() && subject(line, "other").is_err());
        assert!(subject(b"{", "text").is_err() && subject(b"", "text").is_err());
    }

    #[test]
    fn lines_end_with_or_without_a_feed() {
        let mut input = Cursor::new(b"a\n\nb".to_vec());
        let mut line = Vec::new();
        let mut all = Vec::new();
        loop {
            let ended = read_line(&mut input, &mut line).unwrap();
            all.push((String::from_utf8(line.clone()).unwrap(), ended));
            if ended {
                break;
            }
        }
        let expected = [("a", false), ("", false), ("b", true)];
        assert_eq!(all, expected.map(|(text, ended)| (text.to_owned(), ended)));
    }
}
