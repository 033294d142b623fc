//! A ruling whose control catches nothing is refused, for each control and
//! direction; one that allows a single kind is not, and says so.

use std::collections::{BTreeMap, BTreeSet};

use detect::{Catalogue, Engine};
use policy::{
    ActionTable, CONTROLS_REPLY, CONTROLS_REQUEST, ControlPolicy, ControlRule, Policy,
    permission::{self, Permission},
};
use terms::{Action, Control, Direction, Mode};

use super::{CanaryFault, found_in_samples, mild_slots, show, weakest_by_kind};
use crate::{Ruling, VendorClient};

const NOW_MS: u64 = 1_000;

/// Every control with every direction in which it must look.
fn duties() -> impl Iterator<Item = (Control, Direction)> {
    let request = CONTROLS_REQUEST
        .iter()
        .map(|control| (*control, Direction::Request));
    let reply = CONTROLS_REPLY
        .iter()
        .map(|control| (*control, Direction::Reply));
    request.chain(reply)
}

/// A detector file for one control, in these directions.
fn detector(control: Control, directions: &[Direction], example: &str) -> (String, String) {
    let directions: Vec<String> = directions
        .iter()
        .map(|direction| format!("{:?}", direction.word()))
        .collect();
    let text = format!(
        r#"id = "needle-{control}"
kind = "needle"
title = "A word of a test"
control = "{control}"
directions = [{}]
default_action = "block"
score = 90
pattern = "needle-{control}"
examples = ["{example}"]
counter_examples = ["hay"]
"#,
        directions.join(", ")
    );
    (format!("needle-{control}.toml"), text)
}

fn catalogue(files: &[(String, String)]) -> Catalogue {
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Catalogue::from_toml(&files).unwrap()
}

/// A small catalogue in which every control has one detector for all its
/// directions; `change` gives another one, or none, for some of them.
fn catalogue_with(change: impl Fn(Control) -> Option<Vec<(String, String)>>) -> Catalogue {
    let files: Vec<(String, String)> = Control::ALL
        .iter()
        .flat_map(|control| {
            change(*control).unwrap_or_else(|| {
                let example = format!("a needle-{control} here");
                vec![detector(*control, Direction::ALL, &example)]
            })
        })
        .collect();
    catalogue(&files)
}

fn ruling(
    catalogue: Catalogue,
    rules: &[(Control, ControlRule)],
    chosen: &[(Control, &str, Action)],
) -> Ruling {
    let controls: BTreeMap<Control, ControlPolicy> = Control::ALL
        .iter()
        .map(|control| {
            let own = catalogue
                .detectors()
                .iter()
                .filter(|detector| detector.control == *control);
            let mut actions = ActionTable::new(
                own.map(|detector| (detector.id.clone(), detector.default_action)),
            );
            for (_, selector, action) in chosen.iter().filter(|(of, _, _)| of == control) {
                actions.choose(selector, *action).unwrap();
            }
            let rule = rules
                .iter()
                .find(|(of, _)| of == control)
                .map_or(ControlRule::Enforce, |(_, rule)| *rule);
            (*control, ControlPolicy { rule, actions })
        })
        .collect();
    let policy = Policy::new(controls).unwrap();
    Ruling::new(
        policy,
        Permission::new(permission::DEFAULT).unwrap(),
        Engine::new(catalogue).unwrap(),
        Vec::new(),
        VendorClient::new(Vec::new(), std::time::Duration::from_secs(1)).unwrap(),
        [0; 32],
    )
}

fn plain(catalogue: Catalogue) -> Ruling {
    ruling(catalogue, &[], &[])
}

fn fault(control: Control, direction: Direction) -> CanaryFault {
    CanaryFault { control, direction }
}

#[test]
fn controls_that_work_are_shown_to_work() {
    for catalogue in [Catalogue::embedded().unwrap(), catalogue_with(|_| None)] {
        let shown = show(&plain(catalogue), NOW_MS).unwrap();
        let controls: Vec<Control> = shown.iter().map(|shown| shown.control).collect();
        assert_eq!(controls, Control::ALL);
        assert!(
            shown
                .iter()
                .all(|shown| shown.caught && shown.mode == Mode::Enforce)
        );
    }
}

#[test]
fn a_control_without_a_detector_in_a_direction_is_refused() {
    for (control, direction) in duties() {
        let others: Vec<Direction> = Direction::ALL
            .iter()
            .copied()
            .filter(|other| *other != direction)
            .collect();
        let catalogue = catalogue_with(|of| {
            (of == control).then(|| {
                let example = format!("a needle-{control} here");
                vec![detector(control, &others, &example)]
            })
        });
        assert_eq!(
            show(&plain(catalogue), NOW_MS),
            Err(fault(control, direction))
        );
    }
}

/// The first direction in which a control must look.
fn first_direction(control: Control) -> Direction {
    duties()
        .find(|(of, _)| *of == control)
        .map(|(_, direction)| direction)
        .unwrap()
}

#[test]
fn a_control_without_any_detector_is_refused() {
    for control in Control::ALL {
        let catalogue = catalogue_with(|of| (of == *control).then(Vec::new));
        assert_eq!(
            show(&plain(catalogue), NOW_MS),
            Err(fault(*control, first_direction(*control)))
        );
    }
}

