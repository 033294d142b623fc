//! Rows that rest on the gate's own controls: each asks the same questions of
//! one control in one direction.

use terms::{Action, Control, Direction, Mode};

use super::{Computed, access, count, disorder};
use crate::{
    Facts, State,
    facts::{Labels, Load, Runs, Span},
};

/// One control in one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Duty {
    control: Control,
    direction: Direction,
    name: &'static str,
    /// Kinds of finding that it must be known to stop.
    kinds: &'static [&'static str],
    /// Whether every other kind of the control must be stopped as well.
    all_kinds: bool,
}

impl Duty {
    fn minds(self, kind: &str) -> bool {
        self.all_kinds || self.kinds.contains(&kind)
    }
}

pub(super) const SCREENING: Duty = Duty {
    control: Control::Screening,
    direction: Direction::Request,
    name: "screening of requests",
    kinds: &["injection"],
    all_kinds: true,
};
pub(super) const REDACTION: Duty = Duty {
    control: Control::Redaction,
    direction: Direction::Request,
    name: "redaction of requests",
    kinds: &["card", "email", "key", "ssn"],
    all_kinds: true,
};
/// The same for the kinds that row 57 names, and no others.
const REDACTION_BY_KIND: Duty = Duty {
    kinds: &["card", "key", "ssn"],
    all_kinds: false,
    ..REDACTION
};
pub(super) const SANITISING: Duty = Duty {
    control: Control::Sanitising,
    direction: Direction::Reply,
    name: "sanitising of replies",
    kinds: &["image", "link", "markup"],
    all_kinds: true,
};
pub(super) const LEAKAGE: Duty = Duty {
    control: Control::Leakage,
    direction: Direction::Reply,
    name: "leakage detection in replies",
    kinds: &["config"],
    all_kinds: true,
};

/// Dialects that carry prompts and nothing that a model is trained on. A
/// dialect that is not listed here may carry training data, which nothing
/// scans: row 25 then goes back to `gap` until somebody has thought about it.
const PROMPT_DIALECTS: &[&str] = &[
    "openai-chat",
    "anthropic-messages",
    "anthropic-count-tokens",
];

/// What holds for one duty. No faults: it was enforced.
#[derive(Debug)]
struct Judgement {
    faults: Vec<String>,
    /// Findings were flagged and passed on, and never acted upon.
    flags_only: bool,
    says: String,
    population: Span,
    canary: Option<u64>,
}

/// Rows that need these duties and nothing else.
pub(super) fn rows(facts: &Facts, duties: &[Duty]) -> Computed {
    together(facts, duties, Vec::new())
}

/// Row 9: all controls of the application layer, for callers that are known.
pub(super) fn application(facts: &Facts) -> Computed {
    let mut computed = together(
        facts,
        &[SCREENING, REDACTION, SANITISING, LEAKAGE],
        access::faults(facts),
    );
    if computed.state != State::Gap {
        computed.says.push(
            "every exchange came under a key of the ledger (row 47 judges the grants)".to_owned(),
        );
    }
    computed
}

/// Row 25: redaction, as long as nothing but prompts passes the gate.
pub(super) fn redaction(facts: &Facts) -> Computed {
    let mut faults = Vec::new();
    if !facts.current.dialects.only(PROMPT_DIALECTS) {
        faults.push(format!(
            "calls passed that may carry training data, which is not scanned ({})",
            facts.current.dialects.list()
        ));
    }
    let mut computed = together(facts, &[REDACTION], faults);
    if computed.state != State::Gap {
        computed
            .says
            .push("only prompts pass this gate: it has no route for training data".to_owned());
    }
    computed
}

/// Row 57: redaction, with what was found.
pub(super) fn redaction_by_kind(facts: &Facts) -> Computed {
    let mut computed = rows(facts, &[REDACTION_BY_KIND]);
    if computed.state != State::Gap {
        computed.says.push(kinds(facts));
    }
    computed
}

