//! The vocabulary of merestone: what every other crate means by its words.
//!
//! Nothing here does I/O (a thread may give way to others), nothing is async,
//! and nothing holds matched text or a key in the clear except [`Secret`],
//! which cannot be printed.

#[macro_use]
mod words;

mod capture;
mod code;
mod control;
mod event;
mod finding;
mod id;
mod record;
mod refusal;
mod secret;
mod slot;
mod source;
mod turn;

pub use capture::{CaptureMode, CapturePart, Captured, CapturedPart, LeftOut};
pub use code::Code;
pub use control::{Action, Control, Mode, Verb, Verdict};
pub use event::{Act, Event};
pub use finding::{DetectorId, Finding, FindingNote, Kind, View};
pub use id::{Commitment, Digest, ExchangeId, KeyId};
pub use record::{
    Admitted, Caller, Closed, ControlRun, Durability, HeadCount, HeadCountRow, Inspected, Leaf,
    Outcome, PolicyVersion, RECORD_VERSION, Refused, RefusedSummary, RequestFacts, RestoreCounts,
    Room, RoomNote, Timings, UncleanStart, Usage, VendorSeen,
};
pub use refusal::{Place, Refusal};
pub use secret::Secret;
pub use slot::{Direction, Slot};
pub use source::{Clock, Entropy, FixedClock, SeededEntropy};
pub use turn::{TURN_BYTES, copied, give_way, in_turns, worked};
