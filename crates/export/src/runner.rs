//! Carries one sink's events from the log to the sink, and moves its cursor.
//!
//! INVARIANT: the cursor passes an entry only when each of its events was
//! confirmed or set aside on the disk. What is sent again has the same names.

mod replay;
mod stop;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use terms::Entropy;
use thiserror::Error;

pub use replay::replay;
pub use stop::Stop;

use crate::{
    Begin, Cursor, CursorFault, Event, Fate, Fault, FeedFault, Log, Progress, Reading, SetAside,
    SetAsideFault, Sink,
    event::{CONTEXT_ENTRIES_MAX, Context, events},
    pause::Pause,
    set_aside,
};

/// How often the log is looked at when all is done.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// LIMIT: bytes of entries that are read at once.
const READ_BYTES_MAX: usize = 4 << 20;
/// LIMIT: entries that are read at once for what comes before the cursor.
const CONTEXT_READ_MAX: usize = 256;

/// LIMIT: events that may be set aside with none confirmed in between. Beyond it
/// the sink itself is at fault, not the events.
const REFUSED_IN_A_ROW_MAX: u64 = 1_024;

/// What of a sink is configured, the sink itself aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// LIMIT: entries that go out at once.
    pub batch_entries_max: usize,
    /// LIMIT: bytes of those entries as they stand in the log.
    pub batch_bytes_max: usize,
    /// LIMIT: bytes of the file of events that were set aside.
    pub set_aside_bytes_max: u64,
    /// Where a sink that is new begins.
    pub begin: Begin,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_entries_max: 256,
            batch_bytes_max: 1 << 20,
            set_aside_bytes_max: set_aside::FILE_BYTES_MAX,
            begin: Begin::Oldest,
        }
    }
}

/// Why an export stands still.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RunnerFault {
    /// The cursor cannot be used.
    #[error("{0}")]
    Cursor(#[from] CursorFault),
    /// The log cannot be read.
    #[error("{0}")]
    Feed(#[from] FeedFault),
    /// An event could not be set aside.
    #[error("{0}")]
    SetAside(#[from] SetAsideFault),
    /// The sink did not take it.
    #[error("{0}")]
    Sink(String),
    /// The sink did not take it, and says for how long it is to be left alone.
    #[error("{0}")]
    Busy(String, Duration),
}

impl RunnerFault {
    /// Whether trying again cannot help: somebody has to look first.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Cursor(fault) => !matches!(fault, CursorFault::Io(_) | CursorFault::Feed(_)),
            Self::Feed(_) | Self::SetAside(_) | Self::Sink(_) | Self::Busy(..) => false,
        }
    }
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Everything is done.
    Idle,
    /// Something was confirmed or set aside.
    Moved,
    /// The sink wants some of it again.
    Partly,
}

/// One export.
#[derive(Debug)]
pub struct Runner {
    name: String,
    folder: PathBuf,
    log: Box<dyn Log>,
    sink: Box<dyn Sink>,
    limits: Limits,
    progress: Arc<Progress>,
    set_aside: SetAside,
    cursor: Option<Cursor>,
    context: Context,
    /// The entry that the context was filled up to.
    read_until: u64,
    /// Events that were read and are not done, in order.
    pending: VecDeque<Event>,
    /// How many of them go out at once.
    width: usize,
    /// Events that were set aside since one was confirmed.
    refused_in_a_row: u64,
    /// When the newest entry that was read was made.
    read_ms: Option<u64>,
    /// Whether the cursor is further than its file says.
    unwritten: bool,
    /// How far it was when the cursor was taken up.
    opened: Option<Reading>,
}

