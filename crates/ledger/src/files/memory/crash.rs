//! What the simulated disk holds after a crash, and damage to it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use terms::Entropy;

use super::{Content, Disk, MemoryFiles, Shared};

impl MemoryFiles {
    /// The power fails: of each file what was synced stays, and of the rest
    /// `keep` thousandths, the last byte of which may be garbled. Changes of
    /// names that were not synced are lost.
    pub fn crash(&self, keep: u16, garble: bool) {
        let mut disk = self.disk();
        restart(&mut disk);
        disk.changes.clear();
        disk.names = disk.durable_names.clone();
        for content in disk.contents.values_mut() {
            let loose = content.bytes.len().saturating_sub(content.durable.len());
            let kept = loose * usize::from(keep.min(1_000)) / 1_000;
            let from = content.durable.len();
            let more = content.bytes.get(from..from + kept).unwrap_or_default();
            content.durable.extend_from_slice(more);
            let last = content.durable.last_mut().filter(|_| garble && kept > 0);
            if let Some(last) = last {
                *last ^= 0x5a;
            }
            content.restart();
        }
    }

    /// The power fails, and what was not synced reached the disk in any order:
    /// each change of a name did or did not, and each page of a file is new,
    /// old, or zero where there was none.
    pub fn crash_pages(&self, entropy: &dyn Entropy) {
        let mut disk = self.disk();
        restart(&mut disk);
        let mut names = disk.durable_names.clone();
        for change in std::mem::take(&mut disk.changes) {
            if roll(entropy, 2) == 0 {
                change.make(&mut names);
            }
        }
        disk.durable_names.clone_from(&names);
        disk.names = names;
        for content in disk.contents.values_mut() {
            content.durable = left(content, entropy);
            content.restart();
        }
    }

    /// Changes one byte of a file, as a bad disk would.
    pub fn flip(&self, path: &Path, at: usize, mask: u8) {
        self.damage(path, |bytes| {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
        });
    }

    /// Cuts a file, as a crash would.
    pub fn cut_file(&self, path: &Path, bytes: usize) {
        self.damage(path, |whole| whole.truncate(bytes));
    }

    /// Puts a file there, durable, in place of one that may be there.
    pub fn put_file(&self, path: &Path, bytes: &[u8]) {
        let mut disk = self.disk();
        disk.made += 1;
        let file = disk.made;
        let content = Content {
            bytes: bytes.to_vec(),
            durable: bytes.to_vec(),
            cut: false,
        };
        disk.contents.insert(file, content);
        disk.names.insert(path.to_owned(), file);
        disk.durable_names.insert(path.to_owned(), file);
    }

    /// Every file.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.disk().names.keys().cloned().collect()
    }

    fn damage(&self, path: &Path, damage: impl Fn(&mut Vec<u8>)) {
        let mut disk = self.disk();
        let Ok(file) = disk.file(path) else { return };
        if let Ok(content) = disk.content(file) {
            damage(&mut content.bytes);
            damage(&mut content.durable);
        }
    }

    /// A copy of the disk as it is now.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = self.disk();
        let copy = Disk {
            contents: disk.contents.clone(),
            names: disk.names.clone(),
            durable_names: disk.durable_names.clone(),
            changes: disk.changes.clone(),
            made: disk.made,
            ..Disk::default()
        };
        Self(Arc::new(Shared {
            disk: Mutex::new(copy),
            ..Shared::default()
        }))
    }
}

impl Content {
    fn restart(&mut self) {
        self.bytes.clone_from(&self.durable);
        self.cut = false;
    }
}

fn restart(disk: &mut Disk) {
    disk.locked = false;
    disk.fault = None;
}

/// A number below `below`.
fn roll(entropy: &dyn Entropy, below: usize) -> usize {
    let mut bytes = [0_u8; 8];
    entropy.fill(&mut bytes);
    let below = u64::try_from(below.max(1)).unwrap_or(u64::MAX);
    usize::try_from(u64::from_le_bytes(bytes) % below).unwrap_or(0)
}

/// What of a file is on the disk after a crash.
fn left(content: &Content, entropy: &dyn Entropy) -> Vec<u8> {
    let (new, old) = (&content.bytes, &content.durable);
    if !content.cut && new.len() == old.len() {
        return old.clone();
    }
    let (least, most) = (new.len().min(old.len()), new.len().max(old.len()));
    let length = match roll(entropy, 4) {
        0 => new.len(),
        1 => old.len(),
        2 => most,
        _ => least + roll(entropy, most - least + 1),
    };
    let page_bytes = if roll(entropy, 2) == 0 { 512 } else { 4_096 };
    // Of ten new pages, so many reach the disk.
    let tenths = roll(entropy, 11);
    let mut pages = Vec::with_capacity(length);
    while pages.len() < length {
        let source = if roll(entropy, 10) < tenths { new } else { old };
        let from = pages.len();
        let to = (from + page_bytes).min(length);
        let there = source.get(from.min(source.len())..to.min(source.len()));
        pages.extend_from_slice(there.unwrap_or_default());
        pages.resize(to, 0);
    }
    pages
}
