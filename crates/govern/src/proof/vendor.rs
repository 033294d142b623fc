//! Rows that rest on what was seen of the vendor. None of them is ever
//! `enforced`: it is not the gate that does it.

use super::{Computed, count};
use crate::Facts;

/// Row 8: how the platform really behaves.
pub(super) fn platform(facts: &Facts) -> Computed {
    let seen = &facts.vendor;
    if seen.answered.count == 0 {
        return Computed::gap(vec![silence(facts)]);
    }
    let or_none = |list: String, none: &str| {
        if list.is_empty() {
            none.to_owned()
        } else {
            list
        }
    };
    let mut says = vec![
        format!(
            "the vendor answered {} ({})",
            count(seen.answered.count, "call"),
            seen.statuses.list()
        ),
        format!("authentication: {}", or_none(seen.auth.list(), "none seen")),
        format!(
            "TLS: {}{}",
            or_none(seen.tls.list(), "none seen"),
            without_tls(facts)
        ),
        format!(
            "rate-limit headers on {}",
            count(seen.limit_headers, "call")
        ),
    ];
    if seen.unanswered > 0 {
        says.push(format!(
            "{} without an answer",
            count(seen.unanswered, "call")
        ));
    }
    Computed::observed(seen.answered, says)
}

/// Row 46: whether the vendor's API knows its callers.
pub(super) fn authentication(facts: &Facts) -> Computed {
    let seen = &facts.vendor;
    if seen.answered.count == 0 {
        return Computed::gap(vec![silence(facts)]);
    }
    if seen.accepted.count == 0 && seen.credential_refused.count == 0 {
        return Computed::gap(vec![format!(
            "of {} none shows the vendor accepting or refusing our credential",
            count(seen.answered.count, "answered call")
        )]);
    }
    let mut says = vec![
        format!(
            "the vendor accepted our credential on {} ({})",
            count(seen.accepted.count, "call"),
            seen.auth.list()
        ),
        format!(
            "it refused {} with 401 and {} with 403",
            seen.statuses.of("401"),
            seen.statuses.of("403")
        ),
    ];
    if seen.credential_refused.count == 0 {
        says.push("that it would refuse a bad credential was not seen".to_owned());
    }
    if seen.plain > 0 {
        says.push(format!("{} went without TLS", count(seen.plain, "call")));
    }
    let spans = [seen.accepted, seen.credential_refused];
    let population = crate::facts::Span {
        count: seen
            .accepted
            .count
            .saturating_add(seen.credential_refused.count),
        ..crate::facts::Span::weakest(&spans)
    };
    Computed::observed(population, says)
}

/// Row 19: whether the vendor limits rates.
pub(super) fn rate_limits(facts: &Facts) -> Computed {
    let seen = &facts.vendor;
    if seen.answered.count == 0 {
        return Computed::gap(vec![silence(facts)]);
    }
    if seen.limits.count == 0 {
        return Computed::gap(vec![format!(
            "of {} none carried a rate-limit header or was refused with 429; that proves nothing either way",
            count(seen.answered.count, "answered call")
        )]);
    }
    Computed::observed(seen.limits, vec![rate_limits_seen(facts)])
}

/// The same in words, for the row that it does not prove.
pub(super) fn rate_limits_seen(facts: &Facts) -> String {
    let seen = &facts.vendor;
    format!(
        "the vendor announced its limits on {} of {} and refused {} with 429",
        seen.limit_headers,
        count(seen.answered.count, "answered call"),
        seen.statuses.of("429")
    )
}

/// Row 40: whether the vendor's own filter was seen at work.
pub(super) fn filter(facts: &Facts) -> Computed {
    let seen = &facts.vendor;
    if seen.answered.count == 0 {
        return Computed::gap(vec![silence(facts)]);
    }
    if seen.filtered.count == 0 {
        return Computed::gap(vec![format!(
            "the vendor's filter stepped into none of {}; that it exists was not seen",
            count(seen.answered.count, "answered call")
        )]);
    }
    Computed::observed(
        seen.filtered,
        vec![format!(
            "the vendor's own filter stepped into {} of {}",
            seen.filtered.count,
            count(seen.answered.count, "answered call")
        )],
    )
}

fn silence(facts: &Facts) -> String {
    match facts.vendor.unanswered {
        0 => "no call reached a vendor in the window".to_owned(),
        calls => format!(
            "none of {} was answered in the window",
            count(calls, "call")
        ),
    }
}

fn without_tls(facts: &Facts) -> String {
    match facts.vendor.plain {
        0 => String::new(),
        calls => format!(", and {} without it", count(calls, "call")),
    }
}
