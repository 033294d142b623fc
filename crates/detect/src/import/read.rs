//! A rule file as TOML, read key by key, so that nothing in it goes unnoticed.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{Effect, Unsupported};

/// One table of the file. Keys are taken out one after the other; the names
/// are compared without case, as the tools do. What is left is unknown.
#[derive(Debug)]
pub(super) struct Section<'a> {
    entries: BTreeMap<String, &'a Value>,
    /// What was of another type than it must be.
    faults: Vec<String>,
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        let lower = |(name, value): (&String, &'a Value)| (name.to_ascii_lowercase(), value);
        Self {
            entries: table.iter().map(lower).collect(),
            faults: Vec::new(),
        }
    }

    /// Whether a key stands here and was not taken yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Takes keys out that change nothing about what is found.
    pub(super) fn drop(&mut self, names: &[&str]) {
        for name in names {
            self.entries.remove(*name);
        }
    }

    fn take<T>(&mut self, name: &str, read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.entries.remove(name)?;
        let found = read(value);
        if found.is_none() {
            self.faults.push(format!("`{name}` is of another type"));
        }
        found
    }

    pub(super) fn text(&mut self, name: &str) -> Option<&'a str> {
        self.take(name, Value::as_str)
    }

    pub(super) fn truth(&mut self, name: &str) -> Option<bool> {
        self.take(name, Value::as_bool)
    }

    pub(super) fn whole(&mut self, name: &str) -> Option<i64> {
        self.take(name, Value::as_integer)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a threshold of entropy is a small number"
    )]
    pub(super) fn number(&mut self, name: &str) -> Option<f64> {
        self.take(name, |value| match value {
            Value::Integer(whole) => Some(*whole as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        })
    }

    /// A list of texts; none if the key is not there.
    pub(super) fn texts(&mut self, name: &str) -> Vec<&'a str> {
        self.take(name, |value| {
            value.as_array()?.iter().map(Value::as_str).collect()
        })
        .unwrap_or_default()
    }

    /// A table, or a list of tables.
    pub(super) fn tables(&mut self, name: &str) -> Vec<&'a Table> {
        self.take(name, |value| match value {
            Value::Table(table) => Some(vec![table]),
            Value::Array(all) => all.iter().map(Value::as_table).collect(),
            _ => None,
        })
        .unwrap_or_default()
    }

    /// What could not be read: keys of a wrong type, and keys that nobody took.
    pub(super) fn rest(self) -> Vec<String> {
        let unknown = self.entries.into_keys();
        let unknown = unknown.map(|name| {
            let short: String = name.chars().take(40).collect();
            format!("the unknown key `{}`", short.escape_debug())
        });
        self.faults.into_iter().chain(unknown).collect()
    }
}

/// Collects what is not supported.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) all: Vec<Unsupported>,
}

impl Report {
    pub(super) fn add(&mut self, rule: Option<&str>, place: &str, effect: Effect, what: String) {
        self.all.push(Unsupported {
            rule: rule.map(str::to_owned),
            what,
            place: place.to_owned(),
            effect,
        });
    }
}
