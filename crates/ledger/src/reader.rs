//! Reads a log without holding it: a running node may be writing to it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::{Act, ExchangeId, Leaf};
use thiserror::Error;

use crate::{
    files::{Files, says},
    prune,
    publish::FOLDER,
    segment::{self, FrameFault},
};

/// What stands in the way of reading.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadFault {
    /// The folder or a file cannot be read.
    #[error("{file} cannot be read: {}", says(*.kind))]
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
    /// A segment is there that is no part of the log.
    #[error(
        "{file} is no part of this log: no segment begins there. If it is a copy, move it out of the folder"
    )]
    Stray {
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

/// What stands after the last entry and is none: the rest of a write that a
/// crash cut off, or one that a running gate is just making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Why it is no entry.
    pub(crate) fault: ReadFault,
    /// Its length.
    pub(crate) bytes: u64,
}

/// Where in the log a reader is.
#[derive(Debug)]
pub struct Reader {
    files: Arc<dyn Files>,
    folder: PathBuf,
    /// The segment that is being read. Once there is one, there always is.
    segment: Option<(String, Vec<u8>)>,
    /// Every segment that was read.
    seen: BTreeSet<String>,
    offset: usize,
    /// Where the group ends whose entries are being read.
    group_end: usize,
    next: u64,
    rest: Option<Rest>,
}

impl Reader {
    /// A reader at the beginning.
    #[must_use]
    pub fn new(files: Arc<dyn Files>, folder: &Path) -> Self {
        Self {
            files,
            folder: folder.to_owned(),
            segment: None,
            seen: BTreeSet::new(),
            offset: 0,
            group_end: 0,
            next: 0,
            rest: None,
        }
    }

    /// The next entry; `None` at the end, which may move later.
    ///
    /// # Errors
    /// When an entry that is not the very last cannot be read, or a segment
    /// is there that is no part of the log.
    pub fn read_next(&mut self) -> Result<Option<Entry>, ReadFault> {
        loop {
            let Some((name, bytes)) = &self.segment else {
                if self.load()? {
                    continue;
                }
                return Ok(None);
            };
            if self.offset < self.group_end {
                let (entry, end) = self.entry(name, bytes)?;
                self.offset = end;
                self.next += 1;
                return Ok(Some(entry));
            }
            if let Ok(group) = segment::decode_group(bytes, self.offset, self.next) {
                self.offset = group.frames;
                self.group_end = group.end;
                self.rest = None;
            } else {
                let name = name.clone();
                if !self.advance(name)? {
                    return Ok(None);
                }
            }
        }
    }

    /// The entry at the offset, which lies in a whole group, and where it ends.
    fn entry(&self, name: &str, bytes: &[u8]) -> Result<(Entry, usize), ReadFault> {
        let group = bytes.get(..self.group_end).unwrap_or(bytes);
        let frame =
            segment::decode(group, self.offset, self.next).map_err(|fault| ReadFault::Frame {
                file: name.to_owned(),
                offset: self.offset,
                sequence: self.next,
                fault,
            })?;
        let leaf = serde_json::from_slice(frame.payload).map_err(|_| ReadFault::Record {
            file: name.to_owned(),
            sequence: frame.sequence,
        })?;
        let entry = Entry {
            sequence: frame.sequence,
            leaf,
            payload: frame.payload.to_vec(),
        };
        Ok((entry, frame.end))
    }

    /// No group here: the segment has grown, it is full, it ends here for now,
    /// or it is broken.
    fn advance(&mut self, name: String) -> Result<bool, ReadFault> {
        // INVARIANT: the names are listed before the segment is read again. If
        // a later one is among them, nothing is written to this one any more,
        // and what is read now is all of it.
        let names = self.names()?;
        let fresh = self.read(&name)?;
        let found = segment::decode_group(&fresh, self.offset, self.next);
        let left = fresh.len().checked_sub(self.offset);
        let later = left != Some(0) && segment::later_group(&fresh, self.offset, self.next);
        let later_name = names.iter().find(|other| **other > name);
        let following = later_name.is_some();
        self.segment = Some((name.clone(), fresh));
        let Err(broken) = found else {
            return Ok(true);
        };
        self.no_stray(&names)?;
        if left == Some(0) {
            self.rest = None;
            // A segment that others follow holds at least one entry; looking
            // for the next number would find this one again.
            if let Some(later_name) = later_name
                && segment::first_of(&name) == Some(self.next)
            {
                return Err(ReadFault::Gap {
                    file: later_name.clone(),
                    expected: self.next,
                    found: segment::first_of(later_name).unwrap_or(u64::MAX),
                });
            }
            return if following { self.load() } else { Ok(false) };
        }
        let fault = ReadFault::Frame {
            file: name,
            offset: broken.offset,
            sequence: broken.sequence,
            fault: broken.fault,
        };
        // A file that has become shorter than what was read of it is no log
        // that goes on.
        let Some(left) = left.filter(|_| !following && !later) else {
            return Err(fault);
        };
        self.rest = Some(Rest {
            fault,
            bytes: left as u64,
        });
        Ok(false)
    }

