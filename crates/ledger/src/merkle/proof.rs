//! Proofs of RFC 6962 sections 2.1.1 and 2.1.2: that an entry is in a tree, and
//! that one tree is the beginning of another. Checking follows RFC 9162
//! sections 2.1.3.2 and 2.1.4.2 and shares nothing with making.

use terms::Digest;

use super::{Tree, node_hash};

/// LIMIT: hashes of one proof; a tree of 2^63 entries needs no more.
pub const PROOF_HASHES_MAX: usize = 63;

/// Hashes of parts of a tree.
pub trait Ranges {
    /// Why one is not there.
    type Fault;

    /// Root over the entries from `start` to before `end`. `start` is a
    /// multiple of the largest power of two below `end - start`.
    ///
    /// # Errors
    /// When what it is made of is not there.
    fn range(&mut self, start: u64, end: u64) -> Result<Digest, Self::Fault>;
}

/// The largest power of two that is smaller than a size above 1.
const fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The hashes that lead from an entry to the root of the tree over the first
/// `size` entries, leaf's neighbour first. `index` must be below `size`.
///
/// # Errors
/// When a part of the tree is not there.
pub fn inclusion<R: Ranges>(tree: &mut R, index: u64, size: u64) -> Result<Vec<Digest>, R::Fault> {
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 && index < size {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(tree.range(middle, end)?);
            end = middle;
        } else {
            proof.push(tree.range(start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the tree over the first `old` entries is the
/// beginning of that over the first `new`. Empty if `old` is 0 or `new`;
/// `old` must not be larger.
///
/// # Errors
/// When a part of the tree is not there.
pub fn consistency<R: Ranges>(tree: &mut R, old: u64, new: u64) -> Result<Vec<Digest>, R::Fault> {
    let mut proof = Vec::new();
    if old == 0 || old >= new {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(tree.range(middle, end)?);
            end = middle;
        } else {
            proof.push(tree.range(start, middle)?);
            start = middle;
        }
    }
    // The old tree's own root is known to whoever asks.
    if start > 0 {
        proof.push(tree.range(start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Where a check is in both trees.
struct Walk {
    at: u64,
    last: u64,
}

impl Walk {
    fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }

    /// Whether the next hash stands on the left.
    fn take_left(&mut self) -> bool {
        let left = self.at & 1 == 1 || self.at == self.last;
        if left {
            while self.at & 1 == 0 && self.at != 0 {
                self.up();
            }
        }
        left
    }
}

/// Whether a proof shows that the entry with this leaf hash stands at `index`
/// of the tree with this size and root.
#[must_use]
pub fn proves_inclusion(
    proof: &[Digest],
    index: u64,
    leaf: Digest,
    size: u64,
    root: Digest,
) -> bool {
    if index >= size || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    let mut walk = Walk {
        at: index,
        last: size - 1,
    };
    let mut hash = leaf;
    for step in proof {
        if walk.last == 0 {
            return false;
        }
        hash = if walk.take_left() {
            node_hash(step, &hash)
        } else {
            node_hash(&hash, step)
        };
        walk.up();
    }
    walk.last == 0 && hash == root
}

/// Whether a proof shows that the tree with the size and root of `old` is the
/// beginning of that of `new`.
#[must_use]
pub fn proves_growth(proof: &[Digest], old: (u64, Digest), new: (u64, Digest)) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    if old_size == 0 {
        return proof.is_empty() && old_root == Tree::default().root();
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    let mut walk = Walk {
        at: old_size - 1,
        last: new_size - 1,
    };
    while walk.at & 1 == 1 {
        walk.up();
    }
    let mut steps = proof.iter();
    let first = if old_size.is_power_of_two() {
        Some(&old_root)
    } else {
        steps.next()
    };
    let Some(first) = first else {
        return false;
    };
    let (mut was, mut is) = (*first, *first);
    for step in steps {
        if walk.last == 0 {
            return false;
        }
        if walk.take_left() {
            was = node_hash(step, &was);
            is = node_hash(step, &is);
        } else {
            is = node_hash(&is, step);
        }
        walk.up();
    }
    walk.last == 0 && was == old_root && is == new_root
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::merkle::{
        leaf_hash,
        tests::{direct, entries},
    };

    struct Whole(Vec<Vec<u8>>);

    impl Ranges for Whole {
        type Fault = Infallible;
        fn range(&mut self, start: u64, end: u64) -> Result<Digest, Infallible> {
            Ok(direct(&self.0[start as usize..end as usize]))
        }
    }

    #[test]
    fn every_entry_of_every_small_tree_is_proved_and_nothing_else() {
        let mut whole = Whole(entries(66));
        for size in 1..=66 {
            let root = direct(&whole.0[..size as usize]);
            for index in 0..size {
                let proof = inclusion(&mut whole, index, size).unwrap();
                let leaf = leaf_hash(&whole.0[index as usize]);
                assert!(proves_inclusion(&proof, index, leaf, size, root));
                let other = leaf_hash(b"other");
                assert!(!proves_inclusion(&proof, index, other, size, root));
                assert!(!proves_inclusion(&proof, index, leaf, size, other));
                for wrong in (0..size + 2).filter(|wrong| *wrong != index) {
                    assert!(!proves_inclusion(&proof, wrong, leaf, size, root));
                }
                let longer = [proof.clone(), vec![other]].concat();
                assert!(!proves_inclusion(&longer, index, leaf, size, root));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!proves_inclusion(shorter, index, leaf, size, root));
                }
            }
        }
    }

    #[test]
    fn every_growth_of_every_small_tree_is_proved_and_nothing_else() {
        let mut whole = Whole(entries(66));
        let roots: Vec<Digest> = (0..=66).map(|size| direct(&whole.0[..size])).collect();
        let other = leaf_hash(b"other");
        for new in 0..=66_u64 {
            for old in 0..=new {
                let proof = consistency(&mut whole, old, new).unwrap();
                let was = (old, roots[old as usize]);
                let is = (new, roots[new as usize]);
                assert!(proves_growth(&proof, was, is), "{old} to {new}");
                assert!(!proves_growth(&proof, (old, other), is));
                if old > 0 {
                    assert!(!proves_growth(&proof, was, (new, other)));
                }
                if old > 0 && old < new {
                    assert!(!proves_growth(&proof, (old - 1, was.1), is) || old == 1);
                    assert!(!proves_growth(&proof, is, was));
                }
                for at in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[at] = other;
                    assert!(!proves_growth(&changed, was, is));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_proof_is_judged_without_panic(hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70), index: u64, size: u64, new: u64) {
            let proof: Vec<Digest> = hashes.into_iter().map(Digest).collect();
            let root = leaf_hash(b"");
            prop_assert!(!proves_inclusion(&proof, index, root, size, root) || size == 1);
            prop_assert!(!proves_growth(&proof, (size, root), (new, root)) || size == new);
        }
    }
}
