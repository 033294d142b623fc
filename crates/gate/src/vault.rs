//! The vault: values that redaction took out, sealed and kept for a time, so
//! that their tokens turn back in later exchanges of the same virtual key. Each
//! person's values lie under a data key of their own, which the vault's key
//! wraps; without it nothing of them can be read any more.

mod counts;
mod keeping;
mod marks;
mod recall;
mod steer;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use detect::redact::Tokens;
use ledger::seal::{RecordKey, SealFault, Wrap, WrapFault, Wrapped};
use store::{Store, StoreError, VaultKey, VaultRows, VaultValue};
use terms::{Clock, Commitment, Entropy, ExchangeId, KeyId, Kind, Secret};
use thiserror::Error;
use tokio::sync::{OnceCell, Semaphore};

use crate::state::{SharedClock, SharedEntropy};
use counts::Counts;
pub(crate) use keeping::{Keeping, keep};
use marks::{Place, Root};
pub(crate) use recall::Recall;
pub use steer::{VaultErased, VaultSealed, VaultStatus, VaultToken};

/// LIMIT: bytes of a value that is kept; longer ones turn back in their own
/// exchange only.
pub(crate) const VALUE_BYTES_MAX: usize = 8 << 10;
/// LIMIT: bytes of the name of a person whose values are kept.
pub const VAULT_PERSON_BYTES_MAX: usize = 1_024;
/// LIMIT: exchanges that use the vault at once; the others wait their turn.
const AT_ONCE_MAX: usize = 32;
/// For the values of one request to be kept, the wait for a turn included.
const KEEP_TIME: Duration = Duration::from_secs(5);
/// A value that is used again expires later, but is told so at most this often.
const REFRESH_MS: u64 = 6 * 3_600_000;

/// What a vault keeps, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRules {
    /// The kinds that are kept.
    pub kinds: BTreeSet<Kind>,
    /// For whom they come back.
    pub comes_back: VaultReach,
    /// How long, milliseconds.
    pub age_ms: u64,
    /// LIMIT: values of one virtual key.
    pub entries_per_key_max: u64,
    /// LIMIT: values in all.
    pub entries_max: u64,
}

/// For whom a value comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VaultReach {
    /// For the virtual key, whoever is named.
    #[default]
    Key,
    /// For the virtual key, and only where the same person is named.
    Person,
}

