//! `merestone policy`: whether the policies hold together, and what they allow.

use std::process::ExitCode;

use policy::{
    Grant,
    permission::{Ask, Asker, Moment, Object, SCHEMA},
};
use serde_json::json;
use terms::{Clock, Verb};

use super::ask::{ask, refused};
use crate::{
    admin::{Answer, Request},
    cli::PolicyCommand,
    config::{self, Settled, VendorKeys},
    present,
    source::SystemClock,
};

pub(super) fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Schema => present::say!("{}", SCHEMA.trim_end())?,
        PolicyCommand::Check(config) => {
            let settled = config::load(&config.config, VendorKeys::Leave)?;
            present::say!(
                "the policies hold together; digest {}",
                settled.permission.digest()
            )?;
        }
        PolicyCommand::Explain {
            config,
            key,
            vendor,
            model,
            source,
            tools,
            stream,
            max_tokens,
            json,
        } => {
            let settled = config::load(&config.config, VendorKeys::Leave)?;
            let question = Question {
                key,
                vendor,
                model,
                source,
                tools,
                stream,
                output_tokens_max: max_tokens,
            };
            return explain(&settled, question, json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

struct Question {
    key: String,
    vendor: String,
    model: String,
    source: std::net::IpAddr,
    tools: u32,
    stream: bool,
    output_tokens_max: Option<u64>,
}

fn explain(settled: &Settled, question: Question, json: bool) -> anyhow::Result<ExitCode> {
    let (owner, state, grant) = known(settled, &question.key)?;
    let vendor = settled
        .vendors
        .iter()
        .find(|vendor| vendor.name == question.vendor)
        .ok_or_else(|| anyhow::anyhow!("no vendor `{}` is configured", question.vendor))?;
    let granted = grant.permit(&vendor.name, &question.model);
    let route = match vendor.api {
        wire::Api::OpenAi => wire::Dialect::OpenAiChat,
        wire::Api::Anthropic => wire::Dialect::AnthropicMessages,
    };
    let answer = settled.permission.decide(&Ask {
        who: Asker::Key {
            id: question.key,
            owner,
            verbs: grant.verbs().clone(),
        },
        verb: Verb::Infer,
        what: Object::Model {
            vendor: vendor.name.clone(),
            api: vendor.api.name(),
            model: question.model,
            route: route.name(),
            source: question.source,
            stream: question.stream,
            tools: question.tools,
            output_tokens_max: question.output_tokens_max,
        },
        when: Moment::at_ms(SystemClock::start().now_ms()),
    });
    let allowed = state == "active" && granted.is_ok() && answer.allowed;
    let grant_says = granted.err().map(|refusal| refusal.to_string());
    if json {
        present::say!(
            "{}",
            json!({
                "allowed": allowed,
                "key": state,
                "grant": grant_says,
                "policies_allow": answer.allowed,
                "because": answer.because,
                "erred": answer.erred,
            })
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    present::say!("{}", if allowed { "allowed" } else { "not allowed" })?;
    present::say!("  the key is {state}")?;
    match grant_says {
        None => present::say!("  its grant allows the call")?,
        Some(says) => present::say!("  its grant does not: {says}")?,
    }
    let word = if answer.allowed {
        "allow"
    } else {
        "do not allow"
    };
    present::say!("  the policies {word} it")?;
    for policy in &answer.because {
        present::say!("    decided by {policy}")?;
    }
    for policy in &answer.erred {
        present::say!("    {policy} erred, which denies")?;
    }
    if answer.because.is_empty() && answer.erred.is_empty() {
        present::say!("    no policy permits it")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Owner, state and grant of a key.
fn known(settled: &Settled, id: &str) -> anyhow::Result<(String, String, Grant)> {
    let keys = match ask(settled, Request::KeyList)? {
        Answer::Keys(keys) => keys,
        other => return Err(refused(other)),
    };
    let key = keys
        .into_iter()
        .find(|key| key.get("id").and_then(serde_json::Value::as_str) == Some(id))
        .ok_or_else(|| anyhow::anyhow!("no such key; `merestone key list` shows them"))?;
    let text = |name: &str| {
        let value = key.get(name).and_then(serde_json::Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let grant = serde_json::from_value(key.get("allowed").cloned().unwrap_or_default())?;
    Ok((text("owner"), text("state"), grant))
}
