//! Where sealed content is kept: bytes that are only appended to, and beside
//! them a table of wrapped keys whose slots can be overwritten. The format
//! stands in `docs/specs/captures.md`.
//!
//! A slot is overwritten in its place, on the disk when that returns: no
//! journal, no free page and no older file keeps what it held. That is why the
//! table is no database.

mod audit;
mod erase;
mod slot;
mod table;
mod thread;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use terms::{Clock, ExchangeId, KeyId};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{files::Files, reader::ReadFault, seal::Wrapped};

pub use audit::{Audited, audit};
pub use erase::{Erasing, Erasure, Pending, pending};
pub use slot::{SLOT_BYTES, Slot, SlotFault};
pub use table::{Found, Table, Which};

/// Name of the folder, in the state folder.
pub const FOLDER: &str = "captures";
/// LIMIT: sealed bytes of one exchange.
pub const SEALED_BYTES_MAX: usize = 64 << 20;
/// LIMIT: sealed bytes that wait for the disk at once, over all exchanges.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// One permit stands for this many bytes.
const UNIT_BYTES: usize = 1_024;
/// LIMIT: exchanges that wait for the disk at once.
const WAITING_MAX: usize = 1_024;

/// Why something cannot be kept, found or erased.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaptureFault {
    /// A write failed before, and nothing is written any more.
    #[error("captures cannot be written since a write failed; start again once the disk is well")]
    Failed,
    /// Too little space is free.
    #[error("too little space is free for captures")]
    Full,
    /// Too long to be kept.
    #[error("the sealed content is longer than {SEALED_BYTES_MAX} bytes")]
    TooLong,
    /// A hold is set.
    #[error("a legal hold is set: nothing is erased until it is lifted")]
    Held,
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Log(#[from] ReadFault),
    /// The sealed bytes that a slot points to are not there.
    #[error("the sealed bytes are not where the table of keys says")]
    Missing,
    /// A file cannot be read or written.
    #[error("a file of captures cannot be read or written: {0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for CaptureFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// What is to be kept of one exchange.
#[derive(Debug)]
pub struct Wish {
    /// The exchange.
    pub exchange: ExchangeId,
    /// When it ended, milliseconds since 1970.
    pub at_ms: u64,
    /// The virtual key that called.
    pub key: KeyId,
    /// The mark of whom the key was made for ([`crate::commit`]).
    pub person: [u8; 32],
    /// The record's key, wrapped.
    pub wrapped: Wrapped,
    /// The sealed content.
    pub sealed: Vec<u8>,
}

/// Room for sealed bytes in memory; given back when dropped.
#[derive(Debug)]
pub struct Room(#[expect(dead_code, reason = "holding it is its use")] OwnedSemaphorePermit);

#[derive(Debug)]
struct Order {
    wish: Wish,
    _room: Room,
    done: oneshot::Sender<Result<(), CaptureFault>>,
}

/// Keeps sealed content of a running gate; clones share it.
#[derive(Debug, Clone)]
pub struct Captures {
    table: Table,
    orders: mpsc::Sender<Order>,
    room: Arc<Semaphore>,
    failed: Arc<AtomicBool>,
    free_bytes_min: u64,
}

impl Captures {
    /// Opens the folder and begins to write. The ledger's lock must be held.
    ///
    /// # Errors
    /// When the folder cannot be made, or a thread cannot be started.
    pub fn open(
        files: Arc<dyn Files>,
        folder: PathBuf,
        free_bytes_min: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CaptureFault> {
        files.make_folder(&folder)?;
        let table = Table::new(Arc::clone(&files), folder.clone());
        let (orders, queue) = mpsc::channel(WAITING_MAX);
        let failed = Arc::new(AtomicBool::new(false));
        let writer = thread::Writer::new(files, folder, free_bytes_min, clock);
        let told = Arc::clone(&failed);
        std::thread::Builder::new()
            .name("captures".to_owned())
            .spawn(move || writer.run(queue, &told))?;
        Ok(Self {
            table,
            orders,
            room: Arc::new(Semaphore::new(WAITING_BYTES_MAX / UNIT_BYTES)),
            failed,
            free_bytes_min,
        })
    }

    /// What is kept.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Whether content can be kept now.
    ///
    /// # Errors
    /// When a write failed before, or too little space is free.
    pub fn ready(&self) -> Result<(), CaptureFault> {
        if self.failed.load(Ordering::Acquire) {
            return Err(CaptureFault::Failed);
        }
        if self.table.free_bytes()? < self.free_bytes_min {
            return Err(CaptureFault::Full);
        }
        Ok(())
    }

    /// Waits for room in memory for this many sealed bytes.
    ///
    /// # Errors
    /// When there never is so much.
    pub async fn room(&self, bytes: usize) -> Result<Room, CaptureFault> {
        if bytes > SEALED_BYTES_MAX {
            return Err(CaptureFault::TooLong);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.room).acquire_many_owned(units).await;
        taken.map(Room).map_err(|_| CaptureFault::Failed)
    }

    /// Keeps it; on the disk, key and all, when this returns.
    ///
    /// # Errors
    /// When it may not be.
    pub async fn keep(&self, wish: Wish, room: Room) -> Result<(), CaptureFault> {
        if wish.sealed.len() > SEALED_BYTES_MAX {
            return Err(CaptureFault::TooLong);
        }
        let (done, kept) = oneshot::channel();
        let order = Order {
            wish,
            _room: room,
            done,
        };
        let sent = self.orders.send(order).await;
        sent.map_err(|_| CaptureFault::Failed)?;
        kept.await.unwrap_or(Err(CaptureFault::Failed))
    }
}

/// The folder of captures beside a ledger's.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}
