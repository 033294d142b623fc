//! Virtual keys of a running gate: changed, and kept like the store's.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context;
use store::{KeyRecord, Keys, StoreError, VendorKeys};
use terms::{Act, Clock, Code, KeyId};

use super::{Changing, Node};
use crate::admin::{Answer, KeyWish};

/// How often the store is asked whether the keys changed: well within the
/// second in which a revocation holds.
const LOOK_EVERY: Duration = Duration::from_millis(400);

impl Node {
    /// Puts the store's keys in force, for the first time. A store that is out
    /// of reach is answered for by the last table, as long as that counts.
    pub async fn begin_keys(&self) -> anyhow::Result<()> {
        let mut changing = self.changing.lock().await;
        match self.look(&mut changing).await {
            Ok(()) => Ok(()),
            Err(error) if is_no_outage(&error) => Err(error),
            Err(error) => {
                let kept = self.state.read_keys(&self.admin.commitments);
                let (keys, as_of_ms) = kept.with_context(|| {
                    format!("the store is out of reach ({error:#}), and no earlier table of the keys can be used")
                })?;
                self.gate.callers().install(&keys, as_of_ms);
                self.down(&mut changing, &error).await
            }
        }
    }

    pub(super) async fn create_key(&self, wish: KeyWish, by: &str) -> anyhow::Result<Answer> {
        let mut changing = self.changing.lock().await;
        let maker = match &wish.maker {
            None => None,
            Some(key) => {
                let now_ms = self.admin.clock.now_ms();
                let maker = self.gate.callers().with_key(key.reveal(), now_ms);
                let maker = maker.map_err(|refusal| {
                    anyhow::anyhow!("the key that is to make it: {}", refusal.code().says())
                })?;
                self.maker_may(&maker).await?;
                Some(maker)
            }
        };
        let answer = self.admin.create(wish, maker.as_deref(), by).await?;
        self.install(&mut changing).await?;
        Ok(answer)
    }

    /// Whether the policies let a key make others.
    async fn maker_may(&self, maker: &gate::Principal) -> anyhow::Result<()> {
        if self.key_may(maker, terms::Verb::Admin) {
            return Ok(());
        }
        self.admin
            .record(Act::AdminDenied, maker.key.as_str(), "key", BTreeMap::new())
            .await?;
        anyhow::bail!(
            "a key makes others only if it holds the verb `admin` and no policy forbids it"
        )
    }

    pub(super) async fn revoke_key(&self, id: &KeyId, by: &str) -> anyhow::Result<Answer> {
        let mut changing = self.changing.lock().await;
        let revoked = self.admin.revoke(id).await;
        // It holds before it is recorded: a slow disk must not keep it in force.
        self.install(&mut changing).await?;
        revoked?;
        self.admin.record_revoked(id, by).await?;
        Ok(Answer::Done)
    }

    /// Reads the store's keys and puts them in force; ends what runs under
    /// keys that no longer hold.
    async fn install(&self, changing: &mut Changing) -> anyhow::Result<()> {
        let as_of_ms = self.admin.clock.now_ms();
        // The number first: a change between the two is seen again, not missed.
        let number = Keys::new(&self.admin.store).number().await?;
        let keys: Vec<KeyRecord> = self.admin.list().await?;
        let gone = self.gate.callers().install(&keys, as_of_ms);
        self.gate.end_keys(&gone, Code::KeyRevoked);
        changing.keys_number = Some(number);
        if self.fixed.shares_store() {
            self.state
                .write_keys(&keys, as_of_ms, &self.admin.commitments)?;
        }
        Ok(())
    }

    async fn look(&self, changing: &mut Changing) -> anyhow::Result<()> {
        let as_of_ms = self.admin.clock.now_ms();
        if changing.store_down || changing.keys_number.is_none() {
            self.admin.store.migrate().await?;
        }
        let number = Keys::new(&self.admin.store).number().await?;
        if changing.keys_number == Some(number) {
            self.gate.callers().confirm(as_of_ms);
        } else {
            self.install(changing).await?;
        }
        Ok(())
    }

