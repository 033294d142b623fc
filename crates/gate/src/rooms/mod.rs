//! The walk: six rooms, each with one door in and one door out.
//!
//! Each room's type has private fields and is made only by the room before it,
//! so a request cannot be sent unscreened:
//! ```
//! async fn send(gate: &gate::Gate, slot: &mut gate::ReplySlot, screened: gate::Screened) {
//!     let _answering = screened.dispatch(gate, slot).await;
//! }
//! ```
//! ```compile_fail,E0599
//! async fn send(gate: &gate::Gate, slot: &mut gate::ReplySlot, admitted: gate::Admitted) {
//!     let _answering = admitted.dispatch(gate, slot).await;
//! }
//! ```
//! nor can a screened request be made by hand:
//! ```
//! fn keep(screened: gate::Screened) -> gate::Screened { screened }
//! ```
//! ```compile_fail,E0624
//! fn forge() { let _screened = gate::Screened::new; }
//! ```
//! and an exchange that was sent ends only as [`Closed`], which holds the
//! sequence number of its durable record:
//! ```
//! fn sequence(closed: &gate::Closed) -> Option<u64> { closed.sequence() }
//! ```
//! ```compile_fail,E0451
//! fn forge() -> gate::Closed { gate::Closed { sequence: Some(1) } }
//! ```

mod admitted;
mod answering;
mod arrived;
mod closed;
mod exchange;
mod known;
mod screened;

pub use admitted::Admitted;
pub use answering::{Answering, Unanswered};
pub use arrived::{Arrived, Stranger};
pub use closed::{Closed, Ending, Unrecorded};
pub use exchange::{Exchange, Turned};
pub use known::Known;
pub use screened::Screened;
