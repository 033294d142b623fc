//! Sources that failed to say who they are too often. Pure: the time is
//! passed in.

use std::{collections::HashMap, hash::Hash, num::NonZeroU32};

use serde::Serialize;

/// LIMIT: sources that are watched apart; beyond it new ones share one count.
const SOURCES_MAX: usize = 16_384;
/// LIMIT: how often a full table is searched for lines that are over.
const SWEEP_EVERY_MS: u64 = 1_000;

/// When a source is locked out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LockoutRule {
    /// The failure with which it is locked out.
    pub failures_max: NonZeroU32,
    /// How long it stays out, and how long a failure counts; milliseconds.
    pub time_ms: u64,
}

/// What a failure led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It is counted.
    Counted,
    /// It was the last one that is allowed: the source is out from now on.
    Locked,
}

#[derive(Debug, Clone, Copy, Default)]
struct Line {
    failures: u32,
    newest_ms: u64,
    locked_until_ms: u64,
}

impl Line {
    fn is_over(&self, now_ms: u64, time_ms: u64) -> bool {
        now_ms >= self.locked_until_ms && now_ms.saturating_sub(self.newest_ms) >= time_ms
    }
}

/// The failures of each source.
#[derive(Debug)]
pub struct Lockout<S> {
    lines: HashMap<S, Line>,
    /// What sources share for which there is no line left.
    shared: Line,
    swept_ms: Option<u64>,
}

impl<S> Default for Lockout<S> {
    fn default() -> Self {
        Self {
            lines: HashMap::new(),
            shared: Line::default(),
            swept_ms: None,
        }
    }
}

impl<S: Eq + Hash> Lockout<S> {
    /// Milliseconds for which a source is still out; `None` if it is not.
    #[must_use]
    pub fn locked_ms(&self, source: &S, now_ms: u64) -> Option<u64> {
        let full = self.lines.len() >= SOURCES_MAX;
        let line = match self.lines.get(source) {
            Some(line) => line,
            None if full => &self.shared,
            None => return None,
        };
        line.locked_until_ms
            .checked_sub(now_ms)
            .filter(|left| *left > 0)
    }

    /// Counts a failure.
    pub fn failed(&mut self, source: S, rule: &LockoutRule, now_ms: u64) -> Watched {
        let due = self
            .swept_ms
            .is_none_or(|swept| now_ms.saturating_sub(swept) >= SWEEP_EVERY_MS);
        if due && self.lines.len() >= SOURCES_MAX && !self.lines.contains_key(&source) {
            self.swept_ms = Some(now_ms);
            self.lines
                .retain(|_, line| !line.is_over(now_ms, rule.time_ms));
        }
        let full = self.lines.len() >= SOURCES_MAX && !self.lines.contains_key(&source);
        let line = if full {
            &mut self.shared
        } else {
            self.lines.entry(source).or_default()
        };
        if line.is_over(now_ms, rule.time_ms) {
            *line = Line::default();
        }
        line.failures = line.failures.saturating_add(1);
        line.newest_ms = now_ms;
        if line.failures < rule.failures_max.get() {
            return Watched::Counted;
        }
        line.failures = 0;
        line.locked_until_ms = now_ms.saturating_add(rule.time_ms);
        Watched::Locked
    }

    /// Sources that are out now.
    #[must_use]
    pub fn locked(&self, now_ms: u64) -> usize {
        self.lines
            .values()
            .filter(|line| line.locked_until_ms > now_ms)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: LockoutRule = LockoutRule {
        failures_max: NonZeroU32::new(10).unwrap(),
        time_ms: 1_800_000,
    };

    #[test]
    fn the_tenth_failure_locks_for_thirty_minutes_and_others_are_free() {
        let mut lockout = Lockout::default();
        for attempt in 1..10 {
            assert_eq!(lockout.failed(1, &RULE, attempt), Watched::Counted);
            assert_eq!(lockout.locked_ms(&1, attempt), None);
        }
        assert_eq!(lockout.failed(1, &RULE, 10), Watched::Locked);
        assert_eq!(lockout.locked_ms(&1, 10), Some(1_800_000));
        assert_eq!(lockout.locked_ms(&2, 10), None);
        assert_eq!(lockout.locked_ms(&1, 1_800_009), Some(1));
        assert_eq!(lockout.locked_ms(&1, 1_800_010), None);
        assert_eq!(lockout.failed(1, &RULE, 1_800_010), Watched::Counted);
    }

    #[test]
    fn old_failures_are_forgotten_and_new_ones_keep_them_alive() {
        let mut lockout = Lockout::default();
        for _ in 0..9 {
            let _ = lockout.failed(1, &RULE, 0);
        }
        assert_eq!(lockout.failed(1, &RULE, 1_800_000), Watched::Counted);
        for _ in 0..8 {
            let _ = lockout.failed(1, &RULE, 1_900_000);
        }
        assert_eq!(lockout.failed(1, &RULE, 3_000_000), Watched::Locked);
    }

    #[test]
    fn a_flood_of_sources_is_bounded_and_locks_the_rest_together() {
        let mut lockout = Lockout::default();
        for source in 0..SOURCES_MAX + 9 {
            assert_eq!(lockout.failed(source, &RULE, 1), Watched::Counted);
        }
        assert_eq!(lockout.failed(usize::MAX, &RULE, 1), Watched::Locked);
        assert!(lockout.locked_ms(&(usize::MAX - 1), 1).is_some());
        assert_eq!(
            lockout.locked_ms(&3, 1),
            None,
            "who has a line is judged by it"
        );
        assert_eq!(lockout.lines.len(), SOURCES_MAX);
    }

    proptest! {
        /// Between two locks there are as many failures as are allowed, and
        /// while it is out nothing lets it in.
        #[test]
        fn never_more_than_allowed(steps in prop::collection::vec(0_u64..400_000, 1..200)) {
            let mut lockout = Lockout::default();
            let (mut now, mut counted) = (0, 0);
            for step in steps {
                now += step;
                if lockout.locked_ms(&(), now).is_some() {
                    prop_assert_eq!(counted, 0);
                    continue;
                }
                match lockout.failed((), &RULE, now) {
                    Watched::Counted => counted += 1,
                    Watched::Locked => counted = 0,
                }
                prop_assert!(counted < RULE.failures_max.get() || step >= RULE.time_ms);
                if step >= RULE.time_ms { counted = counted.min(1); }
            }
        }
    }
}
