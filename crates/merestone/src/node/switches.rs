//! The kill switch of a node: by command and by a watched file, kept over
//! restarts, in no need of the store.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use gate::Held;
use policy::{Off, Scope, Switches};
use serde::{Deserialize, Serialize};
use terms::{Act, Clock};

use super::Node;
use crate::{
    admin::{Admin, Answer},
    state::State,
};

/// How often the file is looked at: a switch holds within a second.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// LIMIT: bytes of a reason.
const REASON_BYTES_MAX: usize = 256;
/// LIMIT: bytes of the file.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The last word that the file says of each scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SwitchFile(BTreeMap<Scope, Word>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    off: bool,
    reason: String,
}

/// What is kept over a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    off: Switches,
    file: SwitchFile,
}

impl SwitchFile {
    /// Reads `off SCOPE: reason` and `on SCOPE: reason`, a line each. The
    /// last word counts. That a line is gone switches nothing on.
    fn parse(text: &str) -> Result<Self, String> {
        let mut words = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |says: &str| format!("line {number}: {says}");
            let form = "write `off vendor openai: reason` or `on vendor openai: reason`";
            // A colon alone belongs to the names of some models.
            let (order, reason) = line.split_once(": ").ok_or_else(|| wrong(form))?;
            let (word, scope) = order.split_once(' ').ok_or_else(|| wrong(form))?;
            let off = match word {
                "off" => true,
                "on" => false,
                _ => return Err(wrong(form)),
            };
            let scope: Scope = scope
                .parse()
                .map_err(|fault: policy::ScopeFault| wrong(&fault.to_string()))?;
            let reason = reason.trim().to_owned();
            if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
                return Err(wrong("a reason has 1 to 256 bytes"));
            }
            words.insert(scope, Word { off, reason });
        }
        Ok(Self(words))
    }
}

impl Node {
    /// Puts the switches in force that were off before the start, and what the
    /// file says since then.
    pub async fn begin_switches(&self) -> anyhow::Result<()> {
        let kept: Kept = self.state.read_switches()?;
        self.gate.install_switches(kept.off);
        *self.switching.lock().await = kept.file;
        self.look_at_switches().await;
        Ok(())
    }

    /// Follows the file.
    pub async fn follow_switches(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut refused = None;
        loop {
            every.tick().await;
            match self.look_at_switches().await {
                None => refused = None,
                Some(why) if refused.as_ref() == Some(&why) => {}
                Some(why) => {
                    tracing::error!("the file of switches is not carried out: {why}");
                    let facts = BTreeMap::from([("why".to_owned(), why.clone())]);
                    let _ = self
                        .admin
                        .record(Act::SwitchesRefused, "node", "switches", facts)
                        .await;
                    refused = Some(why);
                }
            }
        }
    }

    /// Carries out what is new in the file; answers why it cannot.
    async fn look_at_switches(&self) -> Option<String> {
        let since_us = self.gate.clock().monotonic_us();
        let text = match read(&self.state.switches_file()) {
            Ok(Some(text)) => text,
            Ok(None) => return None,
            Err(why) => return Some(why),
        };
        let file = match SwitchFile::parse(&text) {
            Ok(file) => file,
            Err(why) => return Some(why),
        };
        let mut carried_out = self.switching.lock().await;
        let before = std::mem::replace(&mut *carried_out, file.clone());
        for (scope, word) in file.0 {
            if before.0.get(&scope) == Some(&word) {
                continue;
            }
            let done = if word.off {
                self.off(&carried_out, scope, word.reason, "node", since_us)
                    .await
            } else {
                self.on(&carried_out, &scope, word.reason, "node", since_us)
                    .await
            };
            if let Err(error) = done {
                tracing::error!("a switch could not be recorded or kept: {error:#}");
            }
        }
        None
    }

    pub(super) async fn switch_off(
        &self,
        scope: Scope,
        reason: String,
        by: &str,
    ) -> anyhow::Result<Answer> {
        let since_us = self.gate.clock().monotonic_us();
        fit(&reason, |reason| self.gate.ruling().is_clean(reason))?;
        // Not behind the lock: nothing may keep a switch waiting.
        let held = self
            .gate
            .switch_off(scope.clone(), self.since(&reason), since_us)
            .await?;
        let carried_out = self.switching.lock().await;
        self.told(&carried_out, Act::SwitchedOff, &scope, &reason, by, held)
            .await?;
        Ok(answer(held))
    }

    pub(super) async fn switch_on(
        &self,
        scope: Scope,
        reason: String,
        by: &str,
    ) -> anyhow::Result<Answer> {
        let since_us = self.gate.clock().monotonic_us();
        fit(&reason, |reason| self.gate.ruling().is_clean(reason))?;
        let carried_out = self.switching.lock().await;
        let held = self.on(&carried_out, &scope, reason, by, since_us).await?;
        anyhow::ensure!(
            held.changed,
            "that is not switched off; `merestone switch list` shows what is"
        );
        Ok(answer(held))
    }

    async fn off(
        &self,
        carried_out: &SwitchFile,
        scope: Scope,
        reason: String,
        by: &str,
        since_us: u64,
    ) -> anyhow::Result<Held> {
        let held = self
            .gate
            .switch_off(scope.clone(), self.since(&reason), since_us)
            .await?;
        self.told(carried_out, Act::SwitchedOff, &scope, &reason, by, held)
            .await?;
        Ok(held)
    }

