//! Hashes of entries on their way from the thread that writes to the one that
//! publishes. What is published is then the hash of what was acknowledged, and
//! none is made twice: an entry that somebody changed on the disk in between
//! does not get into the tree.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use terms::Digest;

/// LIMIT: hashes that wait, 4 MiB of them. Older ones are made again from what
/// is on the disk.
const HASHES_MAX: usize = 131_072;
/// LIMIT: hashes for which memory is kept while none wait.
const KEPT_MAX: usize = 4_096;

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

    /// Takes those of so many entries from `first` on; `None` for each that is
    /// not known. Older ones are forgotten.
    pub(crate) fn take(&self, first: u64, count: usize) -> Vec<Option<Digest>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let narrow = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let older = narrow(first.saturating_sub(waiting.first));
        let older = older.min(waiting.hashes.len());
        waiting.forget(older);
        let mut taken = vec![None; narrow(waiting.first.saturating_sub(first)).min(count)];
        if waiting.first >= first {
            let known = (count - taken.len()).min(waiting.hashes.len());
            taken.extend(waiting.hashes.range(..known).copied().map(Some));
            waiting.forget(known);
        }
        taken.resize(count, None);
        if waiting.hashes.is_empty() && waiting.hashes.capacity() > KEPT_MAX {
            waiting.hashes = VecDeque::new();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> Digest {
        crate::merkle::leaf_hash(&number.to_be_bytes())
    }

    fn hashes(numbers: std::ops::Range<u64>) -> Vec<Digest> {
        numbers.map(hash).collect()
    }

    /// Which of the entries from `first` on get a hash; each must be its own.
    fn known(leaves: &Leaves, first: u64, count: usize) -> Vec<u64> {
        let taken = leaves.take(first, count);
        assert_eq!(taken.len(), count);
        let known = (first..).zip(taken);
        let known = known.filter_map(|(number, leaf)| Some((number, leaf?)));
        known
            .map(|(number, leaf)| {
                assert_eq!(leaf, hash(number));
                number
            })
            .collect()
    }

    #[test]
    fn each_entry_gets_its_own_hash_or_none() {
        let leaves = Leaves::default();
        assert!(known(&leaves, 0, 5).is_empty());
        leaves.add(3, &hashes(3..6));
        leaves.add(6, &hashes(6..9));
        // Those before were never told.
        assert!(known(&leaves, 0, 2).is_empty());
        assert_eq!(known(&leaves, 1, 4), [3, 4]);
        assert_eq!(known(&leaves, 6, 1), [6]);
        assert!(known(&leaves, 6, 1).is_empty());
        assert_eq!(known(&leaves, 7, 9), [7, 8]);
        // Behind what is known.
        assert!(known(&leaves, 20, 2).is_empty());
        leaves.add(9, &hashes(9..11));
        assert_eq!(known(&leaves, 9, 2), [9, 10]);
        // A gap.
        leaves.add(11, &hashes(11..12));
        leaves.add(15, &hashes(15..17));
        assert_eq!(known(&leaves, 11, 5), [15]);
        assert_eq!(known(&leaves, 16, 9), [16]);
    }

    #[test]
    fn not_more_are_kept_than_may_wait() {
        let leaves = Leaves::default();
        let count = HASHES_MAX as u64 + 10;
        let all = hashes(0..count);
        for (number, chunk) in (0..).step_by(1_000).zip(all.chunks(1_000)) {
            leaves.add(number, chunk);
        }
        assert_eq!(known(&leaves, 8, 4), [10, 11]);
        assert_eq!(known(&leaves, count - 2, 3), [count - 2, count - 1]);
    }
}
