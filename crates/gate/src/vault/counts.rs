//! How many values there are, counted now and then and added up in between: a
//! count of many rows is not made for every request.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use terms::KeyId;

/// For how long a count holds. Other nodes may keep as many meanwhile.
const HOLDS_MS: u64 = 60_000;
/// LIMIT: virtual keys whose count is remembered.
const KEYS_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Counted {
    count: u64,
    at_ms: u64,
}

/// Counts of virtual keys, and of all of them.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<HashMap<Option<KeyId>, Counted>>);

impl Counts {
    fn held(&self) -> MutexGuard<'_, HashMap<Option<KeyId>, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The count, if it still holds.
    pub(super) fn known(&self, whose: Option<&KeyId>, now_ms: u64) -> Option<u64> {
        let held = self.held();
        let counted = held.get(&whose.cloned())?;
        (now_ms.saturating_sub(counted.at_ms) < HOLDS_MS).then_some(counted.count)
    }

    pub(super) fn counted(&self, whose: Option<&KeyId>, count: u64, at_ms: u64) {
        let mut held = self.held();
        if held.len() >= KEYS_MAX {
            held.clear();
        }
        held.insert(whose.cloned(), Counted { count, at_ms });
    }

    /// So many more of a virtual key.
    pub(super) fn add(&self, scope: &KeyId, more: u64) {
        let mut held = self.held();
        for whose in [Some(scope.clone()), None] {
            if let Some(counted) = held.get_mut(&whose) {
                counted.count = counted.count.saturating_add(more);
            }
        }
    }

    /// Some are gone: everything is counted anew.
    pub(super) fn forget(&self) {
        self.held().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_holds_for_a_minute_and_grows() {
        let (counts, key) = (Counts::default(), "mk-000000000001".parse().unwrap());
        assert_eq!(counts.known(Some(&key), 0), None);
        counts.counted(Some(&key), 5, 1_000);
        counts.counted(None, 9, 1_000);
        counts.add(&key, 2);
        assert_eq!(counts.known(Some(&key), 60_999), Some(7));
        assert_eq!(counts.known(None, 60_999), Some(11));
        assert_eq!(counts.known(None, 61_000), None);
        counts.forget();
        assert_eq!(counts.known(Some(&key), 1_000), None);
    }

    #[test]
    fn no_more_keys_are_remembered_than_allowed() {
        let counts = Counts::default();
        for number in 0..=KEYS_MAX {
            let key = format!("mk-{number:012x}").parse().unwrap();
            counts.counted(Some(&key), 1, 0);
        }
        assert!(counts.held().len() <= KEYS_MAX);
    }
}
