//! `merestone up`: opens everything in order, shows the canaries, and serves.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use gate::{Gate, Parts, Ruling, ServeError, Shown, VendorClient};
use store::Store;
use terms::{Act, Clock};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    admin::{Admin, Answer, Request, key_json},
    config::{self, Settled, VendorKeys},
    control::{self, Serve},
    present,
    source::{SystemClock, SystemEntropy},
    state::State,
};

pub(super) fn run(path: &Path) -> anyhow::Result<ExitCode> {
    logging();
    let settled = config::load(path, VendorKeys::Fetch)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (ready, _) = oneshot::channel();
        up(settled, path.to_path_buf(), stop_signal(), ready).await
    })
}

/// Structured logs on standard error; never content.
fn logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MERESTONE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}

/// Resolves when the process is asked to stop.
pub(super) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Runs a gate until `stop` resolves. `ready` is told where it listens.
pub(super) async fn up(
    settled: Settled,
    path: PathBuf,
    stop: impl Future<Output = ()>,
    ready: oneshot::Sender<SocketAddr>,
) -> anyhow::Result<ExitCode> {
    let listen = settled.settings.listen;
    let state = State::open(&settled.state)?;
    let node = Arc::new(open(settled, &state, path).await?);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("{listen} cannot be listened on; another program may have it"))?;
    let address = listener.local_addr()?;
    let ledger = node.admin.ledger.clone();
    ledger.mark_running()?;
    node.admin
        .record(Act::GateReady, "node", "gate", BTreeMap::new())
        .await?;
    let control = tokio::spawn(control::answer(
        control::listen(&state.socket())?,
        Arc::clone(&node),
    ));
    let hangups = tokio::spawn(reload_on_hangup(Arc::clone(&node)));
    present::note(&format!("merestone is ready on http://{address}"));
    let _ = ready.send(address);
    let served = gate::serve(Arc::clone(&node.gate), listener, stop).await;
    control.abort();
    hangups.abort();
    let _ = std::fs::remove_file(state.socket());
    match served {
        Ok(()) => {
            node.admin
                .record(Act::GateStopped, "node", "gate", BTreeMap::new())
                .await?;
            ledger.close().await?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ ServeError::LedgerFailed) => {
            Err(error).context("the process ends; start it again once the disk is well")
        }
    }
}

/// Opens the log, tells what an unclean stop left, and makes a gate whose
/// canaries were caught.
async fn open(settled: Settled, state: &State, path: PathBuf) -> anyhow::Result<Node> {
    let clock = Arc::new(SystemClock::start());
    let opened = state.open_ledger(settled.free_bytes_min, &clock)?;
    let ledger = opened.ledger.clone();
    for leaf in ledger::recovery_leaves(&opened, &*clock) {
        ledger.append(leaf).await?;
    }
    let Settled {
        settings,
        policy,
        engine,
        vendors,
        authorities,
        ..
    } = settled;
    let client = VendorClient::new(authorities, settings.limits.connect_time)?;
    let parts = Parts {
        settings,
        clock: Arc::clone(&clock),
        entropy: Arc::new(SystemEntropy),
        ledger: ledger.clone(),
        commitments: state.commitments(&SystemEntropy)?,
        tokens: state.tokens(&SystemEntropy)?,
        client,
    };
    let ruling = Ruling::new(policy, engine, vendors);
    let facts = ruling_facts(&ruling, clock.now_ms());
    let (gate, shown) = Gate::new(parts, ruling)?;
    let store = Store::open(&state.keys())?;
    let commitments = state.commitments(&SystemEntropy)?;
    let node = Node {
        gate: Arc::new(gate),
        admin: Admin {
            store,
            ledger,
            commitments,
            clock,
        },
        path,
    };
    node.install_keys()?;
    node.record_ruling(facts, &shown, "node").await?;
    Ok(node)
}

async fn reload_on_hangup(node: Arc<Node>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    while hangup.recv().await.is_some() {
        if let Answer::Refused(why) = node.serve(Request::Reload, "node".to_owned()).await {
            tracing::error!("the old configuration stays in force: {why}");
        }
    }
}

/// What the ledger is told of a ruling: versions, modes and what it does at the
/// least about each kind, nothing secret.
fn ruling_facts(ruling: &Ruling, now_ms: u64) -> BTreeMap<String, String> {
    let version = ruling.version();
    let mut facts = BTreeMap::from([
        ("policy".to_owned(), version.policy.to_string()),
        ("rules".to_owned(), version.rules.to_string()),
    ]);
    for control in terms::Control::ALL {
        facts.insert(
            format!("control.{control}"),
            ruling.policy().mode(*control, now_ms).to_string(),
        );
    }
    facts.extend(ruling.weakest());
    facts
}

/// A running gate and the means to steer it.
#[derive(Debug)]
struct Node {
    gate: Arc<Gate>,
    admin: Admin,
    path: PathBuf,
}

impl Node {
    fn install_keys(&self) -> anyhow::Result<()> {
        self.gate.callers().install(&self.admin.list()?);
        Ok(())
    }

    /// Records which ruling is in force and that its canaries were caught.
    async fn record_ruling(
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

    async fn reload(&self, by: &str) -> anyhow::Result<Answer> {
        let settled = config::load(&self.path, VendorKeys::Fetch)?;
        let ruling = Ruling::new(settled.policy, settled.engine, settled.vendors);
        let facts = ruling_facts(&ruling, self.admin.clock.now_ms());
        let shown = self.gate.install(ruling)?;
        self.record_ruling(facts, &shown, by).await?;
        Ok(Answer::Done)
    }

    async fn carry_out(&self, request: Request, by: &str) -> anyhow::Result<Answer> {
        match request {
            Request::KeyCreate {
                owner,
                allowed,
                expires_ms,
            } => {
                let answer = self.admin.create(&owner, allowed, expires_ms, by).await?;
                self.install_keys()?;
                Ok(answer)
            }
            Request::KeyRevoke { id } => {
                let answer = self.admin.revoke(&id, by).await;
                // Even if the act could not be recorded, the key is out.
                self.install_keys()?;
                answer
            }
            Request::KeyList => {
                let now_ms = self.admin.clock.now_ms();
                Ok(Answer::Keys(
                    self.admin
                        .list()?
                        .iter()
                        .map(|key| key_json(key, now_ms))
                        .collect(),
                ))
            }
            Request::Reload => self.reload(by).await,
        }
    }
}

impl Serve for Node {
    async fn serve(&self, request: Request, by: String) -> Answer {
        let reload = matches!(request, Request::Reload);
        match self.carry_out(request, &by).await {
            Ok(answer) => answer,
            Err(error) => {
                if reload {
                    let _ = self
                        .admin
                        .record(Act::ConfigRefused, &by, "configuration", BTreeMap::new())
                        .await;
                }
                Answer::Refused(format!("{error:#}"))
            }
        }
    }
}
