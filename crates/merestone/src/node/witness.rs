//! Shows the log's checkpoints to witnesses, and alarms when none cosigns.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use ledger::{
    Publication,
    witness::{self, Call, REPLY_BYTES_MAX, Witness, WitnessFault},
};
use terms::{Act, Clock};

use super::Node;
use crate::config::{WitnessAt, Witnessing};

/// How often the newest checkpoint is shown, if it is a new one.
const SHOW_EVERY: Duration = Duration::from_secs(2);
/// The longest pause after failures.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// For a witness to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Carries requests to one witness by HTTP.
#[derive(Debug)]
struct Post {
    agent: ureq::Agent,
    url: String,
}

impl Call for Post {
    fn add_checkpoint(&self, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let failed = |_| io::Error::from(io::ErrorKind::NotConnected);
        let mut response = self.agent.post(&self.url).send(body).map_err(failed)?;
        let status = response.status().as_u16();
        let mut answer = Vec::new();
        let most = REPLY_BYTES_MAX as u64;
        let reader = response.body_mut().as_reader();
        reader.take(most).read_to_end(&mut answer)?;
        Ok((status, answer))
    }
}

/// The witness at an address.
fn witness(at: WitnessAt) -> Witness {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER_TIME))
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into();
    let url = format!("{}/add-checkpoint", at.url);
    Witness::new(at.key, Box::new(Post { agent, url }))
}

impl Node {
    /// Shows new checkpoints to the witnesses, for ever.
    pub async fn show_to_witnesses(self: Arc<Self>, at: Vec<WitnessAt>) {
        let Some(published) = self.admin.ledger.publication().cloned() else {
            return;
        };
        let mut witnesses: Vec<Witness> = at.into_iter().map(witness).collect();
        if witnesses.is_empty() {
            return;
        }
        let mut pause = SHOW_EVERY;
        let mut told = BTreeMap::new();
        loop {
            tokio::time::sleep(pause).await;
            if published.now().unwitnessed_since_ms.is_none() {
                continue;
            }
            let door = published.clone();
            let asked = tokio::task::spawn_blocking(move || {
                let fed = witness::feed(&mut witnesses, &door);
                (witnesses, fed)
            });
            let Ok((back, (cosigned, faults))) = asked.await else {
                return;
            };
            witnesses = back;
            pause = if cosigned > 0 {
                SHOW_EVERY
            } else {
                (pause * 2).min(PAUSE_MAX)
            };
            self.tell_faults(faults, &mut told).await;
        }
    }

    /// Tells what is new of what went wrong; what shows a second log is also
    /// recorded.
    async fn tell_faults(
        &self,
        faults: Vec<(String, WitnessFault)>,
        told: &mut BTreeMap<String, WitnessFault>,
    ) {
        let mut now = BTreeMap::new();
        for (name, fault) in faults {
            let known = told.get(&name).map(std::mem::discriminant);
            if known != Some(std::mem::discriminant(&fault)) {
                tracing::error!(witness = name, "a witness did not cosign: {fault}");
                if fault.is_grave() {
                    let facts = BTreeMap::from([
                        ("witness".to_owned(), name.clone()),
                        ("why".to_owned(), fault.to_string()),
                    ]);
                    let _ = self
                        .admin
                        .record(Act::Degraded, "node", "witness", facts)
                        .await;
                }
            }
            now.insert(name, fault);
        }
        *told = now;
    }

    /// Alarms when checkpoints are not made, or no witness cosigned one for too
    /// long.
    pub async fn watch_checkpoints(self: Arc<Self>, how: Witnessing) {
        let Some(published) = self.admin.ledger.publication().cloned() else {
            return;
        };
        let mut every = tokio::time::interval(Duration::from_secs(1));
        let (mut alone, mut stuck) = (false, false);
        loop {
            every.tick().await;
            let is_stuck = published.now().fault;
            match &is_stuck {
                Some(fault) if !stuck => {
                    tracing::error!("no checkpoint can be made, and it is tried again: {fault}");
                }
                None if stuck => tracing::warn!("checkpoints are made again"),
                Some(_) | None => {}
            }
            stuck = is_stuck.is_some();
            let is_alone = is_alone(
                &published,
                how.unwitnessed_ms_max,
                self.admin.clock.now_ms(),
            );
            if is_alone != alone {
                alone = is_alone;
                self.tell_alone(alone, &how).await;
            }
        }
    }

    async fn tell_alone(&self, alone: bool, how: &Witnessing) {
        let facts = if alone {
            let minutes = (how.unwitnessed_ms_max / 60_000).to_string();
            tracing::error!(minutes, "no witness cosigned the log for too long");
            BTreeMap::from([
                ("goes-on".to_owned(), "unwitnessed".to_owned()),
                ("minutes".to_owned(), minutes),
                ("witnesses".to_owned(), how.witnesses.len().to_string()),
            ])
        } else {
            tracing::warn!("a witness cosigned the log again");
            BTreeMap::new()
        };
        let act = if alone { Act::Degraded } else { Act::Recovered };
        let _ = self.admin.record(act, "node", "witness", facts).await;
    }
}

fn is_alone(published: &Publication, most_ms: u64, now_ms: u64) -> bool {
    let since = published.now().unwitnessed_since_ms;
    since.is_some_and(|since| now_ms.saturating_sub(since) > most_ms)
}
