//! Head-counts: how many exchanges went to a vendor on each UTC day, by key
//! and model, and what they used. Computed from the ledger alone.

mod day;
mod join;
mod recorded;

use std::collections::BTreeMap;

use serde::Serialize;
use terms::{KeyId, Leaf, RequestFacts, Usage};

pub(crate) use day::DAY_SECONDS;
pub use day::{Day, DayFault};
pub use join::{Exchange, Fate, Join};
pub use recorded::{
    Compared, Comparing, DAYS_AT_ONCE_MAX, DayDifference, ROWS_MAX, RecordFault, Recorded,
    SETTLE_SECONDS, leaves,
};

/// LIMIT: different days, keys, vendors and models that are counted apart;
/// beyond it, exchanges are counted in [`HeadCounts::rest`].
pub const GROUPS_MAX: usize = 65_536;
/// The dialect that only asks for a count: vendors bill nothing for it.
pub(crate) const COUNTING_DIALECT: &str = "anthropic-count-tokens";

/// What is counted apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Group {
    /// The day on which the request arrived; of refusals that were counted
    /// together, the last one.
    pub day: Day,
    /// Public name of the virtual key.
    pub key: String,
    /// The vendor, by its name in the configuration.
    pub vendor: String,
    /// The model that the vendor says answered, or else the one asked for.
    pub model: String,
}

impl Group {
    /// Of a request that may have been refused before it was read.
    fn refused(day: Day, key: &KeyId, request: Option<&RequestFacts>) -> Self {
        let (vendor, model) = request.map_or(("none", "none"), |request| {
            (request.vendor.as_str(), request.model.as_str())
        });
        Self {
            day,
            key: key.to_string(),
            vendor: vendor.to_owned(),
            model: model.to_owned(),
        }
    }
}

/// What was counted in one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Exchanges that were admitted.
    pub admitted: u64,
    /// Of these, those that ended.
    pub closed: u64,
    /// Exchanges that were sent to the vendor, those that it refused aside.
    pub requests: u64,
    /// Tokens read, as the vendor counted them in its replies.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens that came from the vendor's cache.
    pub cached_tokens: u64,
    /// Tokens that went into it.
    pub cache_written_tokens: u64,
    /// Of the requests, those whose reply told no usage, or was cut short
    /// before it did.
    pub without_usage: u64,
    /// Bytes of these as they were sent.
    pub without_usage_bytes: u64,
    /// Of the requests, those that did not end yet.
    pub open: u64,
    /// Requests that the vendor answered with an error.
    pub vendor_refused: u64,
    /// Requests that were admitted and never sent.
    pub unsent: u64,
    /// Requests that the gate refused.
    pub refused: u64,
    /// Requests for a count of tokens, which no vendor bills.
    pub counting: u64,
}

impl Tally {
    fn used(&mut self, usage: Usage) {
        let sums = [
            (&mut self.input_tokens, usage.input_tokens),
            (&mut self.output_tokens, usage.output_tokens),
            (&mut self.cached_tokens, usage.cached_tokens.unwrap_or(0)),
            (
                &mut self.cache_written_tokens,
                usage.cache_written_tokens.unwrap_or(0),
            ),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
    }

    fn add(&mut self, exchange: &Exchange) {
        self.admitted += 1;
        self.closed += u64::from(exchange.fate != Fate::Open);
        if exchange.dialect == COUNTING_DIALECT {
            self.counting += 1;
            return;
        }
        match exchange.fate {
            Fate::Unsent => self.unsent += 1,
            Fate::VendorRefused => self.vendor_refused += 1,
            Fate::Open | Fate::Answered | Fate::CutShort | Fate::Stopped => {
                self.requests += 1;
                self.open += u64::from(exchange.fate == Fate::Open);
                match exchange.usage {
                    Some(usage) => self.used(usage),
                    None => {
                        self.without_usage += 1;
                        let sum = &mut self.without_usage_bytes;
                        *sum = sum.saturating_add(exchange.sent_bytes);
                    }
                }
            }
        }
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.admitted, other.admitted),
            (&mut self.closed, other.closed),
            (&mut self.requests, other.requests),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cached_tokens, other.cached_tokens),
            (&mut self.cache_written_tokens, other.cache_written_tokens),
            (&mut self.without_usage, other.without_usage),
            (&mut self.without_usage_bytes, other.without_usage_bytes),
            (&mut self.open, other.open),
            (&mut self.vendor_refused, other.vendor_refused),
            (&mut self.unsent, other.unsent),
            (&mut self.refused, other.refused),
            (&mut self.counting, other.counting),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// Which days are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// The first, if not all before are.
    pub since: Option<Day>,
    /// The last.
    pub until: Option<Day>,
}

