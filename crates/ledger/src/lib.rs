//! The append-only record: write-ahead segments, commitments, reading and
//! verification.
//!
//! An entry is acknowledged only after it is on the disk. The rules stand in
//! `docs/specs/record.md`.

pub mod canonical;
pub mod commit;
pub mod files;
pub mod head;
pub mod merkle;
pub mod note;
mod open;
pub mod reader;
pub mod segment;
mod space;
pub mod tile;
pub mod verify;
mod writer;

pub use canonical::{LEAF_BYTES_MAX, fit};
pub use head::{Head, HeadFault};
pub use open::{OpenError, OpenExchange, Opened, Settings, recovery_leaves};
pub use reader::{Entry, ReadFault, Reader};
pub use space::Reservation;
pub use verify::{Verified, VerifyFault, verify};
pub use writer::{AppendError, Failed, Ledger};
