//! Leaves a vendor alone for a moment that failed several times in a row.

use std::sync::{Mutex, PoisonError};

use terms::{Code, Refusal};

/// When a vendor is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRule {
    /// Failures in a row; 0 never leaves it alone.
    pub failures_max: u32,
    /// How long it is left alone, milliseconds.
    pub time_ms: u64,
}

impl Default for BreakerRule {
    fn default() -> Self {
        Self {
            failures_max: 5,
            time_ms: 10_000,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    failures: u32,
    open_until_ms: u64,
}

/// One vendor's.
#[derive(Debug)]
pub struct Breaker {
    rule: BreakerRule,
    state: Mutex<State>,
}

impl Breaker {
    /// Closed: calls go through.
    #[must_use]
    pub fn new(rule: BreakerRule) -> Self {
        Self {
            rule,
            state: Mutex::default(),
        }
    }

    /// Whether a call may be tried. After the pause one may, and the others
    /// wait for what becomes of it.
    ///
    /// # Errors
    /// While the vendor is left alone.
    pub(crate) fn enter(&self, now_ms: u64) -> Result<(), Refusal> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.rule.failures_max == 0 || state.failures < self.rule.failures_max {
            return Ok(());
        }
        if let Some(left_ms) = state
            .open_until_ms
            .checked_sub(now_ms)
            .filter(|left| *left > 0)
        {
            let seconds = u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
            return Err(Refusal::new(Code::VendorTripped).retry_after(Some(seconds)));
        }
        state.open_until_ms = now_ms.saturating_add(self.rule.time_ms);
        Ok(())
    }

    /// A call was answered, whatever the answer.
    pub(crate) fn answered(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// A call got no answer.
    pub(crate) fn failed(&self, now_ms: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.rule.failures_max {
            state.open_until_ms = now_ms.saturating_add(self.rule.time_ms);
        }
    }

    /// Whether the vendor is left alone now.
    #[must_use]
    pub fn is_open(&self, now_ms: u64) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.rule.failures_max > 0
            && state.failures >= self.rule.failures_max
            && state.open_until_ms > now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_tries_once_and_closes() {
        let breaker = Breaker::new(BreakerRule {
            failures_max: 2,
            time_ms: 1_000,
        });
        breaker.failed(0);
        assert!(breaker.enter(0).is_ok());
        breaker.failed(10);
        let refused = breaker.enter(20).unwrap_err();
        assert_eq!(refused.code(), Code::VendorTripped);
        assert_eq!(refused.retry_after_seconds(), Some(1));
        assert!(breaker.is_open(20));
        assert!(breaker.enter(1_010).is_ok(), "one try");
        assert!(breaker.enter(1_011).is_err(), "and no second beside it");
        breaker.failed(1_020);
        assert!(breaker.enter(1_100).is_err());
        assert!(breaker.enter(2_020).is_ok());
        breaker.answered();
        assert!(breaker.enter(2_021).is_ok() && !breaker.is_open(2_021));
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let breaker = Breaker::new(BreakerRule {
            failures_max: 0,
            time_ms: 1_000,
        });
        for now in 0..100 {
            breaker.failed(now);
            assert!(breaker.enter(now).is_ok());
        }
    }
}
