//! What a virtual key may do: which verbs, vendors and models, and how much.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use terms::{Code, Refusal, Verb};
use thiserror::Error;

use crate::Rates;

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
    /// Whether every model that the other pattern covers is covered by this
    /// one. A `*` of the other one is a character that only a `*` takes.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.covers(&other.0)
    }

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

/// What a key may do. An empty list of vendors or models means every one that
/// the gate is configured for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    #[serde(default = "infer")]
    verbs: BTreeSet<Verb>,
    vendors: Vec<String>,
    models: Vec<ModelPattern>,
    #[serde(default, skip_serializing_if = "Rates::is_unlimited")]
    rates: Rates,
}

impl Default for Grant {
    fn default() -> Self {
        Self {
            verbs: infer(),
            vendors: Vec::new(),
            models: Vec::new(),
            rates: Rates::default(),
        }
    }
}

fn infer() -> BTreeSet<Verb> {
    BTreeSet::from([Verb::Infer])
}

/// In which respect a grant goes beyond another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Beyond {
    /// A verb that the other one lacks.
    #[error("a verb that the key which makes it does not hold")]
    Verbs,
    /// A vendor that the other one lacks.
    #[error("a vendor that the key which makes it may not use")]
    Vendors,
    /// A model that the other one lacks.
    #[error("a model that the key which makes it may not use")]
    Models,
    /// A limit that is wider, or missing.
    #[error("a limit wider than that of the key which makes it")]
    Rates,
}

impl Grant {
    /// A grant to call these models of these vendors (by their name in the
    /// configuration).
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
        Ok(Self {
            vendors,
            models,
            ..Self::default()
        })
    }

    /// The same with these verbs.
    #[must_use]
    pub fn with_verbs(self, verbs: BTreeSet<Verb>) -> Self {
        Self { verbs, ..self }
    }

    /// The same with these limits.
    #[must_use]
    pub fn with_rates(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    /// That it allows nothing which `other` does not.
    ///
    /// # Errors
    /// In which respect it does.
    pub fn within(&self, other: &Self) -> Result<(), Beyond> {
        if !self.verbs.is_subset(&other.verbs) {
            return Err(Beyond::Verbs);
        }
        let vendors = other.vendors.is_empty()
            || !self.vendors.is_empty()
                && self.vendors.iter().all(|name| other.vendors.contains(name));
        if !vendors {
            return Err(Beyond::Vendors);
        }
        let included =
            |model: &ModelPattern| other.models.iter().any(|other| other.includes(model));
        let models =
            other.models.is_empty() || !self.models.is_empty() && self.models.iter().all(included);
        if !models {
            return Err(Beyond::Models);
        }
        if !self.rates.within(&other.rates) {
            return Err(Beyond::Rates);
        }
        Ok(())
    }

    /// Whether the key holds this verb.
    #[must_use]
    pub fn may(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    /// The verbs.
    #[must_use]
    pub const fn verbs(&self) -> &BTreeSet<Verb> {
        &self.verbs
    }

    /// How much the key may use.
    #[must_use]
    pub const fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Whether the key may send this model's requests to this vendor.
    ///
    /// # Errors
    /// The refusal that says which of the two is not allowed.
    pub fn permit(&self, vendor: &str, model: &str) -> Result<(), Refusal> {
        if !self.may(Verb::Infer) {
            return Err(Refusal::new(Code::VerbDenied));
        }
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
        !self.vendors.is_empty() || !self.models.is_empty() || !self.rates.is_unlimited()
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
    fn a_grant_says_where_it_goes_beyond() {
        let parent = Grant::new(vec!["openai".into()], vec!["gpt-*".parse().unwrap()]).unwrap();
        let child = |vendor: &str, model: &str| {
            Grant::new(vec![vendor.into()], vec![model.parse().unwrap()]).unwrap()
        };
        assert_eq!(child("openai", "gpt-5*").within(&parent), Ok(()));
        assert_eq!(
            child("azure", "gpt-5").within(&parent),
            Err(Beyond::Vendors)
        );
        assert_eq!(child("openai", "*-5").within(&parent), Err(Beyond::Models));
        assert_eq!(Grant::default().within(&parent), Err(Beyond::Vendors));
        let admin = parent.clone().with_verbs([Verb::Admin].into());
        assert_eq!(admin.within(&parent), Err(Beyond::Verbs));
        let limited = parent.clone().with_rates(Rates {
            in_flight: 3.try_into().ok(),
            ..Rates::default()
        });
        assert_eq!(limited.within(&parent), Ok(()));
        assert_eq!(parent.within(&limited), Err(Beyond::Rates));
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

    fn patterns() -> impl Strategy<Value = Vec<ModelPattern>> {
        prop::collection::vec("[ab*]{1,4}", 0..3)
            .prop_map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn grants() -> impl Strategy<Value = Grant> {
        let rate = || prop::option::of((1_u64..4).prop_map(|rate| rate.try_into().unwrap()));
        let rates = (rate(), rate(), rate()).prop_map(|(requests, tokens, in_flight)| Rates {
            requests_per_minute: requests,
            tokens_per_minute: tokens,
            in_flight,
        });
        let verbs = prop::collection::btree_set(prop::sample::select(Verb::ALL), 0..3);
        let vendors = prop::collection::vec("[xy]", 0..3);
        (verbs, vendors, patterns(), rates).prop_map(|(verbs, vendors, models, rates)| {
            let grant = Grant::new(vendors, models).unwrap();
            grant.with_verbs(verbs).with_rates(rates)
        })
    }

    proptest! {
        /// What a key may do that was made by another, the other may do too.
        #[test]
        fn a_grant_within_another_allows_no_more(
            child in grants(),
            parent in grants(),
            vendor in "[xyz]",
            model in "[abc]{0,4}",
        ) {
            if child.within(&parent).is_ok() {
                prop_assert!(child.permit(&vendor, &model).is_err() || parent.permit(&vendor, &model).is_ok());
                prop_assert!(child.verbs().iter().all(|verb| parent.may(*verb)));
                prop_assert!(child.rates().within(parent.rates()));
            }
            prop_assert_eq!(child.within(&child), Ok(()));
        }

        #[test]
        fn within_goes_through(a in grants(), b in grants(), c in grants()) {
            if a.within(&b).is_ok() && b.within(&c).is_ok() {
                prop_assert_eq!(a.within(&c), Ok(()));
            }
        }

        #[test]
        fn a_pattern_that_is_included_covers_no_more(
            inner in "[ab*]{1,4}",
            outer in "[ab*]{1,4}",
            model in "[abc]{0,5}",
        ) {
            let (inner, outer): (ModelPattern, ModelPattern) =
                (inner.parse().unwrap(), outer.parse().unwrap());
            prop_assert!(!outer.includes(&inner) || !inner.covers(&model) || outer.covers(&model));
        }

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
