//! Signed notes by c2sp.org/signed-note: a text, and lines that sign it.

mod key;

use base64::{Engine, engine::general_purpose::STANDARD};
use terms::Digest;
use thiserror::Error;

pub use key::{Algorithm, KeyFault, LogKey, VerifierKey};

/// LIMIT: bytes of a note.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// LIMIT: signatures of a note.
pub const SIGNATURES_MAX: usize = 64;
/// What a line that signs begins with.
const MARK: &str = "\u{2014} ";

/// Why bytes are no note, or one that is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoteFault {
    /// Not the form of a note.
    #[error("it has not the form of a signed note")]
    Form,
    /// Longer than the limit.
    #[error("it is longer than a note may be")]
    TooLong,
    /// No line signs it with the key that is trusted.
    #[error("it is not signed by the key that is trusted")]
    Unsigned,
    /// A line of the key that is trusted does not fit the text.
    #[error("its signature is wrong: the text is not the one that was signed")]
    Signature,
    /// The text is not that of a checkpoint.
    #[error("its text is not that of a checkpoint")]
    Checkpoint,
    /// The checkpoint is another log's.
    #[error("it is the checkpoint of another log")]
    Origin,
}

/// One line that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name of the key.
    pub name: String,
    /// The key's number, from its name, kind and bytes.
    pub id: [u8; 4],
    /// What the kind of key defines.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// The line, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        let bytes = [&self.id[..], &self.bytes].concat();
        format!("{MARK}{} {}\n", self.name, STANDARD.encode(bytes))
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(line: &str) -> Result<Self, NoteFault> {
        let rest = line.strip_prefix(MARK).ok_or(NoteFault::Form)?;
        let (name, bytes) = rest.split_once(' ').ok_or(NoteFault::Form)?;
        let bytes = STANDARD.decode(bytes).map_err(|_| NoteFault::Form)?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(NoteFault::Form)?;
        if !key::is_name(name) || bytes.is_empty() {
            return Err(NoteFault::Form);
        }
        Ok(Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }

    /// Whether this key made it, by name and number.
    #[must_use]
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

/// A signed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with its last line end.
    pub text: String,
    /// Who signed it.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Reads a note. Nothing of it is to be trusted before it is verified.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, NoteFault> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteFault::TooLong);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteFault::Form)?;
        if whole.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteFault::Form);
        }
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteFault::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteFault::Form)?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == SIGNATURES_MAX {
                return Err(NoteFault::TooLong);
            }
            signatures.push(Signature::read(line)?);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            out.push_str(&signature.line());
        }
        out.into_bytes()
    }

    /// Adds lines, in place of those that the same keys have there.
    pub fn add(&mut self, lines: Vec<Signature>) {
        let same =
            |one: &Signature, other: &Signature| one.name == other.name && one.id == other.id;
        self.signatures
            .retain(|old| !lines.iter().any(|new| same(old, new)));
        self.signatures.extend(lines);
        self.signatures.truncate(SIGNATURES_MAX);
    }

    /// That this key signed the text.
    ///
    /// # Errors
    /// When it did not, or a line in its name is wrong.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteFault> {
        let mut signed = false;
        for signature in self.signatures.iter().filter(|line| line.is_of(key)) {
            if !key.verifies(&self.text, &signature.bytes) {
                return Err(NoteFault::Signature);
            }
            signed = true;
        }
        if signed {
            Ok(())
        } else {
            Err(NoteFault::Unsigned)
        }
    }
}

/// What a checkpoint says: c2sp.org/tlog-checkpoint, without further lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root.0);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// When it is no checkpoint.
    pub fn read(text: &str) -> Result<Self, NoteFault> {
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|line| key::is_name(line));
        let size = lines.next().and_then(decimal);
        let root = lines.next().and_then(hash);
        match (origin, size, root, lines.next(), lines.next()) {
            (Some(origin), Some(size), Some(root), Some(""), None) => Ok(Self {
                origin: origin.to_owned(),
                size,
                root,
            }),
            _ => Err(NoteFault::Checkpoint),
        }
    }

    /// Reads a note and what it says, if the log's key signed it.
    ///
    /// # Errors
    /// When it is no checkpoint of this log.
    pub fn verified(bytes: &[u8], key: &VerifierKey) -> Result<(Self, Note), NoteFault> {
        let note = Note::read(bytes)?;
        note.verify(key)?;
        let checkpoint = Self::read(&note.text)?;
        if checkpoint.origin != key.name() {
            return Err(NoteFault::Origin);
        }
        Ok((checkpoint, note))
    }

    /// The note that the log signs.
    #[must_use]
    pub fn sign(&self, key: &LogKey) -> Note {
        let text = self.text();
        let signature = key.sign(&text);
        Note {
            text,
            signatures: vec![signature],
        }
    }
}

