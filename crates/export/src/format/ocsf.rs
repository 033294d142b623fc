//! OCSF 1.8 (schema.ocsf.io/1.8.0): what is common to all classes. What OCSF
//! has no place for stands in `unmapped.merestone`.

mod act;
mod exchange;
mod finding;

use serde_json::{Map, Value, json};
use terms::Leaf;

use crate::event::{Event, Topic};

/// The version whose classes are written.
pub const VERSION: &str = "1.8.0";
/// `activity_id` of what has no number of its own.
const OTHER: u32 = 99;
/// OCSF's `status_id`: well, and not.
const SUCCESS: u32 = 1;
const FAILURE: u32 = 2;
/// What stands where nothing is known.
const UNKNOWN: &str = "unknown";

/// An object in the making.
type Object = Map<String, Value>;

/// The fields of one class.
struct Class {
    activity_id: u32,
    /// The activity's name, if it has no number.
    activity: Option<&'static str>,
    profiles: Vec<&'static str>,
    /// Fields of the class.
    fields: Object,
    /// What goes into `unmapped.merestone`.
    own: Object,
}

impl Class {
    fn new(activity_id: u32) -> Self {
        Self {
            activity_id,
            activity: None,
            profiles: Vec::new(),
            fields: Object::new(),
            own: Object::new(),
        }
    }

    /// An activity that OCSF has no number for.
    fn other(activity: &'static str) -> Self {
        Self {
            activity: Some(activity),
            ..Self::new(OTHER)
        }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        put(&mut self.fields, name, value);
        self
    }

    fn own(mut self, name: &str, value: impl Into<Value>) -> Self {
        put(&mut self.own, name, value);
        self
    }

    fn profile(mut self, name: &'static str) -> Self {
        self.profiles.push(name);
        self
    }
}

/// Adds a field, unless there is nothing in it.
fn put(object: &mut Object, name: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        object.insert(name.to_owned(), value);
    }
}

/// The event as JSON.
#[must_use]
pub fn value(event: &Event) -> Value {
    let class = match (&*event.leaf, event.topic) {
        (_, Topic::DetectionFinding) => finding::detection(event),
        (_, Topic::ComplianceFinding) => finding::compliance(event),
        (_, Topic::IncidentFinding) => finding::incident(event),
        (_, Topic::Authentication) => exchange::logon(event),
        (Leaf::Admitted(entry), _) => exchange::admitted(entry),
        (Leaf::Closed(entry), _) => exchange::closed(entry, event.admitted.as_deref()),
        (Leaf::Refused(entry), _) => exchange::refused(entry),
        (Leaf::RefusedSummary(entry), _) => exchange::summary(entry),
        (Leaf::Event(entry), _) => act::call(entry),
        (Leaf::UncleanStart(_), _) => Class::other("Start"),
        (Leaf::HeadCount(entry), _) => act::counted(entry),
    };
    whole(event, class)
}

fn whole(event: &Event, class: Class) -> Value {
    let uid = event.topic.class_uid();
    let mut out = class.fields;
    put(&mut out, "class_uid", uid);
    put(&mut out, "category_uid", uid / 1_000);
    put(&mut out, "activity_id", class.activity_id);
    put(&mut out, "activity_name", class.activity);
    put(&mut out, "type_uid", uid * 100 + class.activity_id);
    put(&mut out, "time", event.at_ms);
    put(&mut out, "severity_id", event.severity.number());
    put(&mut out, "severity", event.severity.word());
    put(&mut out, "message", event.message.as_str());
    let mut metadata = Object::new();
    put(&mut metadata, "version", VERSION);
    put(&mut metadata, "product", product());
    put(&mut metadata, "uid", event.id.as_str());
    put(&mut metadata, "sequence", event.sequence);
    put(&mut metadata, "log_name", event.log.origin());
    let exchange = event.leaf.exchange().map(|exchange| exchange.to_string());
    put(&mut metadata, "correlation_uid", exchange);
    if !class.profiles.is_empty() {
        put(&mut metadata, "profiles", class.profiles);
    }
    if event.test {
        put(&mut metadata, "labels", vec!["test"]);
    }
    put(&mut out, "metadata", metadata);
    let mut own = class.own;
    put(&mut own, "entry", entry_word(&event.leaf));
    put(&mut own, "test", event.test.then_some(true));
    put(&mut out, "unmapped", json!({ "merestone": own }));
    Value::Object(out)
}

fn product() -> Value {
    json!({ "name": "merestone", "vendor_name": "merestone", "version": env!("CARGO_PKG_VERSION") })
}

/// The entry's `type`, as in the log.
pub(crate) const fn entry_word(leaf: &Leaf) -> &'static str {
    match leaf {
        Leaf::Admitted(_) => "admitted",
        Leaf::Closed(_) => "closed",
        Leaf::Refused(_) => "refused",
        Leaf::RefusedSummary(_) => "refused-summary",
        Leaf::Event(_) => "event",
        Leaf::UncleanStart(_) => "unclean-start",
        Leaf::HeadCount(_) => "head-count",
    }
}

/// The vendor's API by the name of a dialect, as `openai` of `openai-chat`.
pub(crate) fn provider(dialect: &str) -> &str {
    dialect.split('-').next().unwrap_or(dialect)
}
