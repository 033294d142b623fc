//! A simulated disk for tests: what was not synced may be lost, torn or
//! garbled in a crash, and it fails on demand.

mod crash;

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{Append, Files, Lock};

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The n-th sync from now fails, and the bytes before it may be gone.
    Sync(u64),
    /// Only this many more bytes fit.
    Space(u64),
    /// The n-th write from now writes half of its bytes and fails.
    ShortWrite(u64),
    /// The power is off from the n-th change of a file or a name on: that one
    /// and all later ones do nothing and fail.
    Power(u64),
    /// The n-th read from now fails, of a file or of a folder's names.
    Read(u64),
    /// Every sync claims success and does nothing: a negative control.
    LyingSync,
}

/// What a file holds.
#[derive(Debug, Clone, Default)]
struct Content {
    /// As the programs see it.
    bytes: Vec<u8>,
    /// What is on the disk for certain.
    durable: Vec<u8>,
    /// Whether it was cut since, so that the one is not the other's beginning.
    cut: bool,
}

impl Content {
    fn settle(&mut self) {
        if self.cut {
            self.durable.clone_from(&self.bytes);
            self.cut = false;
        } else {
            let grown = self.bytes.get(self.durable.len()..).unwrap_or_default();
            self.durable.extend_from_slice(grown);
        }
    }
}

/// A change of names that may not be on the disk yet.
#[derive(Debug, Clone)]
enum Change {
    Put(PathBuf, u64),
    Take(PathBuf),
    Move(PathBuf, PathBuf, u64),
}

impl Change {
    fn make(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Put(path, file) => {
                names.insert(path, file);
            }
            Self::Take(path) => {
                names.remove(&path);
            }
            Self::Move(from, to, file) => {
                names.remove(&from);
                names.insert(to, file);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Disk {
    contents: BTreeMap<u64, Content>,
    /// As the programs see them.
    names: BTreeMap<PathBuf, u64>,
    /// Those that are on the disk for certain.
    durable_names: BTreeMap<PathBuf, u64>,
    /// What was changed since, in order.
    changes: Vec<Change>,
    made: u64,
    fault: Option<Fault>,
    locked: bool,
    held: bool,
    waits: bool,
}

impl Disk {
    fn change(&mut self, change: Change) {
        self.changes.push(change.clone());
        change.make(&mut self.names);
    }

    fn content(&mut self, file: u64) -> io::Result<&mut Content> {
        self.contents
            .get_mut(&file)
            .ok_or_else(|| failed(ErrorKind::NotFound))
    }

    fn file(&self, path: &Path) -> io::Result<u64> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| failed(ErrorKind::NotFound))
    }

    /// Counts down to the read that fails.
    fn readable(&mut self) -> io::Result<()> {
        if let Some(Fault::Read(count)) = &mut self.fault {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.fault = None;
                return Err(io::Error::other("EIO"));
            }
        }
        Ok(())
    }

    /// Counts down to the end of the power.
    fn powered(&mut self) -> io::Result<()> {
        if let Some(Fault::Power(count)) = &mut self.fault {
            *count = count.saturating_sub(1);
            if *count == 0 {
                return Err(io::Error::other("no power"));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    released: Condvar,
}

/// The simulated disk; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(Arc<Shared>);

impl MemoryFiles {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk, to be changed, once nobody holds it still.
    fn changing(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk();
        while disk.held {
            disk.waits = true;
            disk = self
                .0
                .released
                .wait(disk)
                .unwrap_or_else(PoisonError::into_inner);
        }
        disk.powered()?;
        Ok(disk)
    }

    /// Sets what goes wrong next.
    pub fn fail(&self, fault: Option<Fault>) {
        self.disk().fault = fault;
    }

    /// What is still to go wrong.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.disk().fault
    }

    /// From now on, changes wait until [`MemoryFiles::release`].
    pub fn hold(&self) {
        let mut disk = self.disk();
        disk.held = true;
        disk.waits = false;
    }

    /// Whether a change waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.disk().waits
    }

    /// Changes go on.
    pub fn release(&self) {
        let mut disk = self.disk();
        disk.held = false;
        disk.waits = false;
        drop(disk);
        self.0.released.notify_all();
    }
}

#[derive(Debug)]
struct MemoryFile {
    files: MemoryFiles,
    file: u64,
}

#[derive(Debug)]
struct MemoryLock(MemoryFiles);

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.disk().locked = false;
    }
}

