//! The built-in detectors and imported rules, as one.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path, time::Duration};

use anyhow::Context;
use detect::{
    Catalogue, Detector, Engine, Explained, Outcome, Profile, Why,
    import::{self, Effect, ImportedFinding, Reading, Rules, Unsupported},
};
use gate::{NamesAt, NamesService, VendorClient};
use terms::{Control, DetectorId, Direction, Finding, Kind, View};

use crate::{
    cli::detect::{DirectionArg, Imported, Looking, ProfileArg},
    config, present,
};

/// LIMIT: remarks about a rule file that are printed.
const REMARKS_MAX: usize = 20;
/// LIMIT: for a service for names to answer about one piece of a text.
const NAMES_TIME: Duration = Duration::from_secs(60);
/// LIMIT: for a connection to it.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// A service for names, and what it takes to ask it.
struct Names {
    service: NamesService,
    client: VendorClient,
    runtime: tokio::runtime::Runtime,
}

impl Names {
    fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            service: NamesService::new(NamesAt {
                url: config::names_url(url)?,
                time_max: NAMES_TIME,
                concurrent_max: 1,
                score_min: 1,
                replies: true,
            }),
            client: VendorClient::new(Vec::new(), CONNECT_TIME)?,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
        })
    }

    fn look(&self, text: &str) -> anyhow::Result<Vec<Finding>> {
        let texts = [text];
        let found = self
            .runtime
            .block_on(self.service.ask(&self.client, &texts))?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// What looks at texts.
pub(super) struct Scanner {
    engine: Option<Engine>,
    rules: Vec<Rules>,
    names: Option<Names>,
    /// Detectors that do not look, for who wants to know what they would find.
    left_out: Option<Engine>,
    /// What is to be told of detectors besides, if anything is.
    about: BTreeMap<DetectorId, About>,
    direction: Direction,
    key: Kind,
}

/// What is told of a detector besides its name.
struct About {
    check: Option<String>,
    score: u8,
    control: Control,
}

impl About {
    fn of(detector: &Detector) -> Self {
        Self {
            check: detector.check(),
            score: detector.score,
            control: detector.control,
        }
    }
}

/// A match that is no finding, and why.
pub(super) struct Refused {
    pub(super) finding: Finding,
    pub(super) why: String,
}

/// What was seen in one text.
pub(super) struct Seen {
    /// Findings, which may overlap.
    pub(super) findings: Vec<Finding>,
    pub(super) refused: Vec<Refused>,
    /// Whether more was refused than is told.
    pub(super) more: bool,
    /// Whether everything was looked at.
    pub(super) whole: bool,
}

impl Scanner {
    pub(super) fn new(looking: &Looking) -> anyhow::Result<Self> {
        let direction = match looking.direction {
            DirectionArg::Request => Direction::Request,
            DirectionArg::Reply => Direction::Reply,
        };
        let profile = profile(looking);
        let engine = (!looking.imported.only_rules)
            .then(|| anyhow::Ok(Engine::with_profile(Catalogue::embedded()?, profile)?))
            .transpose()?;
        Ok(Self {
            engine,
            left_out: None,
            about: BTreeMap::new(),
            rules: imported(&looking.imported)?,
            names: looking.names.as_deref().map(Names::new).transpose()?,
            direction,
            key: Kind::new("key"),
        })
    }

    /// Likewise, to tell also what is let go, and why.
    pub(super) fn explaining(looking: &Looking) -> anyhow::Result<Self> {
        let mut scanner = Self::new(looking)?;
        if scanner.engine.is_some() {
            let catalogue = Catalogue::embedded()?;
            let profile = profile(looking);
            scanner.left_out = Some(Engine::left_out(&catalogue, profile)?);
            let all = catalogue.detectors().iter();
            scanner.about = all
                .map(|detector| (detector.id.clone(), About::of(detector)))
                .collect();
        }
        Ok(scanner)
    }

    /// What the built-in detectors see in a text.
    fn engine(&self, engine: &Engine, text: &str, seen: &mut Seen) {
        let scan = match &self.left_out {
            None => engine.scan(text, self.direction),
            left_out => {
                let explained = engine.explain(text, self.direction, left_out.as_ref());
                seen.more |= explained.more;
                let refused = explained.refused.into_iter();
                seen.refused.extend(refused.map(|each| self.refused(each)));
                explained.scan
            }
        };
        seen.findings = scan.findings;
        seen.whole = !scan.work_exceeded;
    }

    fn refused(&self, refused: detect::Refused) -> Refused {
        let about = self.about.get(&refused.detector);
        let check = about.and_then(|about| about.check.as_deref());
        let why = match (refused.why, check) {
            (Why::Validator | Why::Placeholder, Some(check)) => {
                format!("{} (`{check}`)", refused.why)
            }
            (why, _) => why.to_string(),
        };
        Refused {
            finding: Finding {
                detector: refused.detector,
                kind: refused.kind,
                control: about.map_or(Control::Redaction, |about| about.control),
                span: refused.span,
                score: about.map_or(0, |about| about.score),
                view: View::Plain,
            },
            why,
        }
    }

    /// Looks at a text; the name of its file counts for rules that are for
    /// some files. It fails where a service for names was to look and did not.
    pub(super) fn look(&self, text: &str, path: Option<&str>) -> anyhow::Result<Seen> {
        let mut seen = Seen {
            findings: Vec::new(),
            refused: Vec::new(),
            more: false,
            whole: true,
        };
        if let Some(engine) = &self.engine {
            self.engine(engine, text, &mut seen);
        }
        for rules in &self.rules {
            let found = rules.look(text, path);
            seen.whole &= found.is_whole();
            let all = found.findings.into_iter().map(|finding| self.own(finding));
            seen.findings.extend(all);
            seen.refused
                .extend(found.suppressed.into_iter().map(|each| Refused {
                    finding: self.own(each.finding),
                    why: each.reason.to_string(),
                }));
        }
        if let Some(names) = &self.names {
            seen.findings.extend(names.look(text)?);
        }
        Ok(seen)
    }

    /// An imported rule's finding as one of ours.
    fn own(&self, finding: ImportedFinding) -> Finding {
        Finding {
            detector: DetectorId::new(&finding.rule),
            kind: self.key.clone(),
            control: Control::Redaction,
            span: finding.span,
            score: finding.score,
            view: View::Plain,
        }
    }
}

const fn profile(looking: &Looking) -> Profile {
    match looking.profile {
        ProfileArg::Prompt => Profile::Prompt,
        ProfileArg::Code => Profile::Code,
    }
}

/// Why a finding that overlaps another is not told.
pub(super) fn overlap(explained: &Explained) -> Option<String> {
    match &explained.outcome {
        Outcome::Overlapped { by, score, .. } => Some(format!(
            "overlaps {} ({score})",
            present::plain(by.as_str())
        )),
        _ => None,
    }
}

/// Reads rule files, and says on standard error what of them is not supported.
pub(super) fn imported(files: &Imported) -> anyhow::Result<Vec<Rules>> {
    let mut all = Vec::new();
    for file in &files.rules {
        let (rules, unsupported) = read_rules(file, files.wider)?;
        remark(file, &rules, &unsupported);
        all.push(rules);
    }
    Ok(all)
}

/// Reads one rule file.
pub(super) fn read_rules(file: &Path, wider: bool) -> anyhow::Result<(Rules, Vec<Unsupported>)> {
    let reading = if wider {
        Reading::Wider
    } else {
        Reading::Exact
    };
    let named = || format!("{}", file.display());
    let mut text = String::new();
    let more = import::FILE_BYTES_MAX as u64 + 1;
    File::open(file)
        .and_then(|file| file.take(more).read_to_string(&mut text))
        .with_context(named)?;
    Rules::read(&text, reading).with_context(named)
}

fn remark(file: &Path, rules: &Rules, unsupported: &[Unsupported]) {
    if unsupported.is_empty() {
        return;
    }
    let left_out = unsupported
        .iter()
        .filter(|each| each.effect == Effect::LeftOut);
    let mut names: Vec<&str> = left_out.filter_map(|each| each.rule.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    present::note(&format!(
        "{}: {} rules are used, {} left out; `merestone detect check --rules` tells all of it:",
        file.display(),
        rules.len(),
        names.len()
    ));
    // What is only done after finding changes no finding.
    let weighty = |each: &&Unsupported| each.effect == Effect::LeftOut || each.rule.is_none();
    for each in unsupported.iter().filter(weighty).take(REMARKS_MAX) {
        present::note(&format!("  {}", present::plain(&each.to_string())));
    }
    let more = unsupported
        .iter()
        .filter(weighty)
        .count()
        .saturating_sub(REMARKS_MAX);
    if more > 0 {
        present::note(&format!("  and {more} more"));
    }
}