    /// Loads the segment that begins with the next number. If it has no header
    /// yet, the one before stays loaded.
    fn load(&mut self) -> Result<bool, ReadFault> {
        let names = self.names()?;
        self.no_stray(&names)?;
        let mut wanted = segment::name(self.next);
        let Some(name) = names.iter().find(|name| **name >= wanted) else {
            return Ok(false);
        };
        let first = segment::first_of(name).unwrap_or(u64::MAX);
        if self.seen.is_empty() && self.next == 0 && first > 0 {
            let tlog = self.folder.join(FOLDER);
            // The segments before were pruned.
            if first <= prune::minimum(&*self.files, &tlog) {
                self.next = first;
                wanted = segment::name(first);
            }
        }
        if *name != wanted {
            return Err(ReadFault::Gap {
                file: name.clone(),
                expected: self.next,
                found: segment::first_of(name).unwrap_or(u64::MAX),
            });
        }
        let bytes = self.read(name)?;
        if bytes.get(..segment::HEADER_BYTES) != Some(&segment::header(self.next)[..]) {
            let fault = ReadFault::Header { file: name.clone() };
            // A header may be cut off only in the newest segment.
            if names.last() != Some(name) || bytes.len() >= segment::HEADER_BYTES {
                return Err(fault);
            }
            let bytes = bytes.len() as u64;
            self.rest = Some(Rest { fault, bytes });
            return Ok(false);
        }
        self.seen.insert(name.clone());
        self.segment = Some((name.clone(), bytes));
        self.offset = segment::HEADER_BYTES;
        self.group_end = segment::HEADER_BYTES;
        self.rest = None;
        Ok(true)
    }

    /// Every segment before the next number was read: one that was not is no
    /// part of this log.
    fn no_stray(&self, names: &[String]) -> Result<(), ReadFault> {
        let next = segment::name(self.next);
        let stray = names
            .iter()
            .find(|name| **name < next && !self.seen.contains(*name));
        match stray {
            Some(file) => Err(ReadFault::Stray { file: file.clone() }),
            None => Ok(()),
        }
    }

    fn names(&self) -> Result<Vec<String>, ReadFault> {
        let names = self
            .files
            .list(&self.folder)
            .map_err(|error| ReadFault::Unreadable {
                file: self.folder.display().to_string(),
                kind: error.kind(),
            })?;
        let named: Vec<String> = names
            .into_iter()
            .filter(|name| segment::is_named_as_one(name))
            .collect();
        match named.iter().find(|name| segment::first_of(name).is_none()) {
            Some(file) => Err(ReadFault::Stray { file: file.clone() }),
            None => Ok(named),
        }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, ReadFault> {
        self.files
            .read(&self.folder.join(name))
            .map_err(|error| ReadFault::Unreadable {
                file: name.to_owned(),
                kind: error.kind(),
            })
    }

    /// The first entry that is there, if nothing was read yet: 0 unless the
    /// log was pruned.
    pub(crate) fn first(&mut self) -> Result<u64, ReadFault> {
        if self.segment.is_none() {
            self.load()?;
        }
        Ok(self.next)
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

    /// What stands after the last entry, once the end was reached.
    pub(crate) const fn rest(&self) -> Option<&Rest> {
        self.rest.as_ref()
    }

    /// Every entry of one exchange.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn find(mut self, exchange: ExchangeId) -> Result<Vec<Entry>, ReadFault> {
        let (mut found, name) = (Vec::new(), exchange.to_string());
        while let Some(entry) = self.read_next()? {
            let about = match &entry.leaf {
                Leaf::Event(event) => {
                    matches!(event.act, Act::Revealed | Act::Erased) && event.subject == name
                }
                leaf => leaf.exchange() == Some(exchange),
            };
            if about {
                found.push(entry);
            }
        }
        Ok(found)
    }
}
