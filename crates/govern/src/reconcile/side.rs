//! The ledger's side: what it has for certain, and by how much and why the
//! vendor may count more or less.

use std::collections::{BTreeMap, BTreeSet};

use super::{Calendar, EDGE_SECONDS, Measure, Reason, bounds};
use crate::count::{COUNTING_DIALECT, Day, Exchange, Fate, GROUPS_MAX, Group, Tally};

/// Stands for all models where they are not told apart.
pub(super) const ALL_MODELS: &str = "*";
/// LIMIT: bytes of a request that is taken for usual.
const SENT_BYTES_MAX: u64 = 32 << 20;

/// What was counted, or may have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) requests: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cached: u64,
    pub(super) cache_written: u64,
}

impl Amounts {
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.input, other.input),
            (&mut self.output, other.output),
            (&mut self.cached, other.cached),
            (&mut self.cache_written, other.cache_written),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    pub(super) fn are_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) const fn of(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Requests => self.requests,
            Measure::InputTokens => self.input,
            Measure::OutputTokens => self.output,
            Measure::CachedTokens => self.cached,
            Measure::CacheWrittenTokens => self.cache_written,
        }
    }

    pub(super) const fn slot(&mut self, measure: Measure) -> &mut u64 {
        match measure {
            Measure::Requests => &mut self.requests,
            Measure::InputTokens => &mut self.input,
            Measure::OutputTokens => &mut self.output,
            Measure::CachedTokens => &mut self.cached,
            Measure::CacheWrittenTokens => &mut self.cache_written,
        }
    }
}

/// Reasons, each with how much it can account for.
pub(super) type Room = BTreeMap<Reason, Amounts>;

/// What the ledger has of one day and model.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    pub(super) certain: Amounts,
    /// Why the vendor may count more.
    pub(super) more: Room,
    /// Why the vendor may count less.
    pub(super) less: Room,
}

impl Side {
    pub(super) fn merge(&mut self, other: &Self) {
        self.certain.add(&other.certain);
        for (mine, others) in [(&mut self.more, &other.more), (&mut self.less, &other.less)] {
            for (reason, amounts) in others {
                mine.entry(*reason).or_default().add(amounts);
            }
        }
    }

    fn may_be_more(&mut self, reason: Reason, amounts: &Amounts) {
        self.more.entry(reason).or_default().add(amounts);
    }

    fn may_be_less(&mut self, reason: Reason, amounts: &Amounts) {
        self.less.entry(reason).or_default().add(amounts);
    }
}

/// Models that were asked for, with those that answered.
pub(super) type Aliases = BTreeMap<String, BTreeSet<String>>;

/// A day, the model asked for, and the one that answered.
type Place = (Day, String, Option<String>);

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Sides {
    places: BTreeMap<Place, Side>,
    /// What holds for a whole day, whatever the model.
    days: BTreeMap<Day, Room>,
    sent_bytes_peak: u64,
    pub(super) retries: u64,
    pub(super) counting: u64,
    pub(super) vendor_refused: u64,
    /// Exchanges outside the days that are compared.
    pub(super) outside: u64,
}

impl Sides {
    pub(super) const fn sent_bytes_peak(&self) -> u64 {
        self.sent_bytes_peak
    }

    pub(super) fn allow_day(&mut self, day: Day, reason: Reason, amounts: Amounts) {
        let room = self.days.entry(day).or_default();
        room.entry(reason).or_default().add(&amounts);
    }

    pub(super) fn day(&self, day: Day) -> Room {
        self.days.get(&day).cloned().unwrap_or_default()
    }

    /// Models beyond the limit stand together; what the vendor counts for them
    /// is then not explained.
    fn place(&mut self, day: Day, exchange: &Exchange) -> &mut Side {
        let place = (day, exchange.asked.clone(), exchange.answered.clone());
        if self.places.len() >= GROUPS_MAX && !self.places.contains_key(&place) {
            return self
                .places
                .entry((day, "...".to_owned(), None))
                .or_default();
        }
        self.places.entry(place).or_default()
    }

    pub(super) fn take(&mut self, calendar: &Calendar, exchange: &Exchange) {
        if exchange.dialect == COUNTING_DIALECT {
            self.counting += 1;
            return;
        }
        if exchange.fate == Fate::Unsent {
            return;
        }
        let sent_bytes = exchange.sent_bytes.min(SENT_BYTES_MAX);
        self.sent_bytes_peak = self.sent_bytes_peak.max(sent_bytes);
        let day = calendar.day(exchange.at_ms);
        let mut own = Side::default();
        judge(exchange, &mut own);
        for other in edges(calendar, exchange, day) {
            if calendar.holds(other) {
                let side = self.place(other, exchange);
                side.may_be_more(Reason::DayEdge, &own.certain);
                for (reason, amounts) in &own.more {
                    side.may_be_more(*reason, amounts);
                }
            }
            own.may_be_less(Reason::DayEdge, &own.certain.clone());
        }
        if !calendar.holds(day) {
            self.outside += 1;
            return;
        }
        self.retries += u64::from(exchange.is_retry);
        self.vendor_refused += u64::from(exchange.fate == Fate::VendorRefused);
        self.place(day, exchange).merge(&own);
    }

