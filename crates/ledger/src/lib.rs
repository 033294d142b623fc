//! The append-only record: write-ahead segments, commitments, reading and
//! verification.
//!
//! An entry is acknowledged only after it is on the disk. The rules stand in
//! `docs/specs/record.md`.

pub mod canonical;
pub mod captures;
pub mod commit;
pub mod files;
pub mod head;
pub mod merkle;
pub mod note;
mod open;
pub mod proof;
pub mod prune;
pub mod publish;
pub mod reader;
pub mod seal;
pub mod segment;
mod space;
mod tail;
pub mod tile;
pub mod verify;
pub mod witness;
mod writer;

pub use canonical::{LEAF_BYTES_MAX, fit};
pub use head::{Head, HeadFault};
pub use open::{OpenError, OpenExchange, Opened, Settings, recovery_leaves};
pub use publish::{CheckpointFault, Publication, PublishFault, Published, Publishing};
pub use reader::{Entry, ReadFault, Reader};
pub use space::Reservation;
pub use verify::{
    CosignFault, Cosigned, EntryFault, Trust, Verified, VerifyFault, verify, verify_published,
    verify_trusting,
};
pub use writer::{AppendError, Appending, Failed, Handed, Ledger, PruneError, Unqueued, Written};