fn failed(kind: ErrorKind) -> io::Error {
    io::Error::from(kind)
}

impl Append for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.files.changing()?;
        let mut taken = bytes;
        let mut outcome = Ok(());
        match &mut disk.fault {
            Some(Fault::Space(left)) => {
                let fits = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= fits as u64;
                if fits < bytes.len() {
                    taken = bytes.get(..fits).unwrap_or_default();
                    outcome = Err(failed(ErrorKind::StorageFull));
                }
            }
            Some(Fault::ShortWrite(count)) => {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    taken = bytes.get(..bytes.len() / 2).unwrap_or_default();
                    outcome = Err(failed(ErrorKind::WriteZero));
                }
            }
            Some(Fault::Sync(_) | Fault::Power(_) | Fault::Read(_) | Fault::LyingSync) | None => {}
        }
        disk.content(self.file)?.bytes.extend_from_slice(taken);
        outcome
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.files.changing()?;
        match &mut disk.fault {
            Some(Fault::Sync(count)) => {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    return Err(io::Error::other("EIO"));
                }
            }
            Some(Fault::LyingSync) => return Ok(()),
            Some(Fault::Space(_) | Fault::ShortWrite(_) | Fault::Power(_) | Fault::Read(_))
            | None => {}
        }
        disk.content(self.file)?.settle();
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let mut disk = self.files.changing()?;
        let content = disk.content(self.file)?;
        content
            .bytes
            .truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        content.cut = true;
        Ok(())
    }
}

impl Files for MemoryFiles {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut disk = self.disk();
        disk.readable()?;
        let inside = disk
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut disk = self.disk();
        let file = disk.file(path)?;
        disk.readable()?;
        Ok(disk.content(file)?.bytes.clone())
    }

    fn read_from(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or_default();
        Ok(rest.get(..bytes_max).unwrap_or(rest).to_vec())
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(self.read(path)?.len() as u64)
    }

    fn create(&self, path: &Path, _reserve_bytes: u64) -> io::Result<Box<dyn Append>> {
        let mut disk = self.changing()?;
        if disk.names.contains_key(path) {
            return Err(failed(ErrorKind::AlreadyExists));
        }
        disk.made += 1;
        let file = disk.made;
        disk.contents.insert(file, Content::default());
        disk.change(Change::Put(path.to_owned(), file));
        Ok(Box::new(MemoryFile {
            files: self.clone(),
            file,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        let file = self.disk().file(path)?;
        Ok(Box::new(MemoryFile {
            files: self.clone(),
            file,
        }))
    }

    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.changing()?;
        let file = disk.file(path)?;
        let content = disk.content(file)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for content in [&mut content.bytes, &mut content.durable] {
            let place = content.get_mut(from..).unwrap_or_default().iter_mut();
            for (to, with) in place.zip(bytes) {
                *to = *with;
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.changing()?;
        disk.file(path)?;
        disk.change(Change::Take(path.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.changing()?;
        let file = disk.file(from)?;
        disk.change(Change::Move(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    // Folders are no more than parts of paths here.
    fn make_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self, _folder: &Path, written: &mut [Box<dyn Append>]) -> io::Result<()> {
        written.iter_mut().try_for_each(|file| file.sync())
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        let mut disk = self.changing()?;
        if disk.fault != Some(Fault::LyingSync) {
            // One journal for all folders, as most file systems have.
            disk.changes.clear();
            disk.durable_names = disk.names.clone();
        }
        Ok(())
    }

    fn lock(&self, _folder: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut disk = self.disk();
        if disk.locked {
            return Ok(None);
        }
        disk.locked = true;
        Ok(Some(Box::new(MemoryLock(self.clone()))))
    }

    fn free_bytes(&self, _folder: &Path) -> io::Result<u64> {
        Ok(match self.disk().fault {
            Some(Fault::Space(left)) => left,
            Some(
                Fault::Sync(_)
                | Fault::ShortWrite(_)
                | Fault::Power(_)
                | Fault::Read(_)
                | Fault::LyingSync,
            )
            | None => 1 << 40,
        })
    }
}
