//! Which patterns a row of digits can be of, by its length and what follows.

use std::{collections::HashMap, ops::RangeInclusive};

use super::Spot;
use crate::{
    boundary::Boundary,
    shape::{DIGITS_MAX, Shape},
    validate::DIGITS_WITHIN_BYTES,
};

/// What can stand behind a row: each byte, the end of a text, or the end of
/// one that may go on.
const COLUMNS: usize = 256 + 2;
const END: usize = 256;
const OPEN: usize = 257;

/// Bytes from the beginning of a row in which digits are counted: no more than
/// most matches have, and as many as validators know of.
const NEAR_BYTES: usize = 32;
const FAR_BYTES: usize = DIGITS_WITHIN_BYTES;

/// Digits in the first bytes from the beginning of a row on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Digits {
    near: u8,
    far: u8,
}

impl Digits {
    /// Those of a text from a place on; `None` where its end hides some.
    pub(in crate::engine) fn count(bytes: &[u8], at: usize) -> Option<Self> {
        let rest: &[u8; FAR_BYTES] = bytes.get(at..)?.first_chunk()?;
        let (near, far) = rest.split_at(NEAR_BYTES);
        let count = |part: &[u8]| {
            let digits = part.iter().map(|byte| u8::from(byte.is_ascii_digit()));
            digits.sum::<u8>()
        };
        let near = count(near);
        let far = near + count(far);
        Some(Self { near, far })
    }

    /// Whether they are as many as are needed.
    pub(in crate::engine) const fn has(self, needed: Self) -> bool {
        self.near >= needed.near && self.far >= needed.far
    }

    /// What a valid match of a pattern has at least, from its row on.
    fn of_match(spot: &Spot) -> Self {
        let narrow = |digits: usize| u8::try_from(digits.min(FAR_BYTES)).unwrap_or(0);
        let least = narrow(spot.pattern.digits_min());
        let known = narrow(spot.valid_digits_min);
        let within = |bytes: usize| spot.pattern.span_bytes_max() <= bytes;
        Self {
            near: if within(NEAR_BYTES) { least } else { 0 },
            far: if within(FAR_BYTES) {
                least.max(known)
            } else {
                known
            },
        }
    }
}

/// A pattern that is found by a row of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Row {
    pub(in crate::engine) spot: usize,
    /// Bytes of a match before the row.
    before: (u8, u8),
    /// As many letters and digits stand in a row at least, those included.
    pub(in crate::engine) run_min: usize,
    /// The digits that stand from the row on.
    pub(in crate::engine) needed: Digits,
    /// Whether a letter or another digit may stand right before the row.
    glued: bool,
}

impl Row {
    pub(super) fn new(number: usize, before: &RangeInclusive<usize>, spot: &Spot) -> Self {
        let narrow = |bytes: usize| u8::try_from(bytes).unwrap_or(u8::MAX);
        let letters = || spot.first.iter().any(|byte| byte.is_ascii_alphabetic());
        Self {
            spot: number,
            before: (narrow(*before.start()), narrow(*before.end())),
            run_min: spot.pattern.run_min(),
            needed: Digits::of_match(spot),
            glued: match (spot.left, *before.end()) {
                (Boundary::None | Boundary::Digit, _) | (_, 2..) => true,
                (_, 1) => letters(),
                (_, 0) => false,
            },
        }
    }

    /// Bytes of a match before the row.
    pub(in crate::engine) fn before(&self) -> RangeInclusive<usize> {
        usize::from(self.before.0)..=usize::from(self.before.1)
    }
}

/// For each length of a row and what stands beside it the patterns that it can
/// be of.
#[derive(Debug)]
pub(in crate::engine) struct Rows {
    cells: Vec<u16>,
    /// All patterns of a cell, and those of them that a letter may stand
    /// before.
    lists: Vec<[Box<[Row]>; 2]>,
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
        // Lists by the places of their patterns.
        let mut known = HashMap::<Vec<usize>, u16>::new();
        let mut lists = Vec::new();
        let mut cells = Vec::new();
        for digits in 0..=DIGITS_MAX + 1 {
            for column in 0..COLUMNS {
                let fits = shapes
                    .iter()
                    .enumerate()
                    .filter(|(_, (row, shape, inside))| {
                        let inside = *inside && row.before().contains(&0);
                        let from = if inside { 1 } else { digits };
                        (from..=digits).any(|digits| fits(shape, digits, column))
                    });
                let list: Vec<usize> = fits.map(|(place, _)| place).collect();
                let number = match known.get(&list) {
                    Some(number) => *number,
                    None => {
                        let number = u16::try_from(lists.len()).ok()?;
                        let rows = list.iter().filter_map(|place| rows.get(*place)).copied();
                        let glued = rows.clone().filter(|row| row.glued).collect();
                        lists.push([rows.collect(), glued]);
                        known.insert(list, number);
                        number
                    }
                };
                cells.push(number);
            }
        }
        Some(Self { cells, lists })
    }

    /// The patterns for a row of so many digits, `glued` to a letter or digit
    /// before it, with this byte behind it; nothing is the end of the text, which may be
    /// `open`.
    pub(in crate::engine) fn of(
        &self,
        digits: usize,
        glued: bool,
        after: Option<u8>,
        open: bool,
    ) -> &[Row] {
        let column = match after {
            Some(byte) => usize::from(byte),
            None if open => OPEN,
            None => END,
        };
        let at = digits.min(DIGITS_MAX + 1) * COLUMNS + column;
        let number = self.cells.get(at).map(|number| usize::from(*number));
        let lists = number.and_then(|number| self.lists.get(number));
        lists.map_or(
            &[],
            |[all, after_letters]| {
                if glued { after_letters } else { all }
            },
        )
    }
}

fn fits(shape: &Shape, digits: usize, column: usize) -> bool {
    match u8::try_from(column) {
        Ok(byte) => shape.fits(digits, Some(byte)),
        Err(_) if column == END => shape.fits(digits, None),
        Err(_) => shape.may_go_on(digits),
    }
}
