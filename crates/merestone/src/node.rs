//! A running gate and the means to steer it.

mod export;
mod head_counts;
mod keys;
mod reload;
mod switches;
mod vault;
mod witness;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::Context;
use gate::{Gate, Shown};
use policy::permission::{Ask, Asker, Moment, Object};
use terms::{Act, Clock, Secret, Verb};
use tokio::sync::Mutex;

use crate::{
    admin::{Admin, Answer, Request, Stats, captures::RevealWish, keys_json},
    config::{ExportAt, RestartOnly},
    control::Serve,
    exports::{self, Exports, Places},
    state::State,
};

pub use reload::{ruling, ruling_facts};
pub use switches::{SwitchFile, fit, offline, waiting};

/// LIMIT: parties that the statistics name.
const PARTIES_MAX: usize = 64;

/// A gate, its administration, and what changes it.
#[derive(Debug)]
pub struct Node {
    pub(crate) gate: Arc<Gate>,
    pub(crate) admin: Admin,
    path: PathBuf,
    state: State,
    /// The files that the configuration in force is made of.
    watched: std::sync::Mutex<Vec<PathBuf>>,
    /// What a reload cannot change.
    fixed: RestartOnly,
    /// Held while the keys change, so that an older state never replaces a
    /// newer one.
    changing: Mutex<Changing>,
    /// Held while a configuration is taken up: a vault that does not answer
    /// keeps no revocation waiting.
    reloading: Mutex<()>,
    /// The words of the file of switches that were carried out. A lock of its
    /// own: a store or vault that does not answer keeps no switch waiting.
    switching: std::sync::Mutex<SwitchFile>,
    /// Held while a switch that is in force is kept and recorded.
    telling: Mutex<()>,
    /// Where the ledger's events go, once that has begun.
    exports: std::sync::OnceLock<Exports>,
    /// Stands for them until then.
    no_exports: Exports,
    /// Names of the exports, and where new ones begin.
    export_names: Vec<(String, ::export::Begin)>,
}

#[derive(Debug, Default)]
struct Changing {
    /// The store's number of the keys in force.
    keys_number: Option<i64>,
    /// Whether the store was out of reach when it was last asked.
    store_down: bool,
    /// The state of each vendor's key that was told last.
    key_states: BTreeMap<String, gate::KeyState>,
}

impl Node {
    /// A node whose gate is made and does not serve yet.
    pub fn new(
        gate: Gate,
        admin: Admin,
        path: PathBuf,
        state: State,
        fixed: RestartOnly,
        export_names: Vec<(String, ::export::Begin)>,
    ) -> Self {
        Self {
            gate: Arc::new(gate),
            admin,
            path,
            state,
            watched: std::sync::Mutex::default(),
            fixed,
            changing: Mutex::default(),
            reloading: Mutex::default(),
            switching: std::sync::Mutex::default(),
            telling: Mutex::default(),
            exports: std::sync::OnceLock::new(),
            no_exports: Exports::default(),
            export_names,
        }
    }

