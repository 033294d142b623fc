//! The kill switch: what is switched off, whatever else would allow it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use terms::KeyId;
use thiserror::Error;

/// LIMIT: bytes of a name in a scope.
const NAME_BYTES_MAX: usize = 128;
/// LIMIT: scopes that are off at the same time.
const SCOPES_MAX: usize = 1_024;

/// A text that is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "this is not what can be switched; write `all`, `vendor NAME`, `model NAME`, `route NAME` or `key mk-…`"
)]
pub struct ScopeFault(());

/// More scopes are off than are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{SCOPES_MAX} switches are off already; switch off `all`")]
pub struct TooManySwitches(());

/// What one switch stops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    All,
    /// All calls to one vendor, by its name in the configuration.
    Vendor(String),
    /// All calls for one model, by the name that callers send.
    Model(String),
    /// All calls of one kind, by its dialect's name, as `openai-chat`.
    Route(String),
    /// All calls with one virtual key.
    Key(KeyId),
}

impl FromStr for Scope {
    type Err = ScopeFault;
    fn from_str(text: &str) -> Result<Self, ScopeFault> {
        let (word, name) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let name = name.trim();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@".contains(&byte);
        let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain);
        match word {
            "all" if name.is_empty() => Ok(Self::All),
            "vendor" if fits => Ok(Self::Vendor(name.to_owned())),
            "model" if fits => Ok(Self::Model(name.to_owned())),
            "route" if fits => Ok(Self::Route(name.to_owned())),
            "key" => name.parse().map(Self::Key).map_err(|_| ScopeFault(())),
            _ => Err(ScopeFault(())),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Vendor(name) => write!(f, "vendor {name}"),
            Self::Model(name) => write!(f, "model {name}"),
            Self::Route(name) => write!(f, "route {name}"),
            Self::Key(name) => write!(f, "key {name}"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// What is known of a call when the switches are asked.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The vendor that it goes to.
    pub vendor: &'a str,
    /// Its dialect's name.
    pub route: &'a str,
    /// The key that it came with, and those that this one was made by.
    pub keys: &'a [KeyId],
    /// The model that it asks for, once that is known.
    pub model: Option<&'a str>,
}

impl Scope {
    /// Whether a call falls under it.
    #[must_use]
    pub fn covers(&self, call: &Call<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Vendor(name) => name == call.vendor,
            Self::Model(name) => Some(name.as_str()) == call.model,
            Self::Route(name) => name == call.route,
            Self::Key(key) => call.keys.contains(key),
        }
    }
}

/// Why and since when a scope is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Off {
    /// The reason that was given.
    pub reason: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
}

/// Everything that is off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Switches(BTreeMap<Scope, Off>);

impl Switches {
    /// Whether nothing is off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a call must not be made, or go on.
    #[must_use]
    pub fn stops(&self, call: &Call<'_>) -> bool {
        self.0.keys().any(|scope| scope.covers(call))
    }

    /// What is off.
    pub fn iter(&self) -> impl Iterator<Item = (&Scope, &Off)> {
        self.0.iter()
    }

    /// Switches off; answers whether it was on.
    ///
    /// # Errors
    /// When more are off than are kept.
    pub fn off(&mut self, scope: Scope, off: Off) -> Result<bool, TooManySwitches> {
        if self.0.contains_key(&scope) {
            return Ok(false);
        }
        if self.0.len() >= SCOPES_MAX && scope != Scope::All {
            return Err(TooManySwitches(()));
        }
        self.0.insert(scope, off);
        Ok(true)
    }

    /// Switches on again; answers whether it was off.
    pub fn on(&mut self, scope: &Scope) -> bool {
        self.0.remove(scope).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn a_switch_stops_its_scope_and_nothing_else() {
        let keys = ["mk-0123456789ab".parse().unwrap()];
        let call = Call {
            vendor: "openai",
            route: "openai-chat",
            keys: &keys,
            model: Some("gpt-5"),
        };
        for text in [
            "all",
            "vendor openai",
            "route openai-chat",
            "model gpt-5",
            "key mk-0123456789ab",
        ] {
            assert!(scope(text).covers(&call), "{text}");
        }
        for text in [
            "vendor azure",
            "route openai",
            "model gpt-5-mini",
            "key mk-0123456789ac",
        ] {
            assert!(!scope(text).covers(&call), "{text}");
        }
        let unread = Call {
            model: None,
            ..call
        };
        assert!(!scope("model gpt-5").covers(&unread));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for text in [
            "",
            "vendor",
            "all of it",
            "everything",
            "key gpt-5",
            "model a b",
            "vendor a\u{1b}b",
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn off_and_on_are_told_once() {
        let mut switches = Switches::default();
        let off = Off {
            reason: "r".into(),
            since_ms: 1,
        };
        assert_eq!(switches.off(Scope::All, off.clone()), Ok(true));
        assert_eq!(switches.off(Scope::All, off), Ok(false));
        let text = serde_json::to_string(&switches).unwrap();
        assert_eq!(serde_json::from_str::<Switches>(&text).unwrap(), switches);
        assert!(switches.on(&Scope::All));
        assert!(!switches.on(&Scope::All));
    }

    proptest! {
        #[test]
        fn a_scope_reads_back(word in "vendor|model|route", name in "[a-z0-9._:/@-]{1,40}") {
            let text = format!("{word} {name}");
            prop_assert_eq!(scope(&text).to_string(), text);
        }
    }
}
