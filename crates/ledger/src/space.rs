//! Room on the disk: what open exchanges will still need is set aside.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    canonical::LEAF_BYTES_MAX,
    segment::{FRAME_BYTES, GROUP_BYTES},
};

/// What one second record may take, in a group of its own.
pub(crate) const RESERVED_BYTES: u64 = (LEAF_BYTES_MAX + FRAME_BYTES + GROUP_BYTES) as u64;

/// The count of what is set aside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Space(Arc<AtomicU64>);

/// Room for one exchange's second record; given back when dropped.
#[derive(Debug)]
pub struct Reservation(Space);

impl Space {
    /// Sets room aside if, after that, at least `free_bytes_min` stay free.
    pub(crate) fn take(&self, free_bytes: u64, free_bytes_min: u64) -> Option<Reservation> {
        let before = self.0.fetch_add(RESERVED_BYTES, Ordering::AcqRel);
        let reservation = Reservation(self.clone());
        let needed = before
            .saturating_add(RESERVED_BYTES)
            .saturating_add(free_bytes_min);
        // Dropped here, it is given back.
        (needed <= free_bytes).then_some(reservation)
    }

    /// Bytes that are set aside.
    pub(crate) fn reserved(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.0.fetch_sub(RESERVED_BYTES, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let space = Space::default();
        let free = 2 * RESERVED_BYTES + 10;
        let first = space.take(free, 10).unwrap();
        let second = space.take(free, 10).unwrap();
        assert!(space.take(free, 10).is_none());
        assert_eq!(space.reserved(), 2 * RESERVED_BYTES);
        drop(first);
        assert!(space.take(free, 10).is_some());
        drop(second);
        assert_eq!(space.reserved(), 0);
    }
}