    /// What the log is told of the node.
    pub fn about(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("node".to_owned(), self.fixed.node().to_owned()),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ])
    }

    /// Records which ruling is in force and that its canaries were caught.
    pub async fn record_ruling(
        &self,
        facts: BTreeMap<String, String>,
        shown: &[Shown],
        by: &str,
    ) -> anyhow::Result<()> {
        let policy = facts.get("policy").cloned().unwrap_or_default();
        self.admin
            .record(Act::ConfigLoaded, by, "configuration", facts)
            .await?;
        for canary in shown {
            let facts = BTreeMap::from([
                ("caught".to_owned(), canary.caught.to_string()),
                ("mode".to_owned(), canary.mode.to_string()),
                ("policy".to_owned(), policy.clone()),
            ]);
            self.admin
                .record(Act::CanaryShown, "node", canary.control.word(), facts)
                .await?;
        }
        Ok(())
    }

    /// Whether the policies let this account steer the node.
    async fn allowed(&self, verb: Verb, by: &str) -> anyhow::Result<()> {
        if by == "node" {
            return Ok(());
        }
        let ask = Ask {
            who: Asker::Account(by.to_owned()),
            verb,
            what: Object::Node(self.fixed.node().to_owned()),
            when: Moment::at_ms(self.admin.clock.now_ms()),
        };
        if self.gate.ruling().permission().decide(&ask).allowed {
            return Ok(());
        }
        let facts = BTreeMap::from([("verb".to_owned(), verb.to_string())]);
        self.admin
            .record(Act::AdminDenied, by, "node", facts)
            .await?;
        anyhow::bail!("no policy lets this account do that (`{verb}`)")
    }

    async fn carry_out(&self, request: Request, by: &str) -> anyhow::Result<Answer> {
        match request {
            // In an emergency nobody is asked: who owns the socket may stop.
            Request::SwitchOff { scope, reason } => self.switch_off(scope, reason, by).await,
            Request::SwitchOn { scope, reason } => {
                self.allowed(Verb::Admin, by).await?;
                self.switch_on(scope, reason, by).await
            }
            Request::SwitchList => Ok(Answer::Switches((*self.gate.switches()).clone())),
            Request::KeyCreate(wish) => {
                if wish.maker.is_none() {
                    self.allowed(Verb::Admin, by).await?;
                }
                self.create_key(wish, by).await
            }
            Request::KeyRevoke { id } => {
                self.allowed(Verb::Admin, by).await?;
                self.revoke_key(&id, by).await
            }
            Request::KeyList => {
                self.allowed(Verb::ViewLog, by).await?;
                let now_ms = self.admin.clock.now_ms();
                Ok(Answer::Keys(keys_json(&self.admin.list().await?, now_ms)))
            }
            Request::Reload => {
                self.allowed(Verb::Admin, by).await?;
                self.reload(by).await
            }
            Request::LedgerPrune {
                before,
                past_exports,
            } => {
                self.allowed(Verb::Admin, by).await?;
                let names = self.export_names.iter().cloned();
                let behind = exports::behind(names, &self.state.exports(), before)?;
                let ledger = self.state.ledger();
                self.admin
                    .prune(&ledger, before, &behind, past_exports, by)
                    .await
            }
            Request::ExportStatus => {
                self.allowed(Verb::ViewLog, by).await?;
                Ok(Answer::Exports(self.exports().readings()))
            }
            Request::LedgerHold { held, reason } => {
                self.allowed(Verb::Admin, by).await?;
                switches::fit(&reason, |reason| self.gate.ruling().is_clean(reason))?;
                self.admin
                    .hold(&self.state.ledger(), held, reason, by)
                    .await
            }
            Request::LedgerReveal(wish) => self.reveal(wish, by).await,
            Request::LedgerErase { what, reason } => {
                self.allowed(Verb::Admin, by).await?;
                switches::fit(&reason, |reason| self.gate.ruling().is_clean(reason))?;
                let places = self.state.places();
                self.admin.erase(&places, what, &reason, by).await
            }
            Request::VaultStatus => {
                self.allowed(Verb::ViewLog, by).await?;
                self.admin.vault_status(self.vault()?).await
            }
            Request::VaultErase { whose, reason } => self.erase_from_vault(whose, reason, by).await,
            Request::VaultReveal(wish) => self.reveal_from_vault(wish, by).await,
            Request::Stats => {
                self.allowed(Verb::ViewLog, by).await?;
                Ok(Answer::Stats(Box::new(self.stats())))
            }
        }
    }

    /// Starts the exports.
    pub fn begin_exports(&self, wanted: Vec<ExportAt>) -> anyhow::Result<()> {
        let Some(key) = self.state.known_log_key()? else {
            return Ok(());
        };
        let (ledger, folder) = (self.state.ledger(), self.state.exports());
        let places = Places {
            ledger: &ledger,
            folder: &folder,
            node: self.fixed.node(),
        };
        let _ = self.exports.set(Exports::start(wanted, &key, places)?);
        Ok(())
    }

    /// The exports; none before they begin.
    pub fn exports(&self) -> &Exports {
        self.exports.get().unwrap_or(&self.no_exports)
    }

    /// What is read off when somebody asks.
    pub fn readings(&self) -> gate::Readings {
        let now_ms = self.admin.clock.now_ms();
        let exports = self.exports().readings().into_iter();
        gate::Readings {
            exports: exports
                .map(|reading| gate::ExportReading {
                    lag_entries: reading.lag_entries(),
                    lag_ms: reading.lag_ms(now_ms),
                    delivered: reading.delivered,
                    set_aside: reading.set_aside,
                    pruned: reading.pruned,
                    failures: reading.failures,
                    stopped: reading.stopped,
                    name: reading.name,
                })
                .collect(),
            ..self.gate.readings()
        }
    }

    /// Shows sealed content to who may see it: an account that the policies
    /// let, or a key that holds the verb.
    async fn reveal(&self, wish: RevealWish, by: &str) -> anyhow::Result<Answer> {
        switches::fit(&wish.reason, |reason| self.gate.ruling().is_clean(reason))?;
        let asker = self.revealer(wish.key.as_ref(), by).await?;
        let sealing = self.gate.sealing();
        let sealing = sealing.context("this gate has no `capture.tenant_key`")?;
        let (places, tenant) = (self.state.places(), Arc::clone(sealing.tenant()));
        self.admin.reveal(&places, tenant, wish, &asker).await
    }

    /// Who may see what is sealed: the account, or the holder of a key.
    async fn revealer(&self, key: Option<&Secret<String>>, by: &str) -> anyhow::Result<String> {
        Ok(match key {
            None => {
                self.allowed(Verb::Reveal, by).await?;
                by.to_owned()
            }
            Some(key) => {
                let now_ms = self.admin.clock.now_ms();
                let holder = self.gate.callers().with_key(key.reveal(), now_ms);
                let holder = holder
                    .map_err(|refusal| anyhow::anyhow!("the key: {}", refusal.code().says()))?;
                if !self.key_may(&holder, Verb::Reveal) {
                    let facts = BTreeMap::from([("verb".to_owned(), Verb::Reveal.to_string())]);
                    self.admin
                        .record(Act::AdminDenied, holder.key.as_str(), "node", facts)
                        .await?;
                    anyhow::bail!(
                        "this key does not hold the verb `reveal`, or a policy forbids it"
                    );
                }
                holder.key.to_string()
            }
        })
    }

    /// Whether a key's grant and the policies let it do this to the node.
    fn key_may(&self, key: &gate::Principal, verb: Verb) -> bool {
        let ask = Ask {
            who: Asker::Key {
                id: key.key.to_string(),
                owner: key.owner.clone(),
                verbs: key.allowed.verbs().clone(),
            },
            verb,
            what: Object::Node(self.fixed.node().to_owned()),
            when: Moment::at_ms(self.admin.clock.now_ms()),
        };
        key.allowed.may(verb) && self.gate.ruling().permission().decide(&ask).allowed
    }

    fn stats(&self) -> Stats {
        Stats::read(&self.gate, PARTIES_MAX)
    }
}

impl Serve for Node {
    async fn serve(self: Arc<Self>, request: Request, by: String) -> Answer {
        // Apart from the connection: whoever asks and leaves leaves nothing half done.
        let task = tokio::spawn(async move {
            match self.carry_out(request, &by).await {
                Ok(answer) => answer,
                Err(error) => Answer::Refused(format!("{error:#}")),
            }
        });
        task.await
            .unwrap_or_else(|_| Answer::Refused("the request could not be carried out".to_owned()))
    }
}