/// A number as it is written in checkpoints: decimal, without leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    text.parse().ok().filter(|_| plain)
}

/// A hash in base64.
pub(crate) fn hash(text: &str) -> Option<Digest> {
    Some(Digest(STANDARD.decode(text).ok()?.try_into().ok()?))
}

/// A hash as base64.
pub(crate) fn hash_text(hash: &Digest) -> String {
    STANDARD.encode(hash.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::Secret;

    use super::*;

    fn key(seed: u8) -> LogKey {
        LogKey::new("log.example/a", Secret::new([seed; 32])).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "log.example/a".to_owned(),
            size: 70_000,
            root: Digest([9; 32]),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_and_only_under_its_key() {
        let note = checkpoint().sign(&key(1)).encode();
        let verifier = key(1).verifier().clone();
        let (read, _) = Checkpoint::verified(&note, &verifier).unwrap();
        assert_eq!(read, checkpoint());
        let other = Checkpoint::verified(&note, key(2).verifier());
        assert_eq!(other.unwrap_err(), NoteFault::Unsigned);
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut changed = note.clone();
                changed[at] ^= 1 << bit;
                assert!(Checkpoint::verified(&changed, &verifier).is_err(), "{at}");
            }
        }
    }

    #[test]
    fn a_log_signs_for_its_own_origin_only() {
        let other = Checkpoint {
            origin: "log.example/b".to_owned(),
            ..checkpoint()
        };
        let note = other.sign(&key(1)).encode();
        let judged = Checkpoint::verified(&note, key(1).verifier());
        assert_eq!(judged.unwrap_err(), NoteFault::Origin);
    }

    #[test]
    fn odd_texts_are_no_checkpoints() {
        let good = checkpoint().text();
        assert_eq!(Checkpoint::read(&good), Ok(checkpoint()));
        let root = hash_text(&Digest([9; 32]));
        for odd in [
            format!("log.example/a\n070000\n{root}\n"),
            format!("log.example/a\n+70000\n{root}\n"),
            format!("log.example/a\n18446744073709551616\n{root}\n"),
            format!("log.example/a\n\n{root}\n"),
            format!("\n70000\n{root}\n"),
            format!("log example\n70000\n{root}\n"),
            format!("log.example/a\n70000\n{root}"),
            format!("log.example/a\n70000\n{root}\nmore\n"),
            format!("log.example/a\n70000\nAAAA{root}\n"),
            "log.example/a\n70000\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::read(&odd), Err(NoteFault::Checkpoint), "{odd}");
        }
    }

    #[test]
    fn unknown_signatures_stand_beside_and_false_ones_do_not() {
        let mut note = checkpoint().sign(&key(1));
        let verifier = key(1).verifier().clone();
        note.signatures.insert(
            0,
            Signature {
                name: "other.example".to_owned(),
                id: [1, 2, 3, 4],
                bytes: vec![5],
            },
        );
        let read = Note::read(&note.encode()).unwrap();
        assert_eq!(read, note);
        assert_eq!(read.verify(&verifier), Ok(()));
        let mut false_line = read.signatures[1].clone();
        false_line.bytes[0] ^= 1;
        note.signatures.push(false_line);
        assert_eq!(note.verify(&verifier), Err(NoteFault::Signature));
        note.signatures = vec![note.signatures[0].clone(); SIGNATURES_MAX + 1];
        assert_eq!(Note::read(&note.encode()), Err(NoteFault::TooLong));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "(\u{2014}|[a-z+ /=0-9]|\n){0,80}") {
            let _ = Note::read(&bytes);
            let _ = Checkpoint::read(&text);
            if let Ok(note) = Note::read(text.as_bytes()) {
                prop_assert_eq!(note.encode(), text.as_bytes());
            }
        }
    }
}
