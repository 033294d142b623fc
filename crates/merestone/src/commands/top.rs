//! `merestone top`: a running gate, looked at again and again.

mod view;

use std::{io::IsTerminal, path::Path, process::ExitCode, time::Duration};

use super::ask::{ask_running, refused};
use crate::{
    admin::{Answer, Request, Stats},
    config::{self, Settled, VendorKeys},
    present,
};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(path: &Path, once: bool, json: bool) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let once = once || !(json || std::io::stdout().is_terminal());
    let mut before: Option<Stats> = None;
    loop {
        let stats = look(&settled)?;
        if json {
            present::say!("{}", serde_json::to_string(&stats)?)?;
        } else {
            let screen = view::screen(&stats, before.as_ref(), present::width());
            if once {
                present::say!("{screen}")?;
            } else {
                // Home, then what follows, then clear what was below it.
                present::say!("\u{1b}[H\u{1b}[2J{screen}\n\nctrl-c ends it\u{1b}[J")?;
            }
        }
        if once {
            return Ok(ExitCode::SUCCESS);
        }
        before = Some(stats);
        std::thread::sleep(LOOK_EVERY);
    }
}

fn look(settled: &Settled) -> anyhow::Result<Stats> {
    match ask_running(settled, &Request::Stats)? {
        Answer::Stats(stats) => Ok(*stats),
        other => Err(refused(other)),
    }
}
