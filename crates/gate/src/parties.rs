//! How much each key, model and source uses, and the hold that an exchange
//! has on its share.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use policy::{Exceeded, Meter, Rates, Reserved};
use terms::{Code, KeyId, Place, Refusal};

use crate::state::SharedClock;

/// LIMIT: parties of one sort that are metered apart; beyond it new ones share
/// one meter.
const PARTIES_MAX: usize = 16_384;
/// LIMIT: how often a full table is searched for parties that are idle.
const SWEEP_EVERY_MS: u64 = 1_000;

/// Whose use is metered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A virtual key.
    Key(KeyId),
    /// A model, as `vendor/model`.
    Model(String),
    /// Where callers are: an address, or a /64 of IPv6.
    Source(IpAddr),
}

impl Party {
    const fn sort(&self) -> Sort {
        match self {
            Self::Key(_) => Sort::Key,
            Self::Model(_) => Sort::Model,
            Self::Source(_) => Sort::Source,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Key,
    Model,
    Source,
}

impl Sort {
    const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Model => "model",
            Self::Source => "source",
        }
    }
}

/// What one party uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Who.
    pub party: Party,
    /// Requests in the last minute.
    pub requests: u64,
    /// Tokens in the last minute, with those that are set aside.
    pub tokens: u64,
    /// Exchanges now.
    pub in_flight: u64,
}

#[derive(Debug, Default)]
struct Table {
    meters: HashMap<Party, Meter>,
    /// What parties share for which there is no meter left.
    shared: HashMap<Sort, Meter>,
    counts: HashMap<Sort, usize>,
    swept_ms: Option<u64>,
}

/// All meters.
#[derive(Debug)]
pub(crate) struct Parties {
    table: Mutex<Table>,
    clock: Arc<dyn SharedClock>,
}

impl Parties {
    pub(crate) fn new(clock: Arc<dyn SharedClock>) -> Self {
        Self {
            table: Mutex::default(),
            clock,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each party uses, the busiest first; at most so many.
    pub(crate) fn uses(&self, most: usize) -> Vec<Use> {
        let now_ms = self.clock.now_ms();
        let table = self.table();
        let mut uses: Vec<Use> = table
            .meters
            .iter()
            .map(|(party, meter)| Use {
                party: party.clone(),
                requests: meter.requests(now_ms),
                tokens: meter.tokens(now_ms),
                in_flight: meter.in_flight(),
            })
            .filter(|used| used.requests > 0 || used.tokens > 0 || used.in_flight > 0)
            .collect();
        drop(table);
        uses.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.party.cmp(&b.party)));
        uses.truncate(most);
        uses
    }
}

impl Table {
    fn meter(&mut self, party: &Party, now_ms: u64) -> (bool, &mut Meter) {
        let sort = party.sort();
        if !self.meters.contains_key(party) && self.is_full(sort) {
            self.sweep(now_ms);
            if self.is_full(sort) {
                return (true, self.shared.entry(sort).or_default());
            }
        }
        let counts = &mut self.counts;
        let meter = self.meters.entry(party.clone()).or_insert_with(|| {
            *counts.entry(sort).or_default() += 1;
            Meter::default()
        });
        (false, meter)
    }

    fn known(&mut self, entry: &Entry) -> Option<&mut Meter> {
        if entry.shared {
            self.shared.get_mut(&entry.party.sort())
        } else {
            self.meters.get_mut(&entry.party)
        }
    }

    fn is_full(&self, sort: Sort) -> bool {
        self.counts.get(&sort).copied().unwrap_or_default() >= PARTIES_MAX
    }

    fn sweep(&mut self, now_ms: u64) {
        let due = self
            .swept_ms
            .is_none_or(|swept| now_ms.saturating_sub(swept) >= SWEEP_EVERY_MS);
        if !due {
            return;
        }
        self.swept_ms = Some(now_ms);
        self.meters.retain(|_, meter| !meter.is_idle(now_ms));
        self.counts.clear();
        for party in self.meters.keys() {
            *self.counts.entry(party.sort()).or_default() += 1;
        }
    }
}

#[derive(Debug)]
struct Entry {
    party: Party,
    shared: bool,
    rates: Rates,
    reserved: Reserved,
}

/// An exchange's hold on the shares of its parties: what it entered it leaves,
/// and what it set aside comes back when this is dropped, however it ends.
#[derive(Debug)]
pub(crate) struct Hold {
    parties: Arc<Parties>,
    entries: Vec<Entry>,
    used_tokens: u64,
}

impl Hold {
    pub(crate) const fn new(parties: Arc<Parties>) -> Self {
        Self {
            parties,
            entries: Vec::new(),
            used_tokens: 0,
        }
    }

    /// Enters the exchange with one party.
    ///
    /// # Errors
    /// When that would be one too many.
    pub(crate) fn enter(&mut self, party: Party, rates: Rates) -> Result<(), Refusal> {
        let now_ms = self.parties.clock.now_ms();
        let mut table = self.parties.table();
        let (shared, meter) = table.meter(&party, now_ms);
        meter
            .enter(&rates, now_ms)
            .map_err(|exceeded| refusal(exceeded, &party))?;
        drop(table);
        self.entries.push(Entry {
            party,
            shared,
            rates,
            reserved: Reserved::default(),
        });
        Ok(())
    }

