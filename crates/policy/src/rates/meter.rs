//! What one party used in the last minute, and what it uses now.

use super::{Exceeded, Rates};

/// The window in one-second buckets, one more than the seconds in it: the
/// oldest counts whole as long as a part of it lies in the window, so that in
/// no 60 seconds more is allowed than the limit.
const BUCKETS: usize = 61;

/// Tokens that were set aside for one exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "what is set aside must be settled"]
pub struct Reserved(u64);

/// One party's use.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    requests: Window,
    tokens: Window,
    reserved_tokens: u64,
    in_flight: u64,
}

impl Meter {
    /// Enters one request.
    ///
    /// # Errors
    /// When it would be one too many; then nothing is entered.
    pub fn enter(&mut self, rates: &Rates, now_ms: u64) -> Result<(), Exceeded> {
        if rates
            .in_flight
            .is_some_and(|most| self.in_flight >= most.get())
        {
            return Err(Exceeded::InFlight);
        }
        if let Some(most) = rates.requests_per_minute
            && let Err(after_ms) = self.requests.fits(1, most.get(), 0, now_ms)
        {
            return Err(Exceeded::Requests {
                after_ms: after_ms.unwrap_or(60_000),
            });
        }
        self.requests.add(1, now_ms);
        self.in_flight = self.in_flight.saturating_add(1);
        Ok(())
    }

    /// Sets aside as many tokens as a request may use at most.
    ///
    /// # Errors
    /// When they do not fit; then nothing is set aside.
    pub fn reserve(
        &mut self,
        rates: &Rates,
        tokens: u64,
        now_ms: u64,
    ) -> Result<Reserved, Exceeded> {
        if let Some(most) = rates.tokens_per_minute
            && let Err(after_ms) =
                self.tokens
                    .fits(tokens, most.get(), self.reserved_tokens, now_ms)
        {
            return Err(Exceeded::Tokens { after_ms });
        }
        self.reserved_tokens = self.reserved_tokens.saturating_add(tokens);
        Ok(Reserved(tokens))
    }

    /// Gives back what was set aside and counts what was used.
    pub fn settle(&mut self, Reserved(tokens): Reserved, used_tokens: u64, now_ms: u64) {
        self.reserved_tokens = self.reserved_tokens.saturating_sub(tokens);
        self.tokens.add(used_tokens, now_ms);
    }

    /// The request that was entered has ended.
    pub const fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Requests in the last minute.
    #[must_use]
    pub fn requests(&self, now_ms: u64) -> u64 {
        self.requests.sum(now_ms)
    }

    /// Tokens used in the last minute, and set aside now.
    #[must_use]
    pub fn tokens(&self, now_ms: u64) -> u64 {
        self.tokens.sum(now_ms).saturating_add(self.reserved_tokens)
    }

    /// Exchanges now.
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether forgetting it forgets nothing.
    #[must_use]
    pub fn is_idle(&self, now_ms: u64) -> bool {
        self.in_flight == 0
            && self.reserved_tokens == 0
            && self.requests.sum(now_ms) == 0
            && self.tokens.sum(now_ms) == 0
    }
}

/// Counts by second, for a minute.
#[derive(Debug, Clone, Default)]
struct Window {
    /// Empty until something is counted.
    counts: Vec<u64>,
    /// The second of the newest bucket.
    newest: u64,
    total: u64,
}

impl Window {
    fn add(&mut self, count: u64, now_ms: u64) {
        if count > 0 && self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        self.advance(now_ms);
        let newest = self.newest;
        if let Some(bucket) = self.bucket(newest) {
            *bucket = bucket.saturating_add(count);
        }
        self.total = self.total.saturating_add(count);
    }

    /// Whether `more` fits beside what is counted and `besides` under `most`;
    /// otherwise after how many milliseconds it will, if ever.
    fn fits(&mut self, more: u64, most: u64, besides: u64, now_ms: u64) -> Result<(), Option<u64>> {
        self.advance(now_ms);
        let wanted = more.saturating_add(besides);
        if self.total.saturating_add(wanted) <= most {
            return Ok(());
        }
        if more > most {
            return Err(None);
        }
        // Seconds leave one by one, the oldest first.
        let mut left = self.total;
        let oldest = self.newest.saturating_sub(BUCKETS as u64 - 1);
        for second in oldest..=self.newest {
            left = left.saturating_sub(self.bucket(second).map_or(0, |bucket| *bucket));
            if left.saturating_add(wanted) <= most {
                let free_ms = second.saturating_add(BUCKETS as u64).saturating_mul(1_000);
                return Err(Some(free_ms.saturating_sub(now_ms)));
            }
        }
        Err(Some(60_000))
    }

    fn sum(&self, now_ms: u64) -> u64 {
        let now = now_ms / 1_000;
        if now <= self.newest {
            return self.total;
        }
        let first = (now + 1).saturating_sub(BUCKETS as u64);
        (first..=self.newest)
            .map(|second| self.counts.get(index(second)).copied().unwrap_or_default())
            .sum()
    }

    /// Empties the buckets of the seconds that went by. A clock that goes back
    /// counts into the newest second.
    fn advance(&mut self, now_ms: u64) {
        let now = now_ms / 1_000;
        let gone = now.saturating_sub(self.newest).min(BUCKETS as u64);
        // A gap of a whole window meets every bucket.
        for second in 1..=gone {
            if let Some(bucket) = self.bucket(self.newest.saturating_add(second)) {
                let count = std::mem::take(bucket);
                self.total = self.total.saturating_sub(count);
            }
        }
        self.newest = self.newest.max(now);
    }

    fn bucket(&mut self, second: u64) -> Option<&mut u64> {
        self.counts.get_mut(index(second))
    }
}

fn index(second: u64) -> usize {
    usize::try_from(second % BUCKETS as u64).unwrap_or_default()
}
