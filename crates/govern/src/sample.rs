//! Ledger entries for tests, as the gate would write them.

use std::collections::BTreeMap;

use terms::{
    Act, Action, Admitted, Caller, Closed, Code, Commitment, Control, ControlRun, DetectorId,
    Digest, Durability, Event, ExchangeId, FindingNote, FixedClock, Inspected, KeyId, Kind, Leaf,
    Mode, Outcome, PolicyVersion, RECORD_VERSION, Refused, RequestFacts, RestoreCounts,
    SeededEntropy, Slot, Timings, VendorSeen, Verdict, View,
};

use crate::{Facts, Grade, Matrix, RowState, State, Window};

/// 2026-11-23 18:15 UTC.
pub(crate) const NOW_MS: u64 = 1_795_457_700_000;
pub(crate) const BODY_BYTES: u64 = 1_000;

/// What the gate says of the shipped catalogue's actions.
const SHIPPED_ACTIONS: &[(&str, &str)] = &[
    ("weakest.screening.injection", "block"),
    ("mild.screening", "injection-extraction flag"),
    ("weakest.redaction.card", "redact"),
    ("weakest.redaction.email", "redact"),
    ("weakest.redaction.iban", "redact"),
    ("weakest.redaction.jwt", "redact"),
    ("weakest.redaction.key", "block"),
    ("weakest.redaction.phone", "redact"),
    ("weakest.redaction.ssn", "redact"),
    ("weakest.sanitising.image", "redact"),
    ("weakest.sanitising.link", "redact"),
    ("weakest.sanitising.markup", "redact"),
    ("weakest.leakage.config", "redact"),
    ("mild.leakage", "internal-path flag"),
];

/// A ledger that is written one entry after the other.
pub(crate) struct Sample {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) at_ms: u64,
    pub(crate) version: PolicyVersion,
    entropy: SeededEntropy,
}

impl Sample {
    /// An empty ledger, a minute before now.
    pub(crate) fn new() -> Self {
        Self {
            leaves: Vec::new(),
            at_ms: NOW_MS - 60_000,
            version: version(1),
            entropy: SeededEntropy::new(83),
        }
    }

    /// A gate that started well: every control in enforce mode, every canary
    /// caught, one restricted key.
    pub(crate) fn started() -> Self {
        let mut sample = Self::new();
        sample.key(key(1), &[("vendors", "openai"), ("models", "gpt-*")]);
        sample.config(&[]);
        for control in Control::ALL {
            sample.canary(*control, true);
        }
        sample.event(Act::GateReady, "gate", &[]);
        sample
    }

    /// The same, and one clean exchange.
    pub(crate) fn running() -> Self {
        let mut sample = Self::started();
        sample.exchange();
        sample
    }

    pub(crate) fn event(&mut self, act: Act, subject: &str, facts: &[(&str, &str)]) {
        let facts = facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.leaves.push(Leaf::Event(Event {
            v: RECORD_VERSION,
            at_ms: self.at_ms,
            act,
            by: "node".to_owned(),
            subject: subject.to_owned(),
            facts,
        }));
    }

    /// `config-loaded` with every control in enforce mode but these.
    pub(crate) fn config(&mut self, modes: &[(Control, Mode)]) {
        self.config_with(modes, &[]);
    }

    /// The same, with other facts than those of the shipped actions; an empty
    /// value leaves the fact out.
    pub(crate) fn config_with(&mut self, modes: &[(Control, Mode)], others: &[(&str, &str)]) {
        let mut facts: BTreeMap<String, String> = Control::ALL
            .iter()
            .map(|control| (format!("control.{control}"), "enforce".to_owned()))
            .collect();
        facts.extend(
            modes
                .iter()
                .map(|(control, mode)| (format!("control.{control}"), mode.word().to_owned())),
        );
        facts.insert("policy".to_owned(), self.version.policy.to_string());
        facts.insert("rules".to_owned(), self.version.rules.to_string());
        for (name, value) in SHIPPED_ACTIONS.iter().chain(others) {
            facts.insert((*name).to_owned(), (*value).to_owned());
        }
        facts.retain(|_, value| !value.is_empty());
        let facts: Vec<(&str, &str)> = facts
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.event(Act::ConfigLoaded, "config", &facts);
    }

    pub(crate) fn canary(&mut self, control: Control, caught: bool) {
        let policy = self.version.policy.to_string();
        let caught = if caught { "true" } else { "false" };
        self.event(
            Act::CanaryShown,
            control.word(),
            &[("caught", caught), ("policy", &policy)],
        );
    }

    pub(crate) fn key(&mut self, id: KeyId, facts: &[(&str, &str)]) {
        self.event(Act::KeyCreated, id.as_str(), facts);
    }

    pub(crate) fn id(&self) -> ExchangeId {
        ExchangeId::new(&FixedClock::new(self.at_ms), &self.entropy)
    }

    /// A clean exchange that passed every control.
    pub(crate) fn exchange(&mut self) {
        self.exchange_with(|_| {}, |_| {});
    }

    /// An exchange with changes to its two halves.
    pub(crate) fn exchange_with(
        &mut self,
        first: impl FnOnce(&mut Admitted),
        second: impl FnOnce(&mut Closed),
    ) {
        let id = self.id();
        let mut admitted = admitted(id, self.at_ms, self.version);
        first(&mut admitted);
        let mut closed = closed(id, self.at_ms + 5);
        second(&mut closed);
        self.leaves.push(Leaf::Admitted(Box::new(admitted)));
        self.leaves.push(Leaf::Closed(Box::new(closed)));
    }

