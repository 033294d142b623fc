//! Writes what is kept, in a thread of its own: many at once, first the sealed
//! bytes, then their keys, each on the disk before the next step.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use terms::Clock;
use tokio::sync::mpsc::{Receiver, error::TryRecvError};

use super::{
    CaptureFault, Order, SLOT_BYTES, Slot, Wish,
    slot::Held,
    table::{SEALED, SLOTS},
};
use crate::files::{Append, Files};

/// LIMIT: slots of one file.
const SLOTS_MAX: u64 = 65_536;
/// LIMIT: sealed bytes of one file, and one exchange.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// LIMIT: exchanges that are written at once.
const GROUP_MAX: usize = 256;
/// LIMIT: sealed bytes that are written at once, and one exchange.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// Two files that belong together.
#[derive(Debug)]
struct Pair {
    sealed: Box<dyn Append>,
    slots: Box<dyn Append>,
    bytes: u64,
    count: u64,
}

pub(super) struct Writer {
    files: Arc<dyn Files>,
    folder: PathBuf,
    free_bytes_min: u64,
    clock: Arc<dyn Clock>,
    pair: Option<Pair>,
}

impl Writer {
    pub(super) fn new(
        files: Arc<dyn Files>,
        folder: PathBuf,
        free_bytes_min: u64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            files,
            folder,
            free_bytes_min,
            clock,
            pair: None,
        }
    }

    /// Writes until nobody can ask any more.
    pub(super) fn run(mut self, mut queue: Receiver<Order>, failed: &AtomicBool) {
        while let Some(first) = queue.blocking_recv() {
            let orders = gather(first, &mut queue);
            if failed.load(Ordering::Acquire) {
                answer(orders, &Err(CaptureFault::Failed));
                continue;
            }
            let done = self.write(&orders);
            // INVARIANT: after a failed write or sync nothing is written any
            // more; one is never tried again.
            if matches!(done, Err(CaptureFault::Io(_))) {
                failed.store(true, Ordering::Release);
            }
            answer(orders, &done);
        }
    }

    fn write(&mut self, orders: &[Order]) -> Result<(), CaptureFault> {
        let group: u64 = orders
            .iter()
            .map(|order| order.wish.sealed.len() as u64)
            .sum();
        let slots = (orders.len() * SLOT_BYTES) as u64;
        let free = self.files.free_bytes(&self.folder)?;
        // Half of what must stay free is the ledger's, for records of
        // exchanges that run.
        if free
            < (self.free_bytes_min / 2)
                .saturating_add(group)
                .saturating_add(slots)
        {
            return Err(CaptureFault::Full);
        }
        let pair = self.pair()?;
        let mut table = Vec::with_capacity(orders.len() * SLOT_BYTES);
        for order in orders {
            table.extend_from_slice(&slot(&order.wish, pair.bytes).to_bytes());
            pair.sealed.append(&order.wish.sealed)?;
            pair.bytes += order.wish.sealed.len() as u64;
            pair.count += 1;
        }
        pair.sealed.sync()?;
        pair.slots.append(&table)?;
        pair.slots.sync()?;
        Ok(())
    }

    /// The files to append to. Those of an earlier start are never appended
    /// to: what a crash left at their ends stays as it is.
    fn pair(&mut self) -> Result<&mut Pair, CaptureFault> {
        let full = |pair: &Pair| pair.count >= SLOTS_MAX || pair.bytes >= FILE_BYTES_MAX;
        if self.pair.as_ref().is_none_or(full) {
            self.pair = Some(self.fresh()?);
        }
        self.pair.as_mut().ok_or(CaptureFault::Failed)
    }

    fn fresh(&self) -> Result<Pair, CaptureFault> {
        let now_ms = self.clock.now_ms();
        for number in 0..1_000 {
            let name = format!("{now_ms:016}-{number:03}");
            let path = self.folder.join(format!("{name}.{SLOTS}"));
            let slots = match self.files.create(&path, 0) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error.into()),
            };
            let path = self.folder.join(format!("{name}.{SEALED}"));
            let sealed = self.files.create(&path, 0)?;
            self.files.sync_folder(&self.folder)?;
            return Ok(Pair {
                sealed,
                slots,
                bytes: 0,
                count: 0,
            });
        }
        Err(CaptureFault::Io(std::io::ErrorKind::AlreadyExists))
    }
}

fn slot(wish: &Wish, offset: u64) -> Slot {
    Slot {
        exchange: wish.exchange,
        at_ms: wish.at_ms,
        offset,
        length: u32::try_from(wish.sealed.len()).unwrap_or(u32::MAX),
        held: Some(Held {
            key: wish.key.clone(),
            person: wish.person,
            wrapped: wish.wrapped.clone(),
        }),
    }
}

/// What waits by now, within limits.
fn gather(first: Order, queue: &mut Receiver<Order>) -> Vec<Order> {
    let mut bytes = first.wish.sealed.len();
    let mut orders = vec![first];
    while orders.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
        match queue.try_recv() {
            Ok(order) => {
                bytes += order.wish.sealed.len();
                orders.push(order);
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    orders
}

fn answer(orders: Vec<Order>, done: &Result<(), CaptureFault>) {
    for order in orders {
        // Whoever asked may have gone.
        let _ = order.done.send(done.clone());
    }
}
