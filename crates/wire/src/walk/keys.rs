//! The keys on the way to a value: what a detector may read as the words
//! before it, or as the name that it is set to.

use std::sync::Arc;

/// LIMIT: bytes of one key that are kept, its end: two fit into the bytes in
/// which detectors look for words.
const KEY_BYTES_MAX: usize = 56;

/// The last two keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// As they stand before a value in a document; none before the first key.
    text: Option<Arc<str>>,
    /// The last one, shared by all values under it.
    last: Option<Arc<str>>,
}

impl Keys {
    /// The keys of what lies under this key.
    pub(super) fn then(&self, key: &str) -> Self {
        let key = end(key);
        let text = match &self.last {
            Some(before) => format!("\"{before}\": {{\"{key}\": \""),
            None => format!("\"{key}\": \""),
        };
        Self {
            text: Some(Arc::from(text)),
            last: Some(Arc::from(key)),
        }
    }

    /// The keys as text.
    pub(super) fn text(&self) -> Option<Arc<str>> {
        self.text.clone()
    }
}

fn end(key: &str) -> &str {
    let mut from = key.len().saturating_sub(KEY_BYTES_MAX);
    while !key.is_char_boundary(from) {
        from += 1;
    }
    key.get(from..).unwrap_or_default()
}