/// Counts by kind, in words.
pub(super) fn kinds(facts: &Facts) -> String {
    let epoch = &facts.current;
    let lists = [
        ("redacted", &epoch.kinds_redacted),
        ("passed on with a flag", &epoch.kinds_flagged),
        ("allowed by the policy", &epoch.kinds_allowed),
        ("in refused requests", &epoch.kinds_refused),
    ];
    let mut parts: Vec<String> = lists
        .iter()
        .filter(|(_, labels)| !labels.is_empty())
        .map(|(what, labels)| format!("{what}: {}", labels.list()))
        .collect();
    if epoch.unnamed > 0 {
        parts.push(format!(
            "counted in the records and not named there: {}",
            epoch.unnamed
        ));
    }
    if parts.is_empty() {
        "nothing was found in them; of kinds that did not occur only the samples shown at the start speak".to_owned()
    } else {
        format!("by kind, {}", parts.join("; "))
    }
}

/// A row is as strong as the weakest of its duties.
fn together(facts: &Facts, duties: &[Duty], mut faults: Vec<String>) -> Computed {
    if facts.configs.in_force().is_none() {
        return Computed::gap(vec![
            "no `config-loaded` event tells which configuration is in force".to_owned(),
        ]);
    }
    let judged: Vec<Judgement> = duties.iter().map(|duty| judge(facts, *duty)).collect();
    let mut all = general_faults(facts, duties);
    all.append(&mut faults);
    all.extend(
        judged
            .iter()
            .flat_map(|judgement| judgement.faults.iter().cloned()),
    );
    if !all.is_empty() {
        return Computed::gap(all);
    }
    let flags_only = judged.iter().any(|judgement| judgement.flags_only);
    let (mut inspected_bytes, mut not_inspected_bytes) = (0_u64, 0_u64);
    for direction in Direction::ALL
        .iter()
        .filter(|way| duties.iter().any(|duty| duty.direction == **way))
    {
        let (seen, unseen) = facts.current.inspected(*direction);
        inspected_bytes = inspected_bytes.saturating_add(seen);
        not_inspected_bytes = not_inspected_bytes.saturating_add(unseen);
    }
    let mut says: Vec<String> = judged
        .iter()
        .map(|judgement| judgement.says.clone())
        .collect();
    if not_inspected_bytes > 0 {
        says.push(format!(
            "{not_inspected_bytes} bytes of media or opaque values passed uninspected beside {inspected_bytes} inspected ones"
        ));
    }
    let spans: Vec<Span> = judged
        .iter()
        .map(|judgement| judgement.population)
        .collect();
    Computed {
        state: if flags_only {
            State::Observed
        } else {
            State::Enforced
        },
        says,
        population: Span::weakest(&spans),
        canaries: duties
            .iter()
            .zip(&judged)
            .filter_map(|(duty, j)| Some((duty.control, j.canary?)))
            .collect(),
        inspected_bytes,
        not_inspected_bytes,
        notes: notes(facts, duties),
    }
}

/// What speaks against every duty at once.
fn general_faults(facts: &Facts, duties: &[Duty]) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(load) = facts.configs.in_force()
        && load.version.is_none()
    {
        faults.push(format!(
            "the newest `config-loaded` event (entry {}) names no policy and rules",
            load.sequence
        ));
    }
    if facts.strays.count > 0 {
        faults.push(format!(
            "{} ran under a configuration that no `config-loaded` event announced",
            count(facts.strays.count, "exchange")
        ));
    }
    if facts.unmatched > 0 && duties.iter().any(|duty| duty.direction == Direction::Reply) {
        faults.push(format!(
            "{} belong to no admitted exchange",
            count(facts.unmatched, "closing entry")
        ));
    }
    faults.extend(disorder(facts));
    faults
}

fn judge(facts: &Facts, duty: Duty) -> Judgement {
    let mut faults = Vec::new();
    if let Some(load) = facts.configs.in_force() {
        let trouble = match load.mode(duty.control) {
            Some(Mode::Enforce) => None,
            Some(Mode::Shadow) => Some("is only tried out (shadow) by the configuration in force"),
            Some(Mode::Off) => Some("is switched off in the configuration in force"),
            None => Some("has no mode in the newest `config-loaded` event"),
        };
        faults
            .extend(trouble.map(|what| format!("{} {what} (entry {})", duty.name, load.sequence)));
    }
    let none = Runs::default();
    let runs = facts
        .current
        .runs(duty.direction, duty.control)
        .unwrap_or(&none);
    run_faults(&mut faults, duty, runs);
    if let Some(load) = facts.configs.in_force() {
        faults.extend(kind_faults(duty, load));
    }
    faults.extend(allowed_fault(duty, &runs.allowed));
    let canary = facts.configs.canary(duty.control);
    match canary {
        Some(canary) if canary.caught => {}
        Some(canary) => faults.push(format!(
            "{} missed its canary (entry {})",
            duty.name, canary.sequence
        )),
        None => faults.push(format!(
            "{} has caught no canary under the configuration in force",
            duty.name
        )),
    }
    Judgement {
        faults,
        flags_only: runs.only_flagged(),
        says: in_words(facts, duty, runs, canary.map(|canary| canary.sequence)),
        population: runs.proven,
        canary: canary.map(|canary| canary.sequence),
    }
}

