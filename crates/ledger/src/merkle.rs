//! The Merkle tree of RFC 6962, kept as the roots of its full subtrees.

mod proof;

use sha2::{Digest as _, Sha256};
use terms::Digest;

pub use proof::{
    PROOF_HASHES_MAX, Ranges, consistency, inclusion, proves_growth, proves_inclusion,
};

/// Hash of an entry: SHA-256 over a zero byte and the entry's bytes.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    hash(&[&[0], entry])
}

/// Hash of two subtrees: SHA-256 over a one byte, the left and the right hash.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], &left.0, &right.0])
}

/// Root of the subtree over hashes whose number is a power of two; `None` for
/// any other number.
#[must_use]
pub fn subtree(hashes: &[Digest]) -> Option<Digest> {
    let mut row = hashes.to_vec();
    if !row.len().is_power_of_two() {
        return None;
    }
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(left, right)),
                _ => None,
            })
            .collect();
    }
    row.first().copied()
}

/// A growing tree; memory is logarithmic in its size.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Roots of full subtrees with their heights, largest first.
    peaks: Vec<(u32, Digest)>,
}

impl Tree {
    /// Adds a leaf.
    pub fn push(&mut self, entry: &[u8]) {
        self.push_subtree(0, leaf_hash(entry));
    }

    /// Adds a full subtree of 2^height leaves. Every smaller one must come
    /// after it.
    pub fn push_subtree(&mut self, height: u32, root: Digest) {
        let mut node = (height, root);
        while let Some((height, left)) = self.peaks.pop_if(|(height, _)| *height == node.0) {
            node = (height + 1, node_hash(&left, &node.1));
        }
        self.peaks.push(node);
    }

    /// The root of the tree as it is now.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some((_, last)) = peaks.next() else {
            return hash(&[]);
        };
        peaks.fold(*last, |right, (_, left)| node_hash(left, &right))
    }
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    Digest(hash.finalize().into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// RFC 6962 section 2.1, written down directly.
    pub(crate) fn direct(entries: &[Vec<u8>]) -> Digest {
        match entries {
            [] => hash(&[]),
            [one] => hash(&[&[0], one]),
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&direct(&many[..split]), &direct(&many[split..]))
            }
        }
    }

    pub(crate) fn entries(count: u32) -> Vec<Vec<u8>> {
        (0..count)
            .map(|n| n.to_be_bytes().repeat((n % 7) as usize))
            .collect()
    }

    #[test]
    fn the_root_is_that_of_the_definition() {
        let entries = entries(70);
        let mut tree = Tree::default();
        for size in 0..entries.len() {
            assert_eq!(tree.root(), direct(&entries[..size]), "size {size}");
            tree.push(&entries[size]);
        }
    }

    #[test]
    fn subtrees_stand_for_their_leaves() {
        let entries = entries(7);
        let hashes: Vec<Digest> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut tree = Tree::default();
        tree.push_subtree(2, subtree(&hashes[..4]).unwrap());
        tree.push_subtree(1, subtree(&hashes[4..6]).unwrap());
        tree.push(&entries[6]);
        assert_eq!(tree.root(), direct(&entries));
        assert_eq!(subtree(&hashes[..3]), None);
        assert_eq!(subtree(&[]), None);
    }
}
