//! Who may call: the virtual keys, as one immutable table that is swapped whole.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use http::{HeaderMap, header};
use policy::{Grant, Rates};
use store::{KeyRecord, VirtualKey};
use terms::{Code, KeyId, Refusal};

/// LIMIT: how many keys, each made by the next, stand behind one another.
const LINE_MAX: usize = 8;

/// A known caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Public name of the key.
    pub key: KeyId,
    /// Whom the key was made for.
    pub owner: String,
    /// What the key may do.
    pub allowed: Grant,
    /// The key and those that it was made by, itself first.
    pub line: Arc<[KeyId]>,
    /// The limits of each key of the line.
    rates: Vec<Rates>,
    /// The earliest end of a key of the line.
    expires_ms: Option<u64>,
    /// Whether any key of the line was revoked.
    revoked: bool,
}

impl Principal {
    /// The limits that a call is counted against: what a key's own grant says,
    /// where it says anything, else `common`; and those of the keys that it was
    /// made by, so that many keys together have no more than the one.
    pub(crate) fn limits(&self, common: &Rates) -> impl Iterator<Item = (KeyId, Rates)> {
        let common = *common;
        let with_common = move |own: &Rates| Rates {
            requests_per_minute: own.requests_per_minute.or(common.requests_per_minute),
            tokens_per_minute: own.tokens_per_minute.or(common.tokens_per_minute),
            in_flight: own.in_flight.or(common.in_flight),
        };
        self.line
            .iter()
            .cloned()
            .zip(self.rates.iter().map(with_common))
    }
}

/// The table: looked up by hash of the whole key, never by a part of it.
#[derive(Debug, Default)]
pub struct Callers {
    by_hash: ArcSwap<HashMap<String, Arc<Principal>>>,
    /// When the store last confirmed the table, and how long that counts.
    confirmed_ms: AtomicU64,
    age_ms_max: AtomicU64,
}

impl Callers {
    /// Puts these keys in force, in place of all earlier ones, as the store
    /// had them at `as_of_ms`. Answers the keys that no longer hold.
    pub fn install(&self, keys: &[KeyRecord], as_of_ms: u64) -> Vec<KeyId> {
        let by_id: HashMap<&KeyId, &KeyRecord> =
            keys.iter().map(|record| (&record.id, record)).collect();
        let table: HashMap<String, Arc<Principal>> = keys
            .iter()
            .map(|record| (record.hash_hex.clone(), Arc::new(principal(record, &by_id))))
            .collect();
        let held = |table: &HashMap<String, Arc<Principal>>| -> BTreeSet<KeyId> {
            let holding = table.values().filter(|principal| !principal.revoked);
            holding.map(|principal| principal.key.clone()).collect()
        };
        let before = held(&self.by_hash.load());
        let after = held(&table);
        self.by_hash.store(Arc::new(table));
        self.confirm(as_of_ms);
        before.difference(&after).cloned().collect()
    }

    /// The store still has the table as it is.
    pub fn confirm(&self, as_of_ms: u64) {
        self.confirmed_ms.fetch_max(as_of_ms, Ordering::AcqRel);
    }

    /// How long the table counts without the store's word.
    pub fn count_for(&self, age_ms_max: u64) {
        self.age_ms_max.store(age_ms_max, Ordering::Release);
    }

    /// Milliseconds since the store last confirmed the table.
    #[must_use]
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.confirmed_ms.load(Ordering::Acquire))
    }

    /// Keys whose time, or whose maker's, is over.
    #[must_use]
    pub fn expired(&self, now_ms: u64) -> Vec<KeyId> {
        let over = |principal: &&Arc<Principal>| {
            !principal.revoked && principal.expires_ms.is_some_and(|at| at <= now_ms)
        };
        let table = self.by_hash.load();
        let expired = table.values().filter(over);
        expired.map(|principal| principal.key.clone()).collect()
    }

    /// Whether the table still counts.
    ///
    /// # Errors
    /// When the store has not confirmed it for too long.
    pub fn are_current(&self, now_ms: u64) -> Result<(), Refusal> {
        let most = self.age_ms_max.load(Ordering::Acquire);
        if most > 0 && self.age_ms(now_ms) > most {
            return Err(Refusal::new(Code::KeysStale));
        }
        Ok(())
    }

    /// The caller with this key, for whoever acts for it.
    ///
    /// # Errors
    /// A refusal of the Known room.
    pub fn with_key(&self, key: &str, now_ms: u64) -> Result<Arc<Principal>, Refusal> {
        self.are_current(now_ms)?;
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

    /// Finds out who sent these headers. Both `Authorization: Bearer` and
    /// `x-api-key` are read, since SDKs of one vendor use either.
    ///
    /// # Errors
    /// A refusal of the Known room.
    pub fn identify(&self, headers: &HeaderMap, now_ms: u64) -> Result<Arc<Principal>, Refusal> {
        self.with_key(sent_key(headers)?, now_ms)
    }
}

