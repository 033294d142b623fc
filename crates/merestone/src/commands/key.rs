//! `merestone key`: through a running gate where there is one, else directly.

use std::{path::Path, process::ExitCode, sync::Arc};

use policy::{Grant, ModelPattern};
use serde_json::{Value, json};
use store::Store;
use terms::{Clock, KeyId};

use crate::{
    admin::{Admin, Answer, Request, key_json},
    cli::KeyCommand,
    config::{self, Settled, VendorKeys},
    control, present,
    source::{SystemClock, SystemEntropy},
    state::State,
};

pub(super) fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Create {
            config,
            owner,
            vendors,
            models,
            expires_in,
            json,
        } => {
            let settled = config::load(&config.config, VendorKeys::Leave)?;
            let request = create(&settled, owner, vendors, &models, expires_in.as_deref())?;
            match ask(&settled, request)? {
                Answer::Key { key, id } => show_new(&key, &id, json),
                other => refused(other),
            }
        }
        KeyCommand::List { config, json } => match ask(
            &config::load(&config.config, VendorKeys::Leave)?,
            Request::KeyList,
        )? {
            Answer::Keys(keys) => list(&keys, json),
            other => refused(other),
        },
        KeyCommand::Revoke { config, id } => {
            let id: KeyId = id.parse().map_err(|_| anyhow::anyhow!("a key's public name looks like mk-0123456789ab; `merestone key list` shows them"))?;
            match ask(
                &config::load(&config.config, VendorKeys::Leave)?,
                Request::KeyRevoke { id },
            )? {
                Answer::Done => present::say!("revoked")?,
                other => return refused(other),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn create(
    settled: &Settled,
    owner: String,
    vendors: Vec<String>,
    models: &[String],
    expires_in: Option<&str>,
) -> anyhow::Result<Request> {
    for name in &vendors {
        let known: Vec<&str> = settled
            .vendors
            .iter()
            .map(|vendor| vendor.name.as_str())
            .collect();
        anyhow::ensure!(
            known.contains(&name.as_str()),
            "no vendor `{name}` is configured; known: {}",
            known.join(", ")
        );
    }
    let models = models
        .iter()
        .map(|pattern| pattern.parse())
        .collect::<Result<Vec<ModelPattern>, _>>()?;
    let now_ms = SystemClock::start().now_ms();
    let expires_ms = expires_in
        .map(|text| duration_ms(text).map(|ms| now_ms.saturating_add(ms)))
        .transpose()?;
    Ok(Request::KeyCreate {
        owner,
        allowed: Grant::new(vendors, models)?,
        expires_ms,
    })
}

fn duration_ms(text: &str) -> anyhow::Result<u64> {
    let wrong = || anyhow::anyhow!("a time is a number and a unit: 90d, 12h, 30m or 45s");
    let (number, unit_ms) = [
        ("d", 86_400_000_u64),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ]
    .iter()
    .find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, *ms)))
    .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit_ms)
        .filter(|ms| *ms > 0 && *ms < 100 * 366 * 86_400_000)
        .ok_or_else(wrong)
}

fn show_new(key: &str, id: &KeyId, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        present::say!("{}", json!({ "key": key, "id": id }))?;
    } else {
        present::say!("{key}")?;
        present::note(&format!(
            "This is the only time that the key is shown. Its public name is {id}."
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(keys: &[Value], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        present::say!("{}", json!({ "keys": keys }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = present::table(&[
        "id", "owner", "state", "vendors", "models", "made", "expires",
    ]);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "all".to_owned(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    let when = |value: &Value| {
        value
            .as_u64()
            .map_or_else(|| "never".to_owned(), present::time)
    };
    let none = Value::Null;
    for key in keys {
        let field = |name: &str| key.get(name).unwrap_or(&none);
        let allowed = |name: &str| field("allowed").get(name).unwrap_or(&none);
        table.add_row([
            text(field("id")),
            text(field("owner")),
            text(field("state")),
            text(allowed("vendors")),
            text(allowed("models")),
            when(field("created_ms")),
            when(field("expires_ms")),
        ]);
    }
    present::say!("{table}")?;
    Ok(ExitCode::SUCCESS)
}

fn refused(answer: Answer) -> anyhow::Result<ExitCode> {
    match answer {
        Answer::Refused(why) => anyhow::bail!("{why}"),
        Answer::Key { .. } | Answer::Keys(_) | Answer::Done => {
            anyhow::bail!("the gate gave an answer to another question")
        }
    }
}

/// Through the control socket of a running gate, or, if none runs, here.
fn ask(settled: &Settled, request: Request) -> anyhow::Result<Answer> {
    let state = State::open(&settled.state)?;
    if let Some(answer) = control::ask(&state.socket(), &request)? {
        return Ok(answer);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(here(settled, &state, request))
}

async fn here(settled: &Settled, state: &State, request: Request) -> anyhow::Result<Answer> {
    let clock = Arc::new(SystemClock::start());
    let store = Store::open(&state.keys())?;
    if matches!(request, Request::KeyList) {
        let keys = store::Keys::new(&store).list()?;
        return Ok(Answer::Keys(
            keys.iter()
                .map(|key| key_json(key, clock.now_ms()))
                .collect(),
        ));
    }
    let opened = state.open_ledger(settled.free_bytes_min, &clock)?;
    let ledger = opened.ledger.clone();
    let admin = Admin {
        store,
        ledger: ledger.clone(),
        commitments: state.commitments(&SystemEntropy)?,
        clock,
    };
    let by = account(state)?;
    let answer = match request {
        Request::KeyCreate {
            owner,
            allowed,
            expires_ms,
        } => admin.create(&owner, allowed, expires_ms, &by).await,
        Request::KeyRevoke { id } => admin.revoke(&id, &by).await,
        Request::KeyList | Request::Reload => Ok(Answer::Done),
    };
    drop(opened);
    ledger.close().await?;
    answer
}

/// The account that owns the state folder's files made by this process.
fn account(state: &State) -> anyhow::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let path: &Path = &state.keys();
    Ok(format!("uid:{}", std::fs::metadata(path)?.uid()))
}
