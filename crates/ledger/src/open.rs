//! Opening a log: one process at a time, everything checked that was written
//! last, and what a crash left is told.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use terms::{
    Act, Clock, Closed, Code, Event, ExchangeId, Inspected, Leaf, Outcome, RECORD_VERSION,
    RestoreCounts, Timings, UncleanStart, VendorSeen,
};
use thiserror::Error;
use tokio::sync::watch;

use crate::{
    files::{Append, Files, says},
    head::{self, Against, Head, HeadFault, Misfit},
    merkle::Tree,
    note::{Checkpoint, VerifierKey},
    prune::{self, Index, PruneFault},
    publish::{
        Anchor, CheckpointFault, FOLDER, Leaves, PublishFault, Publishing, checkpoint_of,
        shows_checkpoint, witnessed_of,
    },
    reader::{ReadFault, Reader},
    segment,
    writer::{AppendError, Ledger, Start},
};

/// Name of the file that is there while a gate runs.
pub(crate) const MARKER: &str = "running";

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub folder: PathBuf,
    /// From this size on, a new segment is begun.
    pub segment_bytes: u64,
    /// LIMIT: entries that wait to be written.
    pub queue_entries_max: usize,
    /// Below this much free space nothing is admitted.
    pub free_bytes_min: u64,
    /// How long the head may lag behind the log.
    pub head_time: Duration,
    /// How tiles and checkpoints are made; none are without.
    pub publishing: Option<Publishing>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("ledger"),
            segment_bytes: 16 << 20,
            queue_entries_max: 8_192,
            free_bytes_min: 256 << 20,
            head_time: Duration::from_secs(1),
            publishing: None,
        }
    }
}

/// Why a log was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another merestone process is using {0}; only one may")]
    Locked(String),
    /// The log is not sound.
    #[error(
        "the ledger is not sound: {0}. Nothing was changed; `merestone ledger verify` tells more"
    )]
    Unsound(#[from] ReadFault),
    /// The log is not the one that its head tells of.
    #[error(
        "the ledger does not fit its head: {0}. Nothing was changed. Put the newest copy of the whole ledger folder back; if there is none, keep this folder as it is for an inquiry, and move it away so that a new ledger begins"
    )]
    Rollback(#[from] HeadFault),
    /// The log is not the one over which its checkpoint was signed.
    #[error(
        "the ledger does not fit its checkpoint: {0}. Nothing was changed. Put the newest copy of the whole ledger folder back; if there is none, keep this folder as it is for an inquiry, and move it away so that a new ledger begins"
    )]
    Checkpoint(#[from] CheckpointFault),
    /// Entries are missing at the beginning.
    #[error("the ledger is not sound: {0}. Nothing was changed")]
    Pruned(#[from] PruneFault),
    /// A file cannot be used.
    #[error("the ledger's folder cannot be used: {}", says(*.0))]
    Io(io::ErrorKind),
}

impl From<Misfit> for OpenError {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Read(fault) => Self::Unsound(fault),
            Misfit::Head(fault) => Self::Rollback(fault),
            Misfit::Checkpoint(fault) => Self::Checkpoint(fault),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<PublishFault> for OpenError {
    fn from(fault: PublishFault) -> Self {
        match fault {
            PublishFault::Io(kind) => Self::Io(kind),
            PublishFault::Read(fault) => Self::Unsound(fault),
            PublishFault::Checkpoint(fault) => Self::Checkpoint(fault),
        }
    }
}

/// An exchange that was admitted and did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenExchange {
    /// Its name.
    pub id: ExchangeId,
    /// When it arrived.
    pub at_ms: u64,
}

/// A log that can be written to, and what was found in it.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub ledger: Ledger,
    /// Exchanges that did not end.
    pub open_exchanges: Vec<OpenExchange>,
    /// Whether a gate had this log and did not stop cleanly.
    pub unclean: bool,
    /// Time of the last entry.
    pub last_at_ms: u64,
    /// Bytes of a torn end that were cut off.
    pub tail_cut_bytes: u64,
    /// Entries.
    pub entries: u64,
}

