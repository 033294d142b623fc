//! Which events an entry gives, how grave they are, and what they say in one
//! sentence.

use std::sync::Arc;

use terms::{
    Act, Action, Admitted, Code, Control, ControlRun, FindingNote, Leaf, Mode, Outcome, Verdict,
};

use super::{Event, LogName, Severity, Topic};

/// One event in the making.
type Part = (Topic, Severity, String);

/// The events of one entry, in a fixed order; at least one.
#[must_use]
pub fn events(
    log: &Arc<LogName>,
    sequence: u64,
    leaf: &Arc<Leaf>,
    admitted: Option<&Arc<Admitted>>,
) -> Vec<Event> {
    let numbered = parts(leaf).into_iter().enumerate();
    numbered
        .map(|(part, (topic, severity, message))| Event {
            id: log.event_id(sequence, part),
            log: Arc::clone(log),
            sequence,
            at_ms: leaf.at_ms(),
            topic,
            severity,
            message,
            test: false,
            leaf: Arc::clone(leaf),
            admitted: admitted.cloned(),
        })
        .collect()
}

/// The parts of an entry.
fn parts(leaf: &Leaf) -> Vec<Part> {
    match leaf {
        Leaf::Admitted(entry) => {
            let says = format!("a request to {} was admitted", entry.request.vendor);
            with_finding(
                (Topic::ApiActivity, Severity::Informational, says),
                &entry.findings,
                "request",
            )
        }
        Leaf::Closed(entry) => {
            let severity = outcome_severity(entry.outcome, entry.vendor.status);
            let says = match entry.vendor.status {
                Some(status) => format!(
                    "an exchange ended: {}, the vendor's status {status}",
                    entry.outcome
                ),
                None => format!("an exchange ended: {}", entry.outcome),
            };
            with_finding(
                (Topic::ApiActivity, severity, says),
                &entry.findings,
                "reply",
            )
        }
        Leaf::Refused(entry) => {
            let says = format!("a request was refused: {}", entry.code);
            let first = if is_logon(entry.code) {
                (Topic::Authentication, Severity::Medium, says)
            } else {
                (Topic::ApiActivity, Severity::Low, says)
            };
            with_finding(first, &entry.findings, "request")
        }
        Leaf::RefusedSummary(entry) => {
            let (topic, severity) = if is_logon(entry.code) {
                (Topic::Authentication, Severity::Medium)
            } else {
                (Topic::ApiActivity, Severity::Low)
            };
            let whose = if entry.key.is_some() {
                "one key"
            } else {
                "unknown callers"
            };
            let says = format!(
                "{} requests of {whose} were refused: {}",
                entry.count, entry.code
            );
            vec![(topic, severity, says)]
        }
        Leaf::Event(entry) => act(entry),
        Leaf::HeadCount(entry) => vec![(
            Topic::ApiActivity,
            Severity::Informational,
            format!(
                "the head-count of {} was recorded, part {} of {}",
                entry.day, entry.part, entry.parts
            ),
        )],
        Leaf::UncleanStart(entry) => vec![(
            Topic::IncidentFinding,
            Severity::Medium,
            format!(
                "the node started after a stop that was not clean, with {} exchanges open",
                entry.open
            ),
        )],
    }
}

/// Whether a refusal is one of who the caller is.
fn is_logon(code: Code) -> bool {
    code.word().starts_with("MS-KNOW-")
}

const fn outcome_severity(outcome: Outcome, status: Option<u16>) -> Severity {
    match outcome {
        Outcome::Complete | Outcome::CallerGone => Severity::Informational,
        // The vendor refuses the gate's own key.
        Outcome::VendorError => match status {
            Some(401 | 403) => Severity::High,
            Some(_) | None => Severity::Low,
        },
        Outcome::VendorFailed | Outcome::NodeStopped => Severity::Low,
        Outcome::Blocked | Outcome::SwitchedOff => Severity::Medium,
    }
}

