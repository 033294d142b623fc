//! Lines of text, to a file or to standard output. A line in a file is
//! confirmed when it is on the disk.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{Fate, Fault, Sink, all_confirmed};
use crate::{Event, Format, durable};

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
        // Empty: it may be new, after a rotation, and its name not durable yet.
        let is_new = file.metadata()?.len() == 0;
        durable::cut_torn_line(&mut file)?;
        file.write_all(text)?;
        file.sync_data()?;
        if is_new {
            durable::sync_folder_of(&self.path)?;
        }
        Ok(())
    }
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
    /// Whether the last delivery broke off, perhaps within a line.
    torn: bool,
}

impl StdoutSink {
    /// Lines on standard output.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self {
            format,
            torn: false,
        }
    }
}

impl Sink for StdoutSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        write(
            &mut io::stdout().lock(),
            events,
            self.format,
            &mut self.torn,
        )
        .map_err(|error| {
            Fault::Down(format!(
                "standard output cannot be written: {}",
                error.kind()
            ))
        })?;
        Ok(all_confirmed(events))
    }
}

/// Writes lines to what cannot be cut: after a delivery that broke off they
/// begin on a line of their own, so that none is glued to half of another.
pub(super) fn write(
    out: &mut impl Write,
    events: &[Event],
    format: Format,
    torn: &mut bool,
) -> io::Result<()> {
    let mut text = lines(events, format);
    if *torn {
        text.insert(0, '\n');
    }
    *torn = true;
    out.write_all(text.as_bytes())?;
    out.flush()?;
    *torn = false;
    Ok(())
}

fn lines(events: &[Event], format: Format) -> String {
    let mut text = String::new();
    for event in events {
        text.push_str(&format.line(event));
        text.push('\n');
    }
    text
}
