//! Since when each vendor's own key is in use, and when it was used last.

use terms::{Clock, Digest};

use crate::{Store, StoreError, Value};

/// What is known of one vendor's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VendorKeySeen {
    /// When it was seen first, milliseconds since 1970.
    pub seen_ms: u64,
    /// When it was used last.
    pub used_ms: Option<u64>,
    /// Whether this was the first time.
    pub is_new: bool,
}

/// The vendors' keys in a store: keyed hashes of them, never the keys.
#[derive(Debug, Clone, Copy)]
pub struct VendorKeys<'a>(&'a Store);

impl<'a> VendorKeys<'a> {
    /// The keys in this store.
    #[must_use]
    pub const fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Enters that a key is in use; answers since when it is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn seen(
        self,
        vendor: &str,
        fingerprint: Digest,
        clock: &dyn Clock,
    ) -> Result<VendorKeySeen, StoreError> {
        let name = [
            Value::Text(vendor.to_owned()),
            Value::Text(fingerprint.to_string()),
        ];
        let [vendor, print] = name.clone();
        let values = [vendor, print, number(clock.now_ms())];
        let new = self.0.run(
            "INSERT INTO vendor_key (vendor, fingerprint, seen_ms) VALUES ($1, $2, $3) ON CONFLICT (vendor, fingerprint) DO NOTHING RETURNING vendor",
            &values,
        );
        let is_new = !new.await?.is_empty();
        let rows = self
            .0
            .run(
                "SELECT seen_ms, used_ms FROM vendor_key WHERE vendor = $1 AND fingerprint = $2",
                &name,
            )
            .await?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Int(seen), used]) => Ok(VendorKeySeen {
                seen_ms: u64::try_from(*seen).map_err(|_| StoreError::BadRow)?,
                used_ms: match used {
                    Value::Int(used) => u64::try_from(*used).ok(),
                    Value::Null | Value::Text(_) => None,
                },
                is_new,
            }),
            _ => Err(StoreError::BadRow),
        }
    }

    /// Enters when a key was used last.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn used(
        self,
        vendor: &str,
        fingerprint: Digest,
        used_ms: u64,
    ) -> Result<(), StoreError> {
        let values = [
            Value::Text(vendor.to_owned()),
            Value::Text(fingerprint.to_string()),
            number(used_ms),
        ];
        let update = self.0.run(
            "UPDATE vendor_key SET used_ms = $3 WHERE vendor = $1 AND fingerprint = $2 AND (used_ms IS NULL OR used_ms < $3)",
            &values,
        );
        update.await.map(drop)
    }
}

fn number(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}
