//! Facts in, verdicts out: what is done about a finding, and what a key may do.
//!
//! Pure: no I/O, no clock of its own, nothing async.

#![cfg_attr(
    test,
    allow(clippy::string_slice, reason = "tests cut their own ASCII texts")
)]

mod actions;
mod grant;
mod lockout;
pub mod permission;
mod rates;
mod ruling;
mod switches;
mod tally;
mod when_down;

pub use actions::{ActionFault, ActionTable};
pub use grant::{Beyond, Grant, GrantFault, ModelPattern};
pub use lockout::{Lockout, LockoutRule, Watched};
pub use rates::{Exceeded, Meter, Rates, Reserved};
pub use ruling::{ControlPolicy, ControlRule, Decision, Passage, Policy, RatesPolicy};
pub use switches::{Call, Off, Scope, ScopeFault, Switches, TooManySwitches};
pub use tally::{CONTROLS_REPLY, CONTROLS_REQUEST, FINDINGS_MAX, Silent, Tallied, Tally};
pub use when_down::{WhenDown, WithoutIt};
