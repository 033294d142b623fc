//! Fake vendors. They speak the wire formats of OpenAI and Anthropic well
//! enough for the vendors' own SDKs, and they are neither: every reply says
//! `Server: merestone-fake-vendor`, no model answers, and the one key that they
//! accept is the word [`FAKE_KEY`].
//!
//! Left alone, a fake vendor is an echo that answers `You said: ...`. A test can
//! change that over `/_double/` (see [`control`]): queue scripted replies
//! down to the network chunk and the way the connection ends, and read back
//! every request that arrived.

mod anthropic;
mod api;
mod behaviour;
mod body;
pub mod control;
mod echo;
mod line;
mod load;
mod openai;
mod reply;
mod script;
mod seen;
mod vendor;

pub use api::Api;
pub use behaviour::{Behaviour, Deltas};
pub use script::{Chunk, End, Script};
pub use seen::Seen;
pub use vendor::{FakeVendor, Options, Running};

/// The only key that a fake vendor accepts, as bearer token or `x-api-key`.
pub const FAKE_KEY: &str = "fake-vendor-key";

/// What every reply of a fake vendor says it is, in the `Server` header.
pub const SERVER: &str = "merestone-fake-vendor";
