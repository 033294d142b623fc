//! Shows computed rows: a table for people, JSON for programs.

use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets,
};
use serde_json::{Value, json};

use crate::{RowView, State, TRAFFIC_SHARE};

/// Columns that the title may take.
const TITLE_COLUMNS_MAX: u16 = 30;
/// Below so many columns, cells are stacked instead of set side by side.
const WIDE_COLUMNS_MIN: u16 = 110;

/// A table of the rows, wrapped to this many columns. With `colour` it holds
/// ANSI sequences for the states, without it none.
#[must_use]
pub fn table(views: &[RowView<'_>], width: u16, colour: bool) -> String {
    let wide = width >= WIDE_COLUMNS_MIN;
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let names: &[&str] = if wide {
        &["row", "owner", "layer", "state", "grade", "duty", "reason"]
    } else {
        &["row", "owner, layer", "state, grade", "duty and reason"]
    };
    table.set_header(names.iter().map(|name| bold(name, colour)));
    for view in views {
        table.add_row(if wide {
            side_by_side(*view, colour)
        } else {
            stacked(*view, colour)
        });
    }
    let last = names.len() - 1;
    for (index, column) in table.column_iter_mut().enumerate() {
        if wide && index + 1 == last {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(
                TITLE_COLUMNS_MAX,
            )));
        } else if index < last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    format!("{table}\n{}\n", summary(views))
}

fn side_by_side(view: RowView<'_>, colour: bool) -> Vec<Cell> {
    let (row, state) = (view.row(), view.state());
    vec![
        Cell::new(row.id),
        Cell::new(row.owner),
        Cell::new(row.layer),
        paint(Cell::new(state.state()), state.state(), colour),
        Cell::new(state.grade()),
        Cell::new(&row.title),
        Cell::new(state.reason()),
    ]
}

fn stacked(view: RowView<'_>, colour: bool) -> Vec<Cell> {
    let (row, state) = (view.row(), view.state());
    let standing = Cell::new(format!("{}\n{}", state.state(), state.grade()));
    vec![
        Cell::new(row.id),
        Cell::new(format!("{}\n{}", row.owner, row.layer)),
        paint(standing, state.state(), colour),
        Cell::new(format!("{}\n{}", row.title, state.reason())),
    ]
}

/// The rows as an object: `rows`, one for each, then `states` (how many of
/// each) and `traffic_share`.
#[must_use]
pub fn json(views: &[RowView<'_>]) -> Value {
    let rows: Vec<Value> = views.iter().map(row).collect();
    let states: serde_json::Map<String, Value> = State::ALL
        .iter()
        .map(|state| (state.word().to_owned(), json!(in_state(views, *state))))
        .collect();
    json!({ "rows": rows, "total": views.len(), "states": states, "traffic_share": TRAFFIC_SHARE })
}

fn row(view: &RowView<'_>) -> Value {
    let (row, state) = (view.row(), view.state());
    json!({
        "id": row.id,
        "owner": row.owner,
        "layer": row.layer,
        "section": row.section,
        "guide_line": row.guide_line,
        "title": row.title,
        "statement": row.statement,
        "state": state.state(),
        "grade": state.grade(),
        "reason": state.reason(),
        "missing": state.missing(),
        "population": state.population(),
        "window": state.window(),
        "coverage": state.coverage(),
        "evidence": state.evidence(),
        "refs": row.references,
        "guide_note": row.guide,
    })
}

fn summary(views: &[RowView<'_>]) -> String {
    let parts: Vec<String> = State::ALL
        .iter()
        .rev()
        .map(|state| (state, in_state(views, *state)))
        .filter(|(_, number)| *number > 0)
        .map(|(state, number)| format!("{number} {state}"))
        .collect();
    let window = views
        .first()
        .map(|view| format!("Window {}. ", view.state().window()))
        .unwrap_or_default();
    format!(
        "{} rows: {}. {window}Share of vendor traffic {TRAFFIC_SHARE}.",
        views.len(),
        parts.join(", ")
    )
}

fn in_state(views: &[RowView<'_>], state: State) -> usize {
    views
        .iter()
        .filter(|view| view.state().state() == state)
        .count()
}

fn bold(text: &str, colour: bool) -> Cell {
    let cell = Cell::new(text);
    if colour {
        cell.add_attribute(Attribute::Bold)
    } else {
        cell
    }
}

fn paint(cell: Cell, state: State, colour: bool) -> Cell {
    if !colour {
        return cell;
    }
    cell.fg(match state {
        State::Enforced => Color::Green,
        State::Observed => Color::Cyan,
        State::Documented => Color::Blue,
        State::Asserted => Color::Yellow,
        State::Gap => Color::Red,
        State::NotApplicable => Color::DarkGrey,
    })
}

#[cfg(test)]
mod tests {
    use super::{json, table};
    use crate::{Facts, Matrix, Window};

    #[test]
    fn the_table_keeps_its_width_and_its_colours() {
        let matrix = Matrix::embedded().unwrap();
        let states = matrix.compute(&Facts::new(1_795_457_700_000, Window::default()));
        let views = matrix.views(&states);
        let narrow = table(&views, 80, false);
        assert!(narrow.contains("Accountability in an incident"), "{narrow}");
        assert!(
            narrow
                .lines()
                .take_while(|line| !line.starts_with("83 rows"))
                .all(|line| line.chars().count() <= 80)
        );
        let plain = table(&views, 120, false);
        assert!(!plain.contains('\u{1b}'), "no colours unless asked for");
        assert!(
            plain
                .lines()
                .take_while(|line| !line.starts_with("83 rows"))
                .all(|line| line.chars().count() <= 120)
        );
        assert!(plain.contains("83 rows: 83 gap."), "{plain}");
        assert!(table(&views, 120, true).contains("\u{1b}["));
    }

    #[test]
    fn json_has_every_field_of_every_row() {
        let matrix = Matrix::embedded().unwrap();
        let states = matrix.compute(&Facts::new(1_795_457_700_000, Window::default()));
        let value = json(&matrix.views(&states));
        let rows = value["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 83);
        assert_eq!(value["states"]["gap"], 83);
        for row in rows {
            for field in [
                "id",
                "owner",
                "layer",
                "title",
                "statement",
                "state",
                "grade",
                "reason",
                "window",
                "refs",
            ] {
                assert!(!row[field].is_null(), "{field} of {row}");
            }
            assert!(!row["reason"].as_str().unwrap().is_empty());
        }
        assert_eq!(
            rows[62]["guide_note"]["cites"]
                .as_str()
                .map(|text| text.contains("4.2")),
            Some(true)
        );
        assert!(rows[0]["guide_note"].is_null());
        assert_eq!(rows[21]["refs"][0]["framework"], "NIST SP 800-53 Rev. 5");
    }
}