    async fn down(&self, changing: &mut Changing, error: &anyhow::Error) -> anyhow::Result<()> {
        if changing.store_down {
            return Ok(());
        }
        changing.store_down = true;
        tracing::error!("the store is out of reach: {error:#}");
        let facts = BTreeMap::from([(
            "goes-on".to_owned(),
            "with the last table of keys".to_owned(),
        )]);
        self.admin
            .record(Act::Degraded, "node", "store", facts)
            .await
    }

    /// Follows the store: other nodes change keys too.
    pub async fn follow_keys(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let mut changing = self.changing.lock().await;
            match self.look(&mut changing).await {
                Ok(()) if changing.store_down => {
                    changing.store_down = false;
                    tracing::warn!("the store is back");
                    let _ = self
                        .admin
                        .record(Act::Recovered, "node", "store", BTreeMap::new())
                        .await;
                }
                Ok(()) => {}
                Err(error) => {
                    let _ = self.down(&mut changing, &error).await;
                }
            }
        }
    }

    /// Ends what runs under keys whose time is over. It waits for nothing: a
    /// store that hangs keeps no key alive.
    pub async fn end_expired_keys(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            let expired = self.gate.callers().expired(self.admin.clock.now_ms());
            self.gate.end_keys(&expired, Code::KeyExpired);
        }
    }

    /// Enters since when each vendor's key is in use and when it was used, and
    /// alarms when one is near the end of its time.
    pub async fn watch_vendor_keys(self: Arc<Self>) {
        let mut every = tokio::time::interval(Duration::from_secs(30));
        loop {
            every.tick().await;
            self.note_uses().await;
            let ruling = self.gate.ruling();
            for vendor in ruling.vendors() {
                let _ = self.tell_key_age(&vendor.name, vendor.key_age).await;
            }
        }
    }

    /// Enters when each vendor's key was used last.
    pub async fn note_uses(&self) {
        let ruling = self.gate.ruling();
        for vendor in ruling.vendors() {
            let used_ms = vendor.used_ms.load(std::sync::atomic::Ordering::Relaxed);
            if used_ms > 0 {
                let print = self.admin.fingerprint(vendor.key.reveal());
                let keys = VendorKeys::new(&self.admin.store);
                let _ = keys.used(&vendor.name, print, used_ms).await;
            }
        }
    }

    async fn tell_key_age(&self, vendor: &str, age: gate::KeyAge) -> anyhow::Result<()> {
        let now_ms = self.admin.clock.now_ms();
        let state = age.state(now_ms);
        let mut changing = self.changing.lock().await;
        let before = changing.key_states.insert(vendor.to_owned(), state);
        drop(changing);
        if state == gate::KeyState::Fresh || before == Some(state) {
            return Ok(());
        }
        let days = |ms: u64| (ms / 86_400_000).to_string();
        let past = state == gate::KeyState::Old;
        tracing::warn!(
            vendor,
            past,
            "the vendor's key is near or past the age that is allowed"
        );
        let facts = BTreeMap::from([
            ("past".to_owned(), past.to_string()),
            ("blocked".to_owned(), (past && age.block).to_string()),
            (
                "age_days".to_owned(),
                days(now_ms.saturating_sub(age.since_ms.unwrap_or(now_ms))),
            ),
            (
                "age_days_max".to_owned(),
                days(age.age_ms_max.unwrap_or_default()),
            ),
        ]);
        self.admin
            .record(Act::VendorKeyAged, "node", vendor, facts)
            .await
    }
}

/// Whether the store answers and is none that this build can use: nothing to
/// be bridged.
fn is_no_outage(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<StoreError>(),
        Some(StoreError::TooNew { .. } | StoreError::BadRow)
    )
}
