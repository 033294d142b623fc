//! All file access of the ledger stands behind this one interface, so that
//! crashes and failing disks can be simulated.

mod disk;
mod memory;

use std::{
    collections::BTreeSet,
    fmt::Debug,
    io,
    path::{Path, PathBuf},
};

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
    /// Gives back what was set aside behind the end, where that is possible.
    fn give_back(&mut self) {}
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
    /// At most `bytes_max` bytes of a file from an offset on; fewer at its end.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_from(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>>;
    /// How long a file is, in bytes.
    ///
    /// # Errors
    /// When it is not there.
    fn length(&self, path: &Path) -> io::Result<u64>;
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
    /// Writes over what stands in a file, in its place: what stood there is
    /// gone, and these bytes are on the disk, when it returns.
    ///
    /// # Errors
    /// When they may not be.
    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
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
    /// A folder and those above it, if they are not there; their names are on
    /// the disk when it returns.
    ///
    /// # Errors
    /// When it cannot be made.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a folder that holds nothing.
    ///
    /// # Errors
    /// When it holds something or is not there.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
    /// Returns when all that was written to these files, which lie below
    /// `folder`, is on the disk.
    ///
    /// # Errors
    /// When it may not be. None of the files is to be used after that.
    fn sync_all(&self, folder: &Path, written: &mut [Box<dyn Append>]) -> io::Result<()>;
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

/// Whether there is nothing to be found at a path.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What the system says, as people say it.
pub(crate) fn says(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    }
}

/// Puts files with these contents in their places below a folder, as wholes
/// and in place of what is there: each is on the disk before it gets its name,
/// and all names are when this returns.
///
/// # Errors
/// When one could not be; then some may be in place and others not.
pub(crate) fn put(
    files: &dyn Files,
    folder: &Path,
    contents: &[(PathBuf, Vec<u8>)],
) -> io::Result<()> {
    let draft = |number: usize| folder.join(format!("draft.{number}"));
    let mut written = Vec::with_capacity(contents.len());
    for (number, (_, bytes)) in contents.iter().enumerate() {
        let mut file = fresh(files, &draft(number), 0)?;
        file.append(bytes)?;
        written.push(file);
    }
    files.sync_all(folder, &mut written)?;
    drop(written);
    let mut folders = BTreeSet::new();
    for (number, (path, _)) in contents.iter().enumerate() {
        let place = folder.join(path);
        let parent = place.parent().unwrap_or(folder).to_owned();
        if !folders.contains(&parent) {
            files.make_folder(&parent)?;
        }
        files.rename(&draft(number), &place)?;
        folders.insert(parent);
    }
    // The drafts' names are gone as well then.
    folders.insert(folder.to_owned());
    folders
        .iter()
        .try_for_each(|folder| files.sync_folder(folder))
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
