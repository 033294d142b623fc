//! `merestone switch`: the kill switch.

use std::{path::Path, process::ExitCode};

use policy::{Scope, Switches};
use serde_json::json;

use super::ask::{ask, ask_past, refused};
use crate::{
    admin::{Answer, Request},
    cli::SwitchCommand,
    config::{self, VendorKeys},
    present,
};

pub(super) fn run(command: SwitchCommand) -> anyhow::Result<ExitCode> {
    match command {
        SwitchCommand::Off {
            config,
            scope,
            reason,
            json,
        } => {
            let scope = scope.join(" ").parse()?;
            switch(
                &config.config,
                &scope,
                Request::SwitchOff {
                    scope: scope.clone(),
                    reason,
                },
                json,
            )
        }
        SwitchCommand::On {
            config,
            scope,
            reason,
            json,
        } => {
            let scope = scope.join(" ").parse()?;
            switch(
                &config.config,
                &scope,
                Request::SwitchOn {
                    scope: scope.clone(),
                    reason,
                },
                json,
            )
        }
        SwitchCommand::List { config, json } => {
            let settled = config::load(&config.config, VendorKeys::Leave)?;
            match ask(&settled, Request::SwitchList)? {
                Answer::Switches(switches) => list(&switches, json),
                other => Err(refused(other)),
            }
        }
    }
}

fn switch(path: &Path, scope: &Scope, request: Request, json: bool) -> anyhow::Result<ExitCode> {
    let word = if matches!(request, Request::SwitchOff { .. }) {
        "off"
    } else {
        "on"
    };
    if let Some(answer) = ask_past(path, &request)? {
        return told(answer, scope, word, json);
    }
    let settled = config::load(path, VendorKeys::Leave)?;
    if let Scope::Vendor(name) = scope
        && !settled.vendors.iter().any(|vendor| vendor.name == *name)
    {
        present::note(&format!(
            "note: no vendor `{name}` is configured; the switch holds if one will be"
        ));
    }
    told(ask(&settled, request)?, scope, word, json)
}

fn told(answer: Answer, scope: &Scope, word: &str, json: bool) -> anyhow::Result<ExitCode> {
    let Answer::Switched {
        changed,
        ended,
        left,
        took_us,
    } = answer
    else {
        return Err(refused(answer));
    };
    if json {
        present::say!(
            "{}",
            json!({ "scope": scope, "switched": word, "changed": changed, "ended": ended, "left": left, "took_us": took_us })
        )?;
    } else {
        let already = if changed { "" } else { " already" };
        let milliseconds = took_us / 1_000;
        present::say!(
            "{scope} is{already} switched {word}; {ended} running exchanges were ended, it held after {milliseconds} ms"
        )?;
        if left > 0 {
            present::say!("{left} of them have not ended yet")?;
        }
    }
    Ok(if left == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn list(switches: &Switches, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        present::say!("{}", json!({ "off": switches }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if switches.is_empty() {
        present::say!("nothing is switched off")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = present::table(&["off", "since", "reason"]);
    for (scope, off) in switches.iter() {
        table.add_row([
            scope.to_string(),
            present::time(off.since_ms),
            off.reason.clone(),
        ]);
    }
    present::say!("{table}")?;
    Ok(ExitCode::SUCCESS)
}
