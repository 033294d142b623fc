//! `merestone detect text`: findings in one text, or the text without them.

use std::{fs::File, io::Read, path::Path, process::ExitCode};

use anyhow::Context;
use serde_json::json;
use terms::Finding;

use super::{
    ending,
    out::{HEADINGS, Located, Out},
    pieces::{self, INPUT_BYTES_MAX, Passed, Piece},
    places::Places,
    scanner::Scanner,
};
use crate::{cli::detect::TextArgs, present};

/// LIMIT: findings of one input that are kept; then not all are told, and
/// that is said.
const FINDINGS_MAX: usize = 1_000_000;

pub(super) fn run(args: &TextArgs) -> anyhow::Result<ExitCode> {
    let scanner = Scanner::new(&args.looking)?;
    let (input, name) = open(args.file.as_deref())?;
    if args.redact {
        return redact(&scanner, input, name.as_deref());
    }
    let all = look(&scanner, input, name.as_deref(), args.into())?;
    if args.json {
        let findings: Vec<_> = all.findings.iter().map(Located::json).collect();
        let mut out = Out::new();
        out.line(
            &json!({ "findings": findings, "bytes": all.passed.bytes, "whole": all.whole })
                .to_string(),
        )?;
        out.flush()?;
    } else {
        table(&all, args.show_secrets)?;
    }
    notes(&all.passed, all.whole);
    Ok(ending(!all.findings.is_empty(), all.whole))
}

/// What to tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Telling {
    /// What was found itself.
    secrets: bool,
    /// Findings that overlap surer ones.
    overlapping: bool,
}

impl From<&TextArgs> for Telling {
    fn from(args: &TextArgs) -> Self {
        Self {
            secrets: args.show_secrets,
            overlapping: args.overlapping,
        }
    }
}

/// Everything that was told of one input.
pub(super) struct All {
    pub(super) findings: Vec<Located>,
    pub(super) passed: Passed,
    /// Whether everything was looked at.
    pub(super) whole: bool,
}

/// The file, or standard input, and the file's name.
pub(super) fn open(file: Option<&Path>) -> anyhow::Result<(Box<dyn Read>, Option<String>)> {
    match file {
        None => Ok((Box::new(std::io::stdin().lock()), None)),
        Some(path) if path == Path::new("-") => Ok((Box::new(std::io::stdin().lock()), None)),
        Some(path) => {
            let named = || path.display().to_string();
            let file = File::open(path).with_context(named)?;
            anyhow::ensure!(
                !file.metadata().with_context(named)?.is_dir(),
                "{} is a folder",
                named()
            );
            Ok((Box::new(file), path.to_str().map(str::to_owned)))
        }
    }
}

/// Looks at an input, piece by piece.
pub(super) fn look(
    scanner: &Scanner,
    input: impl Read,
    name: Option<&str>,
    telling: Telling,
) -> anyhow::Result<All> {
    let mut located = Vec::new();
    let mut places = Places::start();
    let mut whole = true;
    let passed = pieces::each(input, |piece| {
        let seen = scanner.look(&piece.text, name)?;
        whole &= seen.whole;
        let mut findings: Vec<Finding> = owned(seen.findings, piece).collect();
        if telling.overlapping {
            findings.sort_by_key(|finding| (finding.span.start, finding.span.end));
        } else {
            findings = detect::resolve(findings);
        }
        let mut own = places.go_on();
        for finding in findings {
            if located.len() == FINDINGS_MAX {
                whole = false;
                break;
            }
            let text = piece.text.get(finding.span.clone());
            located.push(Located {
                start: piece.base + finding.span.start as u64,
                end: piece.base + finding.span.end as u64,
                place: own.of(&piece.text, finding.span.start),
                text: text.filter(|_| telling.secrets).map(str::to_owned),
                finding,
            });
        }
        let mut next = places.go_on();
        next.of(&piece.text, piece.next);
        places = next;
        Ok(())
    })?;
    Ok(All {
        findings: located,
        whole: whole && !passed.more,
        passed,
    })
}

/// The findings that this piece has to tell.
fn owned<'a>(findings: Vec<Finding>, piece: &'a Piece<'_>) -> impl Iterator<Item = Finding> + 'a {
    let own = move |finding: &Finding| piece.own.contains(&finding.span.start);
    findings.into_iter().filter(own)
}

