//! Counts since the start and times of the newest exchanges, for a live view.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use terms::{Closed, Code, ControlRun, Verdict};

/// LIMIT: exchanges whose times are kept.
const TIMES_MAX: usize = 1_024;

/// Counts by bounded names, and quantiles of the newest exchanges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Summary {
    /// Exchanges that ended, by vendor and outcome.
    pub exchanges: BTreeMap<String, BTreeMap<String, u64>>,
    /// Refusals by code.
    pub refusals: BTreeMap<String, u64>,
    /// Verdicts of each control other than `pass`.
    pub verdicts: BTreeMap<String, BTreeMap<String, u64>>,
    /// From arrival to the end, microseconds: median, 90 % and 99 %.
    pub total_us: Option<[u64; 3]>,
    /// From arrival to the vendor's first byte, the same.
    pub first_byte_us: Option<[u64; 3]>,
    /// Until an entry was durable, the same.
    pub append_us: Option<[u64; 3]>,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    summary: Summary,
    total: Times,
    first_byte: Times,
    append: Times,
}

#[derive(Debug, Default)]
struct Times(VecDeque<u64>);

impl Times {
    fn add(&mut self, us: u64) {
        if self.0.len() == TIMES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(us);
    }

    fn quantiles(&self) -> Option<[u64; 3]> {
        let mut sorted: Vec<u64> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let at = |percent: usize| sorted.get(last * percent / 100).copied();
        Some([at(50)?, at(90)?, at(99)?])
    }
}

impl Tally {
    pub(super) fn refused(&mut self, code: Code) {
        *self
            .summary
            .refusals
            .entry(code.word().to_owned())
            .or_default() += 1;
    }

    pub(super) fn judged(&mut self, runs: &[ControlRun]) {
        for run in runs.iter().filter(|run| run.would != Verdict::Pass) {
            let control = self
                .summary
                .verdicts
                .entry(run.control.word().to_owned())
                .or_default();
            *control.entry(run.would.word().to_owned()).or_default() += 1;
        }
    }

    pub(super) fn closed(&mut self, vendor: &str, closed: &Closed) {
        let vendor = self.summary.exchanges.entry(vendor.to_owned()).or_default();
        *vendor.entry(closed.outcome.word().to_owned()).or_default() += 1;
        self.total.add(closed.timings.total_us);
        if let Some(first_byte_us) = closed.timings.first_byte_us {
            self.first_byte.add(first_byte_us);
        }
    }

    pub(super) fn appended(&mut self, took_us: u64) {
        self.append.add(took_us);
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            total_us: self.total.quantiles(),
            first_byte_us: self.first_byte.quantiles(),
            append_us: self.append.quantiles(),
            ..self.summary.clone()
        }
    }
}