/// Whose values they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultPerson<'a> {
    /// The end user whom the caller names.
    Named(&'a str),
    /// Nobody is named: the virtual key itself.
    Key(&'a KeyId),
}

/// Whether a name is one that an operator can type to have the person's values
/// erased; nobody else's are kept. Not blank, at most
/// [`VAULT_PERSON_BYTES_MAX`] bytes and without control characters.
#[must_use]
pub fn is_vault_person(name: &str) -> bool {
    !name.is_empty() && name.len() <= VAULT_PERSON_BYTES_MAX && !name.chars().any(char::is_control)
}

/// Why the vault does not do it.
#[derive(Debug, Error)]
pub enum VaultFault {
    /// The store does not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who holds the vault's key does not, or it is another key.
    #[error("the vault's key: {0}")]
    Key(#[from] WrapFault),
    /// It took too long.
    #[error("the vault did not answer in time")]
    Slow,
    /// It has as many values as it may.
    #[error("the vault holds as many values as it may ({0})")]
    Full(&'static str),
    /// The person's key was destroyed while values were on their way to it.
    #[error("the person's key in the vault was destroyed just now")]
    Gone,
    /// A row is not what a vault writes.
    #[error("the vault holds a row that cannot be read")]
    Damaged,
}

impl From<SealFault> for VaultFault {
    fn from(_: SealFault) -> Self {
        Self::Damaged
    }
}

/// A value on its way into the vault.
pub(crate) struct Kept {
    pub(crate) token: String,
    pub(crate) value: Secret<String>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(..)")
    }
}

/// One vault.
#[derive(Debug)]
pub struct Vault {
    store: Arc<Store>,
    holder: Arc<dyn Wrap>,
    clock: Arc<dyn SharedClock>,
    entropy: Arc<dyn SharedEntropy>,
    rules: VaultRules,
    root: OnceCell<Root>,
    counts: Counts,
    turns: Semaphore,
    /// Whether the database's files may keep what was removed. At the start
    /// nobody knows.
    unscrubbed: AtomicBool,
}

impl Vault {
    /// A vault in `store`, under the key that `holder` holds.
    #[must_use]
    pub fn new<C, E>(
        store: Arc<Store>,
        holder: Arc<dyn Wrap>,
        rules: VaultRules,
        clock: Arc<C>,
        entropy: Arc<E>,
    ) -> Self
    where
        C: Clock + fmt::Debug + 'static,
        E: Entropy + fmt::Debug + 'static,
    {
        Self {
            store,
            holder,
            clock,
            entropy,
            rules,
            root: OnceCell::new(),
            counts: Counts::default(),
            turns: Semaphore::new(AT_ONCE_MAX),
            unscrubbed: AtomicBool::new(true),
        }
    }

    /// What is kept.
    #[must_use]
    pub const fn rules(&self) -> &VaultRules {
        &self.rules
    }

    /// Whether a token is of a kind that is kept now: what was kept under an
    /// earlier configuration no longer comes back.
    pub(crate) fn keeps(&self, token: &str) -> bool {
        Tokens::kind_of(token).is_some_and(|kind| self.rules.kinds.contains(&kind))
    }

    fn rows(&self) -> VaultRows<'_> {
        VaultRows::new(&self.store)
    }

    /// Opens the vault's own key, or makes it the first time. Done by the first
    /// who needs it; at the start it shows a wrong key.
    ///
    /// # Errors
    /// When the store is out of reach, or the vault was begun under another key.
    pub async fn open(&self) -> Result<(), VaultFault> {
        self.root().await.map(drop)
    }

    async fn root(&self) -> Result<&Root, VaultFault> {
        let begin = || async {
            let held = match self.rows().root().await? {
                Some(held) => held,
                None => self.rows().begin(&self.new_key().await?).await?,
            };
            let name = named(&held)?;
            Ok(Root::new(name, self.unwrap(&held).await?))
        };
        self.root.get_or_try_init(begin).await
    }

    /// Keeps values of one request; in the store when this returns. What is
    /// there already only expires later.
    ///
    /// # Errors
    /// When one of them is not kept.
    pub(crate) async fn keep(
        &self,
        scope: &KeyId,
        person: VaultPerson<'_>,
        values: Vec<Kept>,
    ) -> Result<u64, VaultFault> {
        let keeping = async {
            let _turn = self.turns.acquire().await;
            self.keep_all(scope, person, values).await
        };
        tokio::time::timeout(KEEP_TIME, keeping)
            .await
            .unwrap_or(Err(VaultFault::Slow))
    }

    async fn keep_all(
        &self,
        scope: &KeyId,
        person: VaultPerson<'_>,
        values: Vec<Kept>,
    ) -> Result<u64, VaultFault> {
        let root = self.root().await?;
        let now_ms = self.clock.now_ms();
        let expires_ms = now_ms.saturating_add(self.rules.age_ms);
        let person = root.person(person).to_string();
        let mut wanted: BTreeMap<String, (Commitment, Kept)> = BTreeMap::new();
        for kept in values {
            let mark = root.token(&kept.token);
            wanted.insert(mark.to_string(), (mark, kept));
        }
        let key = self.rows().data_key(scope, &person).await?;
        if let Some(key) = &key {
            self.drop_held(key, &mut wanted, now_ms, expires_ms).await?;
        }
        if wanted.is_empty() {
            return Ok(0);
        }
        let more = wanted.len() as u64;
        self.room(scope, more).await?;
        let key = match key {
            Some(key) if self.rows().touch(&key, now_ms).await? => key,
            // INVARIANT: what came before an erasure is not kept after it.
            Some(_) => return Err(VaultFault::Gone),
            None => self.make_data_key(scope, &person, now_ms).await?,
        };
        let sealed = self.sealed(&key, scope, person, wanted).await?;
        self.rows().put(&key, scope, expires_ms, &sealed).await?;
        self.counts.add(scope, more);
        Ok(more)
    }

    /// Leaves what is not kept yet, and lets the rest expire later.
    async fn drop_held(
        &self,
        key: &VaultKey,
        wanted: &mut BTreeMap<String, (Commitment, Kept)>,
        now_ms: u64,
        expires_ms: u64,
    ) -> Result<(), VaultFault> {
        let marks: Vec<&str> = wanted.keys().map(String::as_str).collect();
        let held = self.rows().held(key, &marks).await?;
        let held: BTreeMap<String, u64> = held.into_iter().collect();
        let later =
            now_ms.saturating_add(self.rules.age_ms.saturating_sub(refresh_ms(&self.rules)));
        let old: Vec<&str> = held
            .iter()
            .filter(|(_, expires)| (now_ms + 1..later).contains(*expires))
            .map(|(mark, _)| mark.as_str())
            .collect();
        self.rows().refresh(key, &old, expires_ms).await?;
        wanted.retain(|mark, _| held.get(mark).is_none_or(|expires| *expires <= now_ms));
        Ok(())
    }

    /// A data key of a person who has none under a virtual key.
    async fn make_data_key(
        &self,
        scope: &KeyId,
        person: &str,
        now_ms: u64,
    ) -> Result<VaultKey, VaultFault> {
        let new = self.new_key().await?;
        let rows = self.rows();
        Ok(rows.add_data_key(scope, person, &new, now_ms).await?)
    }

    /// Seals values of a person of a virtual key, under their data key.
    async fn sealed(
        &self,
        key: &VaultKey,
        scope: &KeyId,
        person: String,
        values: BTreeMap<String, (Commitment, Kept)>,
    ) -> Result<Vec<VaultValue>, VaultFault> {
        let (name, data_key) = (named(key)?, self.unwrap(key).await?);
        let (entropy, scope) = (Arc::clone(&self.entropy), scope.clone());
        let sealing = move || {
            let each = values.into_iter().map(|(token, (mark, kept))| {
                let place = Place {
                    key: name,
                    token: &mark,
                    person: &person,
                    scope: &scope,
                };
                let frame = marks::seal(&data_key, place, &kept.value, &*entropy)?;
                Ok(VaultValue {
                    token,
                    sealed: STANDARD.encode(frame),
                })
            });
            each.collect()
        };
        apart(sealing).await?
    }

    /// A new key, wrapped.
    async fn new_key(&self) -> Result<VaultKey, VaultFault> {
        let name = ExchangeId::new(&*self.clock, &*self.entropy);
        let (holder, entropy) = (Arc::clone(&self.holder), Arc::clone(&self.entropy));
        let wrapping = move || holder.wrap(name, &RecordKey::new(&*entropy), &*entropy);
        let wrapped = apart(wrapping).await??;
        Ok(VaultKey {
            name: name.to_string(),
            wrapped: STANDARD.encode(wrapped.as_bytes()),
        })
    }

    async fn unwrap(&self, key: &VaultKey) -> Result<RecordKey, VaultFault> {
        let name = named(key)?;
        let bytes = STANDARD.decode(&key.wrapped);
        let wrapped = Wrapped::new(bytes.map_err(|_| VaultFault::Damaged)?)?;
        let holder = Arc::clone(&self.holder);
        Ok(apart(move || holder.unwrap(name, &wrapped)).await??)
    }

    /// That so many more values may be kept.
    async fn room(&self, scope: &KeyId, more: u64) -> Result<(), VaultFault> {
        let limits = [
            (Some(scope), self.rules.entries_per_key_max, "of one key"),
            (None, self.rules.entries_max, "of all keys"),
        ];
        for (whose, most, says) in limits {
            let now_ms = self.clock.now_ms();
            let count = match self.counts.known(whose, now_ms) {
                Some(count) => count,
                None => {
                    let count = self.rows().entries(whose).await?;
                    self.counts.counted(whose, count, now_ms);
                    count
                }
            };
            if count.saturating_add(more) > most {
                return Err(VaultFault::Full(says));
            }
        }
        Ok(())
    }
}

/// How often a value's expiry is moved on: not so seldom that it would expire
/// between two uses of a short-lived one.
const fn refresh_ms(rules: &VaultRules) -> u64 {
    let quarter = rules.age_ms / 4;
    if quarter < REFRESH_MS {
        quarter
    } else {
        REFRESH_MS
    }
}

fn named(key: &VaultKey) -> Result<ExchangeId, VaultFault> {
    key.name.parse().map_err(|_| VaultFault::Damaged)
}

/// Work that may wait, on a thread that may.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, VaultFault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| VaultFault::Slow)
}

#[cfg(test)]
mod tests;
