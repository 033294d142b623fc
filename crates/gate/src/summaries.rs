//! Refusals that are counted, and not recorded one by one: of callers that
//! were never known, and of requests that known ones break off, beyond a few.
//! So neither fills the disk or slows the log.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use ledger::commit::CommitmentKey;
use terms::{Code, ExchangeId, KeyId, Leaf, RECORD_VERSION, RefusedSummary};

/// LIMIT: different causes, networks and keys that are counted apart; the rest
/// share one line for each cause and key, whatever their networks.
const LINES_MAX: usize = 1_024;
/// LIMIT: likewise; the rest share one line for each cause.
const LINES_OF_KEYS_MAX: usize = 4 * LINES_MAX;
/// LIMIT: leaves written at one time; the gate calls [`Summaries::take`] once a second.
const LEAVES_PER_SECOND_MAX: usize = 10;
/// LIMIT: records of their own, in the same time, for requests that their
/// callers break off.
const OWN_PER_SECOND_MAX: usize = 10;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name {
    code: Code,
    /// None where many share a line.
    network: Option<IpAddr>,
    /// The key of the callers that had one.
    key: Option<KeyId>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    from_ms: u64,
    to_ms: u64,
    count: u64,
}

/// The counts that are not yet written.
#[derive(Debug)]
pub(crate) struct Summaries {
    lines: Mutex<HashMap<Name, Line>>,
    own_left: AtomicUsize,
}

impl Default for Summaries {
    fn default() -> Self {
        Self {
            lines: Mutex::default(),
            own_left: AtomicUsize::new(OWN_PER_SECOND_MAX),
        }
    }
}

impl Summaries {
    /// Whether a request that was broken off may have a record of its own; if
    /// not, it is to be counted.
    pub(crate) fn spares_a_record(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.own_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    /// Counts one refusal, of a key if there was one.
    pub(crate) fn count(&self, code: Code, source: IpAddr, key: Option<&KeyId>, now_ms: u64) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut name = Name {
            code,
            network: Some(network(source)),
            key: key.cloned(),
        };
        if lines.len() >= LINES_MAX && !lines.contains_key(&name) {
            name.network = None;
        }
        if lines.len() >= LINES_OF_KEYS_MAX && !lines.contains_key(&name) {
            name.key = None;
        }
        let line = lines.entry(name).or_insert(Line {
            from_ms: now_ms,
            to_ms: now_ms,
            count: 0,
        });
        line.to_ms = now_ms;
        line.count = line.count.saturating_add(1);
    }

    /// Takes the largest counts out, as leaves, those of known keys first; the
    /// others wait and grow. A second begins.
    pub(crate) fn take(&self, id: &ExchangeId, key: &CommitmentKey, all: bool) -> Vec<Leaf> {
        self.own_left.store(OWN_PER_SECOND_MAX, Ordering::Relaxed);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut order: Vec<_> = lines
            .iter()
            .map(|(name, line)| (name.key.is_some(), line.count, name.clone()))
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
            .filter_map(|(.., name)| lines.remove(&name).map(|line| (name, line)))
            .map(|(name, line)| {
                let network = name
                    .network
                    .map_or_else(|| "many".to_owned(), |network| network.to_string());
                Leaf::RefusedSummary(RefusedSummary {
                    v: RECORD_VERSION,
                    from_ms: line.from_ms,
                    to_ms: line.to_ms,
                    code: name.code,
                    reference: *id,
                    network: key.commit(id, "network", network.as_bytes()),
                    key: name.key,
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
        let summaries = Summaries::default();
        for n in 0..50_000_u32 {
            summaries.count(
                Code::KeyUnknown,
                IpAddr::from(n.to_be_bytes()),
                None,
                u64::from(n),
            );
        }
        let id = ExchangeId::new(&FixedClock::new(1), &SeededEntropy::new(1));
        let key = CommitmentKey::new(Secret::new([1; 32]));
        let first = summaries.take(&id, &key, false);
        assert_eq!(first.len(), LEAVES_PER_SECOND_MAX);
        let rest = summaries.take(&id, &key, true);
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

    #[test]
    fn known_keys_are_counted_apart_and_have_a_few_records_each_second() {
        let summaries = Summaries::default();
        let id = ExchangeId::new(&FixedClock::new(1), &SeededEntropy::new(1));
        let commitments = CommitmentKey::new(Secret::new([1; 32]));
        let keys = ["mk-0123456789ab", "mk-abcdef012345"].map(|key| key.parse::<KeyId>().unwrap());
        let source = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..2 {
            let spared = (0..100).filter(|_| summaries.spares_a_record()).count();
            assert_eq!(spared, OWN_PER_SECOND_MAX);
            for (key, times) in [(&keys[0], 3), (&keys[1], 2)] {
                for _ in 0..times {
                    summaries.count(Code::BodyBroken, source, Some(key), 1);
                }
            }
            let mut told: Vec<_> = summaries
                .take(&id, &commitments, false)
                .into_iter()
                .filter_map(|leaf| match leaf {
                    Leaf::RefusedSummary(summary) => Some((summary.count, summary.key)),
                    _ => None,
                })
                .collect();
            told.sort_unstable();
            // Strangers in great numbers take no key's name away, nor its turn.
            for n in 0..2 * LINES_MAX as u32 {
                let source = IpAddr::from((n << 8).to_be_bytes());
                for _ in 0..9 {
                    summaries.count(Code::KeyUnknown, source, None, 1);
                }
            }
            let own = |key: &KeyId| Some(key.clone());
            told.retain(|(_, key)| key.is_some());
            assert_eq!(told, [(2, own(&keys[1])), (3, own(&keys[0]))]);
        }
    }

    #[test]
    fn a_key_from_everywhere_takes_no_other_keys_name_away() {
        let summaries = Summaries::default();
        let keys = ["mk-0123456789ab", "mk-abcdef012345"].map(|key| key.parse::<KeyId>().unwrap());
        let most = 2 * LINES_OF_KEYS_MAX as u32;
        for n in 0..most {
            let source = IpAddr::from((n << 8).to_be_bytes());
            summaries.count(Code::BodyBroken, source, Some(&keys[0]), 1);
        }
        let source = IpAddr::from([192, 0, 2, 1]);
        summaries.count(Code::BodyBroken, source, Some(&keys[1]), 1);
        let lines = summaries.lines.lock().unwrap();
        assert!(lines.len() <= LINES_MAX + 2);
        let of = |key: &KeyId| -> u64 {
            let own = lines
                .iter()
                .filter(|(name, _)| name.key.as_ref() == Some(key));
            own.map(|(_, line)| line.count).sum()
        };
        assert_eq!((of(&keys[0]), of(&keys[1])), (u64::from(most), 1));
    }
}
