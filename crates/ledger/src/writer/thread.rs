//! The one thread that writes.

use std::{
    io,
    time::{Duration, Instant},
};

use terms::Digest;
use tokio::sync::{mpsc, watch};

use super::{
    AppendError, Closing, Order, Start, Waiting, Written,
    wait::{Woken, wait},
};
use crate::{
    files::{Append, fresh},
    head::Head,
    merkle::{Tree, leaf_hash},
    open::MARKER,
    segment::{self, FRAME_BYTES, GROUP_BYTES, GROUP_BYTES_MAX, HEADER_BYTES},
};

struct Writer {
    start: Start,
    segment: Option<Box<dyn Append>>,
    /// The tree over all entries that were acknowledged.
    tree: Tree,
    /// The head as it is on the disk, and since when.
    head: Head,
    head_at: Instant,
    /// The group that is being written; kept, since new memory costs as much as
    /// what is written into it.
    bytes: Vec<u8>,
}

/// LIMIT: bytes of memory that are kept for the next group.
const KEPT_BYTES_MAX: usize = 2 << 20;

/// Takes orders until it is told to close, every sender is gone, or the disk
/// fails. After a failure nothing is written any more: a sync that failed once
/// may claim success the next time.
pub(super) fn run(mut start: Start, mut queue: mpsc::Receiver<Order>, tell: &watch::Sender<bool>) {
    let segment = start.segment.take();
    let tree = std::mem::take(&mut start.tree);
    let head = start.head;
    let mut writer = Writer {
        start,
        segment,
        tree,
        head,
        head_at: Instant::now(),
        bytes: Vec::new(),
    };
    let mut group: Vec<Waiting> = Vec::new();
    loop {
        let closing = match wait(&mut queue, writer.patience()) {
            Woken::Order(order) => gather(order, &mut queue, &mut group),
            Woken::Late => None,
            Woken::Gone => return,
        };
        let written = writer.write(&group);
        if written.is_err() {
            let _ = tell.send(true);
        }
        let payloads = answer(&mut group, &written);
        // Who waits has been answered: what follows delays nobody.
        let mut outcome = written.and_then(|_| writer.cover(&payloads));
        if let Some(Closing { unmark, done }) = closing {
            outcome = outcome.and_then(|()| writer.close(unmark));
            if let Some((publisher, _)) = writer.start.published.take() {
                publisher.finish(writer.start.next);
            }
            if outcome.is_err() {
                let _ = tell.send(true);
            }
            // The lock goes first: who waits for the end may open the log.
            drop(writer);
            let _ = done.send(outcome.map_err(|_| AppendError::Failed));
            return;
        }
        if outcome.is_err() {
            let _ = tell.send(true);
            refuse_rest(queue);
            return;
        }
    }
}

/// Takes what else waits into the group, up to its limit or the end.
fn gather(
    order: Order,
    queue: &mut mpsc::Receiver<Order>,
    group: &mut Vec<Waiting>,
) -> Option<Closing> {
    let mut bytes = 0;
    let mut next = Some(order);
    while let Some(order) = next {
        match order {
            Order::Write(waiting) => {
                bytes += waiting.payload.len() + FRAME_BYTES;
                group.push(waiting);
            }
            Order::Close(closing) => return Some(closing),
        }
        next = if bytes < GROUP_BYTES_MAX {
            queue.try_recv().ok()
        } else {
            None
        };
    }
    None
}

/// Tells everybody in the group, and answers the payloads.
fn answer(group: &mut Vec<Waiting>, outcome: &io::Result<u64>) -> Vec<Vec<u8>> {
    let now = Instant::now();
    let answered = (0_u64..).zip(group.drain(..)).map(|(index, waiting)| {
        let answer = match outcome {
            Ok(first) => Ok(Written {
                sequence: first + index,
                took: now.saturating_duration_since(waiting.since),
            }),
            Err(_) => Err(AppendError::Failed),
        };
        let _ = waiting.done.send(answer);
        waiting.payload
    });
    answered.collect()
}

