//! Calls of models: API Activity 6003 with the profile `ai_operation`, and
//! Authentication 3002 where a caller was not let in.

use serde_json::{Value, json};
use terms::{
    Admitted, Caller, Closed, ControlRun, FindingNote, Inspected, KeyId, Leaf, Outcome,
    PolicyVersion, Refused, RefusedSummary, RequestFacts, Usage,
};

use super::{Class, FAILURE, Object, SUCCESS, UNKNOWN, provider, put};
use crate::event::{Event, done, minded, worst};

/// OCSF: a user and an assistant speak.
const ROLE_USER: u32 = 1;
const ROLE_ASSISTANT: u32 = 2;
/// OCSF: API Activity, Create.
const CREATE: u32 = 1;
/// OCSF: Authentication, Logon; over a network.
const LOGON: u32 = 1;
const OVER_NETWORK: u32 = 3;

pub(super) fn admitted(entry: &Admitted) -> Class {
    let class = asked(Class::other("Admit"), &entry.request, &entry.caller)
        .with("status_id", SUCCESS)
        .own("durability", entry.durability.word());
    let class = model(
        class,
        Some(&entry.request),
        None,
        Some(&entry.caller),
        ROLE_USER,
        None,
    );
    let class = looked(class, &entry.controls, &entry.inspected, &entry.findings);
    decided(class, entry.policy)
}

pub(super) fn closed(entry: &Closed, half: Option<&Admitted>) -> Class {
    let mut class = Class::new(CREATE);
    class = match half {
        Some(half) => asked(class, &half.request, &half.caller),
        None => nobody(class),
    };
    let well = entry.outcome == Outcome::Complete;
    let code = entry.code.map(terms::Code::word);
    let mut api = api_of(half.map(|half| &half.request));
    let mut response = Object::new();
    put(&mut response, "code", entry.vendor.status);
    put(&mut response, "error", code);
    put(&mut api, "response", response);
    let mut request = Object::new();
    put(&mut request, "uid", entry.exchange.to_string());
    put(&mut api, "request", request);
    class = class
        .with("api", api)
        .with("status_id", if well { SUCCESS } else { FAILURE })
        .with("status_code", code.unwrap_or(entry.outcome.word()))
        .with("duration", entry.timings.total_us / 1_000)
        .own("outcome", entry.outcome.word())
        .own("code", code)
        .own("place", entry.place.as_deref())
        .own("reply_bytes", entry.reply_bytes)
        .own("edited", entry.edited)
        .own("restored", entry.restored.restored)
        .own("withheld", entry.restored.withheld)
        .own("first_byte_us", entry.timings.first_byte_us)
        .own("vendor_seen", seen(&entry.vendor));
    if let Some(status) = entry.vendor.status {
        class = class.with("http_response", json!({ "code": status }));
    }
    let name = entry.vendor.model.as_deref();
    let caller = half.map(|half| &half.caller);
    let request = half.map(|half| &half.request);
    class = model(class, request, name, caller, ROLE_ASSISTANT, entry.usage);
    looked(class, &entry.controls, &entry.inspected, &entry.findings)
}

pub(super) fn refused(entry: &Refused) -> Class {
    let mut class = Class::other("Refuse");
    class = match &entry.request {
        Some(request) => asked(class, request, &entry.caller),
        None => class
            .with("actor", actor(&entry.caller))
            .with("src_endpoint", endpoint(&entry.caller))
            .with("api", api_of(None)),
    };
    class = class
        .with("status_id", FAILURE)
        .with("status_code", entry.code.word())
        .with("status_detail", entry.code.says())
        .own("code", entry.code.word())
        .own("place", entry.place.as_deref());
    let request = entry.request.as_ref();
    class = model(class, request, None, Some(&entry.caller), ROLE_USER, None);
    class = looked(class, &entry.controls, &entry.inspected, &entry.findings);
    decided(class, entry.policy)
}

pub(super) fn summary(entry: &RefusedSummary) -> Class {
    let class = counted(nobody(Class::other("Refuse")), entry)
        .with("src_endpoint", json!({ "uid": entry.network.to_string() }));
    match &entry.key {
        Some(key) => class.with("actor", json!({ "app_uid": key.as_str() })),
        None => class,
    }
}

/// Requests that were counted, not recorded one by one.
fn counted(class: Class, entry: &RefusedSummary) -> Class {
    class
        .with("status_id", FAILURE)
        .with("status_code", entry.code.word())
        .with("status_detail", entry.code.says())
        .with("count", entry.count)
        .with("start_time", entry.from_ms)
        .with("end_time", entry.to_ms)
        .own("code", entry.code.word())
        .own("key", entry.key.as_ref().map(KeyId::as_str))
        .own("reference", entry.reference.to_string())
}

pub(super) fn logon(event: &Event) -> Class {
    let class = Class::new(LOGON)
        .with("service", json!({ "name": "merestone" }))
        .with("logon_type_id", OVER_NETWORK)
        .with("is_remote", true);
    match &*event.leaf {
        Leaf::RefusedSummary(entry) => counted(class, entry)
            .with(
                "user",
                match &entry.key {
                    Some(key) => json!({ "credential_uid": key.as_str() }),
                    None => json!({ "name": UNKNOWN }),
                },
            )
            .with("src_endpoint", json!({ "uid": entry.network.to_string() })),
        Leaf::Refused(entry) => class
            .with("user", user(&entry.caller))
            .with("src_endpoint", endpoint(&entry.caller))
            .with("status_id", FAILURE)
            .with("status_code", entry.code.word())
            .with("status_detail", entry.code.says())
            .own("code", entry.code.word()),
        Leaf::Admitted(_)
        | Leaf::Closed(_)
        | Leaf::Event(_)
        | Leaf::UncleanStart(_)
        | Leaf::HeadCount(_) => class.with("user", json!({ "name": UNKNOWN })),
    }
}

