//! The responsibility matrix: every duty of the guide as a row of data, and
//! its state computed from the ledger.
//!
//! [`Matrix::embedded`] is what shall be, [`Facts`] is what the ledger says
//! was, and [`Matrix::compute`] compares the two. There is no way to type a
//! state in: a catalogue file with one does not load, and [`RowState`] can be
//! made by [`Matrix::compute`] only.
//!
//! [`count`] makes head-counts of the ledger, [`usage`] reads what vendors
//! counted, and [`reconcile`] holds one against the other.
//!
//! Pure: no I/O, no clock of its own, nothing async.

#![cfg_attr(
    test,
    allow(clippy::string_slice, reason = "tests cut their own ASCII texts")
)]

pub mod count;
mod explain;
mod facts;
mod matrix;
mod proof;
pub mod reconcile;
mod reference;
pub mod render;
mod row;
#[cfg(test)]
mod sample;
mod state;
pub mod usage;

pub use explain::explain;
pub use facts::{Facts, OPEN_EXCHANGES_MAX};
pub use matrix::{Matrix, MatrixFault, ROWS, RowView};
pub use reference::{Framework, Reference};
pub use row::{GuideNote, Layer, Owner, Proof, Remark, Row};
pub use state::{Coverage, Evidence, Grade, Period, RowState, State, TRAFFIC_SHARE, Window};