impl Ledger {
    /// Opens or begins the log in a folder, which must be there.
    ///
    /// # Errors
    /// When another process has it, or it is not sound. Then nothing was
    /// changed.
    pub fn open(
        files: Arc<dyn Files>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, OpenError> {
        let folder = settings.folder.clone();
        let lock = files
            .lock(&folder)?
            .ok_or_else(|| OpenError::Locked(folder.display().to_string()))?;
        let names: Vec<String> = files.list(&folder)?;
        let unclean = names.iter().any(|name| name == MARKER);
        let known = head::of(&*files, &folder)?;
        let key = settings.publishing.as_ref().map(Publishing::verifier);
        let beside = Beside::read(&*files, &folder, key)?;
        // What was written last may be in the system's memory only; it counts
        // from now on, so it is brought to the disk first.
        if let Some(last) = names.iter().rfind(|name| segment::first_of(name).is_some()) {
            files.open(&folder.join(last))?.sync()?;
        }
        files.sync_folder(&folder)?;
        let found = survey(&files, &folder, known, beside)?;
        // Up to here nothing was changed.
        let (segment, tail_cut_bytes) = mend(&*files, &folder, &found)?;
        let head = if let Some(head) = known {
            head
        } else {
            let first = Head::first();
            first.write(&*files, &folder)?;
            first
        };
        let (durable, acknowledged) = watch::channel(found.entries);
        let leaves = settings.publishing.is_some().then(Arc::<Leaves>::default);
        let published = settings
            .publishing
            .clone()
            .zip(leaves.clone())
            .map(|(how, leaves)| {
                how.start(Arc::clone(&files), &folder, clock, acknowledged, leaves)
            })
            .transpose()?;
        let start = Start {
            files,
            settings,
            published,
            leaves,
            durable,
            lock,
            segment,
            next: found.entries,
            bytes: found.sound as u64,
            tree: found.tree,
            head,
        };
        Ok(Opened {
            ledger: Self::start(start),
            open_exchanges: found
                .open
                .into_iter()
                .map(|(id, at_ms)| OpenExchange { id, at_ms })
                .collect(),
            unclean,
            last_at_ms: found.last_at_ms,
            tail_cut_bytes,
            entries: found.entries,
        })
    }
}

impl Opened {
    /// Writes what [`recovery_leaves`] answers. After that the log itself
    /// tells of the crash, and [`Ledger::close`] takes the mark of it away: so
    /// a command that opens the log while no gate runs neither hides a crash
    /// nor has it told twice. Answers how many entries were written.
    ///
    /// # Errors
    /// When one was not written; the mark then stays.
    pub async fn recover(&self, clock: &dyn Clock) -> Result<usize, AppendError> {
        let leaves = recovery_leaves(self, clock);
        let count = leaves.len();
        for leaf in leaves {
            self.ledger.append(leaf).await?;
        }
        self.ledger.crash_is_told();
        Ok(count)
    }
}

/// What is published of the log, and binds it.
struct Beside {
    index: Index,
    signed: Option<Checkpoint>,
    witnessed: Option<Checkpoint>,
}

impl Beside {
    fn read(
        files: &dyn Files,
        folder: &Path,
        key: Option<&VerifierKey>,
    ) -> Result<Self, OpenError> {
        let tlog = folder.join(FOLDER);
        let index = Index::read(files, &tlog).map_err(PruneFault::from)?;
        let signed = checkpoint_of(files, folder, key)?;
        index.within(signed.as_ref()).map_err(PruneFault::from)?;
        // One that is damaged binds nothing, and the next takes its place;
        // verification tells of it.
        let witnessed = match witnessed_of(files, &tlog, key) {
            Err(CheckpointFault::WitnessedNote(_)) => None,
            read => read?.map(|(checkpoint, _)| checkpoint),
        };
        match (&witnessed, &signed) {
            (Some(_), None) => return Err(CheckpointFault::Missing.into()),
            (Some(witnessed), Some(signed)) => witnessed.is_behind(signed)?,
            (None, _) => {}
        }
        Ok(Self {
            index,
            signed,
            witnessed,
        })
    }
}

/// What stands in the log.
struct Survey {
    entries: u64,
    tree: Tree,
    open: BTreeMap<ExchangeId, u64>,
    last_at_ms: u64,
    newest: Option<String>,
    sound: usize,
    whole: usize,
}

fn survey(
    files: &Arc<dyn Files>,
    folder: &Path,
    known: Option<Head>,
    beside: Beside,
) -> Result<Survey, OpenError> {
    let Beside {
        index,
        signed,
        witnessed,
    } = beside;
    let mut reader = Reader::new(Arc::clone(files), folder);
    let first = reader.first()?;
    let tree = prune::tree_before(files, folder, signed.as_ref(), first)?;
    let published = signed.is_some();
    let mut against = Against::new(known, signed, first, tree);
    let mut cosigned = Anchor::new(witnessed);
    let mut told = 0;
    let mut had_checkpoint = false;
    let mut open = BTreeMap::new();
    let mut last_at_ms = 0;
    while let Some(entry) = reader.read_next()? {
        last_at_ms = entry.leaf.at_ms();
        against.push(&entry.payload);
        cosigned.look(against.entries(), against.tree());
        told = told.max(prune::told(&entry.leaf));
        had_checkpoint |= shows_checkpoint(&entry.leaf);
        match &entry.leaf {
            Leaf::Admitted(leaf) => {
                open.insert(leaf.exchange, leaf.at_ms);
            }
            Leaf::Closed(leaf) => {
                open.remove(&leaf.exchange);
            }
            Leaf::Refused(_)
            | Leaf::RefusedSummary(_)
            | Leaf::Event(_)
            | Leaf::UncleanStart(_)
            | Leaf::HeadCount(_) => {}
        }
    }
    against.judge(reader.rest(), known)?;
    cosigned.differs()?;
    if had_checkpoint && !published {
        return Err(CheckpointFault::Missing.into());
    }
    prune::is_told(first, told)?;
    index.is_told(told).map_err(PruneFault::from)?;
    let entries = reader.position();
    let (newest, sound, whole) = match reader.end() {
        Some((name, sound, whole)) => (Some(name.to_owned()), sound, whole),
        None => (None, 0, 0),
    };
    Ok(Survey {
        entries,
        tree: against.tree().clone(),
        open,
        last_at_ms,
        newest,
        sound,
        whole,
    })
}

/// Cuts a torn end off, and removes the next segment if not even its header
/// is whole.
fn mend(
    files: &dyn Files,
    folder: &Path,
    found: &Survey,
) -> Result<(Option<Box<dyn Append>>, u64), OpenError> {
    let mut cut = 0_u64;
    let next = segment::name(found.entries);
    // INVARIANT: no other file is ever removed, and this one only if it holds
    // no entry: it begins where the log ends, and ends inside its header.
    let removable = found.newest.as_ref() != Some(&next)
        && (found.newest.is_some() || found.entries == 0)
        && files.list(folder)?.contains(&next);
    if removable {
        let path = folder.join(&next);
        let bytes = files.read(&path)?.len();
        if bytes < segment::HEADER_BYTES {
            cut = cut.saturating_add(bytes as u64);
            files.remove(&path)?;
            files.sync_folder(folder)?;
        }
    }
    let Some(name) = &found.newest else {
        return Ok((None, cut));
    };
    let mut file = files.open(&folder.join(name))?;
    if found.whole > found.sound {
        cut = cut.saturating_add((found.whole - found.sound) as u64);
        file.cut(found.sound as u64)?;
        file.sync()?;
    }
    Ok((Some(file), cut))
}

/// The entries that a gate writes first after a stop that was not clean: what
/// is not known is stated, and every open exchange is closed with its cause.
#[must_use]
pub fn recovery_leaves(opened: &Opened, clock: &dyn Clock) -> Vec<Leaf> {
    let at_ms = clock.now_ms();
    let mut leaves = Vec::new();
    if opened.tail_cut_bytes > 0 {
        let facts = BTreeMap::from([("bytes".to_owned(), opened.tail_cut_bytes.to_string())]);
        let event = Event {
            v: RECORD_VERSION,
            at_ms,
            act: Act::TailCut,
            by: "node".to_owned(),
            subject: "ledger".to_owned(),
            facts,
        };
        leaves.push(Leaf::Event(event));
    }
    if opened.unclean {
        let open = u32::try_from(opened.open_exchanges.len()).unwrap_or(u32::MAX);
        leaves.push(Leaf::UncleanStart(UncleanStart {
            v: RECORD_VERSION,
            at_ms,
            from_ms: opened.last_at_ms,
            open,
        }));
    }
    leaves.extend(
        opened
            .open_exchanges
            .iter()
            .map(|exchange| Leaf::Closed(Box::new(stopped(exchange, at_ms)))),
    );
    leaves
}

fn stopped(exchange: &OpenExchange, at_ms: u64) -> Closed {
    Closed {
        v: RECORD_VERSION,
        exchange: exchange.id,
        at_ms,
        outcome: Outcome::NodeStopped,
        code: Some(Code::ShuttingDown),
        place: None,
        vendor: VendorSeen::default(),
        usage: None,
        reply_bytes: 0,
        body: None,
        edited: false,
        logprobs_removed: false,
        signature_removed: false,
        controls: Vec::new(),
        inspected: Inspected::default(),
        findings: Vec::new(),
        findings_more: 0,
        restored: RestoreCounts::default(),
        captured: None,
        timings: Timings {
            first_byte_us: None,
            total_us: at_ms.saturating_sub(exchange.at_ms).saturating_mul(1_000),
        },
        rooms: Vec::new(),
    }
}
