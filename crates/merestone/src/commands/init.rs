//! `merestone init`: a commented configuration to begin with.

use std::{fs::OpenOptions, io::Write, path::Path, process::ExitCode};

use anyhow::Context;

use crate::{config, present};

pub(super) fn run(dir: &Path) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("the folder {} cannot be made", dir.display()))?;
    let path = dir.join(config::DEFAULT_PATH);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .with_context(|| {
            format!(
                "{} cannot be written; an existing file is never overwritten",
                path.display()
            )
        })?;
    file.write_all(config::example().as_bytes())?;
    present::say!("wrote {}", path.display())?;
    present::say!("next: put the vendors' keys into the environment, then")?;
    present::say!(
        "  merestone config check --config {0}\n  merestone key create --config {0} --owner my-application\n  merestone up --config {0}",
        path.display()
    )?;
    Ok(ExitCode::SUCCESS)
}
