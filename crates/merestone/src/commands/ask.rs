//! Asks a running gate, or does it here when none runs.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::Context;
use policy::permission::{Ask, Asker, Moment, Object};
use store::Store;
use terms::{Act, Clock, Verb};

use crate::{
    admin::{Admin, Answer, Request, captures::RevealWish, keys_json},
    config::{self, Settled, StoreAt, VendorKeys},
    control, exports, node, present,
    source::{SystemClock, SystemEntropy},
    state::State,
};

/// Through the control socket of a running gate, or, if none runs, here.
pub(super) fn ask(settled: &Settled, request: Request) -> anyhow::Result<Answer> {
    let state = State::open(&settled.state)?;
    if let Some(answer) = control::ask(&state.socket(), &request)? {
        return Ok(answer);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(here(settled, &state, request))
}

/// Likewise, of what needs the tenant's key where no gate runs.
pub(super) fn ask_with_tenant(path: &Path, request: Request) -> anyhow::Result<Answer> {
    let settled = config::load(path, VendorKeys::Leave)?;
    let state = State::open(&settled.state)?;
    match control::ask(&state.socket(), &request)? {
        Some(answer) => Ok(answer),
        None => ask(&config::load(path, VendorKeys::TenantOnly)?, request),
    }
}

/// Through the control socket of a running gate, whatever the configuration
/// says by now; `None` if none runs.
pub(super) fn ask_past(path: &Path, request: &Request) -> anyhow::Result<Option<Answer>> {
    match State::existing(&config::state_folder(path)) {
        Ok(state) => control::ask(&state.socket(), request),
        Err(_) => Ok(None),
    }
}

/// Through the control socket of a running gate; there must be one.
pub(super) fn ask_running(settled: &Settled, request: &Request) -> anyhow::Result<Answer> {
    let state = State::existing(&settled.state)?;
    control::ask(&state.socket(), request)?
        .ok_or_else(|| anyhow::anyhow!("no gate is running on this configuration's state folder"))
}

/// An answer that fits no question of this command.
pub(super) fn refused(answer: Answer) -> anyhow::Error {
    match answer {
        Answer::Refused(why) => anyhow::anyhow!(why),
        _ => anyhow::anyhow!("the gate gave an answer to another question"),
    }
}

async fn here(settled: &Settled, state: &State, request: Request) -> anyhow::Result<Answer> {
    let clock = Arc::new(SystemClock::start());
    if matches!(request, Request::SwitchList) {
        let (kept, waiting) = node::waiting(state, clock.now_ms())?;
        if let Err(why) = waiting {
            present::note(&format!(
                "note: the file of switches is not carried out: {why}"
            ));
        }
        return Ok(Answer::Switches(kept.off().clone()));
    }
    let store = match &request {
        // The kill switch stands in no need of the store.
        Request::SwitchOff { .. }
        | Request::SwitchOn { .. }
        | Request::LedgerPrune { .. }
        | Request::LedgerHold { .. }
        | Request::LedgerErase { .. }
        | Request::LedgerReveal(_) => Store::in_memory().await?,
        _ => store(settled, state).await?,
    };
    if matches!(request, Request::KeyList) {
        let keys = store::Keys::new(&store).list().await?;
        return Ok(Answer::Keys(keys_json(&keys, clock.now_ms())));
    }
    let publishing = state.publishing(&settled.settings.node, &SystemEntropy)?;
    let opened = state.open_ledger(settled.free_bytes_min, publishing, &clock)?;
    let ledger = opened.ledger.clone();
    // What a crash left is told first, as a gate would tell it.
    opened.recover(&*clock).await?;
    state.fresh_secrets(opened.entries > 0)?;
    let admin = Admin {
        store: Arc::new(store),
        ledger: ledger.clone(),
        commitments: state.commitments(&SystemEntropy)?,
        clock,
        retention: tokio::sync::Mutex::default(),
    };
    admin.resume_erasing(&state.places()).await?;
    // Made together, so that one that is missing later was lost.
    state.tokens(&SystemEntropy)?;
    let answer = carry_out(settled, &admin, state, request).await;
    drop(opened);
    ledger.close().await?;
    answer
}

async fn store(settled: &Settled, state: &State) -> anyhow::Result<Store> {
    Ok(match &settled.store {
        StoreAt::Embedded => Store::open(&state.keys()).await?,
        StoreAt::Postgres(at) => Store::connect(at.clone()).await?,
        StoreAt::Unfetched => {
            anyhow::bail!("no gate is running, and the store's URL is not where `store.url` says")
        }
    })
}

async fn carry_out(
    settled: &Settled,
    admin: &Admin,
    state: &State,
    request: Request,
) -> anyhow::Result<Answer> {
    let by = &account(state)?;
    match request {
        Request::KeyCreate(wish) => {
            anyhow::ensure!(
                wish.maker.is_none(),
                "no gate is running; only a running gate lets one key make another"
            );
            admin.create(wish, None, by).await
        }
        Request::KeyRevoke { id } => {
            admin.revoke(&id).await?;
            admin.record_revoked(&id, by).await?;
            Ok(Answer::Done)
        }
        Request::SwitchOff { scope, reason } => {
            node::fit(&reason, |reason| is_clean(settled, reason))?;
            node::offline(state, admin, &scope, reason, true, by, |text| {
                is_clean(settled, text)
            })
            .await
        }
        Request::SwitchOn { scope, reason } => {
            node::fit(&reason, |reason| is_clean(settled, reason))?;
            node::offline(state, admin, &scope, reason, false, by, |text| {
                is_clean(settled, text)
            })
            .await
        }
        Request::LedgerPrune {
            before,
            past_exports,
        } => {
            let names = settled.exports.iter();
            let names = names.map(|at| (at.name.clone(), at.limits.begin));
            let behind = exports::behind(names, &state.exports(), before)?;
            admin
                .prune(&state.ledger(), before, &behind, past_exports, by)
                .await
        }
        Request::LedgerHold { held, reason } => {
            node::fit(&reason, |reason| is_clean(settled, reason))?;
            admin.hold(&state.ledger(), held, reason, by).await
        }
        Request::LedgerErase { what, reason } => {
            node::fit(&reason, |reason| is_clean(settled, reason))?;
            admin.erase(&state.places(), what, &reason, by).await
        }
        Request::LedgerReveal(wish) => reveal(settled, admin, state, wish, by).await,
        Request::KeyList
        | Request::SwitchList
        | Request::Reload
        | Request::Stats
        | Request::ExportStatus
        | Request::VaultStatus
        | Request::VaultErase { .. }
        | Request::VaultReveal(_) => {
            anyhow::bail!("no gate is running on this configuration's state folder")
        }
    }
}

/// Shows sealed content while no gate runs, if the policies let the account.
async fn reveal(
    settled: &Settled,
    admin: &Admin,
    state: &State,
    wish: RevealWish,
    by: &str,
) -> anyhow::Result<Answer> {
    node::fit(&wish.reason, |reason| is_clean(settled, reason))?;
    anyhow::ensure!(
        wish.key.is_none(),
        "no gate is running; only a running gate knows what a key may do"
    );
    let ask = Ask {
        who: Asker::Account(by.to_owned()),
        verb: Verb::Reveal,
        what: Object::Node(settled.settings.node.clone()),
        when: Moment::at_ms(admin.clock.now_ms()),
    };
    if !settled.permission.decide(&ask).allowed {
        let facts = BTreeMap::from([("verb".to_owned(), Verb::Reveal.to_string())]);
        admin.record(Act::AdminDenied, by, "node", facts).await?;
        anyhow::bail!("no policy lets this account do that (`reveal`)");
    }
    let tenant = settled.capture.tenant.clone();
    let tenant = tenant.context("there is no `capture.tenant_key`")?;
    admin.reveal(&state.places(), tenant, wish, by).await
}

/// The account that owns the state folder's files made by this process.
fn account(state: &State) -> anyhow::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let path: &Path = &state.ledger();
    Ok(format!("uid:{}", std::fs::metadata(path)?.uid()))
}

/// Whether no detector minds a text that is to stand in the record for ever.
fn is_clean(settled: &Settled, text: &str) -> bool {
    terms::Direction::ALL.iter().all(|direction| {
        let scan = settled.engine.scan(text, *direction);
        scan.findings.is_empty() && !scan.work_exceeded
    })
}
