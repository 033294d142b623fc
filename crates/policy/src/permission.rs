//! Who may do what: Cedar policies, checked strictly when they are loaded.
//!
//! They stand behind a key's own grant, never in place of it. Cedar skips a
//! policy that errs while it is evaluated; a `forbid` that errs would then
//! forbid nothing. So any error is a denial here.

mod ask;

use std::{
    collections::HashMap,
    ops::Range,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use cedar_policy::{
    Authorizer, Decision as Said, Entities, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use sha2::{Digest as _, Sha256};
use terms::Digest;
use thiserror::Error;

pub use ask::{Ask, Asker, Moment, Object};

/// The schema, for whoever writes policies.
pub const SCHEMA: &str = include_str!("permission/schema.cedarschema");
/// What is in force when nothing else is said.
pub const DEFAULT: &str = include_str!("permission/default.cedar");

/// LIMIT: bytes of a policy file.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// LIMIT: decisions that are remembered.
const REMEMBERED_MAX: usize = 16_384;
/// LIMIT: policies that an answer names.
const NAMED_MAX: usize = 16;

/// Policies that cannot be in force.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{says}")]
pub struct PermissionFault {
    /// Where in the text, in bytes.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub says: String,
}

impl PermissionFault {
    fn new(error: &(impl miette::Diagnostic + ?Sized)) -> Self {
        let label = error.labels().and_then(|mut labels| labels.next());
        let help = error
            .help()
            .map(|help| format!("; {help}"))
            .unwrap_or_default();
        Self {
            span: label.map(|label| label.offset()..label.offset() + label.len()),
            says: format!("{error}{help}"),
        }
    }

    fn plain(says: &str) -> Self {
        Self {
            span: None,
            says: says.to_owned(),
        }
    }
}

/// What the policies answered, and which of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an answer that is not heeded is a hole"]
pub struct Answer {
    /// Whether it is allowed: a permit applies, no forbid does, and nothing erred.
    pub allowed: bool,
    /// The policies that decided, by their `@id` or their position.
    pub because: Vec<String>,
    /// The policies that erred: with any of these, it is not allowed.
    pub erred: Vec<String>,
}

/// The policies in force.
#[derive(Debug)]
pub struct Permission {
    policies: PolicySet,
    schema: Schema,
    authorizer: Authorizer,
    digest: Digest,
    remembered: Mutex<HashMap<Ask, Answer>>,
}

impl Permission {
    /// Reads policies and checks them strictly against the schema.
    ///
    /// # Errors
    /// When they cannot be read or do not fit the schema.
    pub fn new(text: &str) -> Result<Self, PermissionFault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(PermissionFault::plain(
                "the policies are larger than 256 KiB",
            ));
        }
        let (schema, _warnings) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| PermissionFault::new(&error))?;
        let policies = PolicySet::from_str(text).map_err(|error| PermissionFault::new(&error))?;
        if policies.templates().next().is_some() {
            return Err(PermissionFault::plain(
                "templates with slots cannot be in force; write each policy out",
            ));
        }
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if let Some(error) = checked.validation_errors().next() {
            return Err(PermissionFault::new(error));
        }
        Ok(Self {
            policies,
            schema,
            authorizer: Authorizer::new(),
            digest: Digest(Sha256::digest(text).into()),
            remembered: Mutex::default(),
        })
    }

    /// SHA-256 of the policies' text.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it is allowed. Answers are remembered as long as these policies
    /// are in force: the same question has the same answer.
    pub fn decide(&self, ask: &Ask) -> Answer {
        let known = |remembered: &HashMap<Ask, Answer>| remembered.get(ask).cloned();
        if let Some(answer) = known(&self.remembered()) {
            return answer;
        }
        let answer = self.evaluate(ask);
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(ask.clone(), answer.clone());
        answer
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<Ask, Answer>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn evaluate(&self, ask: &Ask) -> Answer {
        let denied = |erred: &str| Answer {
            allowed: false,
            because: Vec::new(),
            erred: vec![erred.to_owned()],
        };
        let Ok((request, entities)) = ask.build(&self.schema) else {
            return denied("the question does not fit the schema");
        };
        let entities = Entities::from_entities(entities, Some(&self.schema));
        let Ok(entities) = entities else {
            return denied("the question does not fit the schema");
        };
        let response = self
            .authorizer
            .is_authorized(&request, &self.policies, &entities);
        let diagnostics = response.diagnostics();
        let erred: Vec<String> = diagnostics
            .errors()
            .map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                    self.name(error.policy_id())
                }
            })
            .take(NAMED_MAX)
            .collect();
        let because = diagnostics.reason().map(|id| self.name(id));
        Answer {
            allowed: response.decision() == Said::Allow && erred.is_empty(),
            because: because.take(NAMED_MAX).collect(),
            erred,
        }
    }

    /// A policy's own name, if it has one.
    fn name(&self, id: &PolicyId) -> String {
        self.policies
            .annotation(id, "id")
            .map_or_else(|| id.to_string(), ToOwned::to_owned)
    }
}

#[cfg(test)]
mod tests;
