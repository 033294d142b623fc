//! Long computations give way: to threads that somebody waits for, and in
//! between to whoever wants the same processor.

use std::thread;

/// So many bytes are read between two turns: a fraction of a millisecond, where
/// a kernel that is not asked may let others wait for four.
const TURN_BYTES: usize = 16 << 10;
/// How much a thread gives way: its share beside one other is a quarter.
const NICENESS: i32 = 5;

/// What a computation did since others had their turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn {
    read_bytes: usize,
}

impl Turn {
    /// Told for each step how many bytes it read: now and then whoever waits
    /// for this processor goes first.
    pub fn read(&mut self, bytes: usize) {
        self.read_bytes = self.read_bytes.saturating_add(bytes);
        if self.read_bytes >= TURN_BYTES {
            self.read_bytes = 0;
            thread::yield_now();
        }
    }
}

/// Lets other threads come before this one from now on. Nobody can take back
/// what a thread gave, so it must be one that does nothing else.
pub fn give_way() {
    // Of this thread alone, which is Linux's way; elsewhere it would be the
    // whole process.
    if cfg!(target_os = "linux") {
        let own = rustix::process::getpriority_process(None).unwrap_or_default();
        let _ = rustix::process::setpriority_process(None, own + NICENESS);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_way_alone() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        let other = thread::spawn(move || {
            give_way();
            niceness()
        });
        assert_eq!(other.join().unwrap(), (before + NICENESS).min(19));
        assert_eq!(niceness(), before);
    }
}
