//! Where text hides in each vendor's API: strict JSON, event streams, dialects,
//! where one request ends and the next begins, and what frames carry.
//!
//! Nothing here does I/O. Every leaf of a document is visited; a dialect only
//! names what it knows.

#![cfg_attr(
    test,
    allow(clippy::string_slice, reason = "tests cut texts of their own")
)]

mod channel;
mod dialect;
mod edit;
mod frames;
mod framing;
mod json;
mod leaf;
mod media;
pub mod sse;
mod stream;
mod walk;

pub use channel::{Channel, ChannelId, LogprobEntry, Logprobs};
pub use dialect::{Api, Dialect, Facts, ReplyFacts};
pub use edit::{Edits, LeafEdits, apply, escape_into};
pub use frames::{Frames, TooManyFrames};
pub use framing::{Framing, FramingFault, HeadLimits, Misframed};
pub use json::{Document, JsonFault, Kind, Limits, NodeId, Surrogates};
pub use leaf::{Leaf, LeafAt, LeafKind, ReplyWalk, Walk};
pub use stream::{EventWalk, MapFault, StreamMapper};
