//! The one thread that writes.

use std::io;

use tokio::sync::{mpsc, watch};

use super::{AppendError, Order, Start, Waiting};
use crate::{
    files::Append,
    open::MARKER,
    segment::{self, HEADER_BYTES},
};

/// LIMIT: bytes that are written and synced at once.
const GROUP_BYTES_MAX: usize = 4 << 20;

struct Writer {
    start: Start,
    segment: Option<Box<dyn Append>>,
}

/// Takes orders until it is told to close, every sender is gone, or the disk
/// fails. After a failure nothing is written any more: a sync that failed once
/// may claim success the next time.
pub(super) fn run(mut start: Start, mut queue: mpsc::Receiver<Order>, tell: &watch::Sender<bool>) {
    let segment = start.segment.take();
    let mut writer = Writer { start, segment };
    let mut group: Vec<Waiting> = Vec::new();
    while let Some(order) = queue.blocking_recv() {
        let mut closing = None;
        let mut bytes = 0;
        let mut next = Some(order);
        while let Some(order) = next {
            match order {
                Order::Write(waiting) => {
                    bytes += waiting.payload.len();
                    group.push(waiting);
                }
                Order::Close(done) => {
                    closing = Some(done);
                    break;
                }
            }
            next = if bytes < GROUP_BYTES_MAX {
                queue.try_recv().ok()
            } else {
                None
            };
        }
        let outcome = writer.write(&group);
        if outcome.is_err() {
            let _ = tell.send(true);
        }
        answer(&mut group, &outcome);
        if let Some(done) = closing {
            let closed = outcome.and_then(|_| writer.unmark());
            // The lock goes first: who waits for the end may open the log.
            drop(writer);
            let _ = done.send(closed.map_err(|_| AppendError::Failed));
            return;
        }
        if outcome.is_err() {
            refuse_rest(queue);
            return;
        }
    }
}

fn answer(group: &mut Vec<Waiting>, outcome: &io::Result<u64>) {
    for (index, waiting) in (0_u64..).zip(group.drain(..)) {
        let answer = match outcome {
            Ok(first) => Ok(first + index),
            Err(_) => Err(AppendError::Failed),
        };
        let _ = waiting.done.send(answer);
    }
}

fn refuse_rest(mut queue: mpsc::Receiver<Order>) {
    queue.close();
    while let Some(order) = queue.blocking_recv() {
        match order {
            Order::Write(waiting) => drop(waiting.done.send(Err(AppendError::Failed))),
            Order::Close(done) => drop(done.send(Err(AppendError::Failed))),
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
        let mut bytes = Vec::with_capacity(
            group
                .iter()
                .map(|waiting| waiting.payload.len() + segment::FRAME_BYTES)
                .sum(),
        );
        for (sequence, waiting) in (first..).zip(group) {
            segment::encode(sequence, &waiting.payload, &mut bytes);
        }
        if self.start.bytes >= self.start.settings.segment_bytes {
            self.segment = None;
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => none.insert(begin(&mut self.start)?),
        };
        segment.append(&bytes)?;
        segment.sync()?;
        self.start.bytes += bytes.len() as u64;
        self.start.next += group.len() as u64;
        Ok(first)
    }

    fn unmark(&self) -> io::Result<()> {
        let (files, folder) = (&self.start.files, &self.start.settings.folder);
        if files.list(folder)?.iter().any(|name| name == MARKER) {
            files.remove(&folder.join(MARKER))?;
            files.sync_folder(folder)?;
        }
        Ok(())
    }
}

/// Begins the next segment: its header and its name are on the disk before
/// any entry is.
fn begin(start: &mut Start) -> io::Result<Box<dyn Append>> {
    let folder = &start.settings.folder;
    let path = folder.join(segment::name(start.next));
    let mut segment = start.files.create(&path, start.settings.segment_bytes)?;
    segment.append(&segment::header(start.next))?;
    segment.sync()?;
    start.files.sync_folder(folder)?;
    start.bytes = HEADER_BYTES as u64;
    Ok(segment)
}
