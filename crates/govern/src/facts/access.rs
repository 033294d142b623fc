//! Under which keys exchanges were admitted, and what those keys may do.

use std::collections::BTreeMap;

use terms::{Admitted, Event, KeyId};

use super::Span;

/// LIMIT: keys that are remembered; with more, nothing is claimed of them.
const KEYS_MAX: usize = 65_536;
/// A revocation holds within a second; an exchange that arrived later than
/// that after it should not have been admitted.
const REVOCATION_GRACE_MS: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
struct KeyFacts {
    restricted: bool,
    revoked_ms: Option<u64>,
}

/// What is known of keys and of the exchanges under them, in the window.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) admitted: Span,
    /// Exchanges under keys that are limited to some vendors or models.
    pub(crate) restricted: u64,
    /// Exchanges under keys whose making is not in the ledger.
    pub(crate) unknown: Span,
    /// Exchanges that arrived after their key's revocation held.
    pub(crate) after_revocation: Span,
    /// Keys beyond the limit.
    pub(crate) keys_more: u64,
    keys: BTreeMap<KeyId, KeyFacts>,
}

impl Access {
    /// Reads the event's fact `restricted`, or, where it is absent, `vendors`
    /// and `models`: a key with neither, or with all, is not restricted.
    pub(crate) fn key_created(&mut self, event: &Event) {
        let Ok(id) = event.subject.parse::<KeyId>() else {
            return;
        };
        let all = |text: &str| matches!(text.trim(), "" | "*" | "all");
        let limits = |name: &&str| event.facts.get(*name).is_some_and(|text| !all(text));
        let restricted = match event.facts.get("restricted") {
            Some(text) => text == "true",
            None => ["vendors", "models"].iter().any(limits),
        };
        if self.keys.len() < KEYS_MAX || self.keys.contains_key(&id) {
            self.keys.insert(
                id,
                KeyFacts {
                    restricted,
                    revoked_ms: None,
                },
            );
        } else {
            self.keys_more = self.keys_more.saturating_add(1);
        }
    }

    pub(crate) fn key_revoked(&mut self, event: &Event) {
        let key = event
            .subject
            .parse::<KeyId>()
            .ok()
            .and_then(|id| self.keys.get_mut(&id));
        if let Some(key) = key {
            key.revoked_ms = key.revoked_ms.or(Some(event.at_ms));
        }
    }

    pub(crate) fn admitted(&mut self, sequence: u64, leaf: &Admitted) {
        self.admitted.note(sequence);
        let Some(key) = self.keys.get(&leaf.caller.key) else {
            self.unknown.note(sequence);
            return;
        };
        if key.restricted {
            self.restricted = self.restricted.saturating_add(1);
        }
        if key
            .revoked_ms
            .is_some_and(|revoked| leaf.at_ms > revoked.saturating_add(REVOCATION_GRACE_MS))
        {
            self.after_revocation.note(sequence);
        }
    }

    /// Keys that are in use and limited to some vendors or models.
    pub(crate) fn restricted_keys(&self) -> u64 {
        self.live()
            .filter(|key| key.restricted)
            .fold(0, |sum, _| sum.saturating_add(1))
    }

    /// Keys that were made and not revoked.
    pub(crate) fn live_keys(&self) -> u64 {
        self.live().fold(0, |sum, _| sum.saturating_add(1))
    }

    fn live(&self) -> impl Iterator<Item = &KeyFacts> {
        self.keys.values().filter(|key| key.revoked_ms.is_none())
    }
}
