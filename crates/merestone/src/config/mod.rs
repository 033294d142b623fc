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
pub use settle::{
    CaptureAt, ExportAt, Settled, SinkAt, StoreAt, VaultAt, WitnessAt, Witnessing, names_url,
};

/// LIMIT: bytes of the configuration file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Name of the state folder when none is given.
const DEFAULT_STATE: &str = "merestone-data";

/// Where the file is looked for when no path is given.
pub const DEFAULT_PATH: &str = "merestone.toml";

/// Which secrets are fetched from where the file says they are: a command needs
/// what it uses, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VendorKeys<'a> {
    /// They must be there: a gate is going to run.
    Fetch,
    /// They are left alone: an operator's shell need not have them.
    Leave,
    /// Only the tenant's key is fetched, to open what was sealed.
    TenantOnly,
    /// Only what the destination of the ledger's events with this name needs.
    Export(&'a str),
}

impl VendorKeys<'_> {
    /// Whether the tenant's key is.
    const fn of_tenant(self) -> bool {
        match self {
            Self::Fetch | Self::TenantOnly => true,
            Self::Leave | Self::Export(_) => false,
        }
    }

    /// Whether the credential of this export, and its certificates, are.
    fn of_export(self, name: &str) -> bool {
        match self {
            Self::Fetch => true,
            Self::Export(wanted) => wanted == name,
            Self::Leave | Self::TenantOnly => false,
        }
    }
}

/// Reads and settles the file.
///
/// # Errors
/// With file, line, column and what to write instead.
pub fn load(path: &Path, keys: VendorKeys<'_>) -> Result<Settled, ConfigFault> {
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

/// Where the state folder is, of a file that need not mean anything else: in an
/// emergency a running gate is reached past a configuration that is broken.
#[must_use]
pub fn state_folder(path: &Path) -> PathBuf {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let named = text.parse::<toml::Table>().ok().and_then(|table| {
        let state = table.get("gate")?.get("state")?.as_str()?;
        Some(state.to_owned())
    });
    let folder = path
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    folder.join(named.as_deref().unwrap_or(DEFAULT_STATE))
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
pub fn settle(path: &Path, text: &str, keys: VendorKeys<'_>) -> Result<Settled, ConfigFault> {
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
