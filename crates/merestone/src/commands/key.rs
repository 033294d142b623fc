//! `merestone key`: through a running gate where there is one, else directly.

use std::{collections::BTreeSet, process::ExitCode};

use policy::{Grant, ModelPattern, Rates};
use serde_json::{Value, json};
use terms::{Clock, KeyId, Secret, Verb};

use super::ask::{ask, refused};
use crate::{
    admin::{Answer, KeyWish, Request},
    cli::{KeyCommand, KeyCreate},
    config::{self, Settled, VendorKeys},
    present,
    source::SystemClock,
};

pub(super) fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Create(wish) => {
            let settled = config::load(&wish.config.config, VendorKeys::Leave)?;
            let json = wish.json;
            match ask(&settled, Request::KeyCreate(settle(&settled, *wish)?))? {
                Answer::Key { key, id } => show_new(&key, &id, json),
                other => Err(refused(other)),
            }
        }
        KeyCommand::List { config, json } => {
            let settled = config::load(&config.config, VendorKeys::Leave)?;
            match ask(&settled, Request::KeyList)? {
                Answer::Keys(keys) => list(&keys, json),
                other => Err(refused(other)),
            }
        }
        KeyCommand::Revoke { config, id } => {
            let id: KeyId = id.parse().map_err(|_| anyhow::anyhow!("a key's public name looks like mk-0123456789ab; `merestone key list` shows them"))?;
            let settled = config::load(&config.config, VendorKeys::Leave)?;
            match ask(&settled, Request::KeyRevoke { id })? {
                Answer::Done => present::say!("revoked")?,
                other => return Err(refused(other)),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn settle(settled: &Settled, wish: KeyCreate) -> anyhow::Result<KeyWish> {
    let KeyCreate {
        owner,
        vendors,
        models,
        verbs,
        expires_in,
        requests_per_minute,
        tokens_per_minute,
        in_flight,
        maker,
        ..
    } = wish;
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
    let verbs = verbs
        .iter()
        .map(|word| {
            let known = || {
                Verb::ALL
                    .iter()
                    .map(|verb| verb.word())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            Verb::from_word(word)
                .ok_or_else(|| anyhow::anyhow!("`{word}` is no verb; known: {}", known()))
        })
        .collect::<Result<BTreeSet<Verb>, _>>()?;
    let now_ms = SystemClock::start().now_ms();
    let expires_ms = expires_in
        .map(|text| duration_ms(&text).map(|ms| now_ms.saturating_add(ms)))
        .transpose()?;
    let mut allowed = Grant::new(vendors, models)?.with_rates(Rates {
        requests_per_minute,
        tokens_per_minute,
        in_flight,
    });
    if !verbs.is_empty() {
        allowed = allowed.with_verbs(verbs);
    }
    Ok(KeyWish {
        owner,
        allowed,
        expires_ms,
        maker: maker.map(|name| of_environment(&name)).transpose()?,
    })
}

/// A key is never typed on a command line, where other accounts can see it.
pub(super) fn of_environment(variable: &str) -> anyhow::Result<Secret<String>> {
    let key = std::env::var(variable).map_err(|_| {
        anyhow::anyhow!("the option names a variable of the environment that holds the key; there is no such variable")
    })?;
    Ok(Secret::new(key.trim().to_owned()))
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
        .ok_or_else(|| {
            anyhow::anyhow!("a key's time is longer than nothing and shorter than a hundred years")
        })
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
        "id", "owner", "state", "verbs", "vendors", "models", "limits", "made by", "made",
        "expires",
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
            text(allowed("verbs")),
            text(allowed("vendors")),
            text(allowed("models")),
            limits(allowed("rates")),
            field("made_by").as_str().unwrap_or("").to_owned(),
            when(field("created_ms")),
            when(field("expires_ms")),
        ]);
    }
    present::say!("{table}")?;
    Ok(ExitCode::SUCCESS)
}

fn limits(rates: &Value) -> String {
    let one = |name: &str, unit: &str| {
        let number = rates.get(name)?.as_u64()?;
        Some(format!("{number} {unit}"))
    };
    let all = [
        one("requests_per_minute", "requests/min"),
        one("tokens_per_minute", "tokens/min"),
        one("in_flight", "at once"),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
