//! How fast a request's body must come: whoever sends a byte now and then
//! would otherwise hold its place for ever.

use std::time::Duration;

use crate::settings::Limits;

/// What a body's sender is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    idle_time: Duration,
    whole_time: Duration,
    bytes_per_second_min: u64,
}

impl Pace {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self {
            idle_time: limits.body_idle_time,
            whole_time: limits.body_time,
            bytes_per_second_min: limits.body_bytes_per_second_min,
        }
    }

    /// For how long the next piece may be waited for, when so many bytes came
    /// within this time. The first idle time is free; after it so many bytes
    /// must have come for each second.
    pub(crate) fn patience(self, came: usize, within: Duration) -> Duration {
        let milliseconds = (came as u64)
            .saturating_mul(1_000)
            .checked_div(self.bytes_per_second_min)
            .unwrap_or(u64::MAX);
        let earned = self
            .idle_time
            .saturating_add(Duration::from_millis(milliseconds));
        self.idle_time
            .min(earned.min(self.whole_time).saturating_sub(within))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(idle: u64, whole: u64, bytes_per_second_min: u64) -> Pace {
        Pace::new(&Limits {
            body_idle_time: SECOND * u32::try_from(idle).unwrap(),
            body_time: SECOND * u32::try_from(whole).unwrap(),
            body_bytes_per_second_min: bytes_per_second_min,
            ..Limits::default()
        })
    }

    /// How long a sender lasts that sends so many bytes each time.
    fn lasts(pace: Pace, bytes: usize, every: Duration) -> Option<Duration> {
        let (mut came, mut within) = (0, Duration::ZERO);
        for _ in 0..10_000 {
            if pace.patience(came, within) < every {
                return Some(within);
            }
            came += bytes;
            within += every;
        }
        None
    }

    #[test]
    fn a_dribble_within_each_idle_time_ends() {
        let end = lasts(pace(30, 600, 512), 1, SECOND).unwrap();
        assert!(end <= SECOND * 31, "{end:?}");
    }

    #[test]
    fn one_that_keeps_the_pace_ends_at_the_last_with_its_whole_time() {
        assert_eq!(lasts(pace(30, 600, 512), 512, SECOND), Some(SECOND * 600));
        assert_eq!(lasts(pace(30, 86_400, 512), 600, SECOND), None);
    }

    #[test]
    fn without_a_floor_only_the_whole_time_counts() {
        assert_eq!(lasts(pace(30, 600, 0), 1, SECOND), Some(SECOND * 600));
    }

    proptest! {
        #[test]
        fn patience_never_exceeds_idle_nor_whole_time(
            idle in 1..100_u64, whole in 1..1_000_u64, floor in 0..10_000_u64,
            came in 0..100_000_000_usize, within in 0..2_000_000_u64,
        ) {
            let pace = pace(idle, whole, floor);
            let within = Duration::from_millis(within);
            let patience = pace.patience(came, within);
            prop_assert!(patience <= pace.idle_time);
            prop_assert!(patience.is_zero() || within + patience <= pace.whole_time);
            prop_assert!(pace.patience(came + 1, within) >= patience);
        }
    }
}
