//! The little state that is not evidence: virtual keys, in SQL that is written once.
//!
//! The ledger, not this store, is the record of who did what.

mod keys;
mod sql;
mod token;

pub use keys::{KeyRecord, Keys, NewKey};
pub use sql::{Row, Store, StoreError, Value};
pub use token::{KeyHash, MalformedKey, VirtualKey};
