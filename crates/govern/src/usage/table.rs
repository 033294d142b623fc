//! A table as consoles export it (CSV by RFC 4180), by the names in its first
//! line.

use csv::{Reader, ReaderBuilder, StringRecord};

use super::UsageFault;

/// LIMIT: columns of a table.
const COLUMNS_MAX: usize = 256;

/// A column, by its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(usize);

/// A table that is read line by line.
pub(super) struct Table<'t> {
    reader: Reader<&'t [u8]>,
    names: Vec<String>,
}

/// One line of it.
pub(super) struct Line<'n> {
    record: StringRecord,
    names: &'n [String],
    number: u64,
}

impl<'t> Table<'t> {
    pub(super) fn read(text: &'t str) -> Result<Self, UsageFault> {
        let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
        let first = reader.headers().map_err(|error| fault(&error))?;
        if first.len() > COLUMNS_MAX {
            let why = "it has too many columns";
            return Err(UsageFault::Table { line: 1, why });
        }
        let names: Vec<String> = first.iter().map(|name| name.trim().to_owned()).collect();
        let doubled = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
        if names.iter().any(|name| !name.is_empty() && doubled(name)) {
            let why = "two columns have the same name";
            return Err(UsageFault::Table { line: 1, why });
        }
        Ok(Self { reader, names })
    }

    pub(super) fn column(&self, name: &str) -> Option<Column> {
        self.names
            .iter()
            .position(|other| other == name)
            .map(Column)
    }

    pub(super) fn needed(&self, name: &'static str) -> Result<Column, UsageFault> {
        self.column(name).ok_or(UsageFault::NoColumn(name))
    }

    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, UsageFault> {
        let mut record = StringRecord::new();
        let read = self.reader.read_record(&mut record);
        if !read.map_err(|error| fault(&error))? {
            return Ok(None);
        }
        let number = record.position().map_or(0, csv::Position::line);
        Ok(Some(Line {
            record,
            names: &self.names,
            number,
        }))
    }
}

impl Line<'_> {
    pub(super) fn text(&self, column: Column) -> &str {
        self.record.get(column.0).unwrap_or_default().trim()
    }

    pub(super) fn is_blank(&self, column: Column) -> bool {
        self.text(column).is_empty()
    }

    pub(super) fn path(&self, column: Column) -> String {
        let name = self.names.get(column.0).map_or("", String::as_str);
        format!("line {}, column {name}", self.number)
    }

    /// A name, if the column is there and not empty.
    pub(super) fn name(&self, column: Option<Column>) -> Option<String> {
        let text = self.text(column?);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A whole number; nothing is 0. Some tables write `12.0`.
    pub(super) fn count(&self, column: Option<Column>) -> Result<u64, UsageFault> {
        let Some(column) = column else {
            return Ok(0);
        };
        let text = self.text(column);
        if text.is_empty() {
            return Ok(0);
        }
        let whole = text.strip_suffix(".0").unwrap_or(text);
        let digits = whole.bytes().all(|byte| byte.is_ascii_digit());
        whole
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| UsageFault::Value {
                path: self.path(column),
                why: "not a whole number",
            })
    }

    /// A time in seconds since 1970.
    pub(super) fn seconds(&self, column: Column) -> Result<u64, UsageFault> {
        if self.is_blank(column) {
            return Err(UsageFault::Value {
                path: self.path(column),
                why: "no time",
            });
        }
        self.count(Some(column))
    }
}

fn fault(error: &csv::Error) -> UsageFault {
    let line = error.position().map_or(1, csv::Position::line);
    let why = match error.kind() {
        csv::ErrorKind::UnequalLengths { .. } => "it has another number of cells than the first",
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8",
        _ => "it cannot be read",
    };
    UsageFault::Table { line, why }
}
