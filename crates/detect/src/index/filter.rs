//! A filter that tells most places of a text from those where one of many texts
//! may stand.

use super::{BLOCK_BYTES, Block, first_bytes, hash};
use crate::byteset::ByteSet;

/// Bytes of the tables of windows of four bytes, of which there are most, and
/// of three and two, as powers of two. Together those of one direction fit into
/// a processor's nearest cache, and few of their bits are set.
const FOUR_BITS: u32 = 14;
const THREE_BITS: u32 = 12;
const TWO_BITS: u32 = 13;

/// A bit for each window: which byte is the table's, which bit of it the first
/// byte of the window tells, whatever the table.
type Table<const BYTES: usize> = Box<[u8; BYTES]>;

/// The bit, looked up: shifts by a number that is not known cost more.
fn bit(window: u32) -> u8 {
    const BITS: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
    BITS.get(window as usize % BITS.len()).copied().unwrap_or(0)
}

/// Where windows of four bytes have their bits.
const fn place_of_four(window: u32) -> usize {
    hash(window, FOUR_BITS)
}

const fn place_of_three(window: u32) -> usize {
    hash(first_bytes(window, 3), THREE_BITS)
}

/// Of two bytes no two windows share a bit.
const fn place_of_two(window: u32) -> usize {
    first_bytes(window, 2) as usize / 8
}

fn byte<const BYTES: usize>(table: &Table<BYTES>, place: usize) -> u8 {
    table.get(place).copied().unwrap_or(0)
}

fn set<const BYTES: usize>(table: &mut Table<BYTES>, place: usize, window: u32) {
    let byte = table.get_mut(place);
    byte.into_iter().for_each(|byte| *byte |= bit(window));
}

/// Windows that texts of one direction have.
#[derive(Debug)]
pub(super) struct Filter {
    four: Table<{ 1 << FOUR_BITS }>,
    three: Table<{ 1 << THREE_BITS }>,
    /// Also single bytes, with what can follow.
    two: Table<{ 1 << TWO_BITS }>,
}

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            four: Box::new([0; _]),
            three: Box::new([0; _]),
            two: Box::new([0; _]),
        }
    }

    /// Lets a window through; a single byte only before these, in either case,
    /// and before the end of a text, which reads as 0.
    pub(super) fn add(&mut self, bytes: usize, window: u32, next: &ByteSet) {
        match bytes {
            1 => {
                let next = next.iter().map(|next| next.to_ascii_lowercase());
                for next in next.chain([0]) {
                    let window = window | u32::from(next) << 8;
                    set(&mut self.two, place_of_two(window), window);
                }
            }
            2 => set(&mut self.two, place_of_two(window), window),
            3 => set(&mut self.three, place_of_three(window), window),
            _ => set(&mut self.four, place_of_four(window), window),
        }
    }

    /// Whether a window of so many bytes may stand here.
    pub(super) fn has_of(&self, bytes: usize, window: u32) -> bool {
        let byte = match bytes {
            4 => byte(&self.four, place_of_four(window)),
            3 => byte(&self.three, place_of_three(window)),
            _ => byte(&self.two, place_of_two(window)),
        };
        byte & bit(window) != 0
    }

    /// Whether a text may stand here.
    fn has(&self, window: u32) -> bool {
        let four = byte(&self.four, place_of_four(window));
        let three = byte(&self.three, place_of_three(window));
        let two = byte(&self.two, place_of_two(window));
        // All of them, since a branch more costs more.
        (four | three | two) & bit(window) != 0
    }

    /// The places among the first of a block where a text may be. No branch
    /// depends on what stands there, since it could not be foreseen.
    pub(super) fn places<'a>(
        &self,
        block: &Block,
        bytes: usize,
        places: &'a mut [u16; BLOCK_BYTES],
    ) -> &'a [u16] {
        let mut count = 0;
        for (window, at) in block.array_windows().take(bytes).zip(0..) {
            if let Some(place) = places.get_mut(count) {
                *place = at;
            }
            count += usize::from(self.has(u32::from_le_bytes(*window)));
        }
        places.get(..count).unwrap_or_default()
    }
}