    /// Nothing of this day counts that came from entries.
    pub(super) fn forget(&mut self, day: Day) {
        self.places.retain(|(of, _, _), _| *of != day);
    }

    /// Takes what a head-count says of one day, key, vendor and model.
    pub(super) fn take_counted(&mut self, group: &Group, tally: &Tally) {
        let mut own = Side::default();
        own.certain.add(&Amounts {
            requests: tally.requests.saturating_sub(tally.without_usage),
            input: tally.input_tokens,
            output: tally.output_tokens,
            cached: tally.cached_tokens,
            cache_written: tally.cache_written_tokens,
        });
        let refused = Amounts {
            requests: tally.vendor_refused,
            ..Amounts::default()
        };
        own.may_be_more(Reason::VendorRefused, &refused);
        own.may_be_more(Reason::WithoutUsage, &bounds::counted(tally));
        self.counting = self.counting.saturating_add(tally.counting);
        self.vendor_refused = self.vendor_refused.saturating_add(tally.vendor_refused);
        let model = group.model.clone();
        let place = (group.day, model.clone(), Some(model));
        self.places.entry(place).or_default().merge(&own);
    }

    /// By day and model, under the names by which the vendor counts: the one
    /// that answered, or, where none did, the only one that ever answered for
    /// the one that was asked for. Answers also which names stood for which.
    pub(super) fn by_model(&self, tells_models: bool) -> (BTreeMap<(Day, String), Side>, Aliases) {
        let mut answered = Aliases::new();
        for (_, asked, model) in self.places.keys() {
            if let Some(model) = model {
                let models = answered.entry(asked.clone()).or_default();
                models.insert(model.clone());
            }
        }
        let mut sides: BTreeMap<(Day, String), Side> = BTreeMap::new();
        for ((day, asked, model), side) in &self.places {
            let only = || {
                let models = answered.get(asked).filter(|models| models.len() == 1)?;
                models.first().cloned()
            };
            let name = if tells_models {
                model.clone().or_else(only).unwrap_or_else(|| asked.clone())
            } else {
                ALL_MODELS.to_owned()
            };
            sides.entry((*day, name)).or_default().merge(side);
        }
        answered.retain(|asked, models| models.iter().any(|model| model != asked));
        (sides, answered)
    }
}

/// What one exchange says for certain, and what it leaves open.
fn judge(exchange: &Exchange, side: &mut Side) {
    let used = exchange.usage.map(|usage| Amounts {
        requests: 1,
        input: usage.input_tokens,
        output: usage.output_tokens,
        cached: usage.cached_tokens.unwrap_or(0),
        cache_written: usage.cache_written_tokens.unwrap_or(0),
    });
    if let Some(used) = &used {
        side.certain.add(used);
    }
    let one = Amounts {
        requests: 1,
        ..Amounts::default()
    };
    let known = u64::from(used.is_none());
    match exchange.fate {
        Fate::Unsent => {}
        Fate::VendorRefused => side.may_be_more(Reason::VendorRefused, &one),
        Fate::Open => side.may_be_more(Reason::Open, &bounds::of(exchange, known)),
        Fate::Stopped => side.may_be_more(Reason::NodeStopped, &bounds::of(exchange, known)),
        Fate::CutShort => side.may_be_more(Reason::CutShort, &bounds::of(exchange, known)),
        Fate::Answered if used.is_none() => {
            side.certain.add(&one);
            side.may_be_more(Reason::WithoutUsage, &bounds::of(exchange, 0));
        }
        Fate::Answered => {}
    }
    // Records from before the counts of cached tokens.
    if exchange
        .usage
        .is_some_and(|usage| usage.cached_tokens.is_none())
    {
        let apart = Amounts {
            cached: exchange.sent_bytes,
            cache_written: exchange.sent_bytes,
            ..Amounts::default()
        };
        side.may_be_more(Reason::CachedApart, &apart);
    }
    if exchange.is_retry {
        side.may_be_less(Reason::Retry, &side.certain.clone());
    }
}

/// The other days on which the vendor may count an exchange.
fn edges(calendar: &Calendar, exchange: &Exchange, day: Day) -> BTreeSet<Day> {
    let ended_ms = exchange.ended_ms.unwrap_or(exchange.at_ms);
    let times = [
        exchange.at_ms.saturating_sub(EDGE_SECONDS * 1_000),
        ended_ms.saturating_add(EDGE_SECONDS * 1_000),
    ];
    let mut days: BTreeSet<Day> = times.map(|time| calendar.day(time)).into();
    days.remove(&day);
    days
}
