//! A filter that tells most places of a text from those where one of many texts
//! may stand.

use super::{BLOCK_BYTES, Block, first_bytes, hash};
use crate::byteset::ByteSet;

/// Bits of the hashes of four bytes, of which there are most, and of three.
/// Together with those of two bytes, which are no hashes, the filters of one
/// direction fit into a processor's nearest cache, and few of their bits are
/// set.
const FOUR_BITS: u32 = 17;
const THREE_BITS: u32 = 15;

/// A bit for each number below `BYTES` times eight.
#[derive(Debug)]
struct Bits<const BYTES: usize>(Box<[u8; BYTES]>);

impl<const BYTES: usize> Bits<BYTES> {
    fn new() -> Self {
        Self(Box::new([0; BYTES]))
    }

    fn add(&mut self, number: usize) {
        let byte = self.0.get_mut(number / 8);
        byte.into_iter().for_each(|byte| *byte |= bit(number));
    }

    fn has(&self, number: usize) -> bool {
        let byte = self.0.get(number / 8).copied().unwrap_or(0);
        byte & bit(number) != 0
    }
}

/// A bit of a byte, looked up: shifts by a number that is not known cost more.
fn bit(number: usize) -> u8 {
    const BITS: [u8; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
    BITS.get(number % 8).copied().unwrap_or(0)
}

/// Windows that texts of one direction have.
#[derive(Debug)]
pub(super) struct Filter {
    four: Bits<{ 1 << (FOUR_BITS - 3) }>,
    three: Bits<{ 1 << (THREE_BITS - 3) }>,
    /// Also single bytes, with what can follow.
    two: Bits<{ 1 << (16 - 3) }>,
}

impl Filter {
    pub(super) fn new() -> Self {
        Self {
            four: Bits::new(),
            three: Bits::new(),
            two: Bits::new(),
        }
    }

    /// Lets a window through; a single byte only before these, in either case,
    /// and before the end.
    pub(super) fn add(&mut self, bytes: usize, window: u32, next: &ByteSet) {
        match bytes {
            1 => {
                let next = next.iter().map(|next| next.to_ascii_lowercase());
                next.chain([0])
                    .for_each(|next| self.two.add((window | u32::from(next) << 8) as usize));
            }
            2 => self.two.add(window as usize),
            3 => self.three.add(hash(window, THREE_BITS)),
            _ => self.four.add(hash(window, FOUR_BITS)),
        }
    }

    /// Whether a window of so many bytes may stand here.
    pub(super) fn has_of(&self, bytes: usize, window: u32) -> bool {
        match bytes {
            4 => self.four.has(hash(window, FOUR_BITS)),
            3 => self.three.has(hash(first_bytes(window, 3), THREE_BITS)),
            _ => self.two.has(first_bytes(window, 2) as usize),
        }
    }

    /// Whether a text may stand here.
    fn has(&self, window: u32) -> bool {
        let four = self.four.has(hash(window, FOUR_BITS));
        let three = self.three.has(hash(first_bytes(window, 3), THREE_BITS));
        let two = self.two.has(first_bytes(window, 2) as usize);
        // All of them, since a branch more costs more.
        four | three | two
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
