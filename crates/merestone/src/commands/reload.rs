//! `merestone reload`: a running gate reads its configuration again.

use std::{path::Path, process::ExitCode};

use super::ask::{ask_past, refused};
use crate::{
    admin::{Answer, Request},
    config, present,
};

pub(super) fn run(path: &Path) -> anyhow::Result<ExitCode> {
    // Nothing is settled here: the gate does it, and records it either way.
    match ask_past(path, &Request::Reload)? {
        None => anyhow::bail!(
            "no gate is running on {}",
            config::state_folder(path).display()
        ),
        Some(Answer::Refused(why)) => anyhow::bail!("the old configuration stays in force: {why}"),
        Some(Answer::Done) => {
            present::say!("the new configuration is in force")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => Err(refused(other)),
    }
}
