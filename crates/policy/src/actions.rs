//! Which action a control takes, by detector and slot.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use terms::{Action, DetectorId, Slot};
use thiserror::Error;

/// A selector of the configuration that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ActionFault {
    /// No detector of the control has this name.
    #[error(
        "`{0}` is not a detector of this control; `merestone config explain detectors` lists them"
    )]
    UnknownDetector(String),
    /// No slot has this name.
    #[error(
        "`{0}` is not a slot; known: system, turn, reasoning, tool-call, tool-result, tool-definition, document, media, opaque, parameter, unknown"
    )]
    UnknownSlot(String),
}

/// Actions by selector: `*`, `*@slot`, `detector` or `detector@slot`. The most
/// exact one holds; a named detector is more exact than a named slot. Where
/// none matches, the catalogue's own default does: that for the slot, if it
/// has one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ActionTable {
    defaults: BTreeMap<DetectorId, Action>,
    slot_defaults: BTreeMap<(DetectorId, Slot), Action>,
    chosen: BTreeMap<(Option<DetectorId>, Option<Slot>), Action>,
}

impl ActionTable {
    /// A table with the catalogue's defaults for this control's detectors.
    #[must_use]
    pub fn new(defaults: impl IntoIterator<Item = (DetectorId, Action)>) -> Self {
        Self {
            defaults: defaults.into_iter().collect(),
            slot_defaults: BTreeMap::new(),
            chosen: BTreeMap::new(),
        }
    }

    /// The same table with a default of the catalogue that holds in one slot.
    #[must_use]
    pub fn with_slot_default(mut self, detector: DetectorId, slot: Slot, action: Action) -> Self {
        self.slot_defaults.insert((detector, slot), action);
        self
    }

    /// Sets the action for a selector, as `card@tool-result`.
    ///
    /// # Errors
    /// When the selector names a detector or slot that does not exist.
    pub fn choose(&mut self, selector: &str, action: Action) -> Result<(), ActionFault> {
        let (detector, slot) = match selector.split_once('@') {
            Some((detector, slot)) => (detector, Some(slot)),
            None => (selector, None),
        };
        let detector = match detector {
            "*" => None,
            name => {
                let id = DetectorId::new(name);
                if !self.defaults.contains_key(&id) {
                    return Err(ActionFault::UnknownDetector(name.to_owned()));
                }
                Some(id)
            }
        };
        let slot = slot
            .map(|word| {
                Slot::from_word(word).ok_or_else(|| ActionFault::UnknownSlot(word.to_owned()))
            })
            .transpose()?;
        self.chosen.insert((detector, slot), action);
        Ok(())
    }

    /// The action for a detector in a slot. At a place that no dialect knows,
    /// the strictest action that the detector has anywhere holds.
    #[must_use]
    pub fn action(&self, detector: &DetectorId, slot: Slot) -> Action {
        if slot == Slot::Unknown {
            let everywhere: BTreeSet<Action> = Slot::ALL
                .iter()
                .map(|slot| self.exact(detector, *slot))
                .collect();
            return everywhere.last().copied().unwrap_or(Action::Block);
        }
        self.exact(detector, slot)
    }

    /// The mildest action that a detector has in any slot, and the slots where
    /// it has it; those left aside in which the catalogue itself is mild.
    #[must_use]
    pub fn weakest(&self, detector: &DetectorId) -> (Action, Vec<Slot>) {
        let (mut mildest, mut slots) = (Action::Block, Vec::new());
        let catalogued = self.mild_slots(detector);
        for slot in Slot::ALL {
            if catalogued.iter().any(|(mild, _)| mild == slot) {
                continue;
            }
            let action = self.action(detector, *slot);
            if action < mildest {
                mildest = action;
                slots.clear();
            }
            if action == mildest {
                slots.push(*slot);
            }
        }
        (mildest, slots)
    }

    /// The slots in which the catalogue itself stops nothing of a detector that
    /// it has stopped elsewhere, as far as the policy leaves that so.
    #[must_use]
    pub fn mild_slots(&self, detector: &DetectorId) -> Vec<(Slot, Action)> {
        let mild = |slot: &Slot| {
            let action = self
                .slot_defaults
                .get(&(detector.clone(), *slot))
                .copied()
                .filter(|action| *action < Action::Redact)?;
            self.choice(detector, *slot)
                .is_none()
                .then_some((*slot, action))
        };
        Slot::ALL.iter().filter_map(mild).collect()
    }

    /// Whether the catalogue itself has what this detector finds redacted or
    /// blocked: a policy that does less has weakened it.
    #[must_use]
    pub fn acts_by_default(&self, detector: &DetectorId) -> bool {
        self.defaults
            .get(detector)
            .is_none_or(|action| *action >= Action::Redact)
    }

