//! A vendor's usage export held against the ledger: every difference gets its
//! reasons from what the ledger itself records, within bounds, and what is
//! left is named as not explained.

mod balance;
mod bounds;
mod reason;
mod side;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use terms::{Act, Event, Leaf};
use thiserror::Error;

use crate::{
    count::{DAY_SECONDS, Day, Days, Exchange, Join, Recorded},
    usage::{Exporter, UsageExport},
};
pub use bounds::{EDGE_SECONDS, OUTPUT_TOKENS_UNKNOWN};
pub use reason::{Measure, Reason};
use side::{Amounts, Sides};

/// LIMIT: days that are compared at once.
pub const DAYS_MAX: u64 = 3_660;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Names of the vendor in the configuration, one for each account that the
    /// export is of.
    pub vendors: BTreeSet<String>,
    /// The vendor's names of the keys that the gate uses. If there are none,
    /// all of the export is taken for the gate's.
    pub gate_keys: BTreeSet<String>,
    /// Which days; those of the export if not given.
    pub days: Days,
}

/// Why an export cannot be held against a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReconcileFault {
    /// It covers no time.
    #[error("the export covers no day that was asked for")]
    NoDays,
    /// Its stretches are longer than a day.
    #[error(
        "the export counts more than a day at once; ask the vendor for days (`bucket_width=1d`) or less"
    )]
    LongerThanDays,
    /// It, or the wish, spans too many days.
    #[error("more than {DAYS_MAX} days at once; give --since and --until")]
    TooManyDays,
    /// Its stretches cross the edge of days.
    #[error(
        "the export's days do not begin at the same time of day; ask the vendor for days in UTC"
    )]
    ShiftingDays,
}

/// One thing that vendor and ledger count differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The day.
    pub day: Day,
    /// The model; `*` if the export does not tell models apart.
    pub model: String,
    /// What was counted.
    pub measure: Measure,
    /// What the vendor counted.
    pub vendor: u64,
    /// What the ledger has for certain.
    pub ledger: u64,
    /// What may explain it, with how much of it.
    pub explained: Vec<(Reason, u64)>,
    /// What nothing explains.
    pub unexplained: u64,
    /// What that is called.
    pub named: Option<Reason>,
}

/// What is worth knowing although nothing differs by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// What it is about.
    pub reason: Reason,
    /// In words.
    pub says: String,
}

/// What a vendor counted for a key that the gate does not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bypass {
    /// The vendor's name of the key.
    pub key: String,
    /// The day.
    pub day: Day,
    /// The model.
    pub model: String,
    /// Requests, if the vendor counts them.
    pub requests: Option<u64>,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// First and last day compared.
    pub days: (Day, Day),
    /// Seconds after midnight UTC at which the export's days begin.
    pub days_begin_seconds: u64,
    /// What the vendor counted, other keys aside.
    pub vendor: Totals,
    /// What the ledger has for certain.
    pub ledger: Totals,
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// Keys that the gate does not use.
    pub bypassed: Vec<Bypass>,
    /// What else there is to know.
    pub remarks: Vec<Remark>,
    /// Whether all is explained.
    pub explained: bool,
}

/// Sums over all days and models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Requests; `None` if the vendor does not count them.
    pub requests: Option<u64>,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens from the cache.
    pub cached_tokens: u64,
    /// Tokens into the cache.
    pub cache_written_tokens: u64,
}

/// Reads a ledger, and holds an export against it.
#[derive(Debug)]
pub struct Reconciling {
    ask: Ask,
    exporter: Exporter,
    export: UsageExport,
    calendar: Calendar,
    join: Join,
    sides: Sides,
    /// The most exchanges that were open at once.
    open_peak: u64,
    first_ms: Option<u64>,
    /// Whether entries before the first were pruned.
    pruned: bool,
    recorded: Recorded,
    /// Pruned days for which their head-counts stand.
    from_head_counts: BTreeSet<Day>,
}

/// Which days are compared, and when they begin.
#[derive(Debug, Clone, Copy)]
struct Calendar {
    begin_seconds: u64,
    first: Day,
    last: Day,
}

