//! `merestone detect check`: every example and counter-example in the
//! surroundings in which people paste things; rule files, whether all of them
//! can be used.

use std::{collections::BTreeMap, process::ExitCode};

use detect::{Catalogue, Detector, Engine, template::Filler};
use serde_json::{Value, json};
use terms::Direction;

use super::scanner::read_rules;
use crate::{cli::detect::Imported, present};

/// Surroundings of a value in prompts; `{}` stands for it.
const SURROUNDINGS: &[&str] = &[
    "{}",
    "here it is: {}, thanks a lot",
    "as you see ({}) it works",
    "could it be {}?",
    "The value is {}.",
    "**{}**",
    "`{}`",
    "```\n{}\n```",
    "\"{}\"",
    "'{}'",
    "<td>{}</td>",
    "value={}",
    "value: {}\n",
    "“{}”",
    "我的密钥是{}。",
    "https://host.example/path?k={}&w=2",
    "Authorization: Bearer {}",
    "[1, {}, 2]",
    "{\"a\": \"{}\", \"b\": [1]}",
    "{\\\"a\\\": \\\"{}\\\"}",
    "* {}\n* another",
    "x\t{}\ty",
];
/// Values of each example that are tried.
const DRAWS: u64 = 2;

/// An example that was not found, or a counter-example that was.
struct Failure {
    detector: String,
    template: String,
    surroundings: &'static str,
    direction: Direction,
    found: bool,
}

/// What became of the examples and counter-examples of one detector.
#[derive(Default)]
struct Figures {
    /// Texts that hold an example, and those in which it was found.
    examples: (u64, u64),
    /// Likewise, of counter-examples.
    counter_examples: (u64, u64),
}

#[derive(Default)]
struct Tally {
    tried: u64,
    by_detector: BTreeMap<String, Figures>,
    switched_off: Vec<String>,
    failures: Vec<Failure>,
}

pub(super) fn run(imported: &Imported, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    if !imported.only_rules {
        built_in(&mut tally)?;
    }
    let mut reports = Vec::new();
    let mut unusable = 0;
    for file in &imported.rules {
        let (rules, mut unsupported) = read_rules(file, imported.wider)?;
        let large = rules.verify();
        unusable += large.len();
        unsupported.extend(large);
        reports.push((file.display().to_string(), rules.len(), unsupported));
    }
    if as_json {
        let reports = reports.iter().map(|(file, rules, unsupported)| {
            let all: Vec<Value> = unsupported
                .iter()
                .map(|each| json!({ "rule": each.rule, "place": each.place, "what": each.what, "left_out": each.effect == detect::import::Effect::LeftOut }))
                .collect();
            json!({ "file": file, "rules": rules, "unsupported": all })
        });
        let reports: Vec<Value> = reports.collect();
        present::say!("{}", as_value(&tally, &reports))?;
    } else {
        tell(&tally)?;
        for (file, rules, unsupported) in &reports {
            present::say!("{file}: {rules} rules can be used")?;
            for each in unsupported {
                present::say!("  {}", present::plain(&each.to_string()))?;
            }
        }
    }
    let fine = tally.failures.is_empty() && unusable == 0;
    Ok(ExitCode::from(u8::from(!fine)))
}

fn as_value(tally: &Tally, reports: &[Value]) -> Value {
    let failures: Vec<Value> = tally
        .failures
        .iter()
        .map(|failure| {
            json!({
                "detector": failure.detector, "template": failure.template,
                "surroundings": failure.surroundings, "direction": failure.direction,
                "found": failure.found,
            })
        })
        .collect();
    let figures = tally.by_detector.iter().map(|(id, figures)| {
        let [examples, counter] = [figures.examples, figures.counter_examples]
            .map(|(tried, found)| json!({ "tried": tried, "found": found }));
        (
            id.clone(),
            json!({ "examples": examples, "counter_examples": counter }),
        )
    });
    let figures: serde_json::Map<String, Value> = figures.collect();
    json!({ "tried": tally.tried, "detectors": figures, "switched_off": tally.switched_off, "failures": failures, "rule_files": reports })
}

fn tell(tally: &Tally) -> anyhow::Result<()> {
    for failure in &tally.failures {
        let says = if failure.found {
            "a counter-example is found"
        } else {
            "an example is not found"
        };
        present::say!(
            "{} ({}): {says}: {} in {}",
            failure.detector,
            failure.direction,
            present::plain(&failure.template),
            present::plain(failure.surroundings),
        )?;
    }
    if !tally.switched_off.is_empty() {
        present::say!(
            "not tried, since they are switched off: {}",
            tally.switched_off.join(", ")
        )?;
    }
    if tally.tried > 0 {
        present::say!(
            "{} texts tried, {} failures",
            tally.tried,
            tally.failures.len()
        )?;
    }
    Ok(())
}

fn built_in(tally: &mut Tally) -> anyhow::Result<()> {
    let catalogue = Catalogue::embedded()?;
    for profile in detect::Profile::ALL {
        let engine = Engine::with_profile(catalogue.clone(), *profile)?;
        // A detector is tried in the first profile that it looks in.
        let first = |detector: &&Detector| detector.profiles.first() == Some(profile);
        for detector in catalogue.detectors().iter().filter(first) {
            if detector.enabled {
                try_one(&engine, detector, tally);
            } else {
                tally.switched_off.push(detector.id.to_string());
            }
        }
    }
    Ok(())
}

fn try_one(engine: &Engine, detector: &Detector, tally: &mut Tally) {
    let whole_texts: &[&str] = &["{}"];
    let surroundings = if detector.fixed_contexts {
        whole_texts
    } else {
        SURROUNDINGS
    };
    let examples = detector
        .examples
        .iter()
        .map(|text| (text, true, surroundings));
    let counter = detector.counter_examples.iter();
    // Surroundings such as `key=` or `Bearer` make a secret of what is none.
    let counter = counter.map(|text| (text, false, whole_texts));
    let mut filler = Filler::new(7);
    let mut figures = Figures::default();
    for (template, expected, surroundings) in examples.chain(counter) {
        for _ in 0..DRAWS {
            let value = filler.fill(template);
            // A link around a value carries it, which is a finding of its own.
            let fair = |around: &&&str| expected || !around.contains("://");
            for around in surroundings.iter().filter(fair) {
                let text = around.replacen("{}", &value, 1);
                for direction in &detector.directions {
                    tally.tried += 1;
                    let scan = engine.scan(&text, *direction);
                    let mut findings = scan.findings.iter();
                    let found = findings.any(|finding| finding.detector == detector.id);
                    let count = if expected {
                        &mut figures.examples
                    } else {
                        &mut figures.counter_examples
                    };
                    count.0 += 1;
                    count.1 += u64::from(found);
                    if found != expected {
                        tally.failures.push(Failure {
                            detector: detector.id.to_string(),
                            template: template.clone(),
                            surroundings: around,
                            direction: *direction,
                            found,
                        });
                    }
                }
            }
        }
    }
    tally.by_detector.insert(detector.id.to_string(), figures);
}
