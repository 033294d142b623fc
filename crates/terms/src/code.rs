//! Every reason to refuse, with its stable code, HTTP status and sentence.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $code:literal, $status:literal, $says:literal;)+) => {
        /// A reason to refuse. The spelling never changes once released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$meta])* #[doc = $says] $variant),+ }

        impl Code {
            /// Every code, in the order of the rooms.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable spelling, as `MS-ADMIT-003`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The code with this spelling.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The HTTP status that a caller sees when nothing was sent yet.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// What is wrong and what to do, in one sentence for the caller.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says),+ }
            }
        }
    };
}

codes! {
    UnknownRoute = "MS-ARRIVE-001", 404, "no dialect of this gate knows this method and path";
    BodyTooLarge = "MS-ARRIVE-002", 413, "the request body is larger than this gate accepts";
    EncodedBody = "MS-ARRIVE-003", 415, "request bodies with a content encoding are not accepted; send them as they are";
    NotJson = "MS-ARRIVE-004", 415, "the content type must be application/json";
    BodySlow = "MS-ARRIVE-005", 408, "the request body did not arrive in time";
    BodyBroken = "MS-ARRIVE-006", 400, "the request body ended early or was badly framed";
    TooBusy = "MS-ARRIVE-007", 503, "this gate holds as many bytes or requests as it may; try again shortly";
    QueryRefused = "MS-ARRIVE-008", 400, "a query parameter is not on this route's list";
    HostRefused = "MS-ARRIVE-009", 400, "the Host header is missing, repeated or malformed";
    UpgradeRefused = "MS-ARRIVE-010", 501, "protocol upgrades are not accepted";
    FramingRefused = "MS-ARRIVE-011", 400, "the request is not framed as HTTP demands: its line ends, its lengths or its coding";
    PathRefused = "MS-ARRIVE-012", 400, "the path is not in its normal form";
    HeadTooLarge = "MS-ARRIVE-013", 431, "the request's headers are more or larger than this gate accepts";
    BodyUnexpected = "MS-ARRIVE-014", 400, "this method takes no body";
    SourceConnections = "MS-ARRIVE-015", 429, "as many connections as are allowed from one address are open";
    KeyMissing = "MS-KNOW-001", 401, "no key was sent; send a merestone key as the API key";
    KeyMalformed = "MS-KNOW-002", 401, "this is not a merestone key; a vendor's own key does not work here";
    KeyUnknown = "MS-KNOW-003", 401, "this key is not known";
    KeyRevoked = "MS-KNOW-004", 401, "this key was revoked";
    KeyExpired = "MS-KNOW-005", 401, "this key has expired";
    KeyAmbiguous = "MS-KNOW-006", 401, "two different keys were sent; send one";
    SourceLocked = "MS-KNOW-007", 429, "too many failed attempts came from this address; it is locked out for a while";
    KeysStale = "MS-KNOW-008", 503, "the key store is out of reach, and what is known of the keys is too old to rely on";
    VendorDenied = "MS-ADMIT-001", 403, "this key may not use this vendor";
    ModelDenied = "MS-ADMIT-002", 403, "this key may not use this model";
    JsonMalformed = "MS-ADMIT-003", 400, "the body is not well-formed JSON";
    JsonDuplicateKey = "MS-ADMIT-004", 400, "a JSON object names the same key twice";
    JsonTrailing = "MS-ADMIT-005", 400, "data follows the end of the JSON document";
    JsonTooDeep = "MS-ADMIT-006", 400, "the JSON document is nested too deeply";
    JsonUnicode = "MS-ADMIT-007", 400, "the JSON document is not valid UTF-8 or holds a lone surrogate";
    JsonTooMany = "MS-ADMIT-008", 400, "the JSON document has too many values";
    ModelMissing = "MS-ADMIT-009", 400, "the body names no model, or the model is not a string";
    FieldMalformed = "MS-ADMIT-010", 400, "a field that this gate must understand has the wrong type";
    FeatureDenied = "MS-ADMIT-011", 403, "this feature lets the vendor act on content that this gate cannot inspect, and the route does not allow it";
    VerbDenied = "MS-ADMIT-012", 403, "this key may not call models";
    PolicyDenied = "MS-ADMIT-013", 403, "a policy of this gate does not allow this call";
    RequestsLimited = "MS-LIMIT-001", 429, "as many requests as are allowed in a minute were made; try again later";
    TokensLimited = "MS-LIMIT-002", 429, "as many tokens as are allowed in a minute are used or set aside; try again later, or ask for fewer";
    InFlightLimited = "MS-LIMIT-003", 429, "as many exchanges as are allowed at once are running; try again later";
    SwitchedOff = "MS-KILL-001", 503, "this was switched off by the operator";
    Blocked = "MS-SCREEN-001", 400, "a control blocked this request";
    ControlSilent = "MS-SCREEN-002", 500, "a control gave no verdict, so nothing was sent";
    NumberBlocked = "MS-SCREEN-003", 400, "a number or a name that cannot be rewritten holds sensitive data";
    ScanLimit = "MS-SCREEN-004", 413, "the request holds more than the detectors may look through";
    OpaqueDenied = "MS-SCREEN-005", 403, "the route does not allow values that cannot be inspected";
    MediaDenied = "MS-SCREEN-006", 403, "the route does not allow media that cannot be inspected";
    NamesSilent = "MS-SCREEN-007", 503, "the service that looks for names gave no usable answer in time, so nothing was sent; try again shortly";
    NamesStream = "MS-SCREEN-008", 400, "names are looked for in whole replies only on this gate; ask without a stream";
    VaultDown = "MS-VAULT-001", 503, "what was redacted cannot be kept in the vault, so nothing was sent; try again shortly";
    VaultFull = "MS-VAULT-002", 503, "the vault holds as many redacted values as it may, so nothing was sent; the operator must raise its limit or erase some";
    VaultPerson = "MS-VAULT-003", 400, "the end user's name is longer than 1,024 bytes or holds control characters, so nobody could have their values erased; name them otherwise";
    EvidenceDown = "MS-LEDGER-001", 503, "evidence cannot be written, so nothing is admitted";
    ShuttingDown = "MS-LEDGER-002", 503, "this gate is shutting down; try again on another";
    VendorUnreachable = "MS-VENDOR-001", 502, "the vendor could not be reached";
    VendorSlow = "MS-VENDOR-002", 504, "the vendor did not answer in time";
    VendorGarbage = "MS-VENDOR-003", 502, "the vendor's reply could not be understood, so it was not passed on";
    VendorCut = "MS-VENDOR-004", 502, "the vendor's reply ended before its end";
    VendorRedirect = "MS-VENDOR-005", 502, "the vendor answered with a redirect, which is never followed";
    VendorEncoding = "MS-VENDOR-006", 502, "the vendor's reply has a content encoding that was not asked for";
    VendorKeyMissing = "MS-VENDOR-007", 503, "the vendor's own key is not available to this gate";
    VendorKeyOld = "MS-VENDOR-008", 503, "the vendor's own key is older than this gate allows; the operator must change it";
    VendorTripped = "MS-VENDOR-009", 503, "the vendor failed several times in a row and is left alone for a moment; try again shortly";
    ReplyBlocked = "MS-REPLY-001", 422, "a control blocked the vendor's reply";
    ReplySilent = "MS-REPLY-002", 502, "a control gave no verdict on the reply, so it was not passed on";
    ReplyLimit = "MS-REPLY-003", 502, "the vendor's reply is larger, or holds back more, than this gate accepts";
    CallerGone = "MS-REPLY-004", 499, "the caller left before the end";
    CallerSlow = "MS-REPLY-005", 408, "the caller did not take the reply in time";
    ReplyNames = "MS-REPLY-006", 502, "the service that looks for names did not look at the reply, so it was not passed on";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let word = String::deserialize(input)?;
        Self::from_word(&word).ok_or_else(|| D::Error::custom("this is not a known refusal code"))
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_code_is_its_own_and_reads_back() {
        let words: std::collections::BTreeSet<_> = Code::ALL.iter().map(|c| c.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.word()), Some(*code));
            assert!((400..600).contains(&code.status()), "{code}");
        }
    }
}