impl Runner {
    /// An export whose cursor stands in this folder.
    #[must_use]
    pub fn new(
        name: &str,
        folder: &Path,
        log: Box<dyn Log>,
        sink: Box<dyn Sink>,
        limits: Limits,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            set_aside: SetAside::new(folder, name, limits.set_aside_bytes_max),
            log,
            sink,
            limits,
            progress,
            cursor: None,
            context: Context::default(),
            read_until: 0,
            pending: VecDeque::new(),
            width: usize::MAX,
            refused_in_a_row: 0,
            read_ms: None,
            unwritten: false,
            opened: None,
        }
    }

    /// Runs until it is stopped. What stands in the way is told once each time
    /// that it changes.
    pub fn run(mut self, stop: &Stop, entropy: &dyn Entropy, tell: &Tell<'_>) {
        let mut pause = Pause::default();
        let mut wait = Duration::ZERO;
        let mut told: Option<String> = None;
        // What was counted before this start was told then.
        let mut counted: Option<Reading> = None;
        while !stop.wait(wait) {
            let stepped = self.step();
            let failing = stepped.as_ref().err().map(ToString::to_string);
            self.note(failing.as_deref());
            if failing != told {
                tell(
                    &self.name,
                    failing.as_deref().map_or(Told::Well, Told::Failing),
                );
                told = failing;
            }
            let now = self.progress.read();
            let before = counted.as_ref().or(self.opened.as_ref());
            if let Some(before) = before {
                self.tell_counts(before, &now, tell);
                counted = Some(now);
            }
            wait = match stepped {
                Ok(Step::Idle) => LOOK_EVERY,
                Ok(Step::Moved) => {
                    pause.reset();
                    Duration::ZERO
                }
                Ok(Step::Partly) => pause.next(entropy),
                Err(fault) if fault.is_final() => {
                    self.progress.set(|reading| reading.stopped = true);
                    return;
                }
                Err(RunnerFault::Busy(_, least)) => pause.next(entropy).max(least),
                Err(_) => pause.next(entropy),
            };
        }
    }

    fn tell_counts(&self, before: &Reading, now: &Reading, tell: &Tell<'_>) {
        if now.set_aside > before.set_aside {
            tell(&self.name, Told::SetAside(now.set_aside - before.set_aside));
        }
        if now.pruned > before.pruned {
            tell(&self.name, Told::Pruned(now.pruned - before.pruned));
        }
    }

    fn note(&self, failing: Option<&str>) {
        self.progress.set(|reading| {
            if failing.is_some() {
                reading.failures = reading.failures.saturating_add(1);
            }
            reading.failing = failing.map(str::to_owned);
        });
    }

    /// Sends what can go out at once.
    ///
    /// # Errors
    /// When something stands in the way; nothing is lost, and it can be tried
    /// again.
    pub fn step(&mut self) -> Result<Step, RunnerFault> {
        self.open()?;
        if self.unwritten {
            self.advance(0, 0)?;
        }
        if self.pending.is_empty() && !self.read()? {
            return Ok(Step::Idle);
        }
        let size = self.log.size()?;
        self.progress.set(|reading| reading.size = size);
        let count = self.width.min(self.pending.len()).max(1);
        let batch = self.pending.make_contiguous();
        let batch = batch.get(..count).unwrap_or(batch);
        match self.sink.deliver(batch) {
            Ok(fates) => {
                self.width = self.width.saturating_mul(2);
                self.settle(fates)
            }
            Err(Fault::Down(why)) => Err(RunnerFault::Sink(why)),
            Err(Fault::Busy(why, least)) => Err(RunnerFault::Busy(why, least)),
            Err(Fault::Unfit(why)) if count == 1 => self.settle(vec![Fate::Refused(why)]),
            Err(Fault::Unfit(_)) => {
                self.width = count / 2;
                Ok(Step::Moved)
            }
        }
    }

    /// Takes the cursor up, once.
    fn open(&mut self) -> Result<(), RunnerFault> {
        if self.cursor.is_some() {
            return Ok(());
        }
        let cursor = match Cursor::read(&self.folder, &self.name)? {
            Some(cursor) => {
                cursor.check(&mut *self.log)?;
                cursor
            }
            None => {
                let cursor = Cursor::begin(&mut *self.log, self.limits.begin)?;
                cursor.write(&self.folder, &self.name)?;
                cursor
            }
        };
        self.recall(cursor.next)?;
        self.show(&cursor)?;
        self.opened = Some(self.progress.read());
        self.cursor = Some(cursor);
        Ok(())
    }

    /// Reads what stands before an entry, for the halves of exchanges.
    fn recall(&mut self, until: u64) -> Result<(), FeedFault> {
        self.context = Context::default();
        let oldest = until.saturating_sub(CONTEXT_ENTRIES_MAX);
        let mut next = oldest.max(self.log.first()).min(until);
        while next < until {
            let items = self
                .log
                .read(next, until, CONTEXT_READ_MAX, READ_BYTES_MAX)?;
            let Some(last) = items.last() else { break };
            next = last.sequence + 1;
            for item in &items {
                self.context.take(item.sequence, &item.leaf);
            }
        }
        self.read_until = until;
        Ok(())
    }

    /// Reads the next entries; `false` if there are none.
    fn read(&mut self) -> Result<bool, RunnerFault> {
        self.pass_pruned()?;
        let size = self.log.size()?;
        self.progress.set(|reading| reading.size = size);
        if self.read_until >= size {
            return Ok(false);
        }
        let items = self.log.read(
            self.read_until,
            size,
            self.limits.batch_entries_max,
            self.limits.batch_bytes_max,
        )?;
        let name = Arc::clone(self.log.name());
        for item in items {
            let half = self.context.take(item.sequence, &item.leaf);
            let made = events(&name, item.sequence, &item.leaf, half.as_ref());
            self.pending.extend(made);
            self.read_until = item.sequence + 1;
            self.read_ms = Some(item.leaf.at_ms());
        }
        let oldest = self.pending.front().map(|event| event.at_ms);
        self.progress.set(|reading| reading.oldest_ms = oldest);
        Ok(!self.pending.is_empty())
    }

    /// Entries that an operator had pruned before they were sent are counted.
    fn pass_pruned(&mut self) -> Result<(), RunnerFault> {
        let first = self.log.first();
        let Some(mut cursor) = self.cursor.clone() else {
            return Ok(());
        };
        if cursor.next >= first {
            return Ok(());
        }
        cursor.pruned = cursor.pruned.saturating_add(first - cursor.next);
        cursor.next = first;
        cursor.leaf = match first.checked_sub(1) {
            Some(last) => Some(self.log.leaf_hash(last)?),
            None => None,
        };
        cursor.write(&self.folder, &self.name)?;
        self.show(&cursor)?;
        self.cursor = Some(cursor);
        self.recall(first)?;
        Ok(())
    }

    /// Takes the sink's word on the first pending events, and moves the cursor.
    fn settle(&mut self, fates: Vec<Fate>) -> Result<Step, RunnerFault> {
        let judged: Vec<(Event, Fate)> = self.pending.drain(..fates.len()).zip(fates).collect();
        if self.refused_in_a_row >= REFUSED_IN_A_ROW_MAX
            && !judged.iter().any(|(_, fate)| *fate == Fate::Confirmed)
            && judged.iter().any(|(_, fate)| *fate != Fate::Again)
        {
            for (event, _) in judged.into_iter().rev() {
                self.pending.push_front(event);
            }
            let says = "the sink refuses every event; its settings may be wrong";
            return Err(RunnerFault::Sink(says.to_owned()));
        }
        let refused: Vec<(&Event, &str)> = judged
            .iter()
            .filter_map(|(event, fate)| match fate {
                Fate::Refused(why) => Some((event, why.as_str())),
                Fate::Confirmed | Fate::Again => None,
            })
            .collect();
        let aside = if refused.is_empty() {
            Ok(())
        } else {
            self.set_aside.add(&refused)
        };
        let (mut delivered, mut set_aside, mut again) = (0_u64, 0_u64, Vec::new());
        for (event, fate) in judged {
            match fate {
                Fate::Confirmed => delivered += 1,
                Fate::Refused(_) if aside.is_ok() => set_aside += 1,
                Fate::Refused(_) | Fate::Again => again.push(event),
            }
        }
        self.refused_in_a_row = match delivered {
            0 => self.refused_in_a_row.saturating_add(set_aside),
            _ => 0,
        };
        let partly = !again.is_empty();
        for event in again.into_iter().rev() {
            self.pending.push_front(event);
        }
        self.advance(delivered, set_aside)?;
        aside?;
        if partly && delivered + set_aside == 0 {
            let says = "the sink took none of the events, and says that it may later";
            return Err(RunnerFault::Sink(says.to_owned()));
        }
        Ok(if partly { Step::Partly } else { Step::Moved })
    }

    fn advance(&mut self, delivered: u64, set_aside: u64) -> Result<(), RunnerFault> {
        let next = self.pending.iter().map(|event| event.sequence).min();
        let next = next.unwrap_or(self.read_until);
        let Some(mut cursor) = self.cursor.clone() else {
            return Ok(());
        };
        // Counted in memory even if the log cannot be read or the file cannot be
        // written now: what is pending was taken off above.
        cursor.delivered = cursor.delivered.saturating_add(delivered);
        cursor.set_aside = cursor.set_aside.saturating_add(set_aside);
        self.unwritten = true;
        self.cursor = Some(cursor.clone());
        if next != cursor.next {
            cursor.leaf = match next.checked_sub(1) {
                Some(last) => Some(self.log.leaf_hash(last)?),
                None => None,
            };
            cursor.next = next;
            self.cursor = Some(cursor.clone());
        }
        self.show(&cursor)?;
        cursor.write(&self.folder, &self.name)?;
        self.unwritten = false;
        Ok(())
    }

    fn show(&mut self, cursor: &Cursor) -> Result<(), FeedFault> {
        let size = self.log.size()?;
        let oldest = self.pending.front().map(|event| event.at_ms);
        // Between two reads of a log that is far ahead: not before the last.
        let oldest = oldest.or_else(|| self.read_ms.filter(|_| cursor.next < size));
        self.progress.set(|reading| {
            reading.size = size;
            reading.next = cursor.next;
            reading.oldest_ms = oldest;
            reading.delivered = cursor.delivered;
            reading.set_aside = cursor.set_aside;
            reading.pruned = cursor.pruned;
        });
        Ok(())
    }
}

/// What is new of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// Something stands in the way.
    Failing(&'a str),
    /// Nothing does any more.
    Well,
    /// So many events were refused for good.
    SetAside(u64),
    /// So many entries were pruned before they were sent.
    Pruned(u64),
}

/// Is told what is new of the export with this name.
pub type Tell<'a> = dyn Fn(&str, Told<'_>) + 'a;

#[cfg(test)]
mod tests;
