//! Which configuration is in force, and whether its controls caught their canaries.

use std::collections::{BTreeMap, VecDeque};

use terms::{Action, Control, Digest, Event, Mode, PolicyVersion};

use super::span::plain;

/// LIMIT: former configurations that are remembered.
const FORMER_MAX: usize = 16;
/// LIMIT: canaries that are remembered: each control under so many configurations.
const CANARIES_MAX: usize = 64;
/// An exchange that arrived before a reload keeps its configuration; one that
/// arrived so long after it cannot.
const SWAP_GRACE_MS: u64 = 60_000;
/// LIMIT: characters of a place that a configuration names.
const PLACE_CHARS_MAX: usize = 160;

/// What a configuration does at the least about one kind of finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weakest {
    pub(crate) action: Action,
    /// The detector, and the slots if it is not all of them; empty if not told.
    pub(crate) place: String,
}

/// A `config-loaded` event.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) sequence: u64,
    pub(crate) at_ms: u64,
    /// `None` when the event does not name both digests.
    pub(crate) version: Option<PolicyVersion>,
    modes: BTreeMap<Control, Mode>,
    /// As many as one entry of the ledger can hold.
    weakest: BTreeMap<(Control, String), Weakest>,
    mild: BTreeMap<Control, String>,
}

impl Load {
    /// Reads the event's facts: `policy`, `rules`, `control.<name>`,
    /// `weakest.<control>.<kind>` and `mild.<control>`.
    pub(crate) fn read(sequence: u64, event: &Event) -> Self {
        let digest = |name: &str| {
            event
                .facts
                .get(name)
                .and_then(|text| text.parse::<Digest>().ok())
        };
        let version = digest("policy")
            .zip(digest("rules"))
            .map(|(policy, rules)| PolicyVersion { policy, rules });
        let mode = |control: &Control| {
            let text = event.facts.get(&format!("control.{control}"))?;
            // A trial may be written with its end: `shadow until ...`.
            Some((*control, Mode::from_word(text.split_whitespace().next()?)?))
        };
        let modes = Control::ALL.iter().filter_map(mode).collect();
        let mild = |control: &Control| {
            let text = event.facts.get(&format!("mild.{control}"))?;
            Some((*control, plain(text, PLACE_CHARS_MAX)))
        };
        Self {
            sequence,
            at_ms: event.at_ms,
            version,
            modes,
            weakest: event
                .facts
                .iter()
                .filter_map(|(name, value)| weakest(name, value))
                .collect(),
            mild: Control::ALL.iter().filter_map(mild).collect(),
        }
    }

    /// What is done at the least about each kind that the event names.
    pub(crate) fn weakest(&self, control: Control) -> impl Iterator<Item = (&str, &Weakest)> {
        self.weakest
            .iter()
            .filter(move |((of, _), _)| *of == control)
            .map(|((_, kind), weakest)| (kind.as_str(), weakest))
    }

    /// Detectors that the catalogue itself does not stop, with what is done.
    pub(crate) fn mild(&self, control: Control) -> Option<&str> {
        self.mild.get(&control).map(String::as_str)
    }

    /// How the control is set; `None` when the event does not say.
    pub(crate) fn mode(&self, control: Control) -> Option<Mode> {
        self.modes.get(&control).copied()
    }
}

/// Reads `weakest.<control>.<kind>`. An action that is no word counts as the
/// mildest.
fn weakest(name: &str, value: &str) -> Option<((Control, String), Weakest)> {
    let (control, kind) = name.strip_prefix("weakest.")?.split_once('.')?;
    let control = Control::from_word(control)?;
    let (word, place) = value.split_once(' ').unwrap_or((value, ""));
    let weakest = Weakest {
        action: Action::from_word(word).unwrap_or(Action::Allow),
        place: plain(place, PLACE_CHARS_MAX),
    };
    Some(((control, plain(kind, PLACE_CHARS_MAX)), weakest))
}

/// The newest canary of one control under one policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canary {
    pub(crate) sequence: u64,
    pub(crate) caught: bool,
    rules: Option<Digest>,
}

/// The configuration in force and what is known of former ones.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    in_force: Option<Load>,
    former: VecDeque<PolicyVersion>,
    canaries: BTreeMap<(Control, Digest), Canary>,
}

impl Configs {
    pub(crate) fn in_force(&self) -> Option<&Load> {
        self.in_force.as_ref()
    }

    pub(crate) fn is_in_force(&self, version: PolicyVersion) -> bool {
        self.in_force
            .as_ref()
            .is_some_and(|load| load.version == Some(version))
    }

    /// Whether an exchange that arrived at this time may still have kept this
    /// former configuration.
    pub(crate) fn was_in_flight(&self, version: PolicyVersion, at_ms: u64) -> bool {
        self.former.contains(&version)
            && self
                .in_force
                .as_ref()
                .is_some_and(|load| at_ms <= load.at_ms.saturating_add(SWAP_GRACE_MS))
    }

    pub(crate) fn put_in_force(&mut self, load: Load) {
        if let Some(version) = self.in_force.as_ref().and_then(|old| old.version)
            && Some(version) != load.version
            && !self.former.contains(&version)
        {
            self.former.push_back(version);
            if self.former.len() > FORMER_MAX {
                self.former.pop_front();
            }
        }
        self.in_force = Some(load);
    }

    /// A canary is tied to its configuration by the event's `policy` fact, so
    /// it does not matter whether it was shown before or after
    /// `config-loaded`. One that names no policy proves nothing.
    pub(crate) fn canary_shown(&mut self, sequence: u64, event: &Event) {
        let control = Control::ALL
            .iter()
            .find(|control| control.word() == event.subject);
        let digest = |name: &str| {
            event
                .facts
                .get(name)
                .and_then(|text| text.parse::<Digest>().ok())
        };
        let (Some(control), Some(policy)) = (control, digest("policy")) else {
            return;
        };
        let caught = event.facts.get("caught").is_some_and(|text| text == "true");
        self.canaries.insert(
            (*control, policy),
            Canary {
                sequence,
                caught,
                rules: digest("rules"),
            },
        );
        if self.canaries.len() > CANARIES_MAX {
            let policy = self.policy();
            let oldest = self
                .canaries
                .iter()
                .filter(|((_, of), _)| Some(*of) != policy)
                .min_by_key(|(_, c)| c.sequence);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.canaries.remove(&key);
            }
        }
    }

    /// The newest canary of this control for the configuration in force.
    pub(crate) fn canary(&self, control: Control) -> Option<Canary> {
        let version = self.in_force.as_ref()?.version?;
        let canary = self.canaries.get(&(control, version.policy))?;
        canary
            .rules
            .is_none_or(|rules| rules == version.rules)
            .then_some(*canary)
    }

    fn policy(&self) -> Option<Digest> {
        self.in_force
            .as_ref()?
            .version
            .map(|version| version.policy)
    }
}
