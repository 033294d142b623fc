//! Facts in, verdicts out: what is done about a finding, and what a key may do.
//!
//! Pure: no I/O, no clock of its own, nothing async.

#![cfg_attr(
    test,
    allow(clippy::string_slice, reason = "tests cut their own ASCII texts")
)]

mod actions;
mod grant;
mod ruling;
mod tally;

pub use actions::{ActionFault, ActionTable};
pub use grant::{Grant, GrantFault, ModelPattern};
pub use ruling::{ControlPolicy, ControlRule, Decision, Passage, Policy};
pub use tally::{CONTROLS_REPLY, CONTROLS_REQUEST, FINDINGS_MAX, Silent, Tallied, Tally};