/// A key with all that stands behind it. What cannot be followed to its
/// beginning does not hold.
fn principal(record: &KeyRecord, by_id: &HashMap<&KeyId, &KeyRecord>) -> Principal {
    let (mut line, mut rates) = (Vec::new(), Vec::new());
    let (mut expires_ms, mut revoked) = (None, false);
    let mut next = Some(record);
    while let Some(record) = next {
        line.push(record.id.clone());
        rates.push(*record.allowed.rates());
        revoked |= record.revoked_ms.is_some();
        expires_ms = [expires_ms, record.expires_ms].into_iter().flatten().min();
        next = match &record.made_by {
            None => None,
            Some(maker) if line.len() < LINE_MAX => {
                let maker = by_id.get(maker).copied();
                revoked |= maker.is_none();
                maker
            }
            Some(_) => {
                revoked = true;
                None
            }
        };
    }
    Principal {
        key: record.id.clone(),
        owner: record.owner.clone(),
        allowed: record.allowed.clone(),
        line: line.into(),
        rates,
        expires_ms,
        revoked,
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
    use terms::SeededEntropy;

    use super::*;

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn made(seed: u64, owner: &str, made_by: Option<&KeyRecord>) -> (VirtualKey, KeyRecord) {
        let key = VirtualKey::generate(&SeededEntropy::new(seed));
        let record = KeyRecord {
            id: KeyId::new(&SeededEntropy::new(seed)),
            hash_hex: VirtualKey::hash(key.reveal()).unwrap().to_hex(),
            owner: owner.into(),
            allowed: Grant::default(),
            created_ms: 1,
            expires_ms: None,
            revoked_ms: None,
            made_by: made_by.map(|maker| maker.id.clone()),
        };
        (key, record)
    }

    #[test]
    fn every_way_of_sending_a_key_is_judged() {
        let (good, mut good_record) = made(1, "a", None);
        good_record.expires_ms = Some(20);
        let (gone, mut gone_record) = made(2, "b", None);
        gone_record.revoked_ms = Some(5);
        let callers = Callers::default();
        callers.install(&[good_record, gone_record], 10);
        let stranger = VirtualKey::generate(&SeededEntropy::new(99));
        let code = |pairs: &[(&'static str, String)], now| {
            callers
                .identify(&headers(pairs), now)
                .map(|principal| principal.owner.clone())
                .map_err(|refusal| refusal.code())
        };
        let bearer = |key: &VirtualKey| ("authorization", format!("Bearer {}", key.reveal()));
        let named = |key: &VirtualKey| ("x-api-key", key.reveal().to_owned());
        assert_eq!(code(&[bearer(&good)], 10), Ok("a".into()));
        assert_eq!(code(&[named(&good)], 10), Ok("a".into()));
        assert_eq!(code(&[bearer(&good), named(&good)], 10), Ok("a".into()));
        assert_eq!(
            code(&[bearer(&good), named(&stranger)], 10),
            Err(Code::KeyAmbiguous)
        );
        assert_eq!(code(&[bearer(&good)], 20), Err(Code::KeyExpired));
        assert_eq!(code(&[bearer(&gone)], 10), Err(Code::KeyRevoked));
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

    #[test]
    fn a_key_holds_no_longer_than_the_one_that_made_it() {
        let (_, mut maker) = made(1, "maker", None);
        let (key, middle) = made(2, "middle", Some(&maker));
        let (last, record) = made(3, "last", Some(&middle));
        let callers = Callers::default();
        let ask = |key: &VirtualKey| {
            callers
                .with_key(key.reveal(), 10)
                .map(|principal| principal.line.len())
                .map_err(|refusal| refusal.code())
        };
        let all = |maker: &KeyRecord| [maker.clone(), middle.clone(), record.clone()];
        callers.install(&all(&maker), 10);
        assert_eq!((ask(&key), ask(&last)), (Ok(2), Ok(3)));
        maker.expires_ms = Some(10);
        callers.install(&all(&maker), 10);
        assert_eq!(ask(&last), Err(Code::KeyExpired));
        maker.revoked_ms = Some(5);
        let gone = callers.install(&all(&maker), 10);
        assert_eq!(gone.len(), 3, "all of them are told to be gone");
        assert_eq!(ask(&last), Err(Code::KeyRevoked));
        callers.install(&[middle, record], 10);
        assert_eq!(ask(&last), Err(Code::KeyRevoked), "nobody knows its maker");
    }

    #[test]
    fn what_the_store_did_not_confirm_for_long_does_not_count() {
        let (key, record) = made(1, "a", None);
        let callers = Callers::default();
        callers.install(&[record], 1_000);
        callers.count_for(500);
        let code = |now| {
            callers
                .with_key(key.reveal(), now)
                .map(drop)
                .map_err(|refusal| refusal.code())
        };
        assert_eq!(code(1_500), Ok(()));
        assert_eq!(code(1_501), Err(Code::KeysStale));
        callers.confirm(1_400);
        assert_eq!(code(1_501), Ok(()));
    }
}