/// The event of an exchange, and a second one if something was found that the
/// policy minds.
fn with_finding(first: Part, findings: &[FindingNote], way: &str) -> Vec<Part> {
    let mut parts = vec![first];
    let worst = findings.iter().map(|finding| finding.action).max();
    let severity = match worst {
        None | Some(Action::Allow) => return parts,
        Some(Action::Flag) => Severity::Low,
        Some(Action::Redact) => Severity::Medium,
        Some(Action::Block) => Severity::High,
    };
    let mut kinds: Vec<&str> = minded(findings).map(|note| note.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let says = format!("found in a {way}: {}", kinds.join(", "));
    parts.push((Topic::DetectionFinding, severity, says));
    parts
}

/// The findings that the policy does not simply allow.
pub(crate) fn minded(findings: &[FindingNote]) -> impl Iterator<Item = &FindingNote> {
    findings
        .iter()
        .filter(|finding| finding.action != Action::Allow)
}

/// What was found and minded, as `detector@slot:action`, each once, in order.
pub(crate) fn found(findings: &[FindingNote], runs: &[ControlRun]) -> Vec<String> {
    let notes = minded(findings);
    let mut found: Vec<String> = notes
        .map(|note| format!("{}@{}:{}", note.detector, note.slot, done(note, runs)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a finding's control only records: its action stands for what would
/// have been done.
fn in_shadow(note: &FindingNote, runs: &[ControlRun]) -> bool {
    let run = runs.iter().find(|run| run.control == note.control);
    run.is_some_and(|run| run.mode == Mode::Shadow)
}

/// What was done about a finding.
pub(crate) fn carried_out(note: &FindingNote, runs: &[ControlRun]) -> Action {
    if in_shadow(note, runs) {
        note.action.min(Action::Flag)
    } else {
        note.action
    }
}

/// What was done about a finding, in a word; `shadow-` stands before what would
/// have been done.
pub(crate) fn done(note: &FindingNote, runs: &[ControlRun]) -> String {
    if in_shadow(note, runs) {
        format!("shadow-{}", note.action)
    } else {
        note.action.to_string()
    }
}

fn act(entry: &terms::Event) -> Vec<Part> {
    let says = |text: &str| format!("{text}: {}", entry.subject);
    let one = |topic, severity, text: &str| vec![(topic, severity, says(text))];
    let call = |severity, text| one(Topic::ApiActivity, severity, text);
    let incident = |severity, text| one(Topic::IncidentFinding, severity, text);
    match entry.act {
        Act::GateReady => call(Severity::Informational, "the gate is ready"),
        Act::GateStopped => call(Severity::Informational, "the gate stopped"),
        Act::ConfigLoaded => loaded(entry, says("a configuration came into force")),
        Act::ConfigRefused => call(Severity::Medium, "a new configuration was refused"),
        Act::KeyCreated => call(Severity::Low, "a virtual key was made"),
        Act::KeyRevoked => call(Severity::Low, "a virtual key was revoked"),
        Act::SwitchedOff => incident(Severity::High, "switched off"),
        Act::SwitchedOn => incident(Severity::Informational, "switched on again"),
        Act::SwitchesRefused => call(Severity::Medium, "the file of switches was refused"),
        Act::SourceLocked => one(
            Topic::DetectionFinding,
            Severity::High,
            "a source was locked out after failed attempts",
        ),
        Act::VendorKeyAged => one(
            Topic::ComplianceFinding,
            Severity::Medium,
            "a vendor's key is near or past its age",
        ),
        Act::VendorKeySeen => call(Severity::Informational, "a vendor's key was first seen"),
        Act::Degraded => {
            // One that knows another log of this name.
            let other_log = entry.subject == "witness" && entry.facts.contains_key("why");
            let severity = if other_log {
                Severity::Critical
            } else {
                Severity::High
            };
            incident(severity, "out of reach, or late")
        }
        Act::Recovered => incident(Severity::Informational, "back"),
        Act::AdminDenied => call(Severity::Medium, "an act that no policy allows was refused"),
        Act::CanaryShown => {
            let caught = entry.facts.get("caught").is_some_and(|fact| fact == "true");
            let severity = if caught {
                Severity::Informational
            } else {
                Severity::High
            };
            let text = "a control was shown its canary";
            one(Topic::ComplianceFinding, severity, text)
        }
        Act::Pruned => call(Severity::Medium, "old entries were removed"),
        Act::Revealed => call(Severity::Medium, "sealed content was shown"),
        Act::Erased => call(Severity::Medium, "keys of sealed content were destroyed"),
        Act::VaultRevealed => call(Severity::Medium, "a value in the vault was shown"),
        Act::VaultErased => call(Severity::Medium, "values in the vault were erased"),
        Act::HoldSet => call(Severity::Informational, "a legal hold was set"),
        Act::HoldLifted => call(Severity::Medium, "a legal hold was lifted"),
        Act::TailCut => incident(Severity::High, "a torn end of the log was cut off"),
    }
}

/// A configuration, and one finding for all controls if one is not enforced.
fn loaded(entry: &terms::Event, says: String) -> Vec<Part> {
    let mut parts = vec![(Topic::ApiActivity, Severity::Low, says)];
    let weak = weak_controls(entry);
    if !weak.is_empty() {
        let says = format!("controls that are not enforced: {}", weak.join(", "));
        parts.push((Topic::ComplianceFinding, Severity::Medium, says));
    }
    parts
}

/// The controls that a configuration does not enforce.
pub(crate) fn weak_controls(entry: &terms::Event) -> Vec<&'static str> {
    let is_weak = |control: &&Control| {
        let mode = entry.facts.get(&format!("control.{control}"));
        mode.is_some_and(|mode| !mode.starts_with(Mode::Enforce.word()))
    };
    let weak = Control::ALL.iter().filter(is_weak);
    weak.map(|control| control.word()).collect()
}

/// The gravest that the controls decided, carried out or not.
pub(crate) fn worst(runs: &[ControlRun]) -> Verdict {
    let verdicts = runs.iter().map(|run| run.verdict);
    verdicts.max().unwrap_or(Verdict::Pass)
}