fn refuse_rest(mut queue: mpsc::Receiver<Order>) {
    queue.close();
    while let Some(order) = queue.blocking_recv() {
        match order {
            Order::Write(waiting) => drop(waiting.done.send(Err(AppendError::Failed))),
            Order::Close(closing) => drop(closing.done.send(Err(AppendError::Failed))),
        }
    }
}

impl Writer {
    /// Writes a group and syncs it; answers the number of its first entry.
    fn write(&mut self, group: &[Waiting]) -> io::Result<u64> {
        let first = self.start.next;
        if group.is_empty() {
            return Ok(first);
        }
        let size = |waiting: &Waiting| waiting.payload.len() + FRAME_BYTES;
        self.bytes.clear();
        let wanted = GROUP_BYTES + group.iter().map(size).sum::<usize>();
        self.bytes.reserve(wanted);
        let payloads = group.iter().map(|waiting| waiting.payload.as_slice());
        segment::encode_group(first, payloads, &mut self.bytes);
        let full = self
            .start
            .settings
            .segment_bytes
            .max(HEADER_BYTES as u64 + 1);
        if self.start.bytes >= full {
            self.end_segment();
        }
        if self.head.closed || self.segment.is_none() {
            // Before the first entry the head says that the log is open, and
            // before each new segment that the one before is whole.
            self.put_head(false)?;
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(begin(&mut self.start)?),
        };
        segment.append(&self.bytes)?;
        segment.sync()?;
        self.start.bytes += self.bytes.len() as u64;
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.start.next += group.len() as u64;
        Ok(first)
    }

    /// Nothing more comes to the segment.
    fn end_segment(&mut self) {
        if let Some(mut segment) = self.segment.take() {
            segment.give_back();
        }
    }

    /// How long the head may stay as it is; for ever if it covers everything.
    fn patience(&self) -> Option<Duration> {
        let time = self.start.settings.head_time;
        (self.head.entries < self.start.next).then(|| time.saturating_sub(self.head_at.elapsed()))
    }

    /// Takes what was written into the tree, and renews the head if its time
    /// has come.
    fn cover(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        let leaves: Vec<Digest> = payloads.iter().map(|entry| leaf_hash(entry)).collect();
        for leaf in &leaves {
            self.tree.push_subtree(0, *leaf);
        }
        if let Some(known) = &self.start.leaves {
            known.add(self.start.next - leaves.len() as u64, &leaves);
        }
        // Only now, so that whoever publishes finds their hashes.
        self.start.durable.send_replace(self.start.next);
        match self.patience() {
            Some(left) if left.is_zero() => self.put_head(false),
            Some(_) | None => Ok(()),
        }
    }

    /// Writes the head, if it would say something new.
    fn put_head(&mut self, closed: bool) -> io::Result<()> {
        let head = Head {
            entries: self.start.next,
            root: self.tree.root(),
            closed,
        };
        if head != self.head {
            head.write(&*self.start.files, &self.start.settings.folder)?;
            self.head = head;
        }
        self.head_at = Instant::now();
        Ok(())
    }

    /// The head first: if the mark stays although the log was closed well, too
    /// much is told, and not too little.
    fn close(&mut self, unmark: bool) -> io::Result<()> {
        self.put_head(true)?;
        self.end_segment();
        let (files, folder) = (&self.start.files, &self.start.settings.folder);
        if unmark && files.list(folder)?.iter().any(|name| name == MARKER) {
            files.remove(&folder.join(MARKER))?;
            files.sync_folder(folder)?;
        }
        Ok(())
    }
}

/// Begins the next segment. It gets its name once its header is on the disk:
/// a segment without one is never what a crash leaves.
fn begin(start: &mut Start) -> io::Result<Box<dyn Append>> {
    let folder = &start.settings.folder;
    let name = segment::name(start.next);
    if start.files.list(folder)?.contains(&name) {
        // A rename would put the new one in its place without a word.
        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
    }
    let draft = folder.join(segment::DRAFT);
    let mut segment = fresh(&*start.files, &draft, start.settings.segment_bytes)?;
    segment.append(&segment::header(start.next))?;
    segment.sync()?;
    start.files.rename(&draft, &folder.join(name))?;
    start.files.sync_folder(folder)?;
    start.bytes = HEADER_BYTES as u64;
    Ok(segment)
}
