//! Tells from where on the end of a text could still become a match.

use std::sync::{Mutex, PoisonError};

use regex_automata::{
    Anchored, Input, MatchKind,
    hybrid::dfa::{Cache, DFA},
};

/// LIMIT: bytes of one automaton's cache; it is cleared when full.
const CACHE_BYTES_MAX: usize = 8 << 20;
/// LIMIT: caches kept for later.
const CACHES_MAX: usize = 16;

/// One lazy automaton over all patterns, anchored where it is started.
#[derive(Debug)]
pub(super) struct Alive {
    dfa: DFA,
    first: Vec<bool>,
    caches: Mutex<Vec<Cache>>,
}

impl Alive {
    /// Compiles the patterns together.
    pub(super) fn new(patterns: &[&str]) -> Option<Self> {
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE_BYTES_MAX)
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_many(patterns).ok()?;
        let mut cache = dfa.create_cache();
        let input = Input::new("").anchored(Anchored::Yes);
        let start = dfa.start_state_forward(&mut cache, &input).ok()?;
        let first = (0..=u8::MAX)
            .map(|byte| {
                dfa.next_state(&mut cache, start, byte)
                    .map_or(true, |state| !state.is_dead())
            })
            .collect();
        Some(Self {
            dfa,
            first,
            caches: Mutex::new(vec![cache]),
        })
    }

    /// The first start at or after `from` from which a match could still be
    /// completed by what may follow; `None` when there is none.
    pub(super) fn earliest(&self, text: &str, from: usize) -> Option<usize> {
        let mut cache = self
            .caches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_else(|| self.dfa.create_cache());
        let found = self.search(&mut cache, text, from);
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        if caches.len() < CACHES_MAX {
            caches.push(cache);
        }
        found
    }

    fn search(&self, cache: &mut Cache, text: &str, from: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        (from..bytes.len()).find(|start| {
            let begins = bytes
                .get(*start)
                .is_some_and(|byte| self.first.get(usize::from(*byte)).copied().unwrap_or(true));
            begins
                && text.is_char_boundary(*start)
                && self.survives(cache, bytes.get(*start..).unwrap_or_default())
        })
    }

    /// Whether the automaton, started at the first byte, is alive after the
    /// last. In doubt it is.
    fn survives(&self, cache: &mut Cache, bytes: &[u8]) -> bool {
        let input = Input::new("").anchored(Anchored::Yes);
        let Ok(mut state) = self.dfa.start_state_forward(cache, &input) else {
            return true;
        };
        for byte in bytes {
            match self.dfa.next_state(cache, state, *byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) if next.is_quit() => return true,
                Ok(next) => state = next,
                Err(_) => return true,
            }
        }
        true
    }
}
