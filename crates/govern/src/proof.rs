//! Turns facts into states. Each file below answers for some computations;
//! here they are named and their results put into one shape.

mod access;
mod controls;
mod remark;
mod vendor;

use terms::Control;

use crate::{Coverage, Evidence, Facts, Proof, Row, RowState, State, TRAFFIC_SHARE, facts::Span};

/// What a computation found.
#[derive(Debug)]
pub(crate) struct Computed {
    state: State,
    /// Full sentences or clauses, joined by `; `.
    says: Vec<String>,
    population: Span,
    canaries: Vec<(Control, u64)>,
    inspected_bytes: u64,
    not_inspected_bytes: u64,
    notes: Vec<String>,
}

impl Computed {
    /// Nothing proves it, for these reasons.
    fn gap(faults: Vec<String>) -> Self {
        Self {
            state: State::Gap,
            says: faults,
            population: Span::default(),
            canaries: Vec::new(),
            inspected_bytes: 0,
            not_inspected_bytes: 0,
            notes: Vec::new(),
        }
    }

    /// Seen in so many exchanges.
    fn observed(population: Span, says: Vec<String>) -> Self {
        Self {
            state: State::Observed,
            population,
            ..Self::gap(says)
        }
    }
}

/// The state of one row.
pub(crate) fn compute(row: &Row, facts: &Facts) -> RowState {
    let computed = row.proof.map(|proof| by_proof(proof, facts));
    match computed {
        Some(computed) => finish(row, facts, computed),
        None => uncomputed(row, facts),
    }
}

fn by_proof(proof: Proof, facts: &Facts) -> Computed {
    match proof {
        Proof::PlatformObserved => vendor::platform(facts),
        Proof::ApplicationControls => controls::application(facts),
        Proof::ScreeningRequests => controls::rows(facts, &[controls::SCREENING]),
        Proof::SanitisingReplies => controls::rows(facts, &[controls::SANITISING]),
        Proof::ScreeningAndSanitising => {
            controls::rows(facts, &[controls::SCREENING, controls::SANITISING])
        }
        Proof::RedactionRequests => controls::redaction(facts),
        Proof::RedactionByKind => controls::redaction_by_kind(facts),
        Proof::LeakageReplies => controls::rows(facts, &[controls::LEAKAGE]),
        Proof::KeyGrants => access::key_grants(facts),
        Proof::VendorAuthentication => vendor::authentication(facts),
        Proof::VendorRateLimits => vendor::rate_limits(facts),
        Proof::VendorFilter => vendor::filter(facts),
    }
}

fn finish(row: &Row, facts: &Facts, computed: Computed) -> RowState {
    let proved = computed.state != State::Gap;
    let mut missing = if proved {
        Vec::new()
    } else {
        computed.says.clone()
    };
    missing.extend(row.needs.clone());
    let mut reason = computed.says.join("; ");
    if let (true, Some(needs)) = (proved, &row.needs) {
        reason.push_str(". Not proved by this: ");
        reason.push_str(needs);
    }
    RowState {
        id: row.id,
        owner: row.owner,
        layer: row.layer,
        state: computed.state,
        grade: computed.state.grade(),
        reason: sentence(&reason),
        population: computed.population.count,
        window: facts.period,
        coverage: coverage(
            facts,
            computed.inspected_bytes,
            computed.not_inspected_bytes,
            computed.notes,
        ),
        evidence: Evidence {
            first: computed.population.first,
            last: computed.population.last,
            config: facts.configs.in_force().map(|load| load.sequence),
            canaries: computed.canaries,
        },
        missing,
    }
}

/// A row that no computation can prove yet. What is missing is data; what the
/// ledger can say all the same does not move the state.
fn uncomputed(row: &Row, facts: &Facts) -> RowState {
    let needs = row.needs.clone().unwrap_or_default();
    let mut reason = format!("missing: {needs}");
    if let Some(remark) = row.remark.and_then(|remark| remark::say(remark, facts)) {
        reason.push_str(". Seen so far, which is no proof: ");
        reason.push_str(&remark);
    }
    RowState {
        id: row.id,
        owner: row.owner,
        layer: row.layer,
        state: State::Gap,
        grade: State::Gap.grade(),
        reason: sentence(&reason),
        population: 0,
        window: facts.period,
        coverage: coverage(facts, 0, 0, Vec::new()),
        evidence: Evidence::default(),
        missing: vec![needs],
    }
}

fn coverage(
    facts: &Facts,
    inspected_bytes: u64,
    not_inspected_bytes: u64,
    mut notes: Vec<String>,
) -> Coverage {
    if facts.unclean > 0 {
        notes.push(format!(
            "the node stopped uncleanly {} in the window: requests sent just before may lack an entry",
            count(facts.unclean, "time")
        ));
    }
    if facts.skipped > 0 {
        notes.push(format!(
            "{} of the ledger were not read",
            count(facts.skipped, "entry")
        ));
    }
    Coverage {
        traffic_share: TRAFFIC_SHARE,
        inspected_bytes,
        not_inspected_bytes,
        notes,
    }
}

/// Entries out of order were not counted, so that nothing may be claimed of all.
fn disorder(facts: &Facts) -> Option<String> {
    (facts.disordered > 0).then(|| {
        format!(
            "{} came twice or out of order and could not be counted",
            count(facts.disordered, "ledger entry")
        )
    })
}

/// `1 request`, `12 requests`, `2 entries`.
fn count(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if stem.ends_with('r') || stem.ends_with('l') => {
            format!("{number} {stem}ies")
        }
        _ => format!("{number} {noun}s"),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let head = chars
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{head}{}{stop}", chars.as_str())
}

#[cfg(test)]
mod tests;