impl Calendar {
    fn of(export: &UsageExport, asked: Days) -> Result<Self, ReconcileFault> {
        let mut begin: Option<u64> = None;
        for (from, until) in &export.spans {
            let seconds = until.saturating_sub(*from);
            if seconds > DAY_SECONDS {
                return Err(ReconcileFault::LongerThanDays);
            }
            if seconds == DAY_SECONDS {
                let found = from % DAY_SECONDS;
                if *begin.get_or_insert(found) != found {
                    return Err(ReconcileFault::ShiftingDays);
                }
            }
        }
        let begin_seconds = begin.unwrap_or(0);
        let day = |seconds: u64| Day::of_seconds(seconds.saturating_sub(begin_seconds));
        let mut covered: Option<(Day, Day)> = None;
        for (from, until) in &export.spans {
            let (first, last) = (day(*from), day(until.saturating_sub(1)));
            if first != last {
                return Err(ReconcileFault::ShiftingDays);
            }
            let (least, most) = covered.unwrap_or((first, last));
            covered = Some((least.min(first), most.max(last)));
        }
        let first = asked.since.or(covered.map(|(first, _)| first));
        let last = asked.until.or(covered.map(|(_, last)| last));
        match (first, last) {
            (Some(first), Some(last)) if first > last => Err(ReconcileFault::NoDays),
            (Some(first), Some(last)) if first.days_to(last) >= DAYS_MAX => {
                Err(ReconcileFault::TooManyDays)
            }
            (Some(first), Some(last)) => Ok(Self {
                begin_seconds,
                first,
                last,
            }),
            _ => Err(ReconcileFault::NoDays),
        }
    }

    fn day(&self, at_ms: u64) -> Day {
        Day::of_seconds((at_ms / 1_000).saturating_sub(self.begin_seconds))
    }

    fn holds(&self, day: Day) -> bool {
        day >= self.first && day <= self.last
    }
}

impl Reconciling {
    /// Prepares to hold this export against a ledger.
    ///
    /// # Errors
    /// When its stretches of time are no days, or none was asked for.
    pub fn new(export: UsageExport, ask: Ask) -> Result<Self, ReconcileFault> {
        let calendar = Calendar::of(&export, ask.days)?;
        Ok(Self {
            ask,
            exporter: export.exporter,
            export,
            calendar,
            join: Join::default(),
            sides: Sides::default(),
            open_peak: 0,
            first_ms: None,
            pruned: false,
            recorded: Recorded::default(),
            from_head_counts: BTreeSet::new(),
        })
    }

    /// Entries before the first were pruned: of its day and those before it,
    /// head-counts stand for what is not there any more.
    pub const fn pruned(&mut self) {
        self.pruned = true;
    }

    /// Reads one entry. Give every entry of the ledger, in order.
    pub fn add(&mut self, leaf: &Leaf) {
        self.first_ms.get_or_insert(leaf.at_ms());
        match leaf {
            Leaf::Admitted(_) | Leaf::Closed(_) => {
                let ended = self.join.add(leaf);
                self.open_peak = self.open_peak.max(self.join.open() as u64);
                if let Some(exchange) = ended {
                    self.take(&exchange);
                }
            }
            Leaf::UncleanStart(leaf) => {
                // What lacks an entry was on its way to the disk: no more than
                // ran at once.
                let requests = self.open_peak.max(1);
                let amounts = bounds::unknown(requests, self.sides.sent_bytes_peak());
                self.on_days(leaf.from_ms, leaf.at_ms, Reason::UncleanStart, amounts);
            }
            Leaf::Event(event) => self.event(event),
            Leaf::HeadCount(leaf) => self.recorded.add(leaf),
            Leaf::Refused(_) | Leaf::RefusedSummary(_) => {}
        }
    }

    /// Exchanges that passed without a record are counted by the node.
    fn event(&mut self, event: &Event) {
        if !matches!(event.act, Act::Degraded | Act::Recovered) || event.subject != "evidence" {
            return;
        }
        let fact = |name: &str| event.facts.get(name).and_then(|fact| fact.parse().ok());
        let (Some(requests), from, to) = (
            fact("unrecorded"),
            fact("from_ms").unwrap_or(event.at_ms),
            fact("to_ms").unwrap_or(event.at_ms),
        ) else {
            return;
        };
        if requests > 0 {
            let amounts = bounds::unknown(requests, self.sides.sent_bytes_peak());
            self.on_days(from, to, Reason::Unrecorded, amounts);
        }
    }