    /// Sets aside as many tokens as the exchange may use, with every party
    /// that it entered.
    ///
    /// # Errors
    /// When they do not fit with one of them.
    pub(crate) fn reserve(&mut self, tokens: u64) -> Result<(), Refusal> {
        let now_ms = self.parties.clock.now_ms();
        let mut table = self.parties.table();
        for entry in &mut self.entries {
            let rates = entry.rates;
            if let Some(meter) = table.known(entry) {
                entry.reserved = meter
                    .reserve(&rates, tokens, now_ms)
                    .map_err(|exceeded| refusal(exceeded, &entry.party))?;
            }
        }
        Ok(())
    }

    /// What the exchange used, to be counted in place of what was set aside.
    pub(crate) const fn used(&mut self, tokens: u64) {
        self.used_tokens = tokens;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let now_ms = self.parties.clock.now_ms();
        let mut table = self.parties.table();
        for entry in &mut self.entries {
            let reserved = std::mem::take(&mut entry.reserved);
            if let Some(meter) = table.known(entry) {
                meter.settle(reserved, self.used_tokens, now_ms);
                meter.leave();
            }
        }
    }
}

fn refusal(exceeded: Exceeded, party: &Party) -> Refusal {
    let code = match exceeded {
        Exceeded::Requests { .. } => Code::RequestsLimited,
        Exceeded::Tokens { .. } => Code::TokensLimited,
        Exceeded::InFlight => Code::InFlightLimited,
    };
    Refusal::new(code)
        .at(Place::new(format!("limit of the {}", party.sort().word())))
        .retry_after(exceeded.retry_after_seconds())
}

/// The address by which a source is told apart: whole for IPv4, a /64 for
/// IPv6, since whoever has one address there has them all.
pub(crate) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use terms::FixedClock;

    use super::*;

    fn rates(in_flight: u64, tokens: u64) -> Rates {
        Rates {
            in_flight: in_flight.try_into().ok(),
            tokens_per_minute: tokens.try_into().ok(),
            ..Rates::default()
        }
    }

    fn parties() -> Arc<Parties> {
        Arc::new(Parties::new(Arc::new(FixedClock::new(1_000_000))))
    }

    #[test]
    fn a_hold_gives_everything_back_however_it_ends() {
        let parties = parties();
        let key = Party::Model("v/m".into());
        let mut first = Hold::new(Arc::clone(&parties));
        first.enter(key.clone(), rates(1, 100)).unwrap();
        first.reserve(80).unwrap();
        let mut second = Hold::new(Arc::clone(&parties));
        let refused = second.enter(key.clone(), rates(1, 100)).unwrap_err();
        assert_eq!(refused.code(), Code::InFlightLimited);
        assert_eq!(refused.retry_after_seconds(), Some(1));
        drop(first);
        second.enter(key.clone(), rates(1, 100)).unwrap();
        second.reserve(80).unwrap();
        second.used(30);
        drop(second);
        let mut third = Hold::new(Arc::clone(&parties));
        third.enter(key, rates(1, 100)).unwrap();
        assert_eq!(third.reserve(80).unwrap_err().code(), Code::TokensLimited);
        third.reserve(70).unwrap();
    }

    #[test]
    fn a_flood_of_parties_is_bounded_and_the_rest_share_a_meter() {
        let parties = parties();
        let limits = rates(3, 0);
        let mut holds = Vec::new();
        for number in 0..u32::try_from(PARTIES_MAX).unwrap() {
            let mut hold = Hold::new(Arc::clone(&parties));
            hold.enter(Party::Source(IpAddr::from(number.to_be_bytes())), limits)
                .unwrap();
            holds.push(hold);
        }
        let mut more = Hold::new(Arc::clone(&parties));
        for last in 0..3 {
            more.enter(Party::Source([250, 0, 0, last].into()), limits)
                .unwrap();
        }
        assert!(
            more.enter(Party::Source([250, 0, 0, 9].into()), limits)
                .is_err()
        );
        more.enter(Party::Model("m".into()), limits)
            .expect("other sorts have meters of their own");
        assert!(parties.table().meters.len() <= PARTIES_MAX + 1);
    }

    #[test]
    fn a_source_is_an_address_or_a_64() {
        assert_eq!(
            source("::ffff:10.1.2.3".parse().unwrap()),
            IpAddr::from([10, 1, 2, 3])
        );
        assert_eq!(
            source("2001:db8:1:2:3:4:5:6".parse().unwrap()),
            "2001:db8:1:2::".parse::<IpAddr>().unwrap()
        );
    }

    /// 64 callers at once: never more than the limit, and all of it comes back.
    #[test]
    fn many_callers_at_once_share_one_limit() {
        let parties = parties();
        let seen = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mut hold = Hold::new(Arc::clone(&parties));
                        if hold.enter(Party::Model("m".into()), rates(7, 0)).is_ok() {
                            let now = seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                            assert!(now <= 7, "{now} at once");
                            std::thread::yield_now();
                            seen.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(parties.uses(9).iter().all(|used| used.in_flight == 0));
    }
}
