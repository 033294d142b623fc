//! `merestone matrix`: computed from the ledger, never typed in.

use std::{path::Path, process::ExitCode, sync::Arc};

use govern::{Facts, Matrix, RowState, Window, render};
use ledger::{Reader, files::DiskFiles};
use serde_json::Value;
use terms::Clock;

use crate::{
    config::{self, VendorKeys},
    present,
    source::SystemClock,
    state::State,
};

pub(super) fn run(
    path: &Path,
    json: bool,
    explain: Option<u16>,
    days: u32,
) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let state = State::existing(&settled.state)?;
    let days = u16::try_from(days)
        .ok()
        .filter(|days| (1..=3_660).contains(days))
        .ok_or_else(|| anyhow::anyhow!("--days takes a number from 1 to 3660"))?;
    show(&state, json, explain, days)?;
    Ok(ExitCode::SUCCESS)
}

/// What the ledger tells within a window.
fn facts(state: &State, days: u16) -> anyhow::Result<Facts> {
    let mut facts = Facts::new(SystemClock::start().now_ms(), Window::days(days));
    let mut reader = Reader::new(Arc::new(DiskFiles), &state.ledger());
    while let Some(entry) = reader.read_next()? {
        facts.add(entry.sequence, &entry.leaf);
    }
    Ok(facts)
}

/// The rows that are not gaps, and how many are.
pub(super) fn brief(state: &State) -> anyhow::Result<()> {
    let matrix = Matrix::embedded()?;
    let states = matrix.compute(&facts(state, 1)?);
    let (gaps, proved): (Vec<_>, Vec<_>) = matrix
        .views(&states)
        .into_iter()
        .zip(&states)
        .partition(|(_, row)| row.state() == govern::State::Gap);
    let proved: Vec<_> = proved.into_iter().map(|(view, _)| view).collect();
    let width = u16::try_from(present::width()).unwrap_or(100);
    present::say!("{}", render::table(&proved, width, present::colour()))?;
    present::say!(
        "   {} further rows are gaps, each with what is missing.",
        gaps.len()
    )?;
    Ok(())
}

fn show(state: &State, json: bool, explain: Option<u16>, days: u16) -> anyhow::Result<()> {
    let matrix = Matrix::embedded()?;
    let facts = facts(state, days)?;
    let states = matrix.compute(&facts);
    let width = u16::try_from(present::width()).unwrap_or(100);
    if let Some(id) = explain {
        let unknown = || anyhow::anyhow!("the matrix has rows 1 to 83");
        if json {
            let row = row_json(&matrix, &states, id).ok_or_else(unknown)?;
            present::say!("{row}")?;
        } else {
            let text = matrix.explain(id, &states, width).ok_or_else(unknown)?;
            present::say!("{text}")?;
        }
        return Ok(());
    }
    let views = matrix.views(&states);
    if json {
        present::say!("{}", render::json(&views))?;
    } else {
        present::say!("{}", render::table(&views, width, present::colour()))?;
    }
    Ok(())
}

/// One row as it stands among the `rows` of the whole matrix.
fn row_json(matrix: &Matrix, states: &[RowState], id: u16) -> Option<Value> {
    let views = matrix.views(states);
    let view = views.into_iter().find(|view| view.row().id == id)?;
    render::json(&[view])
        .pointer_mut("/rows/0")
        .map(Value::take)
}

#[cfg(test)]
mod tests {
    use govern::{Facts, Matrix, Window, render};

    use super::row_json;

    #[test]
    fn one_row_is_the_same_as_among_all() {
        let matrix = Matrix::embedded().unwrap();
        let states = matrix.compute(&Facts::new(1_795_457_700_000, Window::default()));
        let all = render::json(&matrix.views(&states));
        let row = row_json(&matrix, &states, 41).unwrap();
        assert_eq!(row["id"], 41);
        assert_eq!(row, all["rows"][40]);
        assert_eq!(row_json(&matrix, &states, 84), None);
    }
}
