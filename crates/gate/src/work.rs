//! Keeps long computations from holding up other exchanges.

/// From this size on, work is announced to the runtime.
const HEAVY_BYTES: usize = 64 << 10;

/// Runs `work`, letting the runtime move other tasks away first when there is
/// much to do.
pub(crate) fn heavy<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes >= HEAVY_BYTES {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
