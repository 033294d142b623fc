//! `merestone detect bench`: how good and how fast the detectors are on data
//! whose answers are known, and what they say of clean text.

mod data;
mod report;
mod score;
mod usage;

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    data::{Lines, Record},
    score::{Score, Types},
    usage::cpu,
};
use super::{DEGRADED, scanner::Scanner, text};
use crate::cli::detect::BenchArgs;

/// LIMIT: texts that are measured.
const TEXTS_MAX: usize = 4_000_000;
/// LIMIT: files of clean text.
const FILES_MAX: usize = 200_000;

/// Everything that was measured.
#[derive(Debug, Default)]
struct Measured {
    build: Duration,
    /// Texts of the data.
    score: Score,
    bytes: u64,
    /// CPU time spent on looking at the data.
    cpu: Duration,
    /// Time that each text took, in microseconds, sorted.
    latencies_us: Vec<u32>,
    clean: Clean,
    /// Texts of which not everything could be looked at.
    degraded: u64,
    resident_bytes: Option<u64>,
}

/// What was found in clean text.
#[derive(Debug, Default)]
struct Clean {
    files: u64,
    bytes: u64,
    cpu: Duration,
    by_detector: BTreeMap<String, u64>,
}

pub(super) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let types = types(args.types.as_deref())?;
    let clean = clean_files(&args.clean)?;
    let begun = Instant::now();
    let scanner = Scanner::new(&args.looking)?;
    let mut measured = Measured {
        build: begun.elapsed(),
        ..Measured::default()
    };
    let bar = bar(args.data.iter().chain(&clean))?;
    for path in &args.data {
        data_of(path, args.characters, &scanner, &types, &bar, &mut measured)?;
    }
    for path in &clean {
        clean_of(path, &scanner, &bar, &mut measured)?;
    }
    bar.finish_and_clear();
    measured.latencies_us.sort_unstable();
    measured.resident_bytes = usage::resident_bytes();
    if args.json {
        report::json(&measured, &types)?;
    } else {
        report::tables(&measured, &types)?;
    }
    let whole = measured.degraded == 0;
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DEGRADED)
    })
}

/// Which kinds answer to which types of the data.
fn types(file: Option<&Path>) -> anyhow::Result<Types> {
    let Some(path) = file else {
        return Types::from_toml(score::TYPES).context("the built-in table of types");
    };
    let named = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(named)?;
    Types::from_toml(&text).with_context(named)
}

fn bar<'a>(files: impl Iterator<Item = &'a PathBuf>) -> anyhow::Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let bytes = files
        .filter_map(|path| Some(path.metadata().ok()?.len()))
        .sum();
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {elapsed} {msg}")?;
    bar.set_style(style);
    Ok(bar)
}

fn data_of(
    path: &Path,
    characters: bool,
    scanner: &Scanner,
    types: &Types,
    bar: &ProgressBar,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let mut lines = Lines::open(path)?;
    let mut passed = 0;
    while lines.advance()? {
        let named = || format!("{}, line {}", path.display(), lines.number());
        anyhow::ensure!(
            measured.latencies_us.len() < TEXTS_MAX,
            "more than {TEXTS_MAX} texts"
        );
        let record = Record::read(lines.line(), characters).with_context(named)?;
        let (cpu_before, begun) = (cpu(), Instant::now());
        let seen = scanner.look(&record.text, None)?;
        let findings = detect::resolve(seen.findings);
        let micros = begun.elapsed().as_micros();
        measured.cpu += cpu().saturating_sub(cpu_before);
        measured
            .latencies_us
            .push(u32::try_from(micros).unwrap_or(u32::MAX));
        measured.bytes += record.text.len() as u64;
        measured.degraded += u64::from(!seen.whole);
        measured.score.add(&record, &findings, types);
        bar.inc(lines.passed() - passed);
        passed = lines.passed();
    }
    Ok(())
}

fn clean_of(
    path: &Path,
    scanner: &Scanner,
    bar: &ProgressBar,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let (input, name) = text::open(Some(path))?;
    let before = cpu();
    let all = text::look(scanner, input, name.as_deref(), text::Telling::default())?;
    let clean = &mut measured.clean;
    clean.cpu += cpu().saturating_sub(before);
    clean.files += 1;
    clean.bytes += all.passed.bytes;
    measured.degraded += u64::from(!all.whole);
    for located in &all.findings {
        let name = located.finding.detector.to_string();
        *clean.by_detector.entry(name).or_default() += 1;
    }
    bar.inc(all.passed.bytes);
    Ok(())
}

/// The files that are named, and those in folders that are, in their order.
/// Links are not followed.
fn clean_files(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut open: Vec<PathBuf> = named.to_vec();
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        let kind = path
            .symlink_metadata()
            .with_context(|| path.display().to_string())?;
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() {
            for entry in path
                .read_dir()
                .with_context(|| path.display().to_string())?
            {
                open.push(entry?.path());
            }
        }
        anyhow::ensure!(
            files.len() <= FILES_MAX && open.len() <= FILES_MAX,
            "more than {FILES_MAX} files"
        );
    }
    files.sort();
    Ok(files)
}
