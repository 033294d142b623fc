//! OpenAI Chat Completions: which place holds what.

use terms::Slot;

use crate::{
    ChannelId, Document, Kind, LogprobEntry, Logprobs, NodeId, ReplyWalk,
    walk::{Shape, Table, Walker},
};

/// The slot of a message's texts, by its role.
fn by_role(role: &str) -> Option<Slot> {
    match role {
        "system" | "developer" => Some(Slot::System),
        "user" | "assistant" => Some(Slot::Turn),
        "tool" | "function" => Some(Slot::ToolResult),
        _ => None,
    }
}

static FUNCTION_CALL: Table = Table {
    members: &[
        ("name", Shape::Name(Slot::ToolCall)),
        ("arguments", Shape::Json(Slot::ToolCall)),
    ],
    slot: None,
    tool: Some("name"),
    other: None,
};
static CUSTOM_CALL: Table = Table {
    members: &[
        ("name", Shape::Name(Slot::ToolCall)),
        ("input", Shape::Text(Slot::ToolCall)),
    ],
    slot: None,
    tool: Some("name"),
    other: None,
};
static TOOL_CALL: Table = Table::plain(&[
    ("index", Shape::Word),
    ("id", Shape::Id),
    ("type", Shape::Word),
    ("function", Shape::Members(&FUNCTION_CALL)),
    ("custom", Shape::Members(&CUSTOM_CALL)),
]);
static IMAGE_URL: Table = Table::plain(&[("url", Shape::Url), ("detail", Shape::Word)]);
static AUDIO: Table = Table::plain(&[
    ("data", Shape::Data(Some("format"))),
    ("format", Shape::Word),
]);
static FILE: Table = Table::plain(&[
    ("file_data", Shape::Either(&Shape::Url, &Shape::Unknown)),
    ("filename", Shape::Text(Slot::Document)),
    ("file_id", Shape::Word),
]);
static PART: Table = Table::plain(&[
    ("type", Shape::Word),
    ("text", Shape::Turn),
    ("refusal", Shape::Turn),
    (
        "image_url",
        Shape::Either(&Shape::Url, &Shape::Members(&IMAGE_URL)),
    ),
    ("input_audio", Shape::Members(&AUDIO)),
    ("file", Shape::Members(&FILE)),
]);
static MESSAGE: Table = Table {
    members: &[
        ("role", Shape::Word),
        (
            "content",
            Shape::Either(&Shape::Turn, &Shape::Parts(&Shape::Members(&PART))),
        ),
        ("name", Shape::Turn),
        ("refusal", Shape::Turn),
        ("reasoning_content", Shape::Text(Slot::Reasoning)),
        ("reasoning", Shape::Text(Slot::Reasoning)),
        ("tool_calls", Shape::List(&Shape::Members(&TOOL_CALL))),
        ("tool_call_id", Shape::Id),
        ("function_call", Shape::Members(&FUNCTION_CALL)),
        ("audio", Shape::Members(&SPEECH)),
    ],
    slot: Some(("role", by_role)),
    tool: None,
    other: None,
};
static DEFINED: Table = Table::plain(&[
    ("name", Shape::Name(Slot::ToolDefinition)),
    ("description", Shape::Text(Slot::ToolDefinition)),
    ("parameters", Shape::Free(Slot::ToolDefinition)),
    ("strict", Shape::Word),
    ("format", Shape::Free(Slot::ToolDefinition)),
]);
static TOOL: Table = Table::plain(&[
    ("type", Shape::Word),
    ("function", Shape::Members(&DEFINED)),
    ("custom", Shape::Members(&DEFINED)),
]);
static SCHEMA: Table = Table::plain(&[
    ("name", Shape::Name(Slot::ToolDefinition)),
    ("description", Shape::Text(Slot::ToolDefinition)),
    ("schema", Shape::Free(Slot::ToolDefinition)),
    ("strict", Shape::Word),
]);
static FORMAT: Table = Table::plain(&[
    ("type", Shape::Word),
    ("json_schema", Shape::Members(&SCHEMA)),
]);
static PREDICTION: Table = Table::plain(&[
    ("type", Shape::Word),
    (
        "content",
        Shape::Either(&Shape::Turn, &Shape::Parts(&Shape::Members(&PART))),
    ),
]);
static REQUEST_TABLE: Table = Table {
    members: &[
        ("model", Shape::Word),
        ("messages", Shape::List(&Shape::Members(&MESSAGE))),
        ("tools", Shape::List(&Shape::Members(&TOOL))),
        ("functions", Shape::List(&Shape::Members(&DEFINED))),
        (
            "tool_choice",
            Shape::Either(&Shape::Word, &Shape::Members(&TOOL)),
        ),
        (
            "function_call",
            Shape::Either(&Shape::Word, &Shape::Members(&DEFINED)),
        ),
        ("response_format", Shape::Members(&FORMAT)),
        ("prediction", Shape::Members(&PREDICTION)),
        (
            "stop",
            Shape::Either(
                &Shape::Text(Slot::Parameter),
                &Shape::List(&Shape::Text(Slot::Parameter)),
            ),
        ),
        ("metadata", Shape::Free(Slot::Parameter)),
        ("user", Shape::Text(Slot::Parameter)),
        ("safety_identifier", Shape::Text(Slot::Parameter)),
        ("prompt_cache_key", Shape::Text(Slot::Parameter)),
        ("web_search_options", Shape::Free(Slot::Parameter)),
        ("logit_bias", Shape::Free(Slot::Parameter)),
        ("audio", Shape::Free(Slot::Parameter)),
        ("stream_options", Shape::Free(Slot::Parameter)),
        ("modalities", Shape::List(&Shape::Word)),
        ("temperature", Shape::Word),
        ("top_p", Shape::Word),
        ("n", Shape::Word),
        ("seed", Shape::Word),
        ("max_tokens", Shape::Word),
        ("max_completion_tokens", Shape::Word),
        ("presence_penalty", Shape::Word),
        ("frequency_penalty", Shape::Word),
        ("stream", Shape::Word),
        ("store", Shape::Word),
        ("logprobs", Shape::Word),
        ("top_logprobs", Shape::Word),
        ("parallel_tool_calls", Shape::Word),
        ("reasoning_effort", Shape::Word),
        ("verbosity", Shape::Word),
        ("service_tier", Shape::Word),
        ("prompt_cache_retention", Shape::Word),
    ],
    slot: None,
    tool: None,
    other: None,
};
/// A request.
pub(super) const REQUEST: Shape = Shape::Members(&REQUEST_TABLE);

