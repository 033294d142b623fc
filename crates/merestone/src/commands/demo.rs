//! `merestone demo`: the whole walk on this machine, against fake vendors that
//! are labelled as such. Nothing leaves the machine.

use std::{path::Path, process::ExitCode};

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let _ = Path::new("");
    anyhow::bail!("not built yet")
}
