//! `merestone up`: opens everything in order, shows the canaries, and serves.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use gate::{Gate, Parts, ServeError};
use ledger::Ledger;
use store::{Store, StoreError};
use terms::Act;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    task::JoinSet,
};

use crate::{
    admin::Admin,
    config::{self, Settled, StoreAt, VendorKeys},
    control, logs, memory, monitor,
    node::{self, Node},
    present,
    source::{SystemClock, SystemEntropy},
    state::{self, State},
    telemetry::Telemetry,
};

/// A thread of the runtime looks for what has come after so many steps of
/// tasks: a flood has many ready, and whoever calls meanwhile waits so long.
const STEPS_BETWEEN_LOOKS: u32 = 8;
/// For the last uses of keys to be entered at the end.
const NOTE_TIME: Duration = Duration::from_secs(2);
/// For a new log's first checkpoint.
const CHECKPOINT_TIME: Duration = Duration::from_secs(30);

pub(super) fn run(path: &Path) -> anyhow::Result<ExitCode> {
    memory::limited();
    logs::start()?;
    let settled = config::load(path, VendorKeys::Fetch)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(STEPS_BETWEEN_LOOKS)
        .build()?;
    runtime.block_on(async {
        let (ready, _) = oneshot::channel();
        let stop = stop_signal()?;
        // A task takes turns with others; what is waited for here has a thread
        // of its own, which a flood of connections would keep busy.
        tokio::spawn(up(settled, path.to_path_buf(), stop, ready)).await?
    })
}

/// Resolves when the process is asked to stop. It listens from now on, not
/// from the first time that it is waited for.
///
/// # Errors
/// When the system has no room for it.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A shared store with its tables made, if it can be reached by now.
async fn shared(store: Store) -> anyhow::Result<Store> {
    match store.migrate().await {
        Err(error @ (StoreError::TooNew { .. } | StoreError::BadRow)) => Err(error.into()),
        Ok(()) | Err(_) => Ok(store),
    }
}

/// The doors of a node, open before anything is recorded: a start that fails
/// leaves no trace of a gate that never was.
struct Doors {
    callers: TcpListener,
    admin: Option<TcpListener>,
    control: tokio::net::UnixListener,
    hangups: Signal,
}

impl Doors {
    async fn open(settled: &Settled, state: &State) -> anyhow::Result<Self> {
        let listen = settled.settings.listen;
        let callers = TcpListener::bind(listen).await.with_context(|| {
            format!("{listen} cannot be listened on; another program may have it")
        })?;
        let admin = match settled.admin {
            Some(address) => Some(monitor::listen(address).await?),
            None => None,
        };
        Ok(Self {
            callers,
            admin,
            control: control::listen(&state.socket())?,
            hangups: signal(SignalKind::hangup())?,
        })
    }
}

/// Runs a gate until `stop` resolves. `ready` is told where it listens.
pub(super) async fn up(
    settled: Settled,
    path: PathBuf,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: oneshot::Sender<SocketAddr>,
) -> anyhow::Result<ExitCode> {
    let scheme = if settled.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let watched = settled.watched.clone();
    let watch = settled.watches;
    let witnessing = settled.witnessing.clone();
    let exports = settled.exports.clone();
    let state = State::open(&settled.state)?;
    let clock = Arc::new(SystemClock::start());
    // The lock first: it shows that no other process has the folder.
    let publishing = state.publishing(&settled.settings.node, &SystemEntropy)?;
    let opened = state.open_ledger(settled.free_bytes_min, publishing, &clock)?;
    let doors = Doors::open(&settled, &state).await?;
    let address = doors.callers.local_addr()?;
    let node = Arc::new(open(settled, &state, path, opened, clock).await?);
    let ledger = node.admin.ledger.clone();
    first_checkpoint(&ledger).await?;
    ledger.mark_running()?;
    node.admin
        .record(Act::GateReady, "node", "gate", node.about())
        .await?;
    node.begin_exports(exports)?;
    let mut beside = JoinSet::new();
    beside.spawn(Arc::clone(&node).watch_exports());
    beside.spawn(Arc::clone(&node).sweep_vault());
    beside.spawn(Arc::clone(&node).keep_head_counts());
    beside.spawn(control::answer(doors.control, Arc::clone(&node)));
    beside.spawn(Arc::clone(&node).follow_hangups(doors.hangups));
    beside.spawn(Arc::clone(&node).follow_switches());
    beside.spawn(Arc::clone(&node).follow_keys());
    beside.spawn(Arc::clone(&node).end_expired_keys());
    beside.spawn(Arc::clone(&node).watch_vendor_keys());
    beside.spawn(Arc::clone(&node).show_to_witnesses(witnessing.witnesses.clone()));
    beside.spawn(Arc::clone(&node).watch_checkpoints(witnessing));
    if watch {
        node.watch(watched);
        beside.spawn(Arc::clone(&node).follow_files());
    }
    if let Some(listener) = doors.admin {
        let admin = listener.local_addr()?;
        present::note(&format!("metrics and readiness are on http://{admin}"));
        beside.spawn(monitor::serve(listener, Arc::clone(&node)));
    }
    present::note(&format!("merestone is ready on {scheme}://{address}"));
    let _ = ready.send(address);
    let served = gate::serve(Arc::clone(&node.gate), doors.callers, stop).await;
    beside.shutdown().await;
    let ending = Arc::clone(&node);
    let _ = tokio::task::spawn_blocking(move || ending.exports().end()).await;
    let _ = tokio::time::timeout(NOTE_TIME, node.note_uses()).await;
    let _ = std::fs::remove_file(state.socket());
    match served {
        Ok(()) => stopped(&node.admin, ledger).await,
        Err(error @ ServeError::LedgerFailed) => {
            Err(error).context("the process ends; start it again once the disk is well")
        }
    }
}

