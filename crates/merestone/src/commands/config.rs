//! `merestone config`: check, show and explain.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use detect::Catalogue;
use gate::{NamesService, Ruling, VendorClient};
use serde_json::{Value, json};
use terms::{Clock, Code, Control};

use crate::{
    cli::ConfigCommand,
    config::{self, Settled, VendorKeys, settings},
    present,
    source::SystemClock,
};

pub(super) fn run(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check(config) => check(&config.config),
        ConfigCommand::Show { config, json } => {
            show(&config::load(&config.config, VendorKeys::Leave)?, json)?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Explain {
            name: Some(name),
            markdown: true,
        } if name == "refusals" => {
            present::out(format_args!("{}", config::refusals()))?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Explain { markdown: true, .. } => {
            present::out(format_args!("{}", config::reference()))?;
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Explain { name, .. } => explain(name.as_deref()),
    }
}

fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let settled = config::load(path, VendorKeys::Fetch)?;
    let unusable = || format!("{} cannot be used", path.display());
    // What `up` refuses only once it starts is refused here as well.
    let connect_time = settled.settings.limits.connect_time;
    let client = VendorClient::new(settled.authorities, connect_time).with_context(unusable)?;
    let ruling = Ruling::new(
        settled.policy,
        settled.permission,
        settled.engine,
        settled.vendors,
        client,
        // Nothing but examples is looked at.
        [0; 32],
    )
    .with_names(settled.names.map(NamesService::new));
    let now_ms = SystemClock::start().now_ms();
    ruling.show_canaries(now_ms).with_context(unusable)?;
    let modes: Vec<String> = Control::ALL
        .iter()
        .map(|control| format!("{control}: {}", ruling.policy().mode(*control, now_ms)))
        .collect();
    present::say!(
        "{} can be used: {} vendors, {}, {}",
        path.display(),
        ruling.vendors().len(),
        ruling.engine(),
        modes.join(", ")
    )?;
    Ok(ExitCode::SUCCESS)
}

fn show(settled: &Settled, as_json: bool) -> anyhow::Result<()> {
    let value = shown(settled);
    if as_json {
        present::say!("{value}")?;
        return Ok(());
    }
    let mut table = present::table(&["setting", "value"]);
    flatten("", &value, &mut |name, value| {
        table.add_row([present::plain(&name), present::plain(&value)]);
    });
    present::say!("{table}")
}

/// What the file means. A key is never shown, only where it comes from is known.
fn shown(settled: &Settled) -> Value {
    let now_ms = SystemClock::start().now_ms();
    let limits = &settled.settings.limits;
    let controls: serde_json::Map<String, Value> = Control::ALL
        .iter()
        .map(|control| {
            let chosen: serde_json::Map<String, Value> = settled
                .policy
                .control(*control)
                .map(|policy| {
                    policy
                        .actions
                        .chosen()
                        .map(|(selector, action)| (selector, action.word().into()))
                        .collect()
                })
                .unwrap_or_default();
            (
                control.word().to_owned(),
                json!({ "mode": settled.policy.mode(*control, now_ms), "actions": chosen }),
            )
        })
        .collect();
    let vendors: serde_json::Map<String, Value> = settled
        .vendors
        .iter()
        .map(|vendor| {
            let base = format!(
                "{}://{}{}",
                vendor.scheme, vendor.authority, vendor.base_path
            );
            (
                vendor.name.clone(),
                json!({ "base_url": base, "prefix": vendor.prefix, "key": "not shown", "capture": vendor.capture }),
            )
        })
        .collect();
    json!({
        "gate": { "listen": settled.settings.listen, "state": settled.state, "node": settled.settings.node },
        "vendors": vendors,
        "controls": controls,
        "restore": { "tools": settled.policy.restore_in_tools },
        "evidence": { "durability": settled.policy.durability, "free_bytes_min": settled.free_bytes_min },
        "limits": {
            "body_bytes_max": limits.body_bytes_max,
            "reply_bytes_max": limits.reply_bytes_max,
            "header_bytes_max": limits.header_bytes_max,
            "held_bytes_max": limits.held_bytes_max,
            "in_flight_bytes_max": limits.in_flight_bytes_max,
            "in_flight_max": limits.in_flight_max,
            "connections_max": limits.connections_max,
        },
        "names": settled.names.as_ref().map(|names| json!({
            "url": names.url.to_string(),
            "timeout_ms": names.time_max.as_millis(),
            "concurrent_max": names.concurrent_max,
            "score_min": names.score_min,
            "replies": names.replies,
        })),
        "export": exports(settled),
        "policy": settled.policy.digest(),
        "rules": settled.engine.digest(),
    })
}

/// The exports by name; a credential is never shown.
fn exports(settled: &Settled) -> Value {
    let shown = settled.exports.iter().map(|at| {
        let value = json!({
            "to": at.sink.word(),
            "batch_entries_max": at.limits.batch_entries_max,
            "lag_minutes_max": at.lag_ms_max / 60_000,
        });
        (at.name.clone(), value)
    });
    Value::Object(shown.collect())
}

fn flatten(prefix: &str, value: &Value, row: &mut dyn FnMut(String, String)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&name, member, row);
            }
        }
        Value::String(text) => row(prefix.to_owned(), text.clone()),
        other => row(prefix.to_owned(), other.to_string()),
    }
}

