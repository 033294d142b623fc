//! `merestone vault`: the redacted values that are kept.

use std::{path::Path, process::ExitCode};

use super::{
    ask::{ask_running, refused},
    key,
};
use crate::{
    admin::{
        Answer, Request,
        vault::{Status, Whose, Wish},
    },
    cli::vault::{Erase, Reveal, VaultCommand},
    config::{self, VendorKeys},
    present,
};

pub(super) fn run(command: VaultCommand) -> anyhow::Result<ExitCode> {
    match command {
        VaultCommand::Status { config, json } => status(&config.config, json),
        VaultCommand::Erase(wish) => erase(wish),
        VaultCommand::Reveal(wish) => reveal(wish),
    }
}

fn ask(path: &Path, request: &Request) -> anyhow::Result<Answer> {
    ask_running(&config::load(path, VendorKeys::Leave)?, request)
}

fn status(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    match ask(path, &Request::VaultStatus)? {
        Answer::VaultStatus(status) if json => {
            present::say!("{}", serde_json::to_string(&status)?)?;
        }
        Answer::VaultStatus(status) => tell(&status)?,
        other => return Err(refused(other)),
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(status: &Status) -> anyhow::Result<()> {
    present::say!(
        "{} values of {} persons; at most {} for each key and {} in all",
        status.entries,
        status.persons,
        status.entries_per_key_max,
        status.entries_max
    )?;
    present::say!(
        "kept for {} days after their last use: {}",
        status.days,
        status.kinds.join(", ")
    )?;
    let next = status.next_expiry_ms.and_then(|at| i64::try_from(at).ok());
    if let Some(at) = next.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()) {
        present::say!("the next expires at {at:.0}")?;
    }
    Ok(())
}

fn erase(wish: Erase) -> anyhow::Result<ExitCode> {
    let whose = match (wish.person, wish.key) {
        (Some(person), None) => Whose::Person(person),
        (None, Some(key)) => Whose::Key(key.parse().map_err(|_| {
            anyhow::anyhow!("a key's public name is mk- and 12 hexadecimal digits; `merestone key list` shows them")
        })?),
        _ => anyhow::bail!("name --person or --key"),
    };
    let reason = wish.reason;
    match ask(&wish.config.config, &Request::VaultErase { whose, reason })? {
        Answer::VaultErased(erased) if wish.json => {
            present::say!("{}", serde_json::to_string(&erased)?)?;
        }
        Answer::VaultErased(erased) => {
            present::say!(
                "{} values are erased with their keys, and the log tells of it",
                erased.erased
            )?;
            if !erased.scrubbed {
                present::note("note: the database's journal was not emptied; erase once more");
            }
        }
        other => return Err(refused(other)),
    }
    Ok(ExitCode::SUCCESS)
}

fn reveal(wish: Reveal) -> anyhow::Result<ExitCode> {
    let by_key = wish.by_key.map(|name| key::of_environment(&name));
    let request = Request::VaultReveal(Wish {
        token: wish.token,
        reason: wish.reason,
        key: by_key.transpose()?,
    });
    match ask(&wish.config.config, &request)? {
        Answer::VaultRevealed(shown) if wish.json => {
            present::say!("{}", serde_json::to_string(&shown)?)?;
        }
        Answer::VaultRevealed(shown) => present::say!("{}", present::plain(&shown.value))?,
        other => return Err(refused(other)),
    }
    Ok(ExitCode::SUCCESS)
}