static SPEECH: Table = Table::plain(&[
    ("id", Shape::Id),
    ("data", Shape::Data(None)),
    ("transcript", Shape::Turn),
    ("expires_at", Shape::Word),
]);
static CITATION: Table = Table::plain(&[
    ("title", Shape::Text(Slot::Document)),
    ("url", Shape::Text(Slot::Document)),
    ("start_index", Shape::Word),
    ("end_index", Shape::Word),
]);
static ANNOTATION: Table = Table::plain(&[
    ("type", Shape::Word),
    ("url_citation", Shape::Members(&CITATION)),
]);
static ANSWER: Table = Table::plain(&[
    ("role", Shape::Word),
    (
        "content",
        Shape::Either(&Shape::Turn, &Shape::Parts(&Shape::Members(&PART))),
    ),
    ("refusal", Shape::Turn),
    ("reasoning_content", Shape::Text(Slot::Reasoning)),
    ("reasoning", Shape::Text(Slot::Reasoning)),
    ("tool_calls", Shape::List(&Shape::Members(&TOOL_CALL))),
    ("function_call", Shape::Members(&FUNCTION_CALL)),
    ("audio", Shape::Members(&SPEECH)),
    ("annotations", Shape::List(&Shape::Members(&ANNOTATION))),
]);
static CHOICE: Table = Table::plain(&[
    ("index", Shape::Word),
    ("message", Shape::Members(&ANSWER)),
    ("delta", Shape::Members(&ANSWER)),
    ("logprobs", Shape::Members(&RESPELLED)),
    ("finish_reason", Shape::Word),
]);
static RESPELLED: Table =
    Table::plain(&[("content", Shape::Logprobs), ("refusal", Shape::Logprobs)]);
static ERROR: Table = Table::plain(&[
    ("message", Shape::Turn),
    ("type", Shape::Word),
    ("param", Shape::Text(Slot::Parameter)),
    ("code", Shape::Word),
]);
static REPLY_TABLE: Table = Table {
    members: &[
        ("id", Shape::Id),
        ("object", Shape::Word),
        ("created", Shape::Word),
        ("model", Shape::Word),
        ("system_fingerprint", Shape::Word),
        ("service_tier", Shape::Word),
        ("choices", Shape::List(&Shape::Members(&CHOICE))),
        ("usage", Shape::Free(Slot::Parameter)),
        ("obfuscation", Shape::Word),
        (
            "error",
            Shape::Either(&Shape::Turn, &Shape::Members(&ERROR)),
        ),
    ],
    slot: None,
    tool: None,
    other: None,
};

/// Every text of a reply or of one event of it.
pub(crate) fn walk_reply(document: &Document) -> ReplyWalk {
    let mut out = Walker::new(document, true).visit(
        document,
        document.root(),
        Shape::Members(&REPLY_TABLE),
        "",
        Slot::Turn,
        None,
    );
    let choices = document.member(document.root(), "choices");
    for (position, choice) in choices
        .into_iter()
        .flat_map(|choices| document.children(choices))
        .enumerate()
    {
        let index = document
            .member(choice, "index")
            .and_then(|index| document.whole(index))
            .unwrap_or(position as u64);
        let Some(lists) = document.member(choice, "logprobs") else {
            continue;
        };
        let body = if document.member(choice, "delta").is_some() {
            "delta"
        } else {
            "message"
        };
        for name in ["content", "refusal"] {
            let Some(value) = document
                .member(lists, name)
                .filter(|value| document.kind(*value) == Kind::Array)
            else {
                continue;
            };
            let entries = document
                .children(value)
                .map(|node| entry(document, node))
                .collect();
            out.logprobs.push(Logprobs {
                channel: ChannelId::new(&format!("choices[{index}].{body}.{name}")),
                value,
                entries,
            });
        }
    }
    out
}

fn entry(document: &Document, node: NodeId) -> LogprobEntry {
    let (token, bytes) = spelled(document, node);
    let top = document
        .member(node, "top_logprobs")
        .into_iter()
        .flat_map(|top| document.children(top));
    LogprobEntry {
        node,
        token,
        bytes,
        top: top.map(|other| spelled(document, other)).collect(),
    }
}

fn spelled(document: &Document, node: NodeId) -> (String, Option<Vec<u8>>) {
    let token = document
        .member_text(node, "token")
        .unwrap_or_default()
        .to_owned();
    let bytes = document
        .member(node, "bytes")
        .filter(|bytes| document.kind(*bytes) == Kind::Array);
    let bytes = bytes.map(|bytes| {
        document
            .children(bytes)
            .filter_map(|byte| u8::try_from(document.whole(byte)?).ok())
            .collect()
    });
    (token, bytes)
}
