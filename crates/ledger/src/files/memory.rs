//! A simulated disk for tests: what was not synced may be lost, torn or
//! garbled in a crash, and it fails on demand.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    /// Every sync claims success and does nothing: a negative control.
    LyingSync,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
    /// Whether its name is on the disk.
    named: bool,
}

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<PathBuf, Content>,
    fault: Option<Fault>,
    locked: bool,
}

/// The simulated disk; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(Arc<Mutex<Disk>>);

impl MemoryFiles {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what goes wrong next.
    pub fn fail(&self, fault: Option<Fault>) {
        self.disk().fault = fault;
    }

    /// The power fails: of each file what was synced stays, and of the rest
    /// `keep` thousandths, the last byte of which may be garbled.
    pub fn crash(&self, keep: u16, garble: bool) {
        let mut disk = self.disk();
        disk.locked = false;
        disk.fault = None;
        disk.files.retain(|_, file| file.named);
        for file in disk.files.values_mut() {
            let loose = file.bytes.len().saturating_sub(file.synced);
            let kept = file.synced + loose * usize::from(keep.min(1_000)) / 1_000;
            file.bytes.truncate(kept);
            let last = file
                .bytes
                .last_mut()
                .filter(|_| garble && kept > file.synced);
            if let Some(last) = last {
                *last ^= 0x5a;
            }
            file.synced = file.bytes.len();
        }
    }

    /// Changes one byte of a file, as a bad disk would.
    pub fn flip(&self, path: &Path, at: usize, mask: u8) {
        if let Some(byte) = self
            .disk()
            .files
            .get_mut(path)
            .and_then(|file| file.bytes.get_mut(at))
        {
            *byte ^= mask;
        }
    }

    /// Cuts a file, as a crash would.
    pub fn cut_file(&self, path: &Path, bytes: usize) {
        if let Some(file) = self.disk().files.get_mut(path) {
            file.bytes.truncate(bytes);
            file.synced = file.synced.min(bytes);
        }
    }

    /// A copy of the disk as it is now.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = self.disk();
        let files = disk.files.iter().map(|(path, file)| {
            (
                path.clone(),
                Content {
                    bytes: file.bytes.clone(),
                    synced: file.synced,
                    named: file.named,
                },
            )
        });
        Self(Arc::new(Mutex::new(Disk {
            files: files.collect(),
            fault: None,
            locked: false,
        })))
    }
}

#[derive(Debug)]
struct MemoryFile {
    files: MemoryFiles,
    path: PathBuf,
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
        let mut disk = self.files.disk();
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
            Some(Fault::Sync(_) | Fault::LyingSync) | None => {}
        }
        let file = disk
            .files
            .get_mut(&self.path)
            .ok_or_else(|| failed(ErrorKind::NotFound))?;
        file.bytes.extend_from_slice(taken);
        outcome
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.files.disk();
        match &mut disk.fault {
            Some(Fault::Sync(count)) => {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    return Err(io::Error::other("EIO"));
                }
            }
            Some(Fault::LyingSync) => return Ok(()),
            Some(Fault::Space(_) | Fault::ShortWrite(_)) | None => {}
        }
        let file = disk
            .files
            .get_mut(&self.path)
            .ok_or_else(|| failed(ErrorKind::NotFound))?;
        file.synced = file.bytes.len();
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let mut disk = self.files.disk();
        let file = disk
            .files
            .get_mut(&self.path)
            .ok_or_else(|| failed(ErrorKind::NotFound))?;
        file.bytes
            .truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        file.synced = file.synced.min(file.bytes.len());
        Ok(())
    }
}

impl Files for MemoryFiles {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk();
        let inside = disk
            .files
            .keys()
            .filter(|path| path.parent() == Some(folder));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk()
            .files
            .get(path)
            .map(|file| file.bytes.clone())
            .ok_or_else(|| failed(ErrorKind::NotFound))
    }

    fn create(&self, path: &Path, _reserve_bytes: u64) -> io::Result<Box<dyn Append>> {
        let mut disk = self.disk();
        if disk.files.contains_key(path) {
            return Err(failed(ErrorKind::AlreadyExists));
        }
        disk.files.insert(path.to_owned(), Content::default());
        Ok(Box::new(MemoryFile {
            files: self.clone(),
            path: path.to_owned(),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        if !self.disk().files.contains_key(path) {
            return Err(failed(ErrorKind::NotFound));
        }
        Ok(Box::new(MemoryFile {
            files: self.clone(),
            path: path.to_owned(),
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk()
            .files
            .remove(path)
            .map(|_| ())
            .ok_or_else(|| failed(ErrorKind::NotFound))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.fault == Some(Fault::LyingSync) {
            return Ok(());
        }
        for (_, file) in disk
            .files
            .iter_mut()
            .filter(|(path, _)| path.parent() == Some(folder))
        {
            file.named = true;
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
            Some(Fault::Sync(_) | Fault::ShortWrite(_) | Fault::LyingSync) | None => 1 << 40,
        })
    }
}