    /// A request that a room refused for this reason.
    pub(crate) fn refused(&mut self, code: Code, change: impl FnOnce(&mut Refused)) {
        let mut leaf = Refused {
            v: RECORD_VERSION,
            exchange: self.id(),
            at_ms: self.at_ms,
            caller: caller(),
            code,
            place: None,
            request: None,
            policy: self.version,
            controls: Vec::new(),
            inspected: Inspected::default(),
            findings: Vec::new(),
            findings_more: 0,
            captured: None,
            rooms: Vec::new(),
        };
        change(&mut leaf);
        self.leaves.push(Leaf::Refused(Box::new(leaf)));
    }

    pub(crate) fn facts(&self) -> Facts {
        let mut facts = Facts::new(NOW_MS, Window::default());
        for (sequence, leaf) in (0..).zip(&self.leaves) {
            facts.add(sequence, leaf);
        }
        facts
    }

    pub(crate) fn row(&self, id: u16) -> RowState {
        let states = Matrix::embedded().unwrap().compute(&self.facts());
        states.into_iter().find(|state| state.id() == id).unwrap()
    }

    /// Checks state and grade of some rows.
    #[track_caller]
    pub(crate) fn expect(&self, rows: &[u16], state: State) {
        for id in rows {
            let row = self.row(*id);
            assert_eq!(row.state(), state, "row {id}: {}", row.reason());
            let grade = match state {
                State::Enforced => Grade::E3,
                State::Observed => Grade::E2,
                _ => Grade::None,
            };
            assert_eq!(row.grade(), grade);
        }
    }

    /// Checks that a row is a gap and says why.
    #[track_caller]
    pub(crate) fn expect_gap(&self, id: u16, why: &str) {
        self.expect(&[id], State::Gap);
        let row = self.row(id);
        let reason = row.reason().to_lowercase();
        assert!(
            reason.contains(&why.to_lowercase()),
            "row {id}: {why:?} is not in {reason}"
        );
    }
}

pub(crate) fn version(number: u8) -> PolicyVersion {
    PolicyVersion {
        policy: Digest([number; 32]),
        rules: Digest([number ^ 0xff; 32]),
    }
}

pub(crate) fn key(number: u8) -> KeyId {
    format!("mk-{number:012x}").parse().unwrap()
}

fn caller() -> Caller {
    Caller {
        key: key(1),
        owner: Commitment([2; 32]),
        source: Commitment([3; 32]),
        user_agent: None,
    }
}

pub(crate) fn run(control: Control, mode: Mode, verdict: Verdict) -> ControlRun {
    ControlRun {
        control,
        mode,
        bytes: BODY_BYTES,
        verdict,
        would: verdict,
        findings: u32::from(verdict != Verdict::Pass),
    }
}

pub(crate) fn note(kind: &str, action: Action, count: u32) -> FindingNote {
    FindingNote {
        detector: DetectorId::new(kind),
        kind: Kind::new(kind),
        control: Control::Redaction,
        slot: Slot::Turn,
        place: "messages[0].content".to_owned(),
        view: View::Plain,
        action,
        count,
    }
}

fn inspected() -> Inspected {
    Inspected {
        bytes: [(Slot::Turn, BODY_BYTES)].into(),
        ..Inspected::default()
    }
}

pub(crate) fn admitted(id: ExchangeId, at_ms: u64, policy: PolicyVersion) -> Admitted {
    Admitted {
        v: RECORD_VERSION,
        exchange: id,
        at_ms,
        caller: caller(),
        request: RequestFacts {
            dialect: "openai-chat".to_owned(),
            vendor: "openai".to_owned(),
            model: "gpt-x".to_owned(),
            stream: false,
            body_bytes: BODY_BYTES,
            sent_bytes: BODY_BYTES,
            edited: false,
            body: Commitment([4; 32]),
            output_tokens_max: None,
            store: None,
            retry: None,
            tools: 0,
        },
        policy,
        controls: [Control::Screening, Control::Redaction]
            .map(|c| run(c, Mode::Enforce, Verdict::Pass))
            .into(),
        inspected: inspected(),
        findings: Vec::new(),
        findings_more: 0,
        durability: Durability::BeforeReply,
        rooms: Vec::new(),
    }
}

pub(crate) fn closed(id: ExchangeId, at_ms: u64) -> Closed {
    let controls = [Control::Redaction, Control::Sanitising, Control::Leakage];
    Closed {
        v: RECORD_VERSION,
        exchange: id,
        at_ms,
        outcome: Outcome::Complete,
        code: None,
        place: None,
        vendor: VendorSeen {
            sent: true,
            status: Some(200),
            model: Some("gpt-x".to_owned()),
            tls: Some("TLSv1.3 X25519".to_owned()),
            auth: Some("bearer".to_owned()),
            ..VendorSeen::default()
        },
        usage: None,
        reply_bytes: BODY_BYTES,
        body: None,
        edited: false,
        logprobs_removed: false,
        signature_removed: false,
        controls: controls
            .map(|control| run(control, Mode::Enforce, Verdict::Pass))
            .into(),
        inspected: inspected(),
        findings: Vec::new(),
        findings_more: 0,
        restored: RestoreCounts::default(),
        captured: None,
        timings: Timings::default(),
        rooms: Vec::new(),
    }
}
