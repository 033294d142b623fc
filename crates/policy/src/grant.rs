//! What a virtual key may do: which vendors, which models.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use terms::{Code, Refusal};
use thiserror::Error;

/// LIMIT: bytes of one model pattern or vendor name in a grant.
const NAME_BYTES_MAX: usize = 128;
/// LIMIT: patterns in one grant.
const PATTERNS_MAX: usize = 64;

/// A grant that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GrantFault {
    /// Empty, too long, or with characters that no name has.
    #[error("a vendor or model pattern is 1 to 128 letters, digits and `-_.:/@*`")]
    Name,
    /// More than 64.
    #[error("a key takes at most 64 vendors and 64 model patterns")]
    TooMany,
}

/// A model name in which `*` stands for any run of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPattern(String);

impl ModelPattern {
    /// Whether the pattern covers this model. Linear in the product of both
    /// lengths, which are bounded.
    #[must_use]
    pub fn covers(&self, model: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(first) = parts.next() else {
            return false;
        };
        let Some(mut rest) = model.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl FromStr for ModelPattern {
    type Err = GrantFault;
    fn from_str(text: &str) -> Result<Self, GrantFault> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@*".contains(&b);
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(plain) {
            return Err(GrantFault::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for ModelPattern {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ModelPattern {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The vendors and models that a key may use. An empty list means every one
/// that the gate is configured for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    vendors: Vec<String>,
    models: Vec<ModelPattern>,
}

impl Grant {
    /// A grant for these vendors (by their name in the configuration) and models.
    ///
    /// # Errors
    /// When a name is malformed or there are too many.
    pub fn new(vendors: Vec<String>, models: Vec<ModelPattern>) -> Result<Self, GrantFault> {
        if vendors.len() > PATTERNS_MAX || models.len() > PATTERNS_MAX {
            return Err(GrantFault::TooMany);
        }
        if vendors
            .iter()
            .any(|name| name.parse::<ModelPattern>().is_err())
        {
            return Err(GrantFault::Name);
        }
        Ok(Self { vendors, models })
    }

    /// Whether the key may send this model's requests to this vendor.
    ///
    /// # Errors
    /// The refusal that says which of the two is not allowed.
    pub fn permit(&self, vendor: &str, model: &str) -> Result<(), Refusal> {
        if !self.vendors.is_empty() && !self.vendors.iter().any(|name| name == vendor) {
            return Err(Refusal::new(Code::VendorDenied));
        }
        if !self.models.is_empty() && !self.models.iter().any(|pattern| pattern.covers(model)) {
            return Err(Refusal::new(Code::ModelDenied));
        }
        Ok(())
    }

    /// The vendors; empty means all.
    #[must_use]
    pub fn vendors(&self) -> &[String] {
        &self.vendors
    }

    /// The model patterns; empty means all.
    #[must_use]
    pub fn models(&self) -> &[ModelPattern] {
        &self.models
    }

    /// Whether the grant restricts anything.
    #[must_use]
    pub const fn is_restricted(&self) -> bool {
        !self.vendors.is_empty() || !self.models.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covers(pattern: &str, model: &str) -> bool {
        pattern.parse::<ModelPattern>().unwrap().covers(model)
    }

    #[test]
    fn stars_stand_for_any_run() {
        assert!(covers("gpt-*", "gpt-5-mini"));
        assert!(covers("*", ""));
        assert!(covers("claude-*-4*", "claude-opus-4-1"));
        assert!(covers("gpt-5", "gpt-5"));
        assert!(!covers("gpt-5", "gpt-5-mini"));
        assert!(!covers("a*a", "a"));
        assert!(!covers("*-mini", "gpt-5"));
        assert!("".parse::<ModelPattern>().is_err());
        assert!("gpt 5".parse::<ModelPattern>().is_err());
    }

    #[test]
    fn a_grant_refuses_what_it_does_not_name() {
        let grant = Grant::new(vec!["openai".into()], vec!["gpt-*".parse().unwrap()]).unwrap();
        assert_eq!(grant.permit("openai", "gpt-5"), Ok(()));
        assert_eq!(
            grant.permit("anthropic", "gpt-5").unwrap_err().code(),
            Code::VendorDenied
        );
        assert_eq!(
            grant.permit("openai", "o4").unwrap_err().code(),
            Code::ModelDenied
        );
        assert_eq!(Grant::default().permit("any", "any"), Ok(()));
    }

    proptest! {
        #[test]
        fn a_pattern_covers_what_it_was_cut_from(model in "[a-z0-9-]{1,20}", from in 0_usize..20, to in 0_usize..20) {
            let (from, to) = (from.min(model.len()), to.min(model.len()));
            let (from, to) = (from.min(to), from.max(to));
            let pattern = format!("{}*{}", &model[..from], &model[to..]);
            prop_assert!(covers(&pattern, &model));
            let longer = format!("{model}!");
            prop_assert!(!covers(&model, &longer));
        }
    }
}
