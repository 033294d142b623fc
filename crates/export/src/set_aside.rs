//! Events that a sink refuses for good: kept in a file of lines, counted, and
//! told; not dropped, and not in the way of what comes after.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::json;
use thiserror::Error;

use crate::{durable, event::Event, format::ocsf};

/// LIMIT: bytes of the file. When it is full nothing is set aside any more, and
/// the sink's cursor stands still until somebody has looked.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why an event could not be set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SetAsideFault {
    /// There is no room.
    #[error("the file of events that were set aside is full; look at it, move it away")]
    Full,
    /// The file cannot be written.
    #[error("an event could not be set aside: {0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for SetAsideFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// The file of one sink.
#[derive(Debug)]
pub struct SetAside {
    path: PathBuf,
    bytes_max: u64,
}

impl SetAside {
    /// The file of a sink in the folder of cursors.
    #[must_use]
    pub fn new(folder: &Path, name: &str, bytes_max: u64) -> Self {
        Self {
            path: folder.join(format!("{name}.set-aside.jsonl")),
            bytes_max,
        }
    }

    /// Sets events aside with the reason; on the disk when it returns.
    ///
    /// # Errors
    /// When there is no room, or it may not be on the disk.
    pub fn add(&self, events: &[(&Event, &str)]) -> Result<(), SetAsideFault> {
        let mut lines = String::new();
        for (event, why) in events {
            let line = json!({ "id": event.id, "why": why, "event": ocsf::value(event) });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        // What a full disk left of a line is no line; its event comes again.
        durable::cut_torn_line(&mut file)?;
        let bytes = file.metadata()?.len();
        if bytes.saturating_add(lines.len() as u64) > self.bytes_max {
            return Err(SetAsideFault::Full);
        }
        file.write_all(lines.as_bytes())?;
        file.sync_data()?;
        if is_new {
            durable::sync_folder_of(&self.path)?;
        }
        Ok(())
    }
}