/// One exchange that went on without the control is enough to lose the row.
fn run_faults(faults: &mut Vec<String>, duty: Duty, runs: &Runs) {
    let what = noun(duty);
    let cases = [
        (runs.absent, "went on without it"),
        (
            runs.idle,
            "went on while it was in shadow or off, or against its decision",
        ),
        (
            runs.blind,
            "went on although it had looked at none or a part of them",
        ),
    ];
    for (span, how) in cases {
        if let (Some(first), Some(last)) = (span.first, span.last) {
            faults.push(format!(
                "{}: {} {how} (entries {first} to {last})",
                duty.name,
                count(span.count, what)
            ));
        }
    }
    if runs.proven.count == 0 && faults.is_empty() {
        faults.push(format!(
            "{}: no {what} in the window under the configuration in force",
            duty.name
        ));
    }
}

/// What the configuration lets pass is not stopped, whether or not it came yet.
/// What the event does not say is not assumed.
fn kind_faults(duty: Duty, load: &Load) -> Vec<String> {
    let unsaid: Vec<&str> = duty
        .kinds
        .iter()
        .copied()
        .filter(|kind| load.weakest(duty.control).all(|(of, _)| of != *kind))
        .collect();
    let mut faults = Vec::new();
    if !unsaid.is_empty() {
        faults.push(format!(
            "{}: the newest `config-loaded` event does not say what is done about {} (entry {})",
            duty.name,
            unsaid.join(", "),
            load.sequence
        ));
    }
    let passing = load
        .weakest(duty.control)
        .filter(|(kind, weakest)| duty.minds(kind) && weakest.action < Action::Redact);
    faults.extend(passing.map(|(kind, weakest)| {
        let place = if weakest.place.is_empty() {
            String::new()
        } else {
            format!(" for {}", weakest.place)
        };
        format!(
            "{}: the configuration in force lets {kind} pass ({}{place}, entry {})",
            duty.name, weakest.action, load.sequence
        )
    }));
    faults
}

/// Findings that were there and that the policy let be.
fn allowed_fault(duty: Duty, allowed: &Labels) -> Option<String> {
    let kinds = allowed.list_of(|kind| duty.minds(kind));
    (!kinds.is_empty()).then(|| format!("{}: found and allowed by the policy: {kinds}", duty.name))
}

fn in_words(facts: &Facts, duty: Duty, runs: &Runs, canary: Option<u64>) -> String {
    let mut text = format!(
        "{} looked at all of {} ({} blocked, {} redacted, {} flagged)",
        duty.name,
        count(runs.proven.count, noun(duty)),
        runs.blocked,
        runs.redacted,
        runs.flagged
    );
    if runs.only_flagged() {
        text.push_str(", passing its findings on every time, so that nothing is enforced,");
    }
    if let Some(sequence) = canary {
        text.push_str(&format!(" and caught its canary (entry {sequence})"));
    }
    let load = facts.configs.in_force();
    if let Some(mild) = load.and_then(|load| load.mild(duty.control)) {
        text.push_str(&format!(
            "; these detectors stop nothing, as in the catalogue: {mild}"
        ));
    }
    text
}

/// What limits the statement without contradicting it.
fn notes(facts: &Facts, duties: &[Duty]) -> Vec<String> {
    let mut notes = Vec::new();
    if facts.earlier > 0 {
        notes.push(format!(
            "{} of the window ran under earlier configurations and are not counted",
            count(facts.earlier, "exchange")
        ));
    }
    if facts.current.cut_replies > 0 && duties.iter().any(|duty| duty.direction == Direction::Reply)
    {
        notes.push(format!(
            "{} ended early with no line of any control; whether a part was delivered is not in the record",
            count(facts.current.cut_replies, "reply")
        ));
    }
    notes
}

const fn noun(duty: Duty) -> &'static str {
    match duty.direction {
        Direction::Request => "request",
        Direction::Reply => "reply",
    }
}
