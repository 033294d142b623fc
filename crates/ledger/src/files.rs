//! All file access of the ledger stands behind this one interface, so that
//! crashes and failing disks can be simulated.

mod disk;
mod memory;

use std::{fmt::Debug, io, path::Path};

pub use disk::DiskFiles;
pub use memory::{Fault, MemoryFiles};

/// A file that is only ever appended to.
pub trait Append: Send + Debug {
    /// Writes all bytes at the end.
    ///
    /// # Errors
    /// When not all were written; what was written is then undefined.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was written is on the disk.
    ///
    /// # Errors
    /// When it may not be. Never call it again after that: the system may
    /// have thrown the bytes away and would report success.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to this length.
    ///
    /// # Errors
    /// When it cannot.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

/// Held as long as the folder is in use; released when dropped.
pub trait Lock: Send + Sync + Debug {}

/// A place for files.
pub trait Files: Send + Sync + Debug {
    /// Names of the files in a folder, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// The whole content.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A new file; it must not exist. Space may be set aside for it.
    ///
    /// # Errors
    /// When it exists or cannot be made.
    fn create(&self, path: &Path, reserve_bytes: u64) -> io::Result<Box<dyn Append>>;
    /// An existing file, to be appended to.
    ///
    /// # Errors
    /// When it is not there.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Append>>;
    /// Removes a file.
    ///
    /// # Errors
    /// When it cannot.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, in place of a file that has it. Seen by all
    /// at once: the old file or the new one, never neither.
    ///
    /// # Errors
    /// When it cannot.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Returns when the names in a folder are on the disk.
    ///
    /// # Errors
    /// When they may not be.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Locks the folder for this process; `None` if another holds it.
    ///
    /// # Errors
    /// When locks do not work there.
    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Lock>>>;
    /// Free space where the folder is, in bytes.
    ///
    /// # Errors
    /// When the system does not tell.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;
}

/// A new file in place of one that a crash may have left.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn fresh(
    files: &dyn Files,
    path: &Path,
    reserve_bytes: u64,
) -> io::Result<Box<dyn Append>> {
    match files.remove(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.create(path, reserve_bytes)
}