#[test]
fn a_control_that_misses_its_own_sample_is_refused() {
    for control in Control::ALL {
        let catalogue = catalogue_with(|of| {
            (of == *control).then(|| vec![detector(*control, Direction::ALL, "only hay here")])
        });
        let ruling = plain(catalogue);
        assert_eq!(
            show(&ruling, NOW_MS),
            Err(fault(*control, first_direction(*control)))
        );
        let fact = format!("weakest.{control}.needle");
        assert!(
            !ruling.weakest().contains_key(&fact),
            "nothing is said of a kind that was not seen to be found"
        );
    }
}

#[test]
fn a_control_that_may_do_nothing_is_refused_and_one_that_is_off_is_not_caught() {
    for control in Control::ALL {
        for catalogue in [Catalogue::embedded().unwrap(), catalogue_with(|_| None)] {
            let with = |rules: &[(Control, ControlRule)]| {
                show(
                    &ruling(catalogue.clone(), rules, &[(*control, "*", Action::Allow)]),
                    NOW_MS,
                )
            };
            let refused = Err(fault(*control, first_direction(*control)));
            assert_eq!(with(&[]), refused);
            let shadow = ControlRule::Shadow {
                until_ms: NOW_MS + 1,
            };
            assert_eq!(with(&[(*control, shadow)]), refused);
            let shown = with(&[(*control, ControlRule::Off)]).unwrap();
            for one in shown {
                assert_eq!(one.caught, one.control != *control, "{one:?}");
            }
        }
    }
}

#[test]
fn the_shipped_catalogue_stops_every_kind_that_the_matrix_names() {
    let facts = plain(Catalogue::embedded().unwrap()).weakest();
    for kind in [
        "screening.injection",
        "redaction.card",
        "redaction.email",
        "redaction.key",
        "redaction.ssn",
        "sanitising.image",
        "sanitising.link",
        "sanitising.markup",
        "leakage.config",
    ] {
        let does = &facts[&format!("weakest.{kind}")];
        assert!(does == "redact" || does == "block", "{kind}: {does}");
    }
    assert_eq!(facts["mild.screening"], "injection-extraction flag");
    assert_eq!(facts["mild.leakage"], "internal-path flag");
    assert!(
        facts
            .iter()
            .filter(|(name, _)| name.starts_with("weakest."))
            .all(|(_, does)| does == "redact" || does == "block"),
        "{facts:?}"
    );
}

#[test]
fn what_a_policy_lets_pass_starts_and_is_said() {
    let with = |chosen: &[(Control, &str, Action)]| {
        let ruling = ruling(Catalogue::embedded().unwrap(), &[], chosen);
        show(&ruling, NOW_MS).unwrap();
        ruling.weakest()
    };
    let facts = with(&[
        (Control::Redaction, "*", Action::Allow),
        (Control::Redaction, "phone", Action::Redact),
        (Control::Redaction, "phone-named", Action::Redact),
    ]);
    assert_eq!(facts["weakest.redaction.card"], "allow card");
    assert!(facts["weakest.redaction.key"].starts_with("allow "));
    assert_eq!(facts["weakest.redaction.phone"], "redact");
    let facts = with(&[(Control::Screening, "*@tool-result", Action::Allow)]);
    assert_eq!(
        facts["weakest.screening.injection"],
        "allow injection-override@tool-result"
    );
    let facts = with(&[(Control::Screening, "*", Action::Flag)]);
    assert_eq!(
        facts["weakest.screening.injection"],
        "flag injection-override"
    );
    // One detector of a kind is enough to let the kind pass.
    let facts = with(&[(Control::Screening, "injection-template", Action::Allow)]);
    assert_eq!(
        facts["weakest.screening.injection"],
        "allow injection-template"
    );
    let facts = with(&[(Control::Screening, "*", Action::Block)]);
    assert_eq!(facts["weakest.screening.injection"], "block");
    assert!(!facts.contains_key("mild.screening"));
}

#[test]
fn detectors_that_are_alike_are_not_all_made_ready() {
    // What is told of one is what would be told of all.
    let ruling = ruling(
        Catalogue::embedded().unwrap(),
        &[],
        &[(Control::Redaction, "anthropic-key", Action::Flag)],
    );
    let actions = &ruling.policy().control(Control::Redaction).unwrap().actions;
    let found = found_in_samples(&ruling, Control::Redaction, actions);
    let mut all = BTreeSet::new();
    for sample in ruling
        .engine()
        .samples(Control::Redaction, Direction::Request)
    {
        let findings = ruling
            .engine()
            .scan(&sample.text, Direction::Request)
            .findings;
        let own = findings
            .into_iter()
            .filter(|found| found.control == Control::Redaction);
        all.extend(own.map(|found| (found.kind, found.detector)));
    }
    assert!(2 * found.len() < all.len(), "{} {}", found.len(), all.len());
    assert_eq!(
        weakest_by_kind(actions, &found),
        weakest_by_kind(actions, &all)
    );
    assert_eq!(mild_slots(actions, &found), mild_slots(actions, &all));
}
