//! Under which keys exchanges were admitted, and what those keys may do.

use std::collections::BTreeMap;

use terms::{Admitted, Code, Event, KeyId};

use super::Span;

/// LIMIT: keys that are remembered; with more, nothing is claimed of them.
const KEYS_MAX: usize = 65_536;

#[derive(Debug, Clone, Copy)]
struct KeyFacts {
    restricted: bool,
    revoked: bool,
    expires_ms: Option<u64>,
    /// Exchanges of the window under it.
    exchanges: Span,
}

impl KeyFacts {
    const fn is_expired(&self, at_ms: u64) -> bool {
        matches!(self.expires_ms, Some(expires_ms) if expires_ms <= at_ms)
    }
}

/// What is known of keys and of the exchanges under them, in the window.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) admitted: Span,
    /// Exchanges under keys whose making is not in the ledger.
    pub(crate) unknown: Span,
    /// Exchanges that were admitted after their key was revoked.
    pub(crate) after_revocation: Span,
    /// Exchanges that arrived after their key had expired.
    pub(crate) after_expiry: Span,
    /// Calls that were refused for their vendor or model.
    pub(crate) denied: Span,
    /// Keys beyond the limit.
    pub(crate) keys_more: u64,
    keys: BTreeMap<KeyId, KeyFacts>,
}

impl Access {
    /// Reads the event's facts `restricted`, `vendors`, `models` and
    /// `expires_ms`. A list that covers everything restricts nothing, whatever
    /// `restricted` says; neither does a key whose end cannot be read.
    pub(crate) fn key_created(&mut self, event: &Event) {
        let Ok(id) = event.subject.parse::<KeyId>() else {
            return;
        };
        let fact = |name: &str| event.facts.get(name).map(|text| text.trim());
        let lists: Vec<&str> = ["vendors", "models"].into_iter().filter_map(fact).collect();
        let said = match fact("restricted") {
            Some(text) => text == "true",
            None => !lists.is_empty(),
        };
        let limits = lists.is_empty() || !lists.into_iter().all(covers_all);
        let expires_ms = match fact("expires_ms") {
            None | Some("never") => Ok(None),
            Some(text) => text.parse::<u64>().map(Some),
        };
        let key = KeyFacts {
            restricted: said && limits && expires_ms.is_ok(),
            revoked: false,
            expires_ms: expires_ms.unwrap_or_default(),
            exchanges: Span::default(),
        };
        if self.keys.len() < KEYS_MAX || self.keys.contains_key(&id) {
            self.keys.insert(id, key);
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
            key.revoked = true;
        }
    }

    /// The order of the ledger decides, not the time of arrival: a request
    /// that came before the revocation and was admitted after it should have
    /// been refused.
    pub(crate) fn admitted(&mut self, sequence: u64, leaf: &Admitted) {
        self.admitted.note(sequence);
        let Some(key) = self.keys.get_mut(&leaf.caller.key) else {
            self.unknown.note(sequence);
            return;
        };
        key.exchanges.note(sequence);
        if key.revoked {
            self.after_revocation.note(sequence);
        }
        if key.is_expired(leaf.at_ms) {
            self.after_expiry.note(sequence);
        }
    }

    pub(crate) fn refused(&mut self, sequence: u64, code: Code) {
        if matches!(code, Code::VendorDenied | Code::ModelDenied) {
            self.denied.note(sequence);
        }
    }

    /// Keys that are limited to some vendors or models and in force at this
    /// time, with the exchanges under each.
    pub(crate) fn restricted(&self, now_ms: u64) -> impl Iterator<Item = Span> {
        self.keys
            .values()
            .filter(move |key| key.restricted && !key.revoked && !key.is_expired(now_ms))
            .map(|key| key.exchanges)
    }
}

/// Whether a list of names, as `gpt-*,o4`, leaves nothing out. Keys are made
/// with `all` for no list; a pattern of stars alone covers every name.
fn covers_all(list: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|name| name == "all" || name.chars().all(|c| c == '*'))
}
