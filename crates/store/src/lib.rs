//! The little state that is not evidence: virtual keys, and the sealed
//! vault of redacted values, in SQL that is written once.
//!
//! The ledger, not this store, is the record of who did what.

mod keys;
mod sql;
mod token;
mod vault;
mod vendor_keys;

pub use keys::{KeyRecord, Keys, NewKey, Wanted};
pub use sql::{PostgresAt, Row, Store, StoreError, Value};
pub use token::{KeyHash, MalformedKey, VirtualKey};
pub use vault::{BATCH_MAX, VaultCount, VaultFound, VaultKey, VaultRows, VaultValue, VaultWhose};
pub use vendor_keys::{VendorKeySeen, VendorKeys};
