//! `merestone reload`: a running gate reads its configuration again.

use std::{path::Path, process::ExitCode};

use crate::{
    admin::{Answer, Request},
    config::{self, VendorKeys},
    control, present,
    state::State,
};

pub(super) fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let state = State::existing(&settled.state)?;
    match control::ask(&state.socket(), &Request::Reload)? {
        None => anyhow::bail!("no gate is running on {}", settled.state.display()),
        Some(Answer::Refused(why)) => anyhow::bail!("the old configuration stays in force: {why}"),
        Some(_) => {
            present::say!(
                "the new vendors and controls are in force; listen, state, node, evidence and limits change at the next start"
            )?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
