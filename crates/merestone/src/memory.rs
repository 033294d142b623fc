//! That memory is given back.
//!
//! The system's allocator learns from the first large piece that it frees to
//! keep such pieces, up to 32 MiB each: a gate that met some large bodies would
//! stay at several times its size. With limits that are set it learns nothing,
//! but it reads them from the environment before the program begins.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::{env, os::unix::process::CommandExt, process::Command};

/// Pieces of as many bytes are the system's again when they are free, and as
/// many free ones at the end of a heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LIMITS: [(&str, &str); 2] = [
    ("MALLOC_MMAP_THRESHOLD_", "1048576"),
    ("MALLOC_TRIM_THRESHOLD_", "8388608"),
];

/// Begins the program once more, in the same process, with limits for its
/// allocator, unless its environment has some. Before anything else: where it
/// cannot, it goes on without.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn limited() {
    let known = |name: &str| env::var_os(name).is_some();
    let mut words = env::args_os();
    let (Some(name), Ok(program)) = (words.next(), env::current_exe()) else {
        return;
    };
    if known("GLIBC_TUNABLES") || LIMITS.iter().any(|(name, _)| known(name)) {
        return;
    }
    let mut again = Command::new(program);
    let _ = again.arg0(name).args(words).envs(LIMITS).exec();
}

/// Other allocators give back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) const fn limited() {}
