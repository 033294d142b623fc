//! `merestone detect explain`: what a detector looks for, or what became of
//! everything that was seen in a text.

use std::{path::Path, process::ExitCode};

use detect::{Catalogue, Detector, Explained, Outcome, resolve_explained, template::Filler};
use serde_json::{Value, json};
use terms::Finding;

use super::{
    ending,
    list::{as_json, profiles},
    out::{HEADINGS, Located},
    pieces,
    places::Places,
    scanner::{Scanner, overlap},
    text,
};
use crate::{cli::detect::Looking, present};

/// LIMIT: matches of one input that are explained.
const EXPLAINED_MAX: usize = 100_000;

/// What is told of a text, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    pub(super) json: bool,
    pub(super) show_secrets: bool,
}

pub(super) fn run(
    what: Option<&str>,
    looking: &Looking,
    telling: Telling,
) -> anyhow::Result<ExitCode> {
    let catalogue = Catalogue::embedded()?;
    let mut detectors = catalogue.detectors().iter();
    let named = |detector: &&Detector| Some(detector.id.as_str()) == what;
    if let Some(detector) = detectors.find(named) {
        return about(detector, telling.json);
    }
    let path = what.map(Path::new);
    if let Some(path) = path.filter(|path| *path != Path::new("-") && !path.exists()) {
        anyhow::bail!(
            "{} is neither a detector nor a file; `merestone detect list` lists the detectors",
            path.display()
        );
    }
    explained(path, looking, telling)
}

/// The seed of the examples that are shown.
const SEED: u64 = 1;

fn about(detector: &Detector, json: bool) -> anyhow::Result<ExitCode> {
    let mut filler = Filler::new(SEED);
    let mut filled =
        |all: &[String]| -> Vec<String> { all.iter().map(|text| filler.fill(text)).collect() };
    let (examples, counter) = (
        filled(&detector.examples),
        filled(&detector.counter_examples),
    );
    if json {
        let mut all = as_json(detector);
        if let Some(members) = all.as_object_mut() {
            members.insert("examples".to_owned(), json!(examples));
            members.insert("counter_examples".to_owned(), json!(counter));
        }
        present::say!("{all}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let directions: Vec<&str> = detector.directions.iter().map(|way| way.word()).collect();
    present::say!("{}: {}", detector.id, detector.title)?;
    present::say!(
        "  kind {}, control {}, score {}",
        detector.kind,
        detector.control,
        detector.score
    )?;
    present::say!("  by default: {}", detector.default_action)?;
    for (slot, action) in &detector.slot_actions {
        present::say!("    in {slot}: {action}")?;
    }
    present::say!(
        "  looks at: {}; profiles: {}",
        directions.join(", "),
        profiles(detector).join(", ")
    )?;
    if !detector.enabled {
        present::say!("  switched off: it fires on clean text too often")?;
    }
    match detector.check() {
        Some(check) => present::say!("  a match must pass the check `{check}`")?,
        None => present::say!("  the pattern is enough")?,
    }
    if !detector.context.is_empty() {
        present::say!(
            "  words that {} before a match: {}",
            behind(detector),
            detector.context.join(", ")
        )?;
    }
    for (heading, texts) in [
        ("finds, for example:", examples),
        ("does not find:", counter),
    ] {
        present::say!("  {heading}")?;
        for text in texts {
            present::say!("    {}", present::plain(&text))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What context words do: stand there, or raise the score.
fn behind(detector: &Detector) -> String {
    detector.context_score.map_or_else(
        || "stand".to_owned(),
        |score| format!("raise the score to {score} when they stand"),
    )
}

/// A match, and why it is told or not.
struct Line {
    located: Located,
    /// Why it is not told.
    why: Option<String>,
}

fn explained(path: Option<&Path>, looking: &Looking, telling: Telling) -> anyhow::Result<ExitCode> {
    let scanner = Scanner::explaining(looking)?;
    let (input, name) = text::open(path)?;
    let mut lines: Vec<Line> = Vec::new();
    let (mut found, mut whole, mut more) = (false, true, false);
    let mut places = Places::start();
    let passed = pieces::each(input, |piece| {
        let seen = scanner.look(&piece.text, name.as_deref())?;
        whole &= seen.whole;
        more |= seen.more;
        let own = |finding: &Finding| piece.own.contains(&finding.span.start);
        let owned = seen.findings.into_iter().filter(own).collect();
        let told = resolve_explained(owned).into_iter().map(|each: Explained| {
            let why = overlap(&each);
            debug_assert_eq!(why.is_none(), each.outcome == Outcome::Told);
            (each.finding, why)
        });
        let refused = seen.refused.into_iter().filter(|each| own(&each.finding));
        let refused = refused.map(|each| (each.finding, Some(each.why)));
        let mut all: Vec<(Finding, Option<String>)> = told.chain(refused).collect();
        all.sort_by(|(a, why), (b, other)| {
            let place = |finding: &Finding| (finding.span.start, finding.span.end);
            (place(a), why).cmp(&(place(b), other))
        });
        let mut at = places.go_on();
        for (finding, why) in all {
            found |= why.is_none();
            if lines.len() == EXPLAINED_MAX {
                more = true;
                whole &= why.is_some();
                continue;
            }
            let located = Located {
                start: piece.base + finding.span.start as u64,
                end: piece.base + finding.span.end as u64,
                place: at.of(&piece.text, finding.span.start),
                text: telling
                    .show_secrets
                    .then(|| piece.text.get(finding.span.clone()).map(str::to_owned))
                    .flatten(),
                finding,
            };
            lines.push(Line { located, why });
        }
        let mut next = places.go_on();
        next.of(&piece.text, piece.next);
        places = next;
        Ok(())
    })?;
    let whole = whole && !passed.more;
    if telling.json {
        as_lines(&lines, whole, more)?;
    } else {
        as_table(&lines, telling.show_secrets)?;
    }
    if more {
        present::note("more matched and was let go than is told");
    }
    text::notes(&passed, whole);
    Ok(ending(found, whole))
}

fn as_lines(lines: &[Line], whole: bool, more: bool) -> anyhow::Result<()> {
    let all: Vec<Value> = lines
        .iter()
        .map(|line| {
            let mut value = line.located.json();
            if let Some(members) = value.as_object_mut() {
                members.insert("told".to_owned(), json!(line.why.is_none()));
                members.insert("why".to_owned(), json!(line.why));
            }
            value
        })
        .collect();
    present::say!(
        "{}",
        json!({ "matches": all, "whole": whole, "more": more })
    )
}

fn as_table(lines: &[Line], show_secrets: bool) -> anyhow::Result<()> {
    if lines.is_empty() {
        return present::say!("nothing was seen");
    }
    let headings: Vec<&str> = HEADINGS
        .into_iter()
        .chain(show_secrets.then_some("text"))
        .chain(["outcome"])
        .collect();
    let mut table = present::table(&headings);
    // What many detectors let go at one place for one reason is one row.
    let alike = |a: &Line, b: &Line| {
        a.why.is_some()
            && a.why == b.why
            && (a.located.start, a.located.end) == (b.located.start, b.located.end)
    };
    for group in lines.chunk_by(alike) {
        let Some(line) = group.first() else { continue };
        let mut row = line.located.row();
        row.push(match (&line.why, group.len() - 1) {
            (None, _) => "told".to_owned(),
            (Some(why), 0) => format!("not told: {why}"),
            (Some(why), 1) => format!("not told: {why}; nor by another detector"),
            (Some(why), more) => format!("not told: {why}; nor by {more} other detectors"),
        });
        table.add_row(row);
    }
    present::say!("{table}")
}
