//! Which patterns a row of digits can be of, by its length and what follows.

use std::{collections::HashMap, ops::RangeInclusive};

use super::Spot;
use crate::shape::{DIGITS_MAX, Shape};

/// What can stand behind a row: each byte, the end of a text, or the end of
/// one that may go on.
const COLUMNS: usize = 256 + 2;
const END: usize = 256;
const OPEN: usize = 257;

/// A pattern that is found by a row of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Row {
    pub(in crate::engine) spot: usize,
    /// Bytes of a match before the row.
    before: (u8, u8),
    /// As many letters and digits stand in a row at least, those included.
    pub(in crate::engine) run_min: usize,
}

impl Row {
    pub(super) fn new(spot: usize, before: &RangeInclusive<usize>, run_min: usize) -> Self {
        let narrow = |bytes: usize| u8::try_from(bytes).unwrap_or(u8::MAX);
        Self {
            spot,
            before: (narrow(*before.start()), narrow(*before.end())),
            run_min,
        }
    }

    /// Bytes of a match before the row.
    pub(in crate::engine) fn before(&self) -> RangeInclusive<usize> {
        usize::from(self.before.0)..=usize::from(self.before.1)
    }
}

/// For each length of a row and what follows it the patterns that it can be of.
#[derive(Debug)]
pub(in crate::engine) struct Rows {
    cells: Vec<u16>,
    lists: Vec<Vec<Row>>,
}

impl Rows {
    /// Of these patterns; `None` if they are too many.
    pub(super) fn new(rows: &[Row], spots: &[Spot]) -> Option<Self> {
        let shapes: Vec<(Row, Shape, bool)> = rows
            .iter()
            .filter_map(|row| {
                let spot = spots.get(row.spot)?;
                Some((*row, spot.pattern.shape(row.before())?, spot.inside_digits))
            })
            .collect();
        if shapes.len() != rows.len() {
            return None;
        }
        let mut known = HashMap::from([(Vec::new(), 0_u16)]);
        let mut lists = vec![Vec::new()];
        let mut cells = Vec::new();
        for digits in 0..=DIGITS_MAX + 1 {
            for column in 0..COLUMNS {
                let fits = shapes.iter().filter(|(row, shape, inside)| {
                    let inside = *inside && row.before().contains(&0);
                    let from = if inside { 1 } else { digits };
                    (from..=digits).any(|digits| fits(shape, digits, column))
                });
                let list: Vec<Row> = fits.map(|(row, ..)| *row).collect();
                let number = match known.get(&list) {
                    Some(number) => *number,
                    None => {
                        let number = u16::try_from(lists.len()).ok()?;
                        known.insert(list.clone(), number);
                        lists.push(list);
                        number
                    }
                };
                cells.push(number);
            }
        }
        Some(Self { cells, lists })
    }

    /// The patterns for a row of so many digits, with this byte behind it;
    /// nothing is the end of the text, which may be `open`.
    pub(in crate::engine) fn of(&self, digits: usize, after: Option<u8>, open: bool) -> &[Row] {
        let column = match after {
            Some(byte) => usize::from(byte),
            None if open => OPEN,
            None => END,
        };
        let at = digits.min(DIGITS_MAX + 1) * COLUMNS + column;
        let number = self.cells.get(at).copied().unwrap_or(0);
        self.lists
            .get(usize::from(number))
            .map_or(&[], Vec::as_slice)
    }
}

fn fits(shape: &Shape, digits: usize, column: usize) -> bool {
    match u8::try_from(column) {
        Ok(byte) => shape.fits(digits, Some(byte)),
        Err(_) if column == END => shape.fits(digits, None),
        Err(_) => shape.may_go_on(digits),
    }
}
