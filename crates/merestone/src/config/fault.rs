//! What is wrong with a configuration: where, and what to write instead.

use std::{fmt, ops::Range, path::Path};

use detect::{Catalogue, Engine};
use terms::Direction;
use thiserror::Error;

/// LIMIT: letters of a name that is repeated.
const NAME_LETTERS_MAX: usize = 40;
/// Longer names than this are repeated only in lower case and without digits,
/// as settings have them: a key has more in it.
const ODD_LETTERS_MAX: usize = 12;

/// A configuration that cannot be used. It quotes no value, and no name that
/// could be one, since it may be a key in the wrong place.
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
        Self::at(path, text, error.span(), error.message())
    }

    pub(super) fn at(path: &Path, text: &str, span: Option<Range<usize>>, says: &str) -> Self {
        let position = span.map(|span| position(text, span.start));
        Self {
            file: path.display().to_string(),
            position,
            says: without_values(says),
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

/// A message, less any value that it quotes, and less a name that could be a
/// value in the wrong place. What a caller wrote may hold any sign: it ends
/// where the message's own words are found last.
fn without_values(message: &str) -> String {
    let message = message.replace('\n', "; ");
    let message = message.trim_end_matches("; ");
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some((found, wanted)) = parted(message, kind, ", expected ") {
            return format!("{kind}{}, expected {wanted}", sort(found));
        }
    }
    if let Some((_, wanted)) = parted(message, "unknown variant `", "`, expected ") {
        return format!("unknown word, expected {wanted}");
    }
    for (before, after) in NAMED {
        if let Some((name, rest)) = parted(message, before, after) {
            let (before, after) = (before.trim_end_matches('`'), after.trim_start_matches('`'));
            return format!("{before}{}{after}{rest}", shown(name));
        }
    }
    message.to_owned()
}

/// What stands before and behind a name that a message quotes.
const NAMED: [(&str, &str); 4] = [
    ("unknown field `", "`, expected "),
    ("unknown field `", "`, there are no fields"),
    ("`", "` is not a detector of this control"),
    ("`", "` is not a slot"),
];

/// What stands between the two, and what behind.
fn parted<'a>(message: &'a str, before: &str, after: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(before)?.rsplit_once(after)
}

/// What sort of value was found, by the parser's word for it.
fn sort(found: &str) -> &'static str {
    match found.split(' ').next().unwrap_or_default() {
        "string" | "character" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "true or false",
        "map" => "a table",
        "sequence" => "a list",
        _ => "another value",
    }
}

/// A name as it may be repeated.
fn shown(name: &str) -> String {
    if is_plain(name) && is_clean(name) {
        format!("`{name}`")
    } else {
        "(name not shown)".to_owned()
    }
}

/// Whether a name is short, and of the letters that names have.
fn is_plain(name: &str) -> bool {
    let odd = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=NAME_LETTERS_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && (name.len() <= ODD_LETTERS_MAX || !name.bytes().any(odd))
}

/// Whether no detector minds a name.
fn is_clean(name: &str) -> bool {
    let engine = Catalogue::embedded()
        .ok()
        .and_then(|catalogue| Engine::new(catalogue).ok());
    engine.is_some_and(|engine| {
        let minded = |way: &Direction| !engine.scan(name, *way).findings.is_empty();
        !Direction::ALL.iter().any(minded)
    })
}
