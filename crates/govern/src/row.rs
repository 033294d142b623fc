//! One row of the matrix: a duty, whose it is, and what would prove it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Reference;

macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling in catalogue files and output.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words! {
    /// Who performs a duty.
    pub enum Owner {
        /// The company that sells the AI service.
        Vendor = "vendor",
        /// The company that uses it.
        Customer = "customer",
        /// Both, each its half.
        Shared = "shared",
    }
}

words! {
    /// The layer that a duty belongs to. The first four are the guide's own;
    /// the fifth is ours, for duties that people and papers perform.
    pub enum Layer {
        /// Models, weights, the provenance of training data.
        Foundation = "foundation",
        /// APIs, inference endpoints, rate limits, authentication.
        Platform = "platform",
        /// Prompts, input checks, output filters, access.
        Application = "application",
        /// Training data, fine-tuning sets, queries.
        Data = "data",
        /// Contracts, papers, people, incidents.
        Organisation = "organisation",
    }
}

words! {
    /// A computation that can move a row out of `gap`.
    pub enum Proof {
        /// What was seen of the vendor's platform.
        PlatformObserved = "platform-observed",
        /// All four controls on the exchanges they belong to, under known keys.
        ApplicationControls = "application-controls",
        /// Screening of requests.
        ScreeningRequests = "screening-requests",
        /// Sanitising of replies.
        SanitisingReplies = "sanitising-replies",
        /// Screening of requests and sanitising of replies.
        ScreeningAndSanitising = "screening-and-sanitising",
        /// Redaction of requests.
        RedactionRequests = "redaction-requests",
        /// Redaction of requests, with counts by kind.
        RedactionByKind = "redaction-by-kind",
        /// Leakage detection in replies.
        LeakageReplies = "leakage-replies",
        /// Calls under known keys with grants.
        KeyGrants = "key-grants",
        /// The vendor accepting or refusing our credential.
        VendorAuthentication = "vendor-authentication",
        /// Rate-limit headers and refusals of the vendor.
        VendorRateLimits = "vendor-rate-limits",
        /// The vendor's own content filter at work.
        VendorFilter = "vendor-filter",
    }
}

words! {
    /// Something that the ledger says about a row without proving it: it is
    /// told in the reason, and the state stays `gap`.
    pub enum Remark {
        /// Redaction of prompts (row 25).
        PromptsRedacted = "prompts-redacted",
        /// Refused callers that were never known.
        StrangersRefused = "strangers-refused",
        /// Exchanges in our own log.
        CallsRecorded = "calls-recorded",
        /// Calls admitted by key.
        KeysOnly = "keys-only",
        /// The `store` flag as our callers sent it.
        StoreFlags = "store-flags",
        /// Rate limits (row 19).
        RateLimitsOnly = "rate-limits-only",
        /// Model names asked for and answered.
        ModelsReturned = "models-returned",
        /// Card numbers found in prompts.
        CardsFound = "cards-found",
    }
}

/// Where the guide's own citation errs or is too broad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuideNote {
    /// What the guide cites.
    pub cites: String,
    /// What is correct.
    pub correct: String,
    /// Why.
    pub why: String,
}

/// One duty. It has no state: states are computed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// Its number, 1 to 83.
    pub id: u16,
    /// The line of the founding guide that it comes from.
    pub guide_line: u16,
    /// Who performs it.
    pub owner: Owner,
    /// The layer it belongs to.
    pub layer: Layer,
    /// The part of the guide it comes from.
    pub section: String,
    /// A name for it.
    pub title: String,
    /// The duty, in one sentence.
    pub statement: String,
    /// Requirements that it serves, with corrected identifiers.
    pub references: Vec<Reference>,
    /// Where the guide's citation errs.
    pub guide: Option<GuideNote>,
    /// The computation that can prove it; none for a row that cannot be
    /// computed yet.
    pub proof: Option<Proof>,
    /// What the ledger can say of it without proving it.
    pub remark: Option<Remark>,
    /// Evidence that is still missing; on a computed row, the part of the
    /// duty that the computation does not reach.
    pub needs: Option<String>,
}
