//! Reads the payloads of a log that is being written, without looking into
//! them: only what was acknowledged, and of each segment only what is new.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use terms::{in_turns, worked};

use crate::{
    files::Files,
    reader::ReadFault,
    segment::{self, FrameFault, GROUP_BYTES, GROUP_BYTES_MAX, HEADER_BYTES},
};

/// LIMIT: bytes that are read at once; any group fits in.
const READ_BYTES: usize = GROUP_BYTES_MAX + (1 << 20);

/// Payloads in a row, side by side: a piece of memory for each would cost as
/// much as all that is done with it.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Payloads {
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = starts.zip(&self.ends);
        spans.map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }

    fn push(&mut self, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.ends.push(self.bytes.len());
    }
}

/// A place in a log.
#[derive(Debug)]
pub(crate) struct Tail {
    files: Arc<dyn Files>,
    folder: PathBuf,
    /// The segment that is being read, and how far.
    segment: Option<(String, u64)>,
    /// The number of the entry at that place.
    at: u64,
    /// The first entry that is wanted.
    from: u64,
}

impl Tail {
    /// The place before entry `from`.
    pub(crate) fn new(files: Arc<dyn Files>, folder: &Path, from: u64) -> Self {
        Self {
            files,
            folder: folder.to_owned(),
            segment: None,
            at: 0,
            from,
        }
    }

    /// The next payloads: whole groups, up to before entry `until`, which must
    /// have been acknowledged. It ends early once it has `entries_max` of them
    /// or `bytes_max` bytes.
    ///
    /// # Errors
    /// When one is not there as it was written. The place is lost then.
    pub(crate) fn read(
        &mut self,
        until: u64,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Payloads, ReadFault> {
        in_turns(|| self.payloads(until, entries_max, bytes_max))
    }

    fn payloads(
        &mut self,
        until: u64,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Payloads, ReadFault> {
        let mut payloads = Payloads::default();
        let more =
            |payloads: &Payloads| payloads.len() < entries_max && payloads.bytes.len() < bytes_max;
        while self.from < until && more(&payloads) {
            let (name, offset) = match &self.segment {
                Some((name, offset)) => (name.clone(), *offset),
                None => self.begin()?,
            };
            let chunk = self.chunk(&name, offset)?;
            payloads.bytes.reserve(chunk.len());
            let mut done = 0;
            while self.from < until && more(&payloads) {
                let Ok(group) = segment::decode_group(&chunk, done, self.at) else {
                    break;
                };
                self.take(&name, &chunk, group, &mut payloads)?;
                worked(group.end - done);
                done = group.end;
            }
            if done > 0 {
                self.segment = Some((name, offset.saturating_add(done as u64)));
            } else if segment::first_of(&name) == Some(self.at) || !chunk.is_empty() {
                // What was acknowledged must be there.
                return Err(fault(name, offset, self.at, &chunk));
            } else {
                self.segment = None;
            }
        }
        Ok(payloads)
    }

    /// Finds the segment with the entry that is at hand.
    fn begin(&mut self) -> Result<(String, u64), ReadFault> {
        let wanted = self.at.max(self.from);
        let names = self
            .files
            .list(&self.folder)
            .map_err(|error| self.unreadable("", &error))?;
        let found = names
            .into_iter()
            .filter_map(|name| Some((segment::first_of(&name)?, name)))
            .rfind(|(first, _)| *first <= wanted);
        let (first, name) = found.ok_or_else(|| ReadFault::Gap {
            file: segment::name(wanted),
            expected: wanted,
            found: u64::MAX,
        })?;
        // Once a place was reached, the next segment begins right there.
        if self.at > 0 && first != self.at {
            return Err(ReadFault::Gap {
                file: name,
                expected: self.at,
                found: first,
            });
        }
        let header = self
            .files
            .read_from(&self.folder.join(&name), 0, HEADER_BYTES)
            .map_err(|error| self.unreadable(&name, &error))?;
        if header != segment::header(first) {
            return Err(ReadFault::Header { file: name });
        }
        self.at = first;
        Ok((name, HEADER_BYTES as u64))
    }

    fn chunk(&self, name: &str, offset: u64) -> Result<Vec<u8>, ReadFault> {
        self.files
            .read_from(&self.folder.join(name), offset, READ_BYTES)
            .map_err(|error| self.unreadable(name, &error))
    }

    fn take(
        &mut self,
        name: &str,
        chunk: &[u8],
        group: segment::Group,
        payloads: &mut Payloads,
    ) -> Result<(), ReadFault> {
        let whole = chunk.get(..group.end).unwrap_or(chunk);
        let mut offset = group.frames;
        while offset < group.end {
            let frame =
                segment::decode(whole, offset, self.at).map_err(|fault| ReadFault::Frame {
                    file: name.to_owned(),
                    offset,
                    sequence: self.at,
                    fault,
                })?;
            offset = frame.end;
            self.at = self.at.saturating_add(1);
            if frame.sequence >= self.from {
                payloads.push(frame.payload);
                self.from = self.at;
            }
        }
        Ok(())
    }

    fn unreadable(&self, name: &str, error: &std::io::Error) -> ReadFault {
        ReadFault::Unreadable {
            file: self.folder.join(name).display().to_string(),
            kind: error.kind(),
        }
    }
}

fn fault(file: String, offset: u64, sequence: u64, chunk: &[u8]) -> ReadFault {
    let fault = if chunk.len() < GROUP_BYTES {
        FrameFault::Short
    } else {
        FrameFault::Group
    };
    ReadFault::Frame {
        file,
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
        sequence,
        fault,
    }
}
