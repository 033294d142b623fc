//! Reads the matrix from its catalogue files, strictly, and has its states computed.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use crate::{
    Facts, Framework, GuideNote, Layer, Owner, Proof, Reference, Remark, Row, RowState, proof,
};

/// The number of rows: one for each duty that the founding guide names.
pub const ROWS: u16 = 83;
/// The number of lines of the founding guide.
const GUIDE_LINES: u16 = 99;

/// File names and texts of `catalogue/matrix`, listed by `build.rs`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/matrix_files.rs"));

/// A catalogue that is not a matrix. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MatrixFault {
    /// A file cannot be read as one.
    #[error("catalogue/matrix/{file}:{line}: {says}")]
    File {
        /// The file's name.
        file: String,
        /// The line.
        line: usize,
        /// What is wrong.
        says: String,
    },
    /// A row is not as a row must be.
    #[error("catalogue/matrix/{file}:{line}: row {id}: {says}")]
    Row {
        /// The file's name.
        file: String,
        /// The line of the row's `id`.
        line: usize,
        /// The row's number.
        id: u16,
        /// What is wrong.
        says: &'static str,
    },
    /// A row is in no file.
    #[error("catalogue/matrix: row {0} of {ROWS} is missing")]
    Missing(u16),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatrixFile {
    section: String,
    row: Vec<RawRow>,
}

/// INVARIANT: no field for a state, and unknown fields are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    id: Spanned<u16>,
    guide_line: u16,
    owner: Owner,
    layer: Layer,
    title: String,
    statement: String,
    proof: Option<Proof>,
    remark: Option<Remark>,
    needs: Option<String>,
    refs: BTreeMap<Framework, Vec<String>>,
    guide: Option<GuideNote>,
}

/// All rows, by their number.
#[derive(Debug, Clone)]
pub struct Matrix {
    rows: BTreeMap<u16, Row>,
}

impl Matrix {
    /// The matrix of this build.
    ///
    /// # Errors
    /// When a file is malformed, or the rows are not exactly 1 to 83.
    pub fn embedded() -> Result<Self, MatrixFault> {
        Self::from_files(FILES)
    }

    /// A matrix from files given as name and text.
    ///
    /// # Errors
    /// As [`Matrix::embedded`].
    pub fn from_files(files: &[(&str, &str)]) -> Result<Self, MatrixFault> {
        let mut rows = BTreeMap::new();
        for (file, text) in files {
            read_file(file, text, &mut rows)?;
        }
        match (1..=ROWS).find(|id| !rows.contains_key(id)) {
            Some(id) => Err(MatrixFault::Missing(id)),
            None => Ok(Self { rows }),
        }
    }

    /// Every row, by number.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The row with this number.
    #[must_use]
    pub fn row(&self, id: u16) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// The state of every row, by number.
    #[must_use]
    pub fn compute(&self, facts: &Facts) -> Vec<RowState> {
        self.rows
            .values()
            .map(|row| proof::compute(row, facts))
            .collect()
    }

    /// Each state beside its row, for showing.
    #[must_use]
    pub fn views<'a>(&'a self, states: &'a [RowState]) -> Vec<RowView<'a>> {
        states
            .iter()
            .filter_map(|state| {
                Some(RowView {
                    row: self.rows.get(&state.id)?,
                    state,
                })
            })
            .collect()
    }

    /// Everything about one row as text for people, wrapped to this many
    /// columns; `None` if there is no such row.
    #[must_use]
    pub fn explain(&self, id: u16, states: &[RowState], width: u16) -> Option<String> {
        let state = states.iter().find(|state| state.id == id)?;
        Some(crate::explain(
            &RowView {
                row: self.rows.get(&id)?,
                state,
            },
            width,
        ))
    }
}

/// A row and its computed state.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    row: &'a Row,
    state: &'a RowState,
}

impl<'a> RowView<'a> {
    /// The duty.
    #[must_use]
    pub const fn row(&self) -> &'a Row {
        self.row
    }

    /// How far it is met.
    #[must_use]
    pub const fn state(&self) -> &'a RowState {
        self.state
    }
}

fn read_file(file: &str, text: &str, rows: &mut BTreeMap<u16, Row>) -> Result<(), MatrixFault> {
    let parsed: MatrixFile = toml::from_str(text).map_err(|fault| MatrixFault::File {
        file: file.to_owned(),
        line: line_of(text, fault.span().map_or(0, |span| span.start)),
        says: fault.message().to_owned(),
    })?;
    let section = parsed.section;
    for raw in parsed.row {
        let (start, id) = (raw.id.span().start, *raw.id.get_ref());
        let fault = |says| MatrixFault::Row {
            file: file.to_owned(),
            line: line_of(text, start),
            id,
            says,
        };
        let row = settle(&section, raw).map_err(fault)?;
        if rows.insert(id, row).is_some() {
            return Err(fault("this number is taken by another row"));
        }
    }
    Ok(())
}

fn settle(section: &str, raw: RawRow) -> Result<Row, &'static str> {
    let blank = |text: &String| text.trim().is_empty();
    let id = raw.id.into_inner();
    let references: Vec<Reference> = raw
        .refs
        .into_iter()
        .flat_map(|(framework, ids)| ids.into_iter().map(move |id| Reference { framework, id }))
        .collect();
    let faults = [
        (!(1..=ROWS).contains(&id), "numbers go from 1 to 83"),
        (
            !(1..=GUIDE_LINES).contains(&raw.guide_line),
            "`guide_line` is a line of the guide, 1 to 99",
        ),
        (
            section.trim().is_empty() || blank(&raw.title),
            "`section` and `title` may not be empty",
        ),
        (blank(&raw.statement), "`statement` may not be empty"),
        (
            references.is_empty() || references.iter().any(|r| blank(&r.id)),
            "`refs` needs at least one identifier and no empty one",
        ),
        (
            raw.needs.as_ref().is_some_and(blank),
            "`needs` may not be empty",
        ),
        (
            raw.proof.is_none() && raw.needs.is_none(),
            "a row has a `proof`, or `needs` what is missing",
        ),
        (
            raw.proof.is_some() && raw.remark.is_some(),
            "a `remark` belongs to a row without a `proof`",
        ),
        (
            raw.guide
                .as_ref()
                .is_some_and(|g| blank(&g.cites) || blank(&g.correct) || blank(&g.why)),
            "`guide` needs `cites`, `correct` and `why`",
        ),
    ];
    if let Some((_, says)) = faults.iter().find(|(is, _)| *is) {
        return Err(says);
    }
    Ok(Row {
        id,
        guide_line: raw.guide_line,
        owner: raw.owner,
        layer: raw.layer,
        section: section.to_owned(),
        title: raw.title,
        statement: raw.statement,
        references,
        guide: raw.guide,
        proof: raw.proof,
        remark: raw.remark,
        needs: raw.needs,
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests;
