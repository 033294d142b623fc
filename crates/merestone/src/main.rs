//! The program; everything is in the library, so that it can be tested and fuzzed.

fn main() -> std::process::ExitCode {
    merestone::main()
}