/// Who asked whom for what.
fn asked(class: Class, request: &RequestFacts, caller: &Caller) -> Class {
    class
        .with("actor", actor(caller))
        .with("src_endpoint", endpoint(caller))
        .with("dst_endpoint", json!({ "svc_name": request.vendor }))
        .with("api", api_of(Some(request)))
        .own("dialect", request.dialect.as_str())
        .own("vendor", request.vendor.as_str())
        .own("model", request.model.as_str())
        .own("key", caller.key.as_str())
        .own("stream", request.stream)
        .own("tools", request.tools)
        .own("body_bytes", request.body_bytes)
        .own("request_edited", request.edited)
}

/// Somebody who is not known.
fn nobody(class: Class) -> Class {
    class
        .with("actor", json!({ "app_name": UNKNOWN }))
        .with("src_endpoint", json!({ "name": UNKNOWN }))
        .with("api", api_of(None))
}

fn api_of(request: Option<&RequestFacts>) -> Object {
    let mut api = Object::new();
    let operation = request.map_or(UNKNOWN, |request| request.dialect.as_str());
    put(&mut api, "operation", operation);
    if let Some(request) = request {
        put(&mut api, "service", json!({ "name": request.vendor }));
    }
    api
}

pub(super) fn actor(caller: &Caller) -> Value {
    json!({ "app_uid": caller.key.as_str(), "user": user(caller) })
}

fn user(caller: &Caller) -> Value {
    json!({ "uid": caller.owner.to_string(), "credential_uid": caller.key.as_str() })
}

/// The record holds a commitment to the address only.
pub(super) fn endpoint(caller: &Caller) -> Value {
    json!({ "uid": caller.source.to_string() })
}

/// The profile `ai_operation`.
fn model(
    class: Class,
    request: Option<&RequestFacts>,
    seen: Option<&str>,
    caller: Option<&Caller>,
    role: u32,
    usage: Option<Usage>,
) -> Class {
    let mut context = Object::new();
    put(&mut context, "ai_role_id", role);
    let application = caller.map_or(UNKNOWN, |caller| caller.key.as_str());
    put(&mut context, "application", json!({ "uid": application }));
    if let Some(usage) = usage {
        put(&mut context, "prompt_tokens", usage.input_tokens);
        put(&mut context, "completion_tokens", usage.output_tokens);
        let total = usage.input_tokens.saturating_add(usage.output_tokens);
        put(&mut context, "total_tokens", total);
    }
    let name = seen.or_else(|| request.map(|request| request.model.as_str()));
    let dialect = request.map_or(UNKNOWN, |request| request.dialect.as_str());
    class
        .profile("ai_operation")
        .with(
            "ai_model",
            json!({ "name": name.unwrap_or(UNKNOWN), "ai_provider": provider(dialect) }),
        )
        .with("message_context", context)
}

fn decided(class: Class, policy: PolicyVersion) -> Class {
    class
        .own("policy", policy.policy.to_string())
        .own("rules", policy.rules.to_string())
}

/// What the controls did, with lists that a rule can ask.
fn looked(
    class: Class,
    runs: &[ControlRun],
    inspected: &Inspected,
    findings: &[FindingNote],
) -> Class {
    let controls: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "control": run.control, "mode": run.mode, "verdict": run.verdict,
                "would": run.would, "bytes": run.bytes, "findings": run.findings,
            })
        })
        .collect();
    let shadow: Vec<String> = runs
        .iter()
        .filter(|run| run.would != run.verdict)
        .map(|run| format!("{}:{}", run.control, run.would))
        .collect();
    let class = found(class, runs, findings)
        .own("verdict", worst(runs).word())
        .own("controls", controls)
        .own("inspected_bytes", inspected.total_bytes())
        .own("media_bytes", inspected.media_bytes)
        .own("opaque_bytes", inspected.opaque_bytes)
        .own("unknown_values", inspected.unknown_values);
    if shadow.is_empty() {
        class
    } else {
        class.own("not_carried_out", shadow)
    }
}

/// What was found and minded: as lists of words, which rules can ask.
pub(super) fn found(class: Class, runs: &[ControlRun], findings: &[FindingNote]) -> Class {
    let words = |word: &dyn Fn(&FindingNote) -> String| {
        let mut words: Vec<String> = minded(findings).map(word).collect();
        words.sort_unstable();
        words.dedup();
        words
    };
    if minded(findings).next().is_none() {
        return class;
    }
    class
        .own("detectors", words(&|note| note.detector.to_string()))
        .own("kinds", words(&|note| note.kind.to_string()))
        .own("slots", words(&|note| note.slot.to_string()))
        .own("actions", words(&|note| done(note, runs)))
        .own(
            "found",
            words(&|note| format!("{}@{}:{}", note.kind, note.slot, done(note, runs))),
        )
}

/// What was seen of the vendor, as the record has it.
fn seen(vendor: &terms::VendorSeen) -> Value {
    serde_json::to_value(vendor).unwrap_or_default()
}
