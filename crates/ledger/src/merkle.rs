//! The Merkle tree of RFC 6962, kept as the roots of its full subtrees.

use sha2::{Digest as _, Sha256};
use terms::Digest;

/// A growing tree; memory is logarithmic in its size.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Roots of full subtrees with their heights, largest first.
    peaks: Vec<(u32, [u8; 32])>,
}

impl Tree {
    /// Adds a leaf.
    pub fn push(&mut self, entry: &[u8]) {
        let mut node = (0, hash(&[&[0], entry]));
        while let Some((height, left)) = self.peaks.pop_if(|(height, _)| *height == node.0) {
            node = (height + 1, hash(&[&[1], &left, &node.1]));
        }
        self.peaks.push(node);
    }

    /// The root of the tree as it is now.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some((_, last)) = peaks.next() else {
            return Digest(hash(&[]));
        };
        Digest(peaks.fold(*last, |right, (_, left)| hash(&[&[1], left, &right])))
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962 section 2.1, written down directly.
    fn direct(entries: &[Vec<u8>]) -> [u8; 32] {
        match entries {
            [] => hash(&[]),
            [one] => hash(&[&[0], one]),
            many => {
                let split = many.len().next_power_of_two() / 2;
                hash(&[&[1], &direct(&many[..split]), &direct(&many[split..])])
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition() {
        let entries: Vec<Vec<u8>> = (0..70_u8).map(|n| vec![n; usize::from(n)]).collect();
        let mut tree = Tree::default();
        for size in 0..entries.len() {
            assert_eq!(tree.root().0, direct(&entries[..size]), "size {size}");
            tree.push(&entries[size]);
        }
    }
}