    fn exact(&self, detector: &DetectorId, slot: Slot) -> Action {
        self.choice(detector, slot)
            .or_else(|| self.slot_defaults.get(&(detector.clone(), slot)).copied())
            .or_else(|| self.defaults.get(detector).copied())
            // INVARIANT: a detector without a default cannot be loaded; if one
            // comes all the same, its match goes nowhere.
            .unwrap_or(Action::Block)
    }

    /// What the operator chose, the nearest selector first.
    fn choice(&self, detector: &DetectorId, slot: Slot) -> Option<Action> {
        let named = Some(detector.clone());
        [
            (named.clone(), Some(slot)),
            (named, None),
            (None, Some(slot)),
            (None, None),
        ]
        .iter()
        .find_map(|selector| self.chosen.get(selector))
        .copied()
    }

    /// Every selector that was set, as text, with its action.
    pub fn chosen(&self) -> impl Iterator<Item = (String, Action)> + '_ {
        self.chosen.iter().map(|((detector, slot), action)| {
            let detector = detector.as_ref().map_or("*", DetectorId::as_str);
            let selector =
                slot.map_or_else(|| detector.to_owned(), |slot| format!("{detector}@{slot}"));
            (selector, *action)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ActionTable {
        ActionTable::new([
            (DetectorId::new("card"), Action::Redact),
            (DetectorId::new("ssn"), Action::Flag),
        ])
    }

    #[test]
    fn the_most_exact_selector_holds() {
        let card = DetectorId::new("card");
        let mut table = table();
        assert_eq!(table.action(&card, Slot::Turn), Action::Redact);
        table.choose("*", Action::Flag).unwrap();
        assert_eq!(table.action(&card, Slot::Turn), Action::Flag);
        table.choose("*@turn", Action::Allow).unwrap();
        assert_eq!(table.action(&card, Slot::Turn), Action::Allow);
        table.choose("card", Action::Block).unwrap();
        assert_eq!(table.action(&card, Slot::Turn), Action::Block);
        table.choose("card@turn", Action::Redact).unwrap();
        assert_eq!(table.action(&card, Slot::Turn), Action::Redact);
        assert_eq!(table.action(&card, Slot::Document), Action::Block);
    }

    #[test]
    fn a_default_of_the_catalogue_may_hold_in_one_slot_only() {
        let card = DetectorId::new("card");
        let mut table = table().with_slot_default(card.clone(), Slot::ToolCall, Action::Allow);
        assert_eq!(table.action(&card, Slot::ToolCall), Action::Allow);
        assert_eq!(table.action(&card, Slot::Turn), Action::Redact);
        assert_eq!(table.action(&card, Slot::Unknown), Action::Redact);
        assert_eq!(table.mild_slots(&card), [(Slot::ToolCall, Action::Allow)]);
        assert_eq!(table.weakest(&card).0, Action::Redact);
        table.choose("*", Action::Flag).unwrap();
        assert_eq!(table.action(&card, Slot::ToolCall), Action::Flag);
        assert!(table.mild_slots(&card).is_empty());
        assert_eq!(table.weakest(&card), (Action::Flag, Slot::ALL.to_vec()));
    }

    #[test]
    fn an_unknown_place_takes_the_strictest_action() {
        let mut table = table();
        table.choose("ssn@document", Action::Block).unwrap();
        assert_eq!(
            table.action(&DetectorId::new("ssn"), Slot::Unknown),
            Action::Block
        );
    }

    #[test]
    fn a_detector_without_default_is_blocked() {
        assert_eq!(
            table().action(&DetectorId::new("other"), Slot::Turn),
            Action::Block
        );
    }

    #[test]
    fn the_weakest_action_says_where_it_is() {
        let (card, ssn) = (DetectorId::new("card"), DetectorId::new("ssn"));
        let mut table = table();
        assert_eq!(table.weakest(&card), (Action::Redact, Slot::ALL.to_vec()));
        table.choose("*@tool-result", Action::Allow).unwrap();
        table.choose("card@document", Action::Block).unwrap();
        assert_eq!(
            table.weakest(&card),
            (Action::Allow, vec![Slot::ToolResult])
        );
        table.choose("card", Action::Redact).unwrap();
        assert_eq!(table.weakest(&card).0, Action::Redact);
        assert_eq!(table.weakest(&ssn), (Action::Allow, vec![Slot::ToolResult]));
        assert!(table.acts_by_default(&card));
        assert!(!table.acts_by_default(&ssn), "the catalogue only flags it");
        assert!(table.acts_by_default(&DetectorId::new("other")));
    }

    #[test]
    fn a_selector_that_names_nothing_is_refused() {
        assert!(matches!(
            table().choose("crad", Action::Flag),
            Err(ActionFault::UnknownDetector(_))
        ));
        assert!(matches!(
            table().choose("card@trun", Action::Flag),
            Err(ActionFault::UnknownSlot(_))
        ));
    }
}
