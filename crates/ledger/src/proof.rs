//! The proof of one entry as one text, to be checked without the log:
//! c2sp.org/tlog-proof. The entry itself stands in it as its further data.

use base64::{Engine, engine::general_purpose::STANDARD};
use terms::Digest;
use thiserror::Error;

use crate::{
    canonical::LEAF_BYTES_MAX,
    merkle::{self, PROOF_HASHES_MAX},
    note::{Checkpoint, NOTE_BYTES_MAX, Note, NoteFault, VerifierKey, decimal, hash, hash_text},
    verify::{self, EntryFault},
};

/// First line of a proof.
const FIRST: &str = "c2sp.org/tlog-proof@v1";
/// LIMIT: bytes of a proof: the entry in base64, its hashes, the checkpoint.
pub const BUNDLE_BYTES_MAX: usize = LEAF_BYTES_MAX * 2 + PROOF_HASHES_MAX * 48 + NOTE_BYTES_MAX;

/// Why a proof does not prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BundleFault {
    /// It is longer than any proof.
    #[error("it is longer than a proof can be")]
    TooLong,
    /// It has not the form of one.
    #[error("it has not the form of a proof (c2sp.org/tlog-proof) with its entry")]
    Form,
    /// Its checkpoint is not to be trusted.
    #[error("its checkpoint is not to be trusted: {0}")]
    Checkpoint(#[from] NoteFault),
    /// What stands in it is no entry.
    #[error("what stands in it as entry {index} {fault}")]
    Entry {
        /// The entry's number.
        index: u64,
        /// Why.
        fault: EntryFault,
    },
    /// The entry is not one of the log that the checkpoint was signed over.
    #[error("its entry is not entry {0} of the log over which its checkpoint was signed")]
    Inclusion(u64),
}

/// One entry and all that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Its number in the log, from 0.
    pub index: u64,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// The hashes that lead to the root.
    pub proof: Vec<Digest>,
    /// The checkpoint, a signed note.
    pub checkpoint: Vec<u8>,
}

impl Bundle {
    /// The proof as a text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let entry = STANDARD.encode(&self.entry);
        let mut text = format!("{FIRST}\nextra {entry}\nindex {}\n", self.index);
        for hash in &self.proof {
            text.push_str(&hash_text(hash));
            text.push('\n');
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// Reads a proof. Nothing of it is to be trusted before it is verified.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleFault> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleFault::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BundleFault::Form)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(BundleFault::Form)?;
        let mut lines = head.split('\n');
        let first = lines.next();
        let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
        let entry = extra.and_then(|extra| STANDARD.decode(extra).ok());
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(decimal);
        let (Some(FIRST), Some(entry), Some(index)) = (first, entry, index) else {
            return Err(BundleFault::Form);
        };
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_HASHES_MAX {
                return Err(BundleFault::TooLong);
            }
            proof.push(hash(line).ok_or(BundleFault::Form)?);
        }
        Ok(Self {
            index,
            entry,
            proof,
            checkpoint: checkpoint.as_bytes().to_vec(),
        })
    }

    /// That the entry is a record, and is in the log of this key. Answers the
    /// checkpoint, and the note with its lines.
    ///
    /// # Errors
    /// When the proof does not show it.
    pub fn verify(&self, key: &VerifierKey) -> Result<(Checkpoint, Note), BundleFault> {
        let (checkpoint, note) = Checkpoint::verified(&self.checkpoint, key)?;
        let proved = merkle::proves_inclusion(
            &self.proof,
            self.index,
            merkle::leaf_hash(&self.entry),
            checkpoint.size,
            checkpoint.root,
        );
        if !proved {
            return Err(BundleFault::Inclusion(self.index));
        }
        let index = self.index;
        verify::record(&self.entry).map_err(|fault| BundleFault::Entry { index, fault })?;
        Ok((checkpoint, note))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::Secret;

    use super::*;
    use crate::note::LogKey;

    const ENTRY: &[u8] = br#"{"at_ms":1,"from_ms":1,"open":0,"type":"unclean-start","v":1}"#;

    fn bundle() -> (Bundle, LogKey) {
        bundle_of(ENTRY)
    }

    fn bundle_of(entry: &[u8]) -> (Bundle, LogKey) {
        let key = LogKey::new("log.example/a", Secret::new([1; 32])).unwrap();
        let (entry, other) = (entry.to_vec(), merkle::leaf_hash(b"b"));
        let checkpoint = Checkpoint {
            origin: "log.example/a".to_owned(),
            size: 2,
            root: merkle::node_hash(&other, &merkle::leaf_hash(&entry)),
        };
        let bundle = Bundle {
            index: 1,
            entry,
            proof: vec![other],
            checkpoint: checkpoint.sign(&key).encode(),
        };
        (bundle, key)
    }

    #[test]
    fn a_proof_reads_back_and_one_changed_bit_proves_nothing() {
        let (bundle, key) = bundle();
        let bytes = bundle.encode();
        let read = Bundle::read(&bytes).unwrap();
        assert_eq!(read, bundle);
        assert_eq!(read.verify(key.verifier()).unwrap().0.size, 2);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let judged = Bundle::read(&changed).map(|read| read.verify(key.verifier()));
                assert!(!matches!(judged, Ok(Ok(_))), "byte {at}");
            }
        }
    }

    #[test]
    fn another_key_entry_or_number_is_refused() {
        let (bundle, key) = bundle();
        let other = LogKey::new("log.example/a", Secret::new([2; 32])).unwrap();
        let judged = bundle.verify(other.verifier());
        assert_eq!(judged, Err(BundleFault::Checkpoint(NoteFault::Unsigned)));
        let swapped = Bundle {
            entry: b"b".to_vec(),
            ..bundle.clone()
        };
        let judged = swapped.verify(key.verifier());
        assert_eq!(judged, Err(BundleFault::Inclusion(1)));
        let moved = Bundle { index: 0, ..bundle };
        assert_eq!(moved.verify(key.verifier()), Err(BundleFault::Inclusion(0)));
    }

    #[test]
    fn what_is_no_record_is_not_proved_though_it_is_in_the_log() {
        let text = String::from_utf8(ENTRY.to_vec()).unwrap();
        for (entry, fault) in [
            (String::new(), EntryFault::Length),
            (" ".repeat(LEAF_BYTES_MAX + 1), EntryFault::Length),
            ("no JSON".to_owned(), EntryFault::Record),
            (text.replace("\"v\":1", "\"v\":2"), EntryFault::Record),
            (text.replace("unclean-start", "other"), EntryFault::Record),
            (text.replace(':', ": "), EntryFault::Canonical),
            (
                text.replace("\"v\"", "\"more\":1,\"v\""),
                EntryFault::Canonical,
            ),
        ] {
            let (bundle, key) = bundle_of(entry.as_bytes());
            // Longer ones are no proof at all.
            let judged = bundle.verify(key.verifier());
            assert_eq!(
                judged,
                Err(BundleFault::Entry { index: 1, fault }),
                "{entry:.80}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), rest in "(extra|index|[A-Z=0-9 ]|\n){0,60}") {
            let _ = Bundle::read(&bytes);
            let _ = Bundle::read(format!("{FIRST}\n{rest}").as_bytes());
        }
    }
}
