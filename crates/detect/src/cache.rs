//! What was found in texts that were looked at before. Each turn of a
//! conversation sends the whole history again, and each reply the same words.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use quick_cache::sync;
use terms::{Direction, worked};
use zeroize::Zeroizing;

use crate::{Engine, Scan};

/// LIMIT: texts that are remembered.
pub const CACHED_TEXTS_MAX: usize = 16_384;
/// LIMIT: findings of a text that is remembered.
const FINDINGS_MAX: usize = 32;
/// Bytes that are hashed at once.
const PART_BYTES: usize = 64 << 10;

/// A text's name: half of a keyed hash of all that decides what is found.
type Name = [u8; 16];

/// An engine that does not look twice at the same text of the same caller. It
/// keeps no text: a hash under a key of its own, and where something was found.
pub struct Cached {
    engine: Engine,
    key: Zeroizing<[u8; 32]>,
    scans: sync::Cache<Name, Scan>,
    remembered: AtomicU64,
    looked: AtomicU64,
}

impl Cached {
    /// Remembers nothing yet. The key is to be random and this one's alone.
    #[must_use]
    pub fn new(engine: Engine, key: [u8; 32]) -> Self {
        Self {
            engine,
            key: Zeroizing::new(key),
            scans: sync::Cache::new(CACHED_TEXTS_MAX),
            remembered: AtomicU64::new(0),
            looked: AtomicU64::new(0),
        }
    }

    /// The engine that looks.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// As [`Engine::scan_after`]. What is remembered of one caller's texts is
    /// not used for another's: from the time that an answer takes nobody
    /// learns what others sent.
    #[must_use]
    pub fn scan_after(&self, caller: &str, before: &str, text: &str, direction: Direction) -> Scan {
        self.once(caller, before, text, Some(direction), || {
            self.engine.scan_after(before, text, direction)
        })
    }

    /// As [`Engine::is_clean`].
    #[must_use]
    pub fn is_clean(&self, caller: &str, text: &str) -> bool {
        let scan = self.once(caller, "", text, None, || self.engine.scan_either(text));
        scan.findings.is_empty() && !scan.work_exceeded
    }

    /// How many texts needed no look, and how many were looked at.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.remembered), read(&self.looked))
    }

    fn once(
        &self,
        caller: &str,
        before: &str,
        text: &str,
        direction: Option<Direction>,
        look: impl FnOnce() -> Scan,
    ) -> Scan {
        let name = self.name(caller, before, text, direction);
        if let Some(scan) = self.scans.get(&name) {
            self.remembered.fetch_add(1, Ordering::Relaxed);
            return scan;
        }
        self.looked.fetch_add(1, Ordering::Relaxed);
        let scan = look();
        // What was not looked at whole is not remembered.
        if !scan.work_exceeded && scan.findings.len() <= FINDINGS_MAX {
            self.scans.insert(name, scan.clone());
        }
        scan
    }

    fn name(&self, caller: &str, before: &str, text: &str, direction: Option<Direction>) -> Name {
        let direction: &[u8] = match direction {
            None => b"e",
            Some(Direction::Request) => b"q",
            Some(Direction::Reply) => b"a",
        };
        let mut hash = blake3::Hasher::new_keyed(&self.key);
        hash.update(direction);
        // With their lengths, so that no two splits are alike.
        for part in [caller, before] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        for part in text.as_bytes().chunks(PART_BYTES) {
            hash.update(part);
            worked(part.len());
        }
        let mut name = Name::default();
        hash.finalize_xof().fill(&mut name);
        name
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cached({} texts)", self.scans.len())
    }
}

#[cfg(test)]
mod tests;
