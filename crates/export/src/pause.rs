//! How long is waited after failures: longer each time, and never the same, so
//! that many nodes do not come back at once.

use std::time::Duration;

use terms::Entropy;

/// The first pause.
const FIRST: Duration = Duration::from_millis(250);
/// LIMIT: the longest.
pub const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Pauses after failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
}

impl Pause {
    /// It went well.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed again: between half of the next step and the whole of it.
    pub(crate) fn next(&mut self, entropy: &dyn Entropy) -> Duration {
        let step = FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures.min(16)))
            .min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        let mut byte = [0_u8; 1];
        entropy.fill(&mut byte);
        let half = step / 2;
        half + half * u32::from(byte[0]) / 255
    }
}

#[cfg(test)]
mod tests {
    use terms::SeededEntropy;

    use super::{FIRST, PAUSE_MAX, Pause};

    #[test]
    fn pauses_grow_to_their_limit_and_begin_anew() {
        let entropy = SeededEntropy::new(7);
        let mut pause = Pause::default();
        let pauses: Vec<_> = (0..40).map(|_| pause.next(&entropy)).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses.iter().all(|pause| *pause <= PAUSE_MAX));
        assert!(pauses[20..].iter().all(|pause| *pause >= PAUSE_MAX / 2));
        let distinct: std::collections::BTreeSet<_> = pauses[20..].iter().collect();
        assert!(distinct.len() > 5);
        pause.reset();
        assert!(pause.next(&entropy) <= FIRST);
    }
}