/// A gate is ready once its log has a checkpoint: so a log that ever had a
/// ready gate and has none now was tampered with.
async fn first_checkpoint(ledger: &Ledger) -> anyhow::Result<()> {
    let Some(published) = ledger.publication() else {
        return Ok(());
    };
    let made = tokio::time::timeout(CHECKPOINT_TIME, published.first()).await;
    match (made, published.now().fault) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(fault)) => Err(fault).context("the log's first checkpoint cannot be made"),
        (Err(_), None) => anyhow::bail!("the log's first checkpoint was not made in time"),
    }
}

/// Ends in good order, and says so in the log, if no exchange is open. One
/// that did not end although it was cut is left to the next start, as after a
/// crash.
async fn stopped(admin: &Admin, ledger: Ledger) -> anyhow::Result<ExitCode> {
    let open = ledger.exchanges_open();
    anyhow::ensure!(
        open == 0,
        "{open} exchanges did not end in time; the next start closes them in the log"
    );
    admin
        .record(Act::GateStopped, "node", "gate", BTreeMap::new())
        .await?;
    ledger.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells what an unclean stop left, and makes a gate whose canaries were
/// caught.
async fn open(
    settled: Settled,
    state: &State,
    path: PathBuf,
    opened: ledger::Opened,
    clock: Arc<SystemClock>,
) -> anyhow::Result<Node> {
    let ledger = opened.ledger.clone();
    opened.recover(&*clock).await?;
    state.fresh_secrets(opened.entries > 0)?;
    let store = match &settled.store {
        StoreAt::Embedded => Store::open(&state.keys())
            .await
            .context("keys.db in the state folder cannot be used; is its disk full?")?,
        StoreAt::Postgres(at) => shared(Store::later(at.clone())).await?,
        StoreAt::Unfetched => anyhow::bail!("the store's URL was not fetched"),
    };
    let telemetry = Telemetry::begin(settled.telemetry.as_deref(), &settled.settings.node)?;
    let store = Arc::new(store);
    let vault = vault(&settled, &store, &clock).await?;
    let admin = Admin {
        store,
        ledger: ledger.clone(),
        commitments: state.commitments(&SystemEntropy)?,
        clock: Arc::clone(&clock),
        retention: tokio::sync::Mutex::default(),
    };
    admin.resume_erasing(&state.places()).await?;
    let sealing = sealing(&settled, state, &clock).await?;
    let parts = Parts {
        settings: settled.settings.clone(),
        clock,
        entropy: Arc::new(SystemEntropy),
        ledger,
        commitments: state.commitments(&SystemEntropy)?,
        tokens: state.tokens(&SystemEntropy)?,
        tls: settled.tls.clone(),
        observer: telemetry.observer(),
        sealing,
        vault,
    };
    let fixed = config::RestartOnly::of(&settled);
    let keys_age_ms_max = settled.keys_age_ms_max;
    let export_names = settled.exports.iter();
    let export_names = export_names.map(|at| (at.name.clone(), at.limits.begin));
    let export_names = export_names.collect();
    let ruling = node::ruling(settled, &admin).await?;
    let facts = node::ruling_facts(&ruling, &admin);
    let (gate, shown) = Gate::new(parts, ruling)?;
    if fixed.shares_store() {
        gate.callers().count_for(keys_age_ms_max);
    }
    let node = Node::new(gate, admin, path, state.clone(), fixed, export_names);
    node.begin_switches().await?;
    node.begin_keys().await?;
    node.record_ruling(facts, &shown, "node").await?;
    Ok(node)
}

/// The means to seal and keep content, if a tenant's key is named. The key is
/// tried before a request could need it.
async fn sealing(
    settled: &Settled,
    state: &State,
    clock: &Arc<SystemClock>,
) -> anyhow::Result<Option<Arc<gate::Sealing>>> {
    let Some(tenant) = settled.capture.tenant.clone() else {
        return Ok(None);
    };
    let tried = Arc::clone(&tenant);
    tokio::task::spawn_blocking(move || state::try_tenant(&*tried))
        .await?
        .context("the key of `capture.tenant_key` does not do its work")?;
    let captures = ledger::captures::Captures::open(
        Arc::new(ledger::files::DiskFiles),
        state.places().captures,
        settled.free_bytes_min,
        Arc::clone(clock) as Arc<dyn terms::Clock>,
    )?;
    let sealing = gate::Sealing::new(captures, tenant, settled.capture.part_bytes_max);
    Ok(Some(Arc::new(sealing)))
}

/// The vault of redacted values, if there is one. Its key is tried before a
/// request could need it; the store may be out of reach for now.
async fn vault(
    settled: &Settled,
    store: &Arc<Store>,
    clock: &Arc<SystemClock>,
) -> anyhow::Result<Option<Arc<gate::Vault>>> {
    let Some(at) = &settled.vault else {
        return Ok(None);
    };
    let holder = at
        .holder
        .clone()
        .context("the vault's key was not fetched")?;
    let tried = Arc::clone(&holder);
    tokio::task::spawn_blocking(move || state::try_tenant(&*tried))
        .await?
        .context("the key of `vault.key` does not do its work")?;
    let vault = gate::Vault::new(
        Arc::clone(store),
        holder,
        at.rules.clone(),
        Arc::clone(clock),
        Arc::new(SystemEntropy),
    );
    match vault.open().await {
        Ok(()) => {}
        Err(gate::VaultFault::Store(fault)) => {
            tracing::warn!("the vault cannot be opened yet: {fault}");
        }
        Err(fault) => Err(fault).context(
            "the vault in the store was begun under another `vault.key`; put that one back, or empty the tables whose names begin with vault_",
        )?,
    }
    Ok(Some(Arc::new(vault)))
}

#[cfg(test)]
mod tests {
    use store::Store;

    use super::*;

    /// A node's log in a folder, and who writes to it.
    async fn log(folder: &Path) -> (State, Admin, Ledger) {
        let state = State::open(&folder.join("state")).unwrap();
        let clock = Arc::new(SystemClock::start());
        let publishing = state.publishing("node", &SystemEntropy).unwrap();
        let opened = state.open_ledger(0, publishing, &clock).unwrap();
        let ledger = opened.ledger.clone();
        let admin = Admin {
            store: Arc::new(Store::in_memory().await.unwrap()),
            ledger: ledger.clone(),
            commitments: state.commitments(&SystemEntropy).unwrap(),
            clock,
            retention: tokio::sync::Mutex::default(),
        };
        (state, admin, ledger)
    }

    fn has_stopped(state: &State) -> bool {
        let files = Arc::new(ledger::files::DiskFiles);
        let mut reader = ledger::Reader::new(files, &state.ledger());
        std::iter::from_fn(|| reader.read_next().unwrap()).any(|entry| {
            matches!(entry.leaf, terms::Leaf::Event(event) if event.act == Act::GateStopped)
        })
    }

    #[tokio::test]
    async fn a_gate_with_an_open_exchange_has_not_stopped_in_good_order() {
        let folder = tempfile::tempdir().unwrap();
        let (state, admin, ledger) = log(folder.path()).await;
        ledger.mark_running().unwrap();
        let open = ledger.reserve().unwrap();
        let fault = stopped(&admin, ledger.clone()).await.unwrap_err();
        assert!(fault.to_string().contains("1 exchanges"), "{fault}");
        assert!(!has_stopped(&state));
        assert!(state.ledger().join("running").exists());
        drop(open);
        stopped(&admin, ledger).await.unwrap();
        assert!(has_stopped(&state));
        assert!(!state.ledger().join("running").exists());
    }

    #[tokio::test]
    async fn a_checkpoint_is_there_before_a_gate_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let (state, _admin, ledger) = log(folder.path()).await;
        first_checkpoint(&ledger).await.unwrap();
        let tlog = state.ledger().join(ledger::publish::FOLDER);
        assert!(tlog.join(ledger::publish::CHECKPOINT).exists());
        ledger.close().await.unwrap();
    }
}
