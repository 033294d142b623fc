//! Lines of text, to a file or to standard output. A line in a file is
//! confirmed when it is on the disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{Fate, Fault, Sink, all_confirmed};
use crate::{Event, Format};

/// LIMIT: bytes at the end of a file that are searched for its last line end.
const TAIL_BYTES_MAX: u64 = 1 << 20;

/// A file that is opened for each delivery, so that it can be rotated.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    format: Format,
}

impl FileSink {
    /// Lines in this file.
    #[must_use]
    pub fn new(path: &Path, format: Format) -> Self {
        Self {
            path: path.to_owned(),
            format,
        }
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        // Released when the file is closed: a replay may write beside.
        flock(&file, FlockOperation::LockExclusive)?;
        mend(&mut file)?;
        file.write_all(text)?;
        file.sync_data()
    }
}

/// Cuts a line off that a crash left without its end: it is sent again.
fn mend(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(length.saturating_sub(1)))?;
    let mut last = Vec::new();
    file.take(1).read_to_end(&mut last)?;
    if last.is_empty() || last == b"\n" {
        return Ok(());
    }
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut tail)?;
    let kept = match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => from + at as u64 + 1,
        None if from == 0 => 0,
        None => return Err(io::ErrorKind::InvalidData.into()),
    };
    file.set_len(kept)
}

impl Sink for FileSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let text = lines(events, self.format);
        self.write(text.as_bytes()).map_err(|error| {
            Fault::Down(format!("the file cannot be written: {}", error.kind()))
        })?;
        Ok(all_confirmed(events))
    }
}

/// Standard output. A line is confirmed when the other end of the pipe took it.
#[derive(Debug)]
pub struct StdoutSink {
    format: Format,
}

impl StdoutSink {
    /// Lines on standard output.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format }
    }
}

impl Sink for StdoutSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let text = lines(events, self.format);
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| {
                Fault::Down(format!(
                    "standard output cannot be written: {}",
                    error.kind()
                ))
            })?;
        Ok(all_confirmed(events))
    }
}

fn lines(events: &[Event], format: Format) -> String {
    let mut text = String::new();
    for event in events {
        text.push_str(&format.line(event));
        text.push('\n');
    }
    text
}
