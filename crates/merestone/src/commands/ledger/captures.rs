//! `merestone ledger reveal` and `erase`: sealed content.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use terms::CapturePart;

use crate::{
    admin::{
        Answer, Request,
        captures::{EraseWhat, RevealWish, Shown},
    },
    cli::captures::{Erase, Reveal},
    commands::{
        ask::{ask, ask_with_tenant, refused},
        key,
    },
    config::{self, VendorKeys},
    present,
};

/// Shows sealed content.
pub(super) fn reveal(wish: Reveal) -> anyhow::Result<ExitCode> {
    let parts = wish.parts.iter().map(|word| {
        CapturePart::from_word(word).with_context(|| {
            let known: Vec<&str> = CapturePart::ALL.iter().map(|part| part.word()).collect();
            format!("this is no part; they are {}", known.join(", "))
        })
    });
    let request = Request::LedgerReveal(RevealWish {
        exchange: exchange(&wish.exchange)?,
        parts: parts.collect::<anyhow::Result<_>>()?,
        reason: wish.reason,
        key: wish
            .by_key
            .map(|name| key::of_environment(&name))
            .transpose()?,
    });
    match ask_with_tenant(&wish.config.config, request)? {
        Answer::Revealed(shown) => {
            if wish.json {
                present::say!("{}", as_json(&wish.exchange, &shown))?;
            } else {
                tell(&shown)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        other => Err(refused(other)),
    }
}

fn as_json(exchange: &str, shown: &Shown) -> Value {
    let parts: serde_json::Map<String, Value> = shown
        .parts
        .iter()
        .map(|(part, text)| {
            let text = || Value::String(text.clone());
            let value = serde_json::from_str(text().as_str().unwrap_or_default());
            (part.to_string(), value.unwrap_or_else(|_| text()))
        })
        .collect();
    json!({ "exchange": exchange, "parts": parts, "captured": shown.captured })
}

fn tell(shown: &Shown) -> anyhow::Result<()> {
    for noted in &shown.captured.parts {
        if let Some(why) = noted.left_out {
            present::say!("{}: left out ({why})", noted.part)?;
        }
        let Some(text) = shown.parts.get(&noted.part) else {
            continue;
        };
        let masked = match noted.masked {
            0 => String::new(),
            count => format!(", {count} stretches masked before it was sealed"),
        };
        present::say!("{} ({} bytes{masked})", noted.part, noted.bytes)?;
        for line in text.lines() {
            present::say!("  {}", present::plain(line))?;
        }
    }
    Ok(())
}

/// Destroys keys of sealed content.
pub(super) fn erase(wish: Erase) -> anyhow::Result<ExitCode> {
    let what = match (wish.exchange, wish.key, wish.person) {
        (Some(id), None, None) => EraseWhat::Exchange(exchange(&id)?),
        (None, Some(key), None) => EraseWhat::Key(
            key.parse()
                .map_err(|_| anyhow::anyhow!("a key's public name is mk- and 12 hexadecimal digits; `merestone key list` shows them"))?,
        ),
        (None, None, Some(person)) => EraseWhat::Person(person),
        _ => anyhow::bail!("name one exchange, or --key, or --person"),
    };
    let settled = config::load(&wish.config.config, VendorKeys::Leave)?;
    let reason = wish.reason;
    match ask(&settled, Request::LedgerErase { what, reason })? {
        Answer::Erased { erased } if wish.json => {
            present::say!("{}", json!({ "erased": erased }))?;
            Ok(ExitCode::SUCCESS)
        }
        Answer::Erased { erased } => {
            present::say!("the keys of {erased} exchanges are destroyed, and the log tells of it")?;
            Ok(ExitCode::SUCCESS)
        }
        other => Err(refused(other)),
    }
}

fn exchange(id: &str) -> anyhow::Result<terms::ExchangeId> {
    id.parse().map_err(|_| {
        anyhow::anyhow!("an exchange looks like mx- and 32 hexadecimal digits; it stands in the reply's x-merestone-exchange header")
    })
}
