//! What a detector found, never the text itself.

use std::{fmt, ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Action, Control, Slot};

macro_rules! name_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it is; catalogues check its form at load.
            #[must_use]
            pub fn new(name: &str) -> Self {
                Self(Arc::from(name))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type! {
    /// Name of one detector of the catalogue: lower case and hyphens.
    DetectorId
}

name_type! {
    /// What a detector finds, as its token spells it: `email`, `card`, `key`.
    /// Several detectors may share a kind.
    Kind
}

words! {
    /// Through which reading of the text something was seen.
    pub enum View {
        /// The text as it stands.
        Plain = "plain",
        /// Compatibility forms folded, invisible characters taken out.
        Folded = "folded",
        /// Percent escapes decoded.
        Url = "url",
        /// Backslash, HTML or quoted-printable escapes decoded.
        Escape = "escape",
        /// Pairs of hexadecimal digits decoded.
        Hex = "hex",
        /// Base64 decoded.
        Base64 = "base64",
    }
}

/// One match in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The detector that found it.
    pub detector: DetectorId,
    /// What it is.
    pub kind: Kind,
    /// The control that the detector serves.
    pub control: Control,
    /// UTF-8 byte offsets in the original text, whatever the view.
    pub span: Range<usize>,
    /// How sure the detector is, 1 to 100.
    pub score: u8,
    /// The reading in which it was seen.
    pub view: View,
}

/// A finding as a record keeps it: what, where and what was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingNote {
    /// The detector that found it.
    pub detector: DetectorId,
    /// What it is.
    pub kind: Kind,
    /// The control that the detector serves.
    pub control: Control,
    /// The part of the exchange it stood in.
    pub slot: Slot,
    /// Where it stood; keys that the dialect does not know appear as positions.
    pub place: String,
    /// The reading in which it was seen.
    pub view: View,
    /// What was done, or would have been done in shadow.
    pub action: Action,
    /// How often, at this place.
    pub count: u32,
}
