//! Whether bytes hold enough characters in a row to be read as text.

use std::sync::LazyLock;

use super::sextet;
use crate::view::readable::READABLE_CHARS_MIN;

/// Characters of base64 that stand for bytes together: a run may begin with any
/// of them.
pub(super) const OFFSETS: usize = 4;

/// Whether a run of base64, read from each of its first characters on, may
/// spell enough characters in a row to be read: whoever says no here is right.
pub(super) fn spells(run: &[u8]) -> [bool; OFFSETS] {
    let (sextets, rows) = (&*SEXTETS, &*ROWS);
    let mut all = [0; OFFSETS];
    let mut word = 0_u32;
    let mut whole = run.iter();
    for first in whole.by_ref().take(OFFSETS - 1) {
        word = (word << 6) | u32::from(of(sextets, *first));
    }
    // Each character ends the group of the next offset.
    let mut offset = 0;
    for last in whole {
        word = (word << 6) | u32::from(of(sextets, *last));
        let [_, decoded @ ..] = (word & 0xff_ffff).to_be_bytes();
        if let Some(row) = all.get_mut(offset) {
            *row = decoded.iter().fold(*row, |row, byte| rows.and(row, *byte));
        }
        offset = (offset + 1) % OFFSETS;
    }
    // What is left over is less than a group.
    for (offset, row) in all.iter_mut().enumerate() {
        let rest = run.len().saturating_sub(offset) % OFFSETS;
        let rest = run.get(run.len() - rest..).unwrap_or_default();
        let sextets = rest.iter().map(|byte| u32::from(of(sextets, *byte)));
        let word = sextets.fold(0, |word, sextet| (word << 6) | sextet);
        let [_, decoded @ ..] = (word << (6 * (OFFSETS - rest.len()))).to_be_bytes();
        let decoded = decoded.iter().take(rest.len().saturating_sub(1));
        *row = decoded.fold(*row, |row, byte| rows.and(row, *byte));
    }
    all.map(Rows::is_enough)
}

/// Something about each byte. Text is not foreseeable, branches on it are slow.
type Table = LazyLock<[u8; 256]>;

fn of(table: &[u8; 256], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or(0)
}

fn table(of: impl Fn(u8) -> u8) -> [u8; 256] {
    std::array::from_fn(|byte| u8::try_from(byte).map_or(0, &of))
}

/// The six bits of a base64 character, none of others.
static SEXTETS: Table = LazyLock::new(|| table(|byte| sextet(byte).unwrap_or(0)));

/// What a byte is to characters in a row.
const fn part(byte: u8) -> u8 {
    match byte {
        b' '..=b'~' | b'\t'..=b'\r' => ONE,
        0x80..=0xbf => REST,
        0xc2..=0xdf => LEAD,
        0xe0..=0xef => LEAD + 1,
        0xf0..=0xf4 => LEAD + 2,
        // Left out of wide characters.
        0 => ZERO,
        _ => 0,
    }
}
const ONE: u8 = 1;
const REST: u8 = 2;
const ZERO: u8 = 3;
/// The first of two bytes, or of more.
const LEAD: u8 = 4;
/// All of them, in bits.
const PART_BITS: u32 = 3;

/// Characters in a row, at the most.
#[derive(Debug, Clone, Copy, Default)]
struct InARow {
    chars: u8,
    /// Bytes of the last one that are still to come.
    missing: u8,
}

impl InARow {
    const ENOUGH: u8 = {
        assert!(READABLE_CHARS_MIN < 8, "a row is a number of five bits");
        READABLE_CHARS_MIN as u8
    };

    /// With one more part of a character; no more than enough is counted.
    fn and(self, part: u8) -> Self {
        let (chars, missing) = match (part, self.missing) {
            _ if self.chars == Self::ENOUGH => (Self::ENOUGH, 0),
            (ZERO, missing) => (self.chars, missing),
            (REST, 1) => (self.chars + 1, 0),
            (REST, missing @ 2..) => (self.chars, missing - 1),
            (ONE, 0) => (self.chars + 1, 0),
            (ONE, _) => (1, 0),
            (lead @ LEAD.., 0) => (self.chars, lead - LEAD + 1),
            (lead @ LEAD.., _) => (0, lead - LEAD + 1),
            _ => (0, 0),
        };
        Self { chars, missing }
    }

    const fn of_number(number: u8) -> Self {
        Self {
            chars: number >> 2,
            missing: number & 3,
        }
    }

    const fn number(self) -> u8 {
        self.chars << 2 | self.missing
    }
}

/// Rows as numbers, looked up: 0 is none.
pub(super) struct Rows {
    parts: [u8; 256],
    /// For each row and part of a character what becomes of it.
    next: [u8; 256],
}

pub(super) static ROWS: LazyLock<Rows> = LazyLock::new(|| Rows {
    parts: table(part),
    next: table(|row_and_part| {
        let part = row_and_part & ((1 << PART_BITS) - 1);
        InARow::of_number(row_and_part >> PART_BITS)
            .and(part)
            .number()
    }),
});

impl Rows {
    pub(super) fn and(&self, row: u8, byte: u8) -> u8 {
        of(&self.next, row << PART_BITS | of(&self.parts, byte))
    }

    pub(super) const fn is_enough(row: u8) -> bool {
        InARow::of_number(row).chars >= InARow::ENOUGH
    }
}
