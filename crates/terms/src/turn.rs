//! Long computations give way: to threads that somebody waits for, and in
//! between to whoever wants the same processor.

use std::{cell::Cell, thread};

/// So many bytes are read between two turns: a fraction of a millisecond, where
/// a kernel that is not asked may let others wait for four.
pub const TURN_BYTES: usize = 16 << 10;
/// How much a thread gives way: its share beside one other is a quarter.
const NICENESS: i32 = 5;

thread_local! {
    /// What was read since others had their turn; none in a thread that takes no
    /// turns.
    static READ_BYTES: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Does a long computation in turns: what it is made of tells what it read
/// (`worked`), however small each piece of it is.
pub fn in_turns<T>(work: impl FnOnce() -> T) -> T {
    struct Before(Option<usize>);
    impl Drop for Before {
        fn drop(&mut self) {
            READ_BYTES.set(self.0);
        }
    }
    let _before = Before(READ_BYTES.replace(Some(0)));
    work()
}

/// Told for each step how many bytes it read, or would have read in its time:
/// now and then whoever waits for this processor goes first, if the thread
/// takes turns.
pub fn worked(bytes: usize) {
    let Some(read) = READ_BYTES.get() else {
        return;
    };
    let read = read.saturating_add(bytes);
    if read < TURN_BYTES {
        READ_BYTES.set(Some(read));
    } else {
        READ_BYTES.set(Some(0));
        thread::yield_now();
    }
}

/// A text of its own, copied in turns.
#[must_use]
pub fn copied(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(TURN_BYTES));
        out.push_str(piece);
        worked(piece.len());
        rest = behind;
    }
    out
}

/// Lets other threads come before this one from now on, and takes turns.
/// Nobody can take back what a thread gave, so it must be one that does nothing
/// else.
pub fn give_way() {
    READ_BYTES.set(Some(0));
    // Of this thread alone, which is Linux's way; elsewhere it would be the
    // whole process.
    if cfg!(target_os = "linux") {
        let own = rustix::process::getpriority_process(None).unwrap_or_default();
        let _ = rustix::process::setpriority_process(None, own + NICENESS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
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

    #[test]
    fn small_steps_of_a_long_computation_are_counted_together() {
        worked(5);
        assert_eq!(READ_BYTES.get(), None);
        in_turns(|| {
            (0..TURN_BYTES - 1).for_each(|_| worked(1));
            assert_eq!(READ_BYTES.get(), Some(TURN_BYTES - 1));
            // One in another has its own count.
            in_turns(|| worked(7));
            assert_eq!(READ_BYTES.get(), Some(TURN_BYTES - 1));
            worked(1);
            assert_eq!(READ_BYTES.get(), Some(0));
            worked(usize::MAX);
            assert_eq!(READ_BYTES.get(), Some(0));
        });
        assert_eq!(READ_BYTES.get(), None);
        let broken = std::panic::catch_unwind(|| in_turns(|| panic!("in the middle")));
        assert!(broken.is_err() && READ_BYTES.get().is_none());
    }

    #[test]
    fn a_copy_is_the_text() {
        for text in [
            "",
            "a",
            &"ü€😀b".repeat(TURN_BYTES / 5),
            &"x".repeat(2 * TURN_BYTES),
        ] {
            assert_eq!(copied(text), text);
        }
    }
}
