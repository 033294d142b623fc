//! One question to the policies.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use cedar_policy::{
    Context, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use terms::Verb;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A virtual key.
    Key {
        /// Its public name.
        id: String,
        /// Whom it was made for.
        owner: String,
        /// What its grant allows.
        verbs: BTreeSet<Verb>,
    },
    /// An account on the machine, as `uid:1000`.
    Account(String),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Object {
    /// A call to a model.
    Model {
        /// The vendor's name in the configuration.
        vendor: String,
        /// The API that it speaks.
        api: &'static str,
        /// The model's name.
        model: String,
        /// The dialect's name.
        route: &'static str,
        /// Where the caller is.
        source: IpAddr,
        /// Whether a stream is asked for.
        stream: bool,
        /// Tools that are offered.
        tools: u32,
        /// The most tokens to write.
        output_tokens_max: Option<u64>,
    },
    /// Something that this node does.
    Node(String),
}

/// When it is asked, as far as a policy can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    pub(super) hour: u8,
    pub(super) day: u8,
}

impl Moment {
    /// The hour and day of a time, milliseconds since 1970, UTC.
    #[must_use]
    pub fn at_ms(now_ms: u64) -> Self {
        let hours = now_ms / 3_600_000;
        let part = |value: u64| u8::try_from(value).unwrap_or_default();
        Self {
            hour: part(hours % 24),
            // The first day of 1970 was a Thursday.
            day: part((hours / 24 + 3) % 7 + 1),
        }
    }
}

/// The question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Who.
    pub who: Asker,
    /// Does what.
    pub verb: Verb,
    /// To what.
    pub what: Object,
    /// When.
    pub when: Moment,
}

/// The question cannot be put into Cedar's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

type Attributes = HashMap<String, RestrictedExpression>;

impl Ask {
    /// The request and the entities that it speaks of.
    pub(super) fn build(&self, schema: &Schema) -> Result<(Request, Vec<Entity>), Unfit> {
        let mut entities = Vec::new();
        let principal = self.principal(&mut entities)?;
        let action = uid("Action", self.verb.word())?;
        let mut context = vec![
            ("hour".to_owned(), long(u64::from(self.when.hour))),
            ("day".to_owned(), long(u64::from(self.when.day))),
        ];
        let resource = self.resource(&mut entities, &mut context)?;
        let context = Context::from_pairs(context).map_err(|_| Unfit)?;
        let request =
            Request::new(principal, action, resource, context, Some(schema)).map_err(|_| Unfit)?;
        Ok((request, entities))
    }

    fn principal(&self, entities: &mut Vec<Entity>) -> Result<EntityUid, Unfit> {
        match &self.who {
            Asker::Key { id, owner, verbs } => {
                let verbs = verbs.iter().map(|verb| text(verb.word()));
                let attributes = Attributes::from([
                    ("owner".to_owned(), text(owner)),
                    ("verbs".to_owned(), RestrictedExpression::new_set(verbs)),
                ]);
                enter(entities, uid("Key", id)?, attributes, None)
            }
            Asker::Account(name) => enter(entities, uid("Account", name)?, Attributes::new(), None),
        }
    }

    fn resource(
        &self,
        entities: &mut Vec<Entity>,
        context: &mut Vec<(String, RestrictedExpression)>,
    ) -> Result<EntityUid, Unfit> {
        match &self.what {
            Object::Node(name) => enter(entities, uid("Node", name)?, Attributes::new(), None),
            Object::Model {
                vendor,
                api,
                model,
                route,
                source,
                stream,
                tools,
                output_tokens_max,
            } => {
                context.extend([
                    ("route".to_owned(), text(route)),
                    (
                        "source".to_owned(),
                        RestrictedExpression::new_ip(source.to_canonical().to_string()),
                    ),
                    ("stream".to_owned(), RestrictedExpression::new_bool(*stream)),
                    ("tools".to_owned(), long(u64::from(*tools))),
                ]);
                if let Some(most) = output_tokens_max {
                    context.push(("output_tokens_max".to_owned(), long(*most)));
                }
                let attributes = Attributes::from([("api".to_owned(), text(api))]);
                let parent = enter(entities, uid("Vendor", vendor)?, attributes, None)?;
                let attributes = Attributes::from([("name".to_owned(), text(model))]);
                let name = format!("{vendor}/{model}");
                enter(entities, uid("Model", &name)?, attributes, Some(parent))
            }
        }
    }
}

fn enter(
    entities: &mut Vec<Entity>,
    uid: EntityUid,
    attributes: Attributes,
    parent: Option<EntityUid>,
) -> Result<EntityUid, Unfit> {
    let parents: HashSet<EntityUid> = parent.into_iter().collect();
    entities.push(Entity::new(uid.clone(), attributes, parents).map_err(|_| Unfit)?);
    Ok(uid)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Unfit> {
    let kind: EntityTypeName = kind.parse().map_err(|_| Unfit)?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn long(value: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}
