//! Who may call: the virtual keys, as one immutable table that is swapped whole.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use http::{HeaderMap, header};
use policy::Grant;
use store::{KeyRecord, VirtualKey};
use terms::{Code, KeyId, Refusal};

/// A known caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Public name of the key.
    pub key: KeyId,
    /// Whom the key was made for.
    pub owner: String,
    /// What the key may do.
    pub allowed: Grant,
    expires_ms: Option<u64>,
    revoked: bool,
}

/// The table: looked up by hash of the whole key, never by a part of it.
#[derive(Debug, Default)]
pub struct Callers {
    by_hash: ArcSwap<HashMap<String, Arc<Principal>>>,
}

impl Callers {
    /// Puts these keys in force, in place of all earlier ones.
    pub fn install(&self, keys: &[KeyRecord]) {
        let table = keys.iter().map(|record| {
            let principal = Principal {
                key: record.id.clone(),
                owner: record.owner.clone(),
                allowed: record.allowed.clone(),
                expires_ms: record.expires_ms,
                revoked: record.revoked_ms.is_some(),
            };
            (record.hash_hex.clone(), Arc::new(principal))
        });
        self.by_hash.store(Arc::new(table.collect()));
    }

    /// Finds out who sent these headers. Both `Authorization: Bearer` and
    /// `x-api-key` are read, since SDKs of one vendor use either.
    ///
    /// # Errors
    /// A refusal of the Known room.
    pub fn identify(&self, headers: &HeaderMap, now_ms: u64) -> Result<Arc<Principal>, Refusal> {
        let key = sent_key(headers)?;
        let hash = VirtualKey::hash(key).map_err(|_| Refusal::new(Code::KeyMalformed))?;
        let table = self.by_hash.load();
        let principal = table
            .get(&hash.to_hex())
            .ok_or_else(|| Refusal::new(Code::KeyUnknown))?;
        if principal.revoked {
            return Err(Refusal::new(Code::KeyRevoked));
        }
        if principal
            .expires_ms
            .is_some_and(|expires_ms| expires_ms <= now_ms)
        {
            return Err(Refusal::new(Code::KeyExpired));
        }
        Ok(Arc::clone(principal))
    }
}

fn sent_key(headers: &HeaderMap) -> Result<&str, Refusal> {
    let bearer = headers.get_all(header::AUTHORIZATION).iter().map(|value| {
        let text = value
            .to_str()
            .map_err(|_| Refusal::new(Code::KeyMalformed))?;
        let (scheme, key) = text
            .split_once(' ')
            .ok_or_else(|| Refusal::new(Code::KeyMalformed))?;
        if scheme.eq_ignore_ascii_case("bearer") {
            Ok(key.trim())
        } else {
            Err(Refusal::new(Code::KeyMalformed))
        }
    });
    let named = headers.get_all("x-api-key").iter().map(|value| {
        value
            .to_str()
            .map(str::trim)
            .map_err(|_| Refusal::new(Code::KeyMalformed))
    });
    let mut sent = None;
    for key in bearer.chain(named) {
        let key = key?;
        if sent.is_some_and(|other| other != key) {
            return Err(Refusal::new(Code::KeyAmbiguous));
        }
        sent = Some(key);
    }
    sent.filter(|key| !key.is_empty())
        .ok_or_else(|| Refusal::new(Code::KeyMissing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Keys, Store};
    use terms::{FixedClock, SeededEntropy};

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn every_way_of_sending_a_key_is_judged() {
        let store = Store::in_memory().unwrap();
        let (clock, entropy) = (FixedClock::new(10), SeededEntropy::new(3));
        let keys = Keys::new(&store);
        let good = keys
            .create("a", Grant::default(), Some(20), &clock, &entropy)
            .unwrap();
        let gone = keys
            .create("b", Grant::default(), None, &clock, &entropy)
            .unwrap();
        keys.revoke(&gone.record.id, &clock).unwrap();
        let callers = Callers::default();
        callers.install(&keys.list().unwrap());
        let stranger = VirtualKey::generate(&SeededEntropy::new(99));
        let code = |pairs: &[(&'static str, String)], now| {
            callers
                .identify(&headers(pairs), now)
                .map(|p| p.owner.clone())
                .map_err(|r| r.code())
        };
        let bearer = |key: &VirtualKey| ("authorization", format!("Bearer {}", key.reveal()));
        let named = |key: &VirtualKey| ("x-api-key", key.reveal().to_owned());
        assert_eq!(code(&[bearer(&good.key)], 10), Ok("a".into()));
        assert_eq!(code(&[named(&good.key)], 10), Ok("a".into()));
        assert_eq!(
            code(&[bearer(&good.key), named(&good.key)], 10),
            Ok("a".into())
        );
        assert_eq!(
            code(&[bearer(&good.key), named(&stranger)], 10),
            Err(Code::KeyAmbiguous)
        );
        assert_eq!(code(&[bearer(&good.key)], 20), Err(Code::KeyExpired));
        assert_eq!(code(&[bearer(&gone.key)], 10), Err(Code::KeyRevoked));
        assert_eq!(code(&[bearer(&stranger)], 10), Err(Code::KeyUnknown));
        assert_eq!(
            code(&[("authorization", "Basic x".into())], 10),
            Err(Code::KeyMalformed)
        );
        assert_eq!(
            code(&[("x-api-key", String::new())], 10),
            Err(Code::KeyMissing)
        );
        assert_eq!(code(&[], 10), Err(Code::KeyMissing));
    }
}
