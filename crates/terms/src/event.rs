//! Acts: what somebody or something did to the node, as entries tell of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

words! {
    /// What somebody or something did to this node.
    pub enum Act {
        /// The gate began to accept requests.
        GateReady = "gate-ready",
        /// The gate stopped in good order.
        GateStopped = "gate-stopped",
        /// A configuration came into force.
        ConfigLoaded = "config-loaded",
        /// A new configuration was refused and the old one kept.
        ConfigRefused = "config-refused",
        /// A virtual key was made.
        KeyCreated = "key-created",
        /// A virtual key was revoked.
        KeyRevoked = "key-revoked",
        /// Something was switched off.
        SwitchedOff = "switched-off",
        /// Something was switched on again.
        SwitchedOn = "switched-on",
        /// The file of switches was refused, and nothing changed.
        SwitchesRefused = "switches-refused",
        /// A source was locked out after too many failures.
        SourceLocked = "source-locked",
        /// A vendor's key is near or past the age that is allowed.
        VendorKeyAged = "vendor-key-aged",
        /// A vendor's key was seen for the first time.
        VendorKeySeen = "vendor-key-seen",
        /// Something that the gate stands on is down, and how it goes on.
        Degraded = "degraded",
        /// It is back.
        Recovered = "recovered",
        /// Somebody asked for something that no policy allows.
        AdminDenied = "admin-denied",
        /// A control's canary was or was not caught.
        CanaryShown = "canary-shown",
        /// Old entries were removed; their hashes stay.
        Pruned = "pruned",
        /// A legal hold was set: nothing is removed while it holds.
        HoldSet = "hold-set",
        /// It was lifted.
        HoldLifted = "hold-lifted",
        /// Sealed content of an exchange was shown to somebody.
        Revealed = "revealed",
        /// The key of sealed content was destroyed.
        Erased = "erased",
        /// A value in the vault was shown to somebody.
        VaultRevealed = "vault-revealed",
        /// The keys of values in the vault were destroyed.
        VaultErased = "vault-erased",
        /// A torn end of the log was cut off.
        TailCut = "tail-cut",
    }
}

/// An admin act or a change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Record version.
    #[serde(deserialize_with = "crate::record::known_version")]
    pub v: u8,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// What was done.
    pub act: Act,
    /// By whom: `node`, or a commitment to the person's account.
    pub by: String,
    /// To what: a key's public name, a control, a file's role.
    pub subject: String,
    /// Further facts, none of them secret or personal.
    pub facts: BTreeMap<String, String>,
}
