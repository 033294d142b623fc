//! Sends what the ledger holds to others: a cursor for each sink, moved only
//! after the sink confirmed.
//!
//! There is no second spool: what a sink has not confirmed is read from the
//! published log again. Formats are pure; only `feed`, `cursor`, `set_aside`
//! and `sink` touch files and networks. What goes out stands in
//! `docs/specs/export.md`.

pub mod cursor;
mod durable;
pub mod event;
pub mod feed;
pub mod format;
mod pause;
pub mod progress;
pub mod runner;
pub mod set_aside;
pub mod sink;

pub use cursor::{Begin, Cursor, CursorFault};
pub use event::{Event, LogName, Severity, Topic};
pub use feed::{Feed, FeedFault, Item, Log};
pub use format::Format;
pub use progress::{Progress, Reading};
pub use runner::{Limits, Runner, RunnerFault, Step};
pub use set_aside::{SetAside, SetAsideFault};
pub use sink::{Fate, Fault, Sink};
