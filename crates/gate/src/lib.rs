//! The reverse proxy: listeners, the rooms of the walk, vendor connections and streams.
//!
//! One exchange walks through named rooms: see the `rooms` module. What it
//! takes to stand at the door is in [`Gate`]; [`serve`] opens the door.

#![cfg_attr(
    test,
    allow(clippy::string_slice, reason = "tests cut texts of their own")
)]

mod body;
mod breaker;
mod budget;
mod callers;
mod canary;
mod capture;
mod connection;
mod evidence;
mod headers;
mod lockouts;
mod metrics;
mod names;
mod observer;
mod pace;
mod parties;
mod replace;
mod reply;
mod respond;
mod rooms;
mod ruling;
mod running;
mod screen;
mod seams;
mod server;
mod settings;
mod slot;
mod sources;
mod state;
mod summaries;
mod switching;
mod tls;
mod turns;
mod vault;
mod vendor;
mod walk;
mod work;

pub use body::{CutOff, Gone, ReplyBody, ReplySender};
pub use breaker::{Breaker, BreakerRule};
pub use callers::{Callers, Principal};
pub use canary::{CanaryFault, Shown};
pub use capture::{PART_BYTES_MAX, Sealing, is_never_kept};
pub use metrics::{CheckpointReading, ExportReading, Metrics, Readings, Summary, VaultDid};
pub use names::{NamesAt, NamesService};
pub use observer::{Ended, Observer};
pub use parties::{Party, Use};
pub use rooms::{
    Admitted, Answering, Arrived, Closed, Ending, Exchange, Known, Screened, Stranger, Turned,
    Unanswered, Unrecorded,
};
pub use ruling::Ruling;
pub use server::{ServeError, serve};
pub use settings::{KeyAge, KeyState, Limits, Settings, Vendor};
pub use slot::{EXCHANGE_HEADER, ReplySlot};
pub use state::{Gate, Parts};
pub use switching::{Held, Ordered};
pub use tls::{ServerTls, TlsFault};
pub use vault::{
    VAULT_PERSON_BYTES_MAX, Vault, VaultErased, VaultFault, VaultPerson, VaultReach, VaultRules,
    VaultSealed, VaultStatus, VaultToken, is_vault_person,
};
pub use vendor::{AuthorityFault, VendorClient};
