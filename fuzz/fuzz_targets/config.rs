//! Any text as a configuration: refused with a place, or settled; never a panic.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use merestone::config::{VendorKeys, settle};

fuzz_target!(|text: &str| {
    if let Err(fault) = settle(Path::new("merestone.toml"), text, VendorKeys::Leave) {
        assert!(fault.to_string().starts_with("merestone.toml"));
    }
});