impl Days {
    /// Whether a day is one of them.
    #[must_use]
    pub fn hold(&self, day: Day) -> bool {
        self.since.is_none_or(|since| day >= since) && self.until.is_none_or(|until| day <= until)
    }
}

/// Counts while the ledger is read, entry by entry.
#[derive(Debug, Default)]
pub struct Counting {
    days: Days,
    join: Join,
    counts: HeadCounts,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadCounts {
    /// By day, key, vendor and model.
    pub groups: BTreeMap<Group, Tally>,
    /// Exchanges of further groups.
    pub rest: Tally,
    /// Exchanges that ended, and whose beginning the ledger no longer has: to
    /// which key they belong is not known.
    pub of_pruned: u64,
    /// Refusals that were counted together and named no key.
    pub strangers: u64,
}

impl HeadCounts {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = self.rest;
        for tally in self.groups.values() {
            total.merge(tally);
        }
        total
    }

    fn slot(&mut self, group: Group) -> &mut Tally {
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&group) {
            return &mut self.rest;
        }
        self.groups.entry(group).or_default()
    }

    fn add(&mut self, exchange: &Exchange) {
        let group = Group {
            day: Day::of_ms(exchange.at_ms),
            key: exchange.key.to_string(),
            vendor: exchange.vendor.clone(),
            model: exchange
                .answered
                .clone()
                .unwrap_or_else(|| exchange.asked.clone()),
        };
        self.slot(group).add(exchange);
    }
}

impl Counting {
    /// Counts these days. Give every entry of the ledger, in order.
    #[must_use]
    pub fn new(days: Days) -> Self {
        Self {
            days,
            ..Self::default()
        }
    }

    /// Reads one entry.
    pub fn add(&mut self, leaf: &Leaf) {
        match leaf {
            Leaf::Refused(leaf) => {
                let day = Day::of_ms(leaf.at_ms);
                if !self.days.hold(day) {
                    return;
                }
                let group = Group::refused(day, &leaf.caller.key, leaf.request.as_ref());
                self.counts.slot(group).refused += 1;
            }
            Leaf::RefusedSummary(leaf) => {
                let day = Day::of_ms(leaf.to_ms);
                if !self.days.hold(day) {
                    return;
                }
                let sum = match &leaf.key {
                    Some(key) => &mut self.counts.slot(Group::refused(day, key, None)).refused,
                    None => &mut self.counts.strangers,
                };
                *sum = sum.saturating_add(leaf.count);
            }
            Leaf::Admitted(_) | Leaf::Closed(_) => {
                if let Some(exchange) = self.join.add(leaf) {
                    self.take(&exchange);
                }
            }
            Leaf::Event(_) | Leaf::UncleanStart(_) | Leaf::HeadCount(_) => {}
        }
    }

    fn take(&mut self, exchange: &Exchange) {
        if self.days.hold(Day::of_ms(exchange.at_ms)) {
            self.counts.add(exchange);
        }
    }

    /// What was counted of a day so far, and what stands in no group; it is
    /// not counted any further.
    fn take_day(&mut self, day: Day) -> (BTreeMap<Group, Tally>, Tally) {
        let mut counts = HeadCounts {
            rest: self.counts.rest,
            ..HeadCounts::default()
        };
        let of_day = self
            .counts
            .groups
            .extract_if(.., |group, _| group.day == day);
        counts.groups = of_day.collect();
        for exchange in self.join.running() {
            if Day::of_ms(exchange.at_ms) == day {
                counts.add(exchange);
            }
        }
        (counts.groups, counts.rest)
    }

    /// What was counted; who is still open counts as open.
    #[must_use]
    pub fn end(mut self) -> HeadCounts {
        self.counts.of_pruned = self.join.unmatched();
        let join = std::mem::take(&mut self.join);
        for exchange in join.end() {
            self.take(&exchange);
        }
        self.counts
    }
}

#[cfg(test)]
pub(crate) mod tests;
