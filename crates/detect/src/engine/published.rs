//! Values that look like secrets and are none: what vendors print in their
//! documents, and the keys of emulators.

use std::{collections::HashSet, sync::Arc};

use sha2::{Digest as _, Sha256};
use terms::{Digest, Kind};

use crate::Detector;

/// Values of other lengths are not asked for.
const BYTES_MIN: usize = 16;
const BYTES_MAX: usize = 256;

/// They are known by their hashes, so that no text with a key in it is needed
/// to tell one.
#[derive(Debug, Clone)]
pub(super) struct Published(Arc<HashSet<Digest>>);

impl Published {
    /// Those of all detectors, whichever look.
    pub(super) fn of(detectors: &[Detector]) -> Self {
        let hashes = detectors.iter().flat_map(|detector| &detector.published);
        Self(Arc::new(hashes.copied().collect()))
    }

    pub(super) fn has(&self, value: &str) -> bool {
        (BYTES_MIN..=BYTES_MAX).contains(&value.len())
            && !self.0.is_empty()
            && self.0.contains(&Digest(Sha256::digest(value).into()))
    }
}

/// Whether what a detector of this kind finds is harmless once it is public:
/// a person's data is not.
pub(super) fn can_be(kind: &Kind) -> bool {
    matches!(kind.as_str(), "key" | "password")
}