    fn on_days(&mut self, from_ms: u64, to_ms: u64, reason: Reason, amounts: Amounts) {
        let last = self
            .calendar
            .day(to_ms.max(from_ms))
            .min(self.calendar.last);
        let mut day = self.calendar.day(from_ms).max(self.calendar.first);
        while day <= last {
            self.sides.allow_day(day, reason, amounts);
            day = day.next();
        }
    }

    fn take(&mut self, exchange: &Exchange) {
        if self.ask.vendors.contains(&exchange.vendor) {
            self.sides.take(&self.calendar, exchange);
        }
    }

    /// What came out.
    #[must_use]
    pub fn end(mut self) -> Reconciliation {
        let join = std::mem::take(&mut self.join);
        for exchange in join.end() {
            self.take(&exchange);
        }
        self.take_head_counts();
        balance::balance(self)
    }

    /// Lets head-counts stand for days that were pruned, all or in part. They
    /// are of days in UTC.
    fn take_head_counts(&mut self) {
        let first = self.first_ms.map(|at_ms| self.calendar.day(at_ms));
        let Some(first) = first.filter(|_| self.pruned && self.calendar.begin_seconds == 0) else {
            return;
        };
        let recorded = std::mem::take(&mut self.recorded);
        for day in recorded.days() {
            if day > first || !self.calendar.holds(day) {
                continue;
            }
            self.sides.forget(day);
            self.from_head_counts.insert(day);
            for (group, tally) in recorded.groups(day).unwrap_or_default() {
                if self.ask.vendors.contains(&group.vendor) {
                    self.sides.take_counted(&group, &tally);
                }
            }
        }
    }

    /// What the vendor counted, by day and model, and for keys that the gate
    /// does not use.
    fn counted(&self) -> (BTreeMap<(Day, String), Amounts>, Vec<Bypass>) {
        let by_model = self.by_model();
        let mut counted: BTreeMap<(Day, String), Amounts> = BTreeMap::new();
        let mut bypassed: BTreeMap<(Day, String, String), Amounts> = BTreeMap::new();
        for row in &self.export.rows {
            let seconds = row.from_seconds.saturating_sub(self.calendar.begin_seconds);
            let day = Day::of_seconds(seconds);
            if !self.calendar.holds(day) {
                continue;
            }
            let amounts = Amounts {
                requests: row.requests.unwrap_or(0),
                input: row.input_tokens,
                output: row.output_tokens,
                cached: row.cached_tokens,
                cache_written: row.cache_written_tokens,
            };
            let model = row.model.clone().filter(|_| by_model);
            let model = model.unwrap_or_else(|| side::ALL_MODELS.to_owned());
            let key = row
                .key
                .as_ref()
                .filter(|key| !self.ask.gate_keys.is_empty() && !self.ask.gate_keys.contains(*key));
            match key {
                Some(key) => bypassed
                    .entry((day, key.clone(), model))
                    .or_default()
                    .add(&amounts),
                None => counted.entry((day, model)).or_default().add(&amounts),
            }
        }
        let counts_requests = self.counts_requests();
        let bypassed = bypassed
            .into_iter()
            .filter(|(_, amounts)| !amounts.are_none());
        let bypassed = bypassed.map(|((day, key, model), amounts)| Bypass {
            key,
            day,
            model,
            requests: counts_requests.then_some(amounts.requests),
            input_tokens: amounts.input,
            output_tokens: amounts.output,
        });
        (counted, bypassed.collect())
    }

    /// Whether every row of the export names its model.
    fn by_model(&self) -> bool {
        self.export.rows.iter().all(|row| row.model.is_some())
    }

    /// Whether the export counts requests.
    fn counts_requests(&self) -> bool {
        self.exporter == Exporter::OpenAi
    }
}

#[cfg(test)]
mod tests;