fn explain(name: Option<&str>) -> anyhow::Result<ExitCode> {
    let Some(name) = name else {
        for setting in settings() {
            present::say!(
                "[{}] {} = {}\n    {}",
                setting.table,
                setting.name,
                setting.value,
                setting.says
            )?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    if name == "detectors" {
        return detectors();
    }
    let codes: Vec<Code> = match Code::from_word(name) {
        None if name == "refusals" => Code::ALL.to_vec(),
        code => code.into_iter().collect(),
    };
    if !codes.is_empty() {
        for code in codes {
            present::say!("{code} (HTTP {}): {}", code.status(), code.says())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = name.rsplit('.').next().unwrap_or(name);
    let found: Vec<_> = settings()
        .filter(|setting| setting.name == wanted || setting.table == name)
        .collect();
    anyhow::ensure!(
        !found.is_empty(),
        "`{name}` is neither a setting, nor `detectors`, nor `refusals`, nor a code as MS-ADMIT-003; `merestone config explain` lists the settings"
    );
    for setting in found {
        present::say!(
            "[{}] {} = {}\n    {}",
            setting.table,
            setting.name,
            setting.value,
            setting.says
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn detectors() -> anyhow::Result<ExitCode> {
    let catalogue = Catalogue::embedded()?;
    let mut table = present::table(&[
        "detector",
        "kind",
        "control",
        "by default",
        "looks at",
        "finds",
    ]);
    for detector in catalogue.detectors() {
        let directions: Vec<&str> = detector
            .directions
            .iter()
            .map(|direction| direction.word())
            .collect();
        table.add_row([
            detector.id.as_str(),
            detector.kind.as_str(),
            detector.control.word(),
            detector.default_action.word(),
            &directions.join(", "),
            &detector.title,
        ]);
    }
    present::say!("{table}")?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::check;

    fn checked(lines: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.toml");
        let text = format!(
            "[gate]\n[vendors.openai]\napi = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\nkey = \"file:key\"\n{lines}"
        );
        fs::write(folder.path().join("key"), "fake-key").unwrap();
        fs::write(&path, text).unwrap();
        check(&path)
            .map(|_| ())
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_a_gate_would_not_start_with_cannot_be_used() {
        assert_eq!(checked(""), Ok(()));
        let all = "[controls.redaction.actions]\n\"*\" = \"allow\"\n";
        let says = checked(all).unwrap_err();
        assert!(
            says.contains("cannot be used")
                && says.contains("canary")
                && says.contains("redaction"),
            "{says}"
        );
        let off = format!("[controls.redaction]\nmode = \"off\"\n{all}");
        assert_eq!(checked(&off), Ok(()));
    }
}
