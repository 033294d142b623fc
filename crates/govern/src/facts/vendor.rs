//! What was seen of vendors, whatever configuration was in force.

use terms::{Admitted, Closed};

use super::{Labels, Span};

/// Finish reasons by which a vendor says that its own filter stepped in.
const FILTER_FINISHES: &[&str] = &["content_filter", "refusal"];
/// Error types that say the same.
const FILTER_ERRORS: &[&str] = &["content_filter", "content_policy_violation"];

/// Counts over the window.
#[derive(Debug, Default)]
pub(crate) struct VendorFacts {
    /// Calls that the vendor answered with a status.
    pub(crate) answered: Span,
    /// Calls that were sent and not answered.
    pub(crate) unanswered: u64,
    /// Calls that the vendor accepted under our credential.
    pub(crate) accepted: Span,
    /// Calls that it refused: 401 and 403.
    pub(crate) credential_refused: Span,
    /// Calls with rate-limit headers, or refused for their rate (429).
    pub(crate) limits: Span,
    /// Calls with rate-limit headers.
    pub(crate) limit_headers: u64,
    /// Replies that the vendor's filter stepped into.
    pub(crate) filtered: Span,
    /// Statuses by class; those that tell something apart by number.
    pub(crate) statuses: Labels,
    /// How the gate authenticated.
    pub(crate) auth: Labels,
    /// TLS version and key exchange.
    pub(crate) tls: Labels,
    /// Calls over a connection without TLS.
    pub(crate) plain: u64,
    /// Replies that named the model that was asked for.
    pub(crate) model_same: u64,
    /// Replies that named another.
    pub(crate) model_other: u64,
    /// The `store` flag of requests.
    pub(crate) stores: Labels,
}

impl VendorFacts {
    pub(crate) fn admitted(&mut self, leaf: &Admitted) {
        let flag = match leaf.request.store {
            Some(true) => "store on",
            Some(false) => "store off",
            None => "not stated",
        };
        self.stores.count(flag, 1);
    }

    pub(crate) fn closed(&mut self, sequence: u64, leaf: &Closed, asked: Option<&str>) {
        let seen = &leaf.vendor;
        if !seen.sent {
            return;
        }
        let Some(status) = seen.status else {
            add_one(&mut self.unanswered);
            return;
        };
        self.answered.note(sequence);
        self.statuses.count(status_label(status), 1);
        match &seen.tls {
            Some(tls) => self.tls.count(tls, 1),
            None => add_one(&mut self.plain),
        }
        if let Some(auth) = &seen.auth {
            self.auth.count(auth, 1);
            if (200..300).contains(&status) {
                self.accepted.note(sequence);
            }
        }
        if matches!(status, 401 | 403) {
            self.credential_refused.note(sequence);
        }
        if !seen.rate_limits.is_empty() {
            add_one(&mut self.limit_headers);
        }
        if status == 429 || !seen.rate_limits.is_empty() {
            self.limits.note(sequence);
        }
        let stepped_in = seen
            .finish
            .iter()
            .any(|reason| FILTER_FINISHES.contains(&reason.as_str()))
            || seen
                .error
                .as_deref()
                .is_some_and(|error| FILTER_ERRORS.contains(&error));
        if stepped_in {
            self.filtered.note(sequence);
        }
        if let (Some(asked), Some(answered)) = (asked, &seen.model) {
            add_one(if asked == answered {
                &mut self.model_same
            } else {
                &mut self.model_other
            });
        }
    }
}

const fn status_label(status: u16) -> &'static str {
    match status {
        200..=299 => "2xx",
        401 => "401",
        403 => "403",
        429 => "429",
        400..=499 => "other 4xx",
        500..=599 => "5xx",
        _ => "others",
    }
}

const fn add_one(count: &mut u64) {
    *count = count.saturating_add(1);
}