fn table(all: &All, show_secrets: bool) -> anyhow::Result<()> {
    if all.findings.is_empty() {
        present::say!("nothing was found in {} bytes", all.passed.bytes)?;
        return Ok(());
    }
    let mut headings = HEADINGS.to_vec();
    if show_secrets {
        headings.push("text");
    }
    let mut table = present::table(&headings);
    for finding in &all.findings {
        table.add_row(finding.row());
    }
    present::say!("{table}")?;
    present::say!(
        "{} findings in {} bytes",
        all.findings.len(),
        all.passed.bytes
    )
}

/// What a reader of the output must know besides.
pub(super) fn notes(passed: &Passed, whole: bool) {
    if passed.foreign > 0 {
        present::note(&format!(
            "{} bytes are no UTF-8; what they may have meant was not looked at",
            passed.foreign
        ));
    }
    if passed.more {
        present::note(&format!(
            "the text goes on behind {INPUT_BYTES_MAX} bytes, which is all that is looked at"
        ));
    } else if !whole {
        present::note(
            "not everything could be looked at: the text holds more than may be looked through, or a rule could not be used",
        );
    }
}

/// Prints the text without what was found.
fn redact(scanner: &Scanner, input: impl Read, name: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut out = Out::new();
    let (mut done, mut found, mut whole) = (0_u64, false, true);
    let passed = pieces::each(input, |piece| {
        let seen = scanner.look(&piece.text, name)?;
        whole &= seen.whole;
        let findings: Vec<Finding> = owned(seen.findings, piece).collect();
        found |= !findings.is_empty();
        write_without(&mut out, piece, findings, &mut done)
    })?;
    out.flush()?;
    let whole = whole && !passed.more;
    notes(&passed, whole);
    Ok(ending(found, whole))
}

/// Writes what a piece owns. Findings that overlap go together, under the
/// label of the surest, so that no part of any is left. `done` is how far the
/// input is written or left out already: a match may reach into the next piece.
fn write_without(
    out: &mut Out,
    piece: &Piece<'_>,
    findings: Vec<Finding>,
    done: &mut u64,
) -> anyhow::Result<()> {
    let place = |at: usize| piece.base + at as u64;
    for (span, label) in clusters(findings) {
        let (start, end) = (place(span.start), place(span.end));
        if start >= *done {
            out.write(between(piece, *done, start))?;
            out.write(label.as_bytes())?;
        }
        *done = end.max(*done);
    }
    let end = place(piece.own.end);
    if *done < end {
        out.write(between(piece, *done, end))?;
        *done = end;
    }
    Ok(())
}

/// The bytes of the input between two places of this piece.
fn between<'a>(piece: &'a Piece<'_>, from: u64, to: u64) -> &'a [u8] {
    let within = |at: u64| usize::try_from(at.saturating_sub(piece.base)).unwrap_or(usize::MAX);
    piece
        .bytes
        .get(within(from)..within(to))
        .unwrap_or_default()
}

/// Spans that overlap put together, each with the label of its surest finding.
fn clusters(mut findings: Vec<Finding>) -> Vec<(std::ops::Range<usize>, String)> {
    findings.sort_by_key(|finding| (finding.span.start, finding.span.end));
    let mut all: Vec<(std::ops::Range<usize>, Finding)> = Vec::new();
    for finding in findings {
        match all.last_mut() {
            Some((span, surest)) if finding.span.start < span.end => {
                span.end = span.end.max(finding.span.end);
                if finding.score > surest.score {
                    *surest = finding;
                }
            }
            _ => all.push((finding.span.clone(), finding)),
        }
    }
    let label = |finding: &Finding| format!("[{}]", finding.kind.as_str().to_uppercase());
    all.into_iter()
        .map(|(span, surest)| (span, label(&surest)))
        .collect()
}

#[cfg(test)]
mod tests {
    use terms::{Control, DetectorId, Kind, View};

    use super::*;

    #[test]
    fn findings_that_overlap_go_together() {
        let finding = |kind: &str, span: std::ops::Range<usize>, score| Finding {
            detector: DetectorId::new(kind),
            kind: Kind::new(kind),
            control: Control::Redaction,
            span,
            score,
            view: View::Plain,
        };
        let all = clusters(vec![
            finding("card", 20..25, 95),
            finding("key", 4..12, 90),
            finding("config", 0..9, 80),
            finding("email", 12..14, 90),
        ]);
        let expected = [(0..12, "[KEY]"), (12..14, "[EMAIL]"), (20..25, "[CARD]")];
        let expected: Vec<_> = expected
            .map(|(span, label)| (span, label.to_owned()))
            .into();
        assert_eq!(all, expected);
    }
}
