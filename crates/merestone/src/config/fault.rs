//! What is wrong with a configuration: where, and what to write instead.

use std::{fmt, ops::Range, path::Path};

use thiserror::Error;

/// A configuration that cannot be used. It quotes no value, since a value may
/// be a key in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigFault {
    file: String,
    position: Option<(usize, usize)>,
    says: String,
}

impl ConfigFault {
    pub(super) fn unreadable(path: &Path, why: &str) -> Self {
        Self {
            file: path.display().to_string(),
            position: None,
            says: format!("cannot be read: {why}"),
        }
    }

    pub(super) fn parse(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        Self::at(path, text, error.span(), &without_values(error.message()))
    }

    pub(super) fn at(path: &Path, text: &str, span: Option<Range<usize>>, says: &str) -> Self {
        let position = span.map(|span| position(text, span.start));
        Self {
            file: path.display().to_string(),
            position,
            says: says.to_owned(),
        }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.says),
            None => write!(f, "{}: {}", self.file, self.says),
        }
    }
}

pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

/// The parser's message, less any value that it quotes.
fn without_values(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("string \"") {
        out.push_str(before);
        out.push_str("a text");
        rest = after.split_once('"').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out.replace('\n', "; ").trim_end_matches("; ").to_owned()
}
