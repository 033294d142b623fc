//! Hashes of entries on their way from the thread that writes to the one that
//! publishes. What is published is then the hash of what was acknowledged, and
//! none is made twice: an entry that somebody changed on the disk in between
//! does not get into the tree.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use terms::Digest;

/// LIMIT: hashes that wait, 2 MiB of them. Older ones are made again from what
/// is on the disk.
const HASHES_MAX: usize = 65_536;

/// Hashes of the newest entries, in order.
#[derive(Debug, Default)]
pub(crate) struct Leaves(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// The number of the entry that the first one is of.
    first: u64,
    hashes: VecDeque<Digest>,
}

impl Waiting {
    fn forget(&mut self, count: usize) {
        self.hashes.drain(..count);
        self.first = self.first.saturating_add(count as u64);
    }
}

impl Leaves {
    /// Adds those of entries from `first` on.
    pub(crate) fn add(&self, first: u64, hashes: &[Digest]) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.first.saturating_add(waiting.hashes.len() as u64) != first {
            *waiting = Waiting {
                first,
                hashes: VecDeque::new(),
            };
        }
        waiting.hashes.extend(hashes);
        let beyond = waiting.hashes.len().saturating_sub(HASHES_MAX);
        waiting.forget(beyond);
    }

    /// Takes those of so many entries from `first` on, as far as they are
    /// known; older ones are forgotten.
    pub(crate) fn take(&self, first: u64, count: usize) -> Vec<Digest> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = first.checked_sub(waiting.first) else {
            return Vec::new();
        };
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        let before = before.min(waiting.hashes.len());
        waiting.forget(before);
        let known = count.min(waiting.hashes.len());
        let taken = waiting.hashes.range(..known).copied().collect();
        waiting.forget(known);
        if waiting.first == first.saturating_add(known as u64) {
            taken
        } else {
            // There were none as far.
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(numbers: std::ops::Range<u64>) -> Vec<Digest> {
        let hash = |number: u64| crate::merkle::leaf_hash(&number.to_be_bytes());
        numbers.map(hash).collect()
    }

    #[test]
    fn each_entry_gets_its_own_hash_or_none() {
        let leaves = Leaves::default();
        assert_eq!(leaves.take(0, 5), []);
        leaves.add(3, &hashes(3..6));
        leaves.add(6, &hashes(6..9));
        // Those before were never told.
        assert_eq!(leaves.take(0, 5), []);
        assert_eq!(leaves.take(4, 3), hashes(4..7));
        assert_eq!(leaves.take(4, 3), []);
        assert_eq!(leaves.take(7, 9), hashes(7..9));
        // Behind what is known.
        assert_eq!(leaves.take(20, 2), []);
        leaves.add(9, &hashes(9..11));
        assert_eq!(leaves.take(9, 2), hashes(9..11));
        // A gap.
        leaves.add(11, &hashes(11..12));
        leaves.add(15, &hashes(15..17));
        assert_eq!(leaves.take(11, 9), []);
        assert_eq!(leaves.take(15, 9), hashes(15..17));
    }

    #[test]
    fn not_more_are_kept_than_may_wait() {
        let leaves = Leaves::default();
        let count = HASHES_MAX as u64 + 10;
        let all = hashes(0..count);
        for (number, chunk) in (0..).step_by(1_000).zip(all.chunks(1_000)) {
            leaves.add(number, chunk);
        }
        assert_eq!(leaves.take(9, 3), []);
        assert_eq!(leaves.take(10, 3), all[10..13]);
        assert_eq!(leaves.take(count - 2, 3), all[all.len() - 2..]);
    }
}