    async fn on(
        &self,
        carried_out: &SwitchFile,
        scope: &Scope,
        reason: String,
        by: &str,
        since_us: u64,
    ) -> anyhow::Result<Held> {
        let held = self.gate.switch_on(scope, since_us);
        self.told(carried_out, Act::SwitchedOn, scope, &reason, by, held)
            .await?;
        Ok(held)
    }

    fn since(&self, reason: &str) -> Off {
        Off {
            reason: reason.to_owned(),
            since_ms: self.admin.clock.now_ms(),
        }
    }

    /// Keeps and records what was switched.
    async fn told(
        &self,
        carried_out: &SwitchFile,
        act: Act,
        scope: &Scope,
        reason: &str,
        by: &str,
        held: Held,
    ) -> anyhow::Result<()> {
        self.state.write_switches(&Kept {
            off: (*self.gate.switches()).clone(),
            file: carried_out.clone(),
        })?;
        if !held.changed {
            return Ok(());
        }
        tracing::warn!(scope = %scope, act = %act, ended = held.ended, "switched");
        let reason = if self.gate.ruling().is_clean(reason) {
            reason
        } else {
            "(withheld)"
        };
        let facts = BTreeMap::from([
            ("reason".to_owned(), reason.to_owned()),
            ("took_us".to_owned(), held.took_us.to_string()),
            ("ended".to_owned(), held.ended.to_string()),
            ("left".to_owned(), held.left.to_string()),
        ]);
        self.admin.record(act, by, &scope.to_string(), facts).await
    }
}

/// That a reason may stand in the record for ever: one line, and nothing
/// sensitive.
///
/// # Errors
/// What is wrong with it.
pub fn fit(reason: &str, is_clean: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let plain = reason.chars().all(|letter| !letter.is_control());
    anyhow::ensure!(
        !reason.trim().is_empty() && reason.len() <= REASON_BYTES_MAX && plain,
        "a reason is one line of 1 to {REASON_BYTES_MAX} bytes"
    );
    anyhow::ensure!(
        is_clean(reason),
        "the reason holds what looks sensitive, and it would stand in the record for ever; write it without"
    );
    Ok(())
}

/// The same while no gate runs: it holds from the next start on.
pub async fn offline(
    state: &State,
    admin: &Admin,
    scope: &Scope,
    reason: String,
    off: bool,
    by: &str,
) -> anyhow::Result<Answer> {
    let mut kept: Kept = state.read_switches()?;
    let now_ms = admin.clock.now_ms();
    let changed = if off {
        let word = Off {
            reason: reason.clone(),
            since_ms: now_ms,
        };
        kept.off.off(scope.clone(), word)?
    } else {
        kept.off.on(scope)
    };
    anyhow::ensure!(
        changed || off,
        "that is not switched off; `merestone switch list` shows what is"
    );
    state.write_switches(&kept)?;
    let act = if off {
        Act::SwitchedOff
    } else {
        Act::SwitchedOn
    };
    let none = || "0".to_owned();
    let facts = BTreeMap::from([
        ("reason".to_owned(), reason),
        ("took_us".to_owned(), none()),
        ("ended".to_owned(), none()),
        ("left".to_owned(), none()),
    ]);
    admin.record(act, by, &scope.to_string(), facts).await?;
    Ok(Answer::Switched {
        changed,
        ended: 0,
        left: 0,
        took_us: 0,
    })
}

const fn answer(held: Held) -> Answer {
    Answer::Switched {
        changed: held.changed,
        ended: held.ended,
        left: held.left,
        took_us: held.took_us,
    }
}

fn read(path: &Path) -> Result<Option<String>, String> {
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("it cannot be read: {}", error.kind())),
    };
    if facts.len() > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path)
        .map(Some)
        .map_err(|error| format!("it cannot be read: {}", error.kind()))
}

impl State {
    /// What was switched off, and what the file said.
    pub fn read_switches(&self) -> anyhow::Result<Kept> {
        match self.read_small("switches.json")? {
            None => Ok(Kept::default()),
            // Not to know what is off is no reason to let it on.
            Some(text) => serde_json::from_slice(&text).context(
                "switches.json cannot be understood, so it is not known what is switched off; mend or remove it",
            ),
        }
    }

    fn write_switches(&self, kept: &Kept) -> anyhow::Result<()> {
        self.write_small("switches.json", &serde_json::to_vec_pretty(kept)?)
    }
}

impl Kept {
    /// What is off.
    pub const fn off(&self) -> &Switches {
        &self.off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_a_wrong_line_counts_for_nothing() {
        let file = SwitchFile::parse(
            "# comment\n\noff vendor openai: leak at the vendor\non vendor openai: mended\noff model a:b: odd\n",
        )
        .unwrap();
        assert_eq!(file.0.len(), 2);
        assert!(!file.0[&"vendor openai".parse().unwrap()].off);
        assert!(file.0[&"model a:b".parse().unwrap()].off);
        for text in [
            "off all",
            "off: why",
            "stop all: why",
            "off everything: why",
            "off all: ",
            "all",
        ] {
            assert!(SwitchFile::parse(text).is_err(), "{text}");
        }
    }
}
