//! The program; everything is in the library, so that it can be tested and fuzzed.

/// Records, documents and replies are made of many small pieces; the allocator
/// of the system spends about a tenth of the gate's time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    merestone::main()
}
