//! A new configuration: settled and swapped whole, or refused with a reason.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::{Duration, SystemTime},
};

use gate::{NamesService, Ruling};
use store::VendorKeys as StoredKeys;
use terms::{Act, Clock, Entropy};

use super::Node;
use crate::{
    admin::{Admin, Answer},
    config::{self, RestartOnly, Settled, VendorKeys},
    source::SystemEntropy,
};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is seen of a file without reading it.
type Seen = Vec<Option<(SystemTime, u64)>>;

fn seen(files: &[PathBuf]) -> Seen {
    let one = |path: &PathBuf| {
        let facts = std::fs::metadata(path).ok()?;
        Some((facts.modified().ok()?, facts.len()))
    };
    files.iter().map(one).collect()
}

impl Node {
    /// Reads the configuration again. Recorded either way.
    pub(super) async fn reload(&self, by: &str) -> anyhow::Result<Answer> {
        match self.take_up(by).await {
            Ok(()) => {
                self.gate.metrics().reloaded(true);
                Ok(Answer::Done)
            }
            Err(error) => {
                self.gate.metrics().reloaded(false);
                self.admin
                    .record(Act::ConfigRefused, by, "configuration", BTreeMap::new())
                    .await?;
                Err(error)
            }
        }
    }

    async fn take_up(&self, by: &str) -> anyhow::Result<()> {
        let _reloading = self.reloading.lock().await;
        let path = self.path.clone();
        // A vault may take its time.
        let settled =
            tokio::task::spawn_blocking(move || config::load(&path, VendorKeys::Fetch)).await??;
        self.fixed.same(&RestartOnly::of(&settled))?;
        let tls = settled.tls.clone();
        self.watch(settled.watched.clone());
        let ruling = ruling(settled, &self.admin).await?;
        let facts = ruling_facts(&ruling, &self.admin);
        let shown = self.gate.install(ruling)?;
        self.gate.install_tls(tls);
        self.record_ruling(facts, &shown, by).await
    }

    /// The files that the configuration is made of from now on.
    pub fn watch(&self, mut files: Vec<PathBuf>) {
        files.push(self.path.clone());
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }

    fn seen(&self) -> Seen {
        let files = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        seen(&files)
    }

    /// Takes a changed file up. A change is taken when it has stood for one
    /// look, so that a half-written file is not.
    pub async fn follow_files(self: Arc<Self>) {
        let mut taken = self.seen();
        let mut before = taken.clone();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.seen();
            if now != taken && now == before {
                if let Err(error) = self.reload("node").await {
                    tracing::error!("the old configuration stays in force: {error:#}");
                }
                // A new configuration may be made of other files; what changed
                // among the same ones meanwhile is another change.
                let after = self.seen();
                taken = if after.len() == now.len() { now } else { after };
                before.clone_from(&taken);
                continue;
            }
            before = now;
        }
    }

    /// Takes the file up when the process is told to.
    pub async fn follow_hangups(self: Arc<Self>, mut hangups: tokio::signal::unix::Signal) {
        while hangups.recv().await.is_some() {
            if let Err(error) = self.reload("node").await {
                tracing::error!("the old configuration stays in force: {error:#}");
            }
        }
    }
}

/// Puts a ruling together, with what the store knows of the vendors' keys.
pub async fn ruling(settled: Settled, admin: &Admin) -> anyhow::Result<Ruling> {
    let Settled {
        settings,
        policy,
        permission,
        engine,
        names,
        mut vendors,
        authorities,
        ..
    } = settled;
    let client = gate::VendorClient::new(authorities, settings.limits.connect_time)?;
    for vendor in &mut vendors {
        let print = admin.fingerprint(vendor.key.reveal());
        let keys = StoredKeys::new(&admin.store);
        match keys.seen(&vendor.name, print, &*admin.clock).await {
            Ok(known) => {
                let since = vendor
                    .key_age
                    .since_ms
                    .map_or(known.seen_ms, |since| since.min(known.seen_ms));
                vendor.key_age.since_ms = Some(since);
                let used = known.used_ms.unwrap_or_default();
                vendor.used_ms = std::sync::atomic::AtomicU64::new(used);
                if known.is_new {
                    let facts = BTreeMap::from([("fingerprint".to_owned(), print.to_string())]);
                    admin
                        .record(Act::VendorKeySeen, "node", &vendor.name, facts)
                        .await?;
                }
            }
            Err(error) => tracing::warn!("the age of a vendor's key is not known: {error}"),
        }
    }
    let mut key = [0; 32];
    SystemEntropy.fill(&mut key);
    let ruling = Ruling::new(policy, permission, engine, vendors, client, key);
    Ok(ruling.with_names(names.map(NamesService::new)))
}

/// What the ledger is told of a ruling: versions, modes, what it does at the
/// least about each kind, and where requests go; nothing secret.
pub fn ruling_facts(ruling: &Ruling, admin: &Admin) -> BTreeMap<String, String> {
    let version = ruling.version();
    let mut facts = BTreeMap::from([
        ("policy".to_owned(), version.policy.to_string()),
        ("rules".to_owned(), version.rules.to_string()),
        (
            "permission".to_owned(),
            ruling.permission().digest().to_string(),
        ),
    ]);
    let now_ms = admin.clock.now_ms();
    for control in terms::Control::ALL {
        facts.insert(
            format!("control.{control}"),
            ruling.policy().mode(*control, now_ms).to_string(),
        );
    }
    facts.extend(ruling.weakest());
    if let Some(service) = ruling.names() {
        let looks = if service.at().replies {
            "requests and whole replies"
        } else {
            "requests"
        };
        facts.insert("names".to_owned(), looks.to_owned());
    }
    for vendor in ruling.vendors() {
        if vendor.capture != terms::CaptureMode::Nothing {
            facts.insert(
                format!("capture.{}", vendor.name),
                vendor.capture.to_string(),
            );
        }
        facts.insert(
            format!("vendor.{}", vendor.name),
            format!(
                "{} {}://{}{}",
                vendor.api.name(),
                vendor.scheme,
                vendor.authority,
                vendor.base_path
            ),
        );
    }
    facts
}
