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
/// What stands for a reason that looks sensitive.
const WITHHELD: &str = "(withheld)";
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

    /// The words that are new since an earlier look.
    fn since(&self, before: &Self) -> BTreeMap<Scope, Word> {
        let new = |(scope, word): &(&Scope, &Word)| before.0.get(scope) != Some(word);
        let words = self.0.iter().filter(new);
        words
            .map(|(scope, word)| (scope.clone(), word.clone()))
            .collect()
    }
}

impl Node {
    /// Puts the switches in force that were off before the start, and what the
    /// file says since then.
    pub async fn begin_switches(&self) -> anyhow::Result<()> {
        let kept: Kept = self.state.read_switches()?;
        self.gate.install_switches(kept.off);
        *self.carried_out() = kept.file;
        self.look_at_switches().await;
        Ok(())
    }

    fn carried_out(&self) -> std::sync::MutexGuard<'_, SwitchFile> {
        self.switching
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let new = {
            let mut carried_out = self.carried_out();
            let new = file.since(&carried_out);
            *carried_out = file;
            new
        };
        // All of it is in force before the disk is asked for anything.
        let ordered: Vec<_> = new
            .into_iter()
            .map(|(scope, word)| {
                let ordered = word
                    .off
                    .then(|| self.order_off(&scope, &word.reason, since_us));
                (scope, word, ordered)
            })
            .collect();
        for (scope, word, ordered) in ordered {
            let done = match ordered {
                Some(ordered) => self.off(ordered, &scope, &word.reason, "node").await,
                None => self.on(&scope, &word.reason, "node", since_us).await,
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
        let ordered = self.order_off(&scope, &reason, since_us);
        Ok(answer(self.off(ordered, &scope, &reason, by).await?))
    }

    pub(super) async fn switch_on(
        &self,
        scope: Scope,
        reason: String,
        by: &str,
    ) -> anyhow::Result<Answer> {
        let since_us = self.gate.clock().monotonic_us();
        fit(&reason, |reason| self.gate.ruling().is_clean(reason))?;
        let held = self.on(&scope, &reason, by, since_us).await?;
        anyhow::ensure!(
            held.changed,
            "that is not switched off; `merestone switch list` shows what is"
        );
        Ok(answer(held))
    }

    /// Puts a switch in force: at once, behind no lock that is held while
    /// something is waited for.
    fn order_off(
        &self,
        scope: &Scope,
        reason: &str,
        since_us: u64,
    ) -> Result<gate::Ordered, policy::TooManySwitches> {
        self.gate.switch_off(scope, &self.since(reason), since_us)
    }

    async fn off(
        &self,
        ordered: Result<gate::Ordered, policy::TooManySwitches>,
        scope: &Scope,
        reason: &str,
        by: &str,
    ) -> anyhow::Result<Held> {
        let held = self.gate.held(ordered?).await;
        self.told(Act::SwitchedOff, scope, reason, by, held).await?;
        Ok(held)
    }

    async fn on(
        &self,
        scope: &Scope,
        reason: &str,
        by: &str,
        since_us: u64,
    ) -> anyhow::Result<Held> {
        let held = self.gate.switch_on(scope, since_us);
        self.told(Act::SwitchedOn, scope, reason, by, held).await?;
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
        act: Act,
        scope: &Scope,
        reason: &str,
        by: &str,
        held: Held,
    ) -> anyhow::Result<()> {
        let _telling = self.telling.lock().await;
        let kept = Kept {
            off: (*self.gate.switches()).clone(),
            file: self.carried_out().clone(),
        };
        self.state.write_switches(&kept)?;
        if !held.changed {
            return Ok(());
        }
        tracing::warn!(scope = %scope, act = %act, ended = held.ended, "switched");
        let reason = if self.gate.ruling().is_clean(reason) {
            reason
        } else {
            WITHHELD
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

/// What the file says that no gate has carried out yet, since none runs:
/// it holds from the next start on. `Err` tells why the file cannot be
/// carried out, with what is off all the same.
pub fn waiting(state: &State, now_ms: u64) -> anyhow::Result<(Kept, Result<Waiting, String>)> {
    let mut kept: Kept = state.read_switches()?;
    let file = match read(&state.switches_file()) {
        Ok(None) => return Ok((kept, Ok(Waiting::default()))),
        Ok(Some(text)) => SwitchFile::parse(&text),
        Err(why) => Err(why),
    };
    let file = match file {
        Ok(file) => file,
        Err(why) => return Ok((kept, Err(why))),
    };
    let mut waiting = Waiting::default();
    for (scope, word) in file.since(&kept.file) {
        let changed = if word.off {
            let off = Off {
                reason: word.reason.clone(),
                since_ms: now_ms,
            };
            kept.off.off(scope.clone(), off)?
        } else {
            kept.off.on(&scope)
        };
        if changed {
            waiting.0.insert(scope, word);
        }
    }
    kept.file = file;
    Ok((kept, Ok(waiting)))
}

/// Words of the file that change something and were not carried out yet.
#[derive(Debug, Default)]
pub struct Waiting(BTreeMap<Scope, Word>);

/// Switching while no gate runs: it holds from the next start on. What the
/// file says is carried out first, as a gate would.
pub async fn offline(
    state: &State,
    admin: &Admin,
    scope: &Scope,
    reason: String,
    off: bool,
    by: &str,
    is_clean: impl Fn(&str) -> bool,
) -> anyhow::Result<Answer> {
    let now_ms = admin.clock.now_ms();
    // A wrong file changes nothing; the next start tells of it.
    let (mut kept, waiting) = waiting(state, now_ms)?;
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
    for (scope, mut word) in waiting.unwrap_or_default().0 {
        if !is_clean(&word.reason) {
            WITHHELD.clone_into(&mut word.reason);
        }
        record(admin, &scope, word, "node").await?;
    }
    if changed {
        record(admin, scope, Word { off, reason }, by).await?;
    }
    Ok(Answer::Switched {
        changed,
        ended: 0,
        left: 0,
        took_us: 0,
    })
}

/// Records a switch that ended nothing, since nothing ran.
async fn record(admin: &Admin, scope: &Scope, word: Word, by: &str) -> anyhow::Result<()> {
    let act = if word.off {
        Act::SwitchedOff
    } else {
        Act::SwitchedOn
    };
    let none = || "0".to_owned();
    let facts = BTreeMap::from([
        ("reason".to_owned(), word.reason),
        ("took_us".to_owned(), none()),
        ("ended".to_owned(), none()),
        ("left".to_owned(), none()),
    ]);
    admin.record(act, by, &scope.to_string(), facts).await
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
