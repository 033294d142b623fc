//! One file, `merestone.toml`: parsed strictly, then settled into values that
//! cannot be wrong.

mod fault;
mod raw;
mod restart;
mod secrets;
mod settings;
mod settle;

use std::path::{Path, PathBuf};

pub use fault::ConfigFault;
pub use restart::RestartOnly;
pub use settings::{example, reference, refusals, settings};
pub use settle::{Settled, StoreAt};

/// LIMIT: bytes of the configuration file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where the file is looked for when no path is given.
pub const DEFAULT_PATH: &str = "merestone.toml";

/// Whether the vendors' keys are fetched from where the file says they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VendorKeys {
    /// They must be there: a gate is going to run.
    Fetch,
    /// They are left alone: an operator's shell need not have them.
    Leave,
}

/// Reads and settles the file.
///
/// # Errors
/// With file, line, column and what to write instead.
pub fn load(path: &Path, keys: VendorKeys) -> Result<Settled, ConfigFault> {
    let unreadable = |why: String| ConfigFault::unreadable(path, &why);
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(reason(&error)))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(unreadable(format!(
            "it is larger than {FILE_BYTES_MAX} bytes"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(reason(&error)))?;
    settle(path, &text, keys)
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such file; `merestone init` writes one".to_owned()
        }
        kind => kind.to_string(),
    }
}

/// Settles a text as if it stood in this file.
///
/// # Errors
/// With file, line, column and what to write instead.
pub fn settle(path: &Path, text: &str, keys: VendorKeys) -> Result<Settled, ConfigFault> {
    let raw: raw::Raw =
        toml::from_str(text).map_err(|error| ConfigFault::parse(path, text, &error))?;
    let folder = path
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    settle::settle(raw, &folder, keys)
        .map_err(|(span, says)| ConfigFault::at(path, text, span, &says))
}

#[cfg(test)]
mod tests;
