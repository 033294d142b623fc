//! Reads a log without holding it: a running node may be writing to it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::{ExchangeId, Leaf};
use thiserror::Error;

use crate::{
    files::Files,
    segment::{self, FrameFault},
};

/// What stands in the way of reading.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadFault {
    /// The folder or a file cannot be read.
    #[error("{file} cannot be read: {kind}")]
    Unreadable {
        /// The file or folder.
        file: String,
        /// What the system says.
        kind: std::io::ErrorKind,
    },
    /// A segment does not begin as one.
    #[error("{file} is not a segment of this log")]
    Header {
        /// The file.
        file: String,
    },
    /// A segment is missing.
    #[error(
        "{file} begins with entry {found}, but the next entry is {expected}: entries are missing"
    )]
    Gap {
        /// The file.
        file: String,
        /// The number that should come.
        expected: u64,
        /// The number that comes.
        found: u64,
    },
    /// An entry is not as it was written.
    #[error("entry {sequence} in {file} at byte {offset}: {fault}")]
    Frame {
        /// The file.
        file: String,
        /// Where in it.
        offset: usize,
        /// The number that the entry should have.
        sequence: u64,
        /// Why.
        fault: FrameFault,
    },
    /// An entry is no record that this build knows.
    #[error("entry {sequence} in {file} is not a record of a version that this merestone knows")]
    Record {
        /// The file.
        file: String,
        /// The entry.
        sequence: u64,
    },
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 0.
    pub sequence: u64,
    /// The record.
    pub leaf: Leaf,
    /// The record's bytes as they stand in the log.
    pub payload: Vec<u8>,
}

/// Where in the log a reader is.
#[derive(Debug)]
pub struct Reader {
    files: Arc<dyn Files>,
    folder: PathBuf,
    segment: Option<(String, Vec<u8>)>,
    offset: usize,
    next: u64,
}

impl Reader {
    /// A reader at the beginning.
    #[must_use]
    pub fn new(files: Arc<dyn Files>, folder: &Path) -> Self {
        Self {
            files,
            folder: folder.to_owned(),
            segment: None,
            offset: 0,
            next: 0,
        }
    }

    /// The next entry; `None` at the end, which may move later.
    ///
    /// # Errors
    /// When an entry that is not the very last cannot be read.
    pub fn read_next(&mut self) -> Result<Option<Entry>, ReadFault> {
        loop {
            let Some((name, bytes)) = &self.segment else {
                if self.load()? {
                    continue;
                }
                return Ok(None);
            };
            match segment::decode(bytes, self.offset, self.next) {
                Ok(frame) => {
                    let leaf =
                        serde_json::from_slice(frame.payload).map_err(|_| ReadFault::Record {
                            file: name.clone(),
                            sequence: frame.sequence,
                        })?;
                    let entry = Entry {
                        sequence: frame.sequence,
                        leaf,
                        payload: frame.payload.to_vec(),
                    };
                    self.offset = frame.end;
                    self.next += 1;
                    return Ok(Some(entry));
                }
                Err(fault) => {
                    let fault = ReadFault::Frame {
                        file: name.clone(),
                        offset: self.offset,
                        sequence: self.next,
                        fault,
                    };
                    if !self.advance(fault)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// No frame here: the segment has grown, it is full, it ends here for now,
    /// or it is broken.
    fn advance(&mut self, fault: ReadFault) -> Result<bool, ReadFault> {
        let Some((name, bytes)) = self.segment.take() else {
            return Ok(false);
        };
        let fresh = self.read(&name)?;
        if fresh.len() > bytes.len() && segment::decode(&fresh, self.offset, self.next).is_ok() {
            self.segment = Some((name, fresh));
            return Ok(true);
        }
        let ended = self.offset == bytes.len();
        let following = self.names()?.into_iter().any(|other| other > name);
        if following && ended {
            return self.load();
        }
        if following || !torn(&bytes, self.offset, self.next) {
            return Err(fault);
        }
        self.segment = Some((name, bytes));
        Ok(false)
    }

    /// Loads the segment that begins with the next number.
    fn load(&mut self) -> Result<bool, ReadFault> {
        let names = self.names()?;
        let wanted = segment::name(self.next);
        let Some(name) = names.iter().find(|name| **name >= wanted) else {
            // At the very beginning there may be none; later the last one
            // stays loaded, so that this means a lost file.
            return Ok(false);
        };
        let first = segment::first_of(name).unwrap_or(u64::MAX);
        if first != self.next {
            return Err(ReadFault::Gap {
                file: name.clone(),
                expected: self.next,
                found: first,
            });
        }
        let bytes = self.read(name)?;
        let last = names.last() == Some(name);
        if bytes.get(..segment::HEADER_BYTES) != Some(&segment::header(first)[..]) {
            // A header may be torn only in the newest segment.
            if last && bytes.len() < segment::HEADER_BYTES {
                return Ok(false);
            }
            return Err(ReadFault::Header { file: name.clone() });
        }
        self.segment = Some((name.clone(), bytes));
        self.offset = segment::HEADER_BYTES;
        Ok(true)
    }

    fn names(&self) -> Result<Vec<String>, ReadFault> {
        let names = self
            .files
            .list(&self.folder)
            .map_err(|error| ReadFault::Unreadable {
                file: self.folder.display().to_string(),
                kind: error.kind(),
            })?;
        Ok(names
            .into_iter()
            .filter(|name| segment::first_of(name).is_some())
            .collect())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, ReadFault> {
        self.files
            .read(&self.folder.join(name))
            .map_err(|error| ReadFault::Unreadable {
                file: name.to_owned(),
                kind: error.kind(),
            })
    }

    /// The number that the next entry will have.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.next
    }

    /// The newest segment's name, the length of its sound part, and its whole length.
    pub(crate) fn end(&self) -> Option<(&str, usize, usize)> {
        self.segment
            .as_ref()
            .map(|(name, bytes)| (name.as_str(), self.offset, bytes.len()))
    }

    /// Every entry of one exchange.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn find(mut self, exchange: ExchangeId) -> Result<Vec<Entry>, ReadFault> {
        let mut found = Vec::new();
        while let Some(entry) = self.read_next()? {
            if entry.leaf.exchange() == Some(exchange) {
                found.push(entry);
            }
        }
        Ok(found)
    }
}

/// Whether what follows the last sound entry can be the rest of a write that
/// a crash cut off: no sound entry stands anywhere behind it.
fn torn(bytes: &[u8], from: usize, next: u64) -> bool {
    // Only entries whose number could stand in this segment are looked at, so
    // that the checksum is computed at few places.
    let possible = next..next.saturating_add(1 << 20);
    let mut at = from;
    while at.saturating_add(segment::FRAME_BYTES) < bytes.len() {
        let number = bytes
            .get(at.saturating_add(8)..at.saturating_add(16))
            .and_then(|b| b.try_into().ok())
            .map(u64::from_le_bytes);
        if number.is_some_and(|number| {
            possible.contains(&number) && segment::decode(bytes, at, number).is_ok()
        }) {
            return false;
        }
        at += 1;
    }
    true
}
