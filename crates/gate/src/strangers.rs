//! Refusals of callers that were never known, counted so that a stranger can
//! neither fill the disk nor slow the log.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use ledger::commit::CommitmentKey;
use terms::{Code, ExchangeId, Leaf, RECORD_VERSION, RefusedSummary};

/// LIMIT: different (cause, network) pairs that are counted apart; the rest
/// share one line for each cause.
const LINES_MAX: usize = 1_024;
/// LIMIT: leaves written at one time; the gate calls [`Strangers::take`] once a second.
const LEAVES_PER_SECOND_MAX: usize = 10;

#[derive(Debug, Clone, Copy)]
struct Line {
    from_ms: u64,
    to_ms: u64,
    count: u64,
}

/// The counts that are not yet written.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    lines: Mutex<HashMap<(Code, Option<IpAddr>), Line>>,
}

impl Strangers {
    /// Counts one refusal.
    pub(crate) fn count(&self, code: Code, source: IpAddr, now_ms: u64) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let exact = (code, Some(network(source)));
        let full = lines.len() >= LINES_MAX && !lines.contains_key(&exact);
        let line = lines
            .entry(if full { (code, None) } else { exact })
            .or_insert(Line {
                from_ms: now_ms,
                to_ms: now_ms,
                count: 0,
            });
        line.to_ms = now_ms;
        line.count = line.count.saturating_add(1);
    }

    /// Takes the largest counts out, as leaves; the others wait and grow.
    pub(crate) fn take(&self, id: &ExchangeId, key: &CommitmentKey, all: bool) -> Vec<Leaf> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut order: Vec<_> = lines
            .iter()
            .map(|(name, line)| (line.count, *name))
            .collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        let most = if all {
            order.len()
        } else {
            LEAVES_PER_SECOND_MAX
        };
        order
            .into_iter()
            .take(most)
            .filter_map(|(_, name)| lines.remove(&name).map(|line| (name, line)))
            .map(|((code, source), line)| {
                let network = source.map_or_else(|| "many".to_owned(), |source| source.to_string());
                Leaf::RefusedSummary(RefusedSummary {
                    v: RECORD_VERSION,
                    from_ms: line.from_ms,
                    to_ms: line.to_ms,
                    code,
                    reference: *id,
                    network: key.commit(id, "network", network.as_bytes()),
                    count: line.count,
                })
            })
            .collect()
    }
}

/// The /24 or /48 that an address belongs to.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::{FixedClock, Secret, SeededEntropy};

    #[test]
    fn a_flood_becomes_few_leaves_and_no_count_is_lost() {
        let strangers = Strangers::default();
        for n in 0..50_000_u32 {
            strangers.count(
                Code::KeyUnknown,
                IpAddr::from(n.to_be_bytes()),
                u64::from(n),
            );
        }
        let id = ExchangeId::new(&FixedClock::new(1), &SeededEntropy::new(1));
        let key = CommitmentKey::new(Secret::new([1; 32]));
        let first = strangers.take(&id, &key, false);
        assert_eq!(first.len(), LEAVES_PER_SECOND_MAX);
        let rest = strangers.take(&id, &key, true);
        let sum: u64 = first
            .iter()
            .chain(&rest)
            .map(|leaf| match leaf {
                Leaf::RefusedSummary(summary) => summary.count,
                _ => 0,
            })
            .sum();
        assert_eq!(sum, 50_000);
    }
}
