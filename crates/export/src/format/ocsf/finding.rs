//! Findings: Detection 2004, Compliance 2003, Incident 2005.

use serde_json::{Value, json};
use terms::{Act, Action, Caller, ControlRun, FindingNote, Leaf, RequestFacts};

use super::{
    Class, Object, UNKNOWN,
    act::{actor, told},
    exchange, put,
};
use crate::event::{Event, carried_out, minded, weak_controls};

/// OCSF: a finding is new, or closed.
const CREATE: u32 = 1;
const CLOSE: u32 = 3;
const STATUS_NEW: u32 = 1;
const STATUS_RESOLVED: u32 = 4;
/// OCSF: compliance.
const PASS: u32 = 1;
const WARNING: u32 = 2;
const FAIL: u32 = 3;

/// What was found in a request or reply, or a source that was locked out.
pub(super) fn detection(event: &Event) -> Class {
    let class = Class::new(CREATE).with("status_id", STATUS_NEW);
    let (class, whose, looked, way) = match &*event.leaf {
        Leaf::Admitted(entry) => (
            class,
            Some((&entry.caller, Some(&entry.request))),
            (&entry.controls, &entry.findings),
            "request",
        ),
        Leaf::Closed(entry) => (
            class.own("outcome", entry.outcome.word()),
            event
                .admitted
                .as_deref()
                .map(|half| (&half.caller, Some(&half.request))),
            (&entry.controls, &entry.findings),
            "reply",
        ),
        Leaf::Refused(entry) => (
            class.own("code", entry.code.word()),
            Some((&entry.caller, entry.request.as_ref())),
            (&entry.controls, &entry.findings),
            "request",
        ),
        Leaf::Event(entry) => {
            let info = info(event, "source-locked", &["lock-out".to_owned()]);
            return told(class.with("finding_info", info), entry).with("is_alert", true);
        }
        Leaf::RefusedSummary(_) | Leaf::UncleanStart(_) | Leaf::HeadCount(_) => {
            return class.with("finding_info", info(event, "finding", &[]));
        }
    };
    in_exchange(class, event, whose, (looked.0, looked.1), way)
}

fn in_exchange(
    class: Class,
    event: &Event,
    whose: Option<(&Caller, Option<&RequestFacts>)>,
    (runs, findings): (&[ControlRun], &[FindingNote]),
    way: &str,
) -> Class {
    let worst = minded(findings).map(|note| carried_out(note, runs)).max();
    let wanted = minded(findings).map(|note| note.action).max();
    // OCSF: action and disposition.
    let (action_id, disposition_id) = match worst.unwrap_or(Action::Allow) {
        Action::Allow | Action::Flag => (1, 15),
        Action::Redact => (4, 11),
        Action::Block => (2, 2),
    };
    let mut kinds: Vec<String> = minded(findings).map(|note| note.kind.to_string()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut api = Object::new();
    let mut evidence = Object::new();
    let request = whose.and_then(|(_, request)| request);
    let operation = request.map_or(UNKNOWN, |request| request.dialect.as_str());
    put(&mut api, "operation", operation);
    put(&mut evidence, "api", api);
    if let Some((caller, _)) = whose {
        put(&mut evidence, "actor", exchange::actor(caller));
        put(&mut evidence, "src_endpoint", exchange::endpoint(caller));
    }
    let notes = serde_json::to_value(findings).unwrap_or_default();
    put(&mut evidence, "data", json!({ "findings": notes }));
    let class = class
        .profile("security_control")
        .with("action_id", action_id)
        .with("disposition_id", disposition_id)
        .with("is_alert", wanted >= Some(Action::Redact))
        .with("finding_info", info(event, way, &kinds))
        .with("evidences", vec![Value::Object(evidence)])
        .own("direction", way)
        .own("vendor", request.map(|request| request.vendor.as_str()))
        .own("model", request.map(|request| request.model.as_str()))
        .own("key", whose.map(|(caller, _)| caller.key.as_str()));
    exchange::found(class, runs, findings)
}

/// The finding's name: that of the exchange and its direction, or of the event.
fn info(event: &Event, what: &str, types: &[String]) -> Value {
    let uid = match event.leaf.exchange() {
        Some(exchange) => format!("{exchange}-{what}"),
        None => event.id.clone(),
    };
    let mut info = Object::new();
    put(&mut info, "uid", uid);
    put(&mut info, "title", event.message.as_str());
    put(&mut info, "created_time", event.at_ms);
    if !types.is_empty() {
        put(&mut info, "types", types.to_vec());
    }
    Value::Object(info)
}

/// Whether a control, or a vendor's key, is as it should be.
pub(super) fn compliance(event: &Event) -> Class {
    let Leaf::Event(entry) = &*event.leaf else {
        return Class::new(CREATE);
    };
    let fact = |name: &str| entry.facts.get(name).map(String::as_str);
    let (control, status) = match entry.act {
        Act::CanaryShown if fact("caught") == Some("true") => (entry.subject.clone(), PASS),
        Act::CanaryShown => (entry.subject.clone(), FAIL),
        Act::VendorKeyAged => {
            let past = fact("past") == Some("true");
            let name = format!("vendor-key-age:{}", entry.subject);
            (name, if past { FAIL } else { WARNING })
        }
        _ => (weak_controls(entry).join(","), FAIL),
    };
    let says = match status {
        PASS => "Pass",
        WARNING => "Warning",
        _ => "Fail",
    };
    let class = Class::new(CREATE)
        .with(
            "compliance",
            json!({ "control": control, "status_id": status, "status": says }),
        )
        .with("finding_info", info(event, "compliance", &[]))
        .own("weak", weak_controls(entry));
    told(class, entry)
}

/// What a person has to look at, and its end.
pub(super) fn incident(event: &Event) -> Class {
    let (over, entry) = match &*event.leaf {
        Leaf::Event(entry) => {
            let over = matches!(entry.act, Act::SwitchedOn | Act::Recovered);
            (over, Some(entry))
        }
        _ => (false, None),
    };
    let (activity, status) = if over {
        (CLOSE, STATUS_RESOLVED)
    } else {
        (CREATE, STATUS_NEW)
    };
    let class = Class::new(activity)
        .with("status_id", status)
        .with("finding_info_list", vec![info(event, "incident", &[])])
        .with("desc", event.message.as_str())
        .with("assignee_group", json!({ "name": "operators" }));
    match (entry, &*event.leaf) {
        (Some(entry), _) => told(class, entry).own("actor", actor(entry)),
        (None, Leaf::UncleanStart(entry)) => {
            class.own("from_ms", entry.from_ms).own("open", entry.open)
        }
        (None, _) => class,
    }
}
