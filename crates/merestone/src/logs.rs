//! Logs on standard error: the product's own lines, never content.

use std::ffi::OsStr;

use anyhow::{Context, anyhow};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::present;

/// Names the level, or the libraries to be heard and their levels.
const LEVEL: &str = "MERESTONE_LOG";
/// `json` asks for one object a line.
const FORMAT: &str = "MERESTONE_LOG_FORMAT";

/// Who is heard when only a level is named: the product, and what delivers its
/// telemetry. A library that reads what a caller sends would write as many
/// lines as the caller likes, with the caller's bytes in them.
const HEARD: [&str; 11] = [
    "detect",
    "export",
    "gate",
    "govern",
    "ledger",
    "merestone",
    "opentelemetry",
    "policy",
    "store",
    "terms",
    "wire",
];

/// Starts them. Only the first call in a process has an effect.
///
/// # Errors
/// When `MERESTONE_LOG` is no level and no list of directives.
pub(crate) fn start() -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(std::env::var_os(LEVEL).as_deref())?)
        .with_writer(std::io::stderr)
        .with_ansi(present::colour_of_notes())
        .with_target(false);
    let json = std::env::var_os(FORMAT).is_some_and(|format| format == "json");
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.try_init()
    };
    Ok(())
}

/// What the variable asks for: a level is the product's own, and what it does
/// not speak of stays at warnings.
fn filter(asked: Option<&OsStr>) -> anyhow::Result<EnvFilter> {
    let wrong = || {
        anyhow!(
            "{LEVEL} must be off, error, warn, info, debug or trace, or name libraries \
             (gate=debug,h2=info)"
        )
    };
    let asked = asked.unwrap_or_default().to_str().ok_or_else(wrong)?;
    let mut directives = vec![own(LevelFilter::WARN)];
    for word in asked
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        match word.parse() {
            Ok(level) => directives.push(own(level)),
            Err(_) if word.contains('=') => directives.push(word.to_owned()),
            Err(_) => return Err(wrong()),
        }
    }
    let filter = EnvFilter::builder().parse(directives.join(","));
    filter.with_context(wrong)
}

fn own(level: LevelFilter) -> String {
    HEARD.map(|name| format!("{name}={level}")).join(",")
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Which of some lines are written under this.
    fn heard(asked: Option<&str>) -> Vec<&'static str> {
        let filter = filter(asked.map(OsStr::new)).unwrap();
        let subscriber = tracing_subscriber::registry().with(filter);
        tracing::subscriber::with_default(subscriber, || {
            use tracing::{Level, enabled};
            let enabled = [
                ("h2", enabled!(target: "h2::proto::ping_pong", Level::WARN)),
                ("hyper", enabled!(target: "hyper::proto", Level::ERROR)),
                ("gate", enabled!(target: "gate::walk", Level::WARN)),
                ("gate's", enabled!(target: "gate::walk", Level::DEBUG)),
                ("ledger", enabled!(target: "ledger", Level::ERROR)),
                ("otel", enabled!(target: "opentelemetry-otlp", Level::ERROR)),
            ];
            let enabled = enabled.into_iter();
            enabled
                .filter_map(|(name, heard)| heard.then_some(name))
                .collect()
        })
    }

    #[test]
    fn only_the_product_is_heard_unless_others_are_named() {
        let usual = ["gate", "ledger", "otel"];
        assert_eq!(heard(None), usual);
        assert_eq!(heard(Some("")), usual);
        assert_eq!(heard(Some("debug")), ["gate", "gate's", "ledger", "otel"]);
        assert_eq!(heard(Some("TRACE")), ["gate", "gate's", "ledger", "otel"]);
        assert_eq!(heard(Some("off")), [""; 0]);
        assert_eq!(
            heard(Some("warn,gate=debug")),
            ["gate", "gate's", "ledger", "otel"]
        );
        assert_eq!(heard(Some("error, gate=off")), ["ledger", "otel"]);
        assert_eq!(heard(Some("h2=warn")), ["h2", "gate", "ledger", "otel"]);
    }

    #[test]
    fn what_is_no_level_is_told() {
        for asked in ["loud", "gate=loud", "warn,loud"] {
            let error = filter(Some(OsStr::new(asked))).unwrap_err();
            assert!(
                error.to_string().starts_with("MERESTONE_LOG must be"),
                "{asked}"
            );
        }
    }
}
