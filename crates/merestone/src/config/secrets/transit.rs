//! A tenant's key that stays in a vault: HashiCorp Vault's transit engine
//! wraps and unwraps, and this process never has the key.
//! https://developer.hashicorp.com/vault/api-docs/secret/transit

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ledger::seal::{RecordKey, Wrap, WrapFault, Wrapped};
use serde::Deserialize;
use terms::{Entropy, ExchangeId, Secret};
use zeroize::Zeroizing;

use super::{ANSWER_BYTES_MAX, Vault};

/// A key of a transit engine.
#[derive(Debug)]
pub(in crate::config) struct Transit {
    vault: Arc<Vault>,
    mount: String,
    name: String,
}

#[derive(Deserialize)]
struct Answer {
    data: BTreeMap<String, serde_json::Value>,
}

impl Transit {
    /// The key at `mount/name`.
    pub(in crate::config) fn new(place: &str, vault: Option<&Arc<Vault>>) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let parts = place.rsplit_once('/');
        let fits = place.bytes().all(plain)
            && place
                .split('/')
                .all(|part| !matches!(part, "" | ".." | "."));
        let (mount, name) = parts.filter(|_| fits).ok_or(
            "a key of a vault's transit engine is written as \"transit:transit/tenant-a\": the mount and the key's name",
        )?;
        let vault = vault.ok_or("no vault is configured; write a [secrets.vault] table")?;
        Ok(Self {
            vault: Arc::clone(vault),
            mount: mount.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Asks the engine; answers one field of what it says.
    fn ask(
        &self,
        verb: &str,
        body: &serde_json::Value,
        field: &str,
    ) -> Result<Zeroizing<String>, WrapFault> {
        let service = |says: &str| WrapFault::Service(says.to_owned());
        let body = Zeroizing::new(body.to_string());
        let path = format!("{}/{verb}/{}", self.mount, self.name);
        let mut response = self
            .vault
            .post(&path)
            .send(body.as_bytes())
            .map_err(|_| service("the vault cannot be reached"))?;
        match response.status().as_u16() {
            200 => {}
            400 => {
                return Err(service(
                    "the vault does not take what it was given (400): another key, or a key that takes no associated data",
                ));
            }
            403 => return Err(service("the vault refuses its token this key (403)")),
            404 => return Err(service("the vault has no such key (404)")),
            503 => return Err(service("the vault is sealed or being looked after (503)")),
            other => {
                return Err(WrapFault::Service(format!(
                    "the vault answered with status {other}"
                )));
            }
        }
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string();
        let text = Zeroizing::new(text.map_err(|_| WrapFault::Odd)?);
        let mut answer: Answer = serde_json::from_str(&text).map_err(|_| WrapFault::Odd)?;
        match answer.data.remove(field) {
            Some(serde_json::Value::String(text)) => Ok(Zeroizing::new(text)),
            _ => Err(WrapFault::Odd),
        }
    }
}

/// The exchange, as data that the ciphertext is bound to.
fn beside(exchange: ExchangeId) -> String {
    STANDARD.encode(exchange.to_string())
}

impl Wrap for Transit {
    fn wrap(
        &self,
        exchange: ExchangeId,
        key: &RecordKey,
        _entropy: &dyn Entropy,
    ) -> Result<Wrapped, WrapFault> {
        let plain = Zeroizing::new(STANDARD.encode(key.reveal()));
        let body = serde_json::json!({ "plaintext": *plain, "associated_data": beside(exchange) });
        let text = self.ask("encrypt", &body, "ciphertext")?;
        Wrapped::new(text.as_bytes().to_vec())
    }

    fn unwrap(&self, exchange: ExchangeId, wrapped: &Wrapped) -> Result<RecordKey, WrapFault> {
        let text = std::str::from_utf8(wrapped.as_bytes()).map_err(|_| WrapFault::Odd)?;
        let body = serde_json::json!({ "ciphertext": text, "associated_data": beside(exchange) });
        let plain = self.ask("decrypt", &body, "plaintext")?;
        let bytes = Zeroizing::new(
            STANDARD
                .decode(plain.as_bytes())
                .map_err(|_| WrapFault::Odd)?,
        );
        let key = bytes.as_slice().try_into().map_err(|_| WrapFault::Odd)?;
        Ok(RecordKey::from_bytes(Secret::new(key)))
    }
}
