//! Anthropic Messages: which place holds what.

use terms::Slot;

use crate::{
    ChannelId, Document, Kind, ReplyWalk,
    walk::{Shape, Table, Walker},
};

fn by_role(role: &str) -> Option<Slot> {
    match role {
        "user" | "assistant" => Some(Slot::Turn),
        "system" => Some(Slot::System),
        _ => None,
    }
}

/// The slot of a block's texts, by its type; texts keep the message's.
fn by_type(kind: &str) -> Option<Slot> {
    match kind {
        "document" | "search_result" => Some(Slot::Document),
        "thinking" => Some(Slot::Reasoning),
        "tool_use" | "server_tool_use" | "mcp_tool_use" => Some(Slot::ToolCall),
        other if other.ends_with("tool_result") => Some(Slot::ToolResult),
        _ => None,
    }
}

static SOURCE: Table = Table {
    members: &[
        ("type", Shape::Word),
        ("media_type", Shape::Word),
        ("data", Shape::Data(Some("media_type"))),
        ("url", Shape::Url),
        ("file_id", Shape::Word),
        (
            "content",
            Shape::Either(&Shape::Turn, &Shape::Parts(&Shape::Members(&BLOCK))),
        ),
    ],
    slot: None,
    tool: None,
    other: Some(("type", "text", &TEXT_SOURCE)),
};
static TEXT_SOURCE: Table = Table::plain(&[
    ("type", Shape::Word),
    ("media_type", Shape::Word),
    ("data", Shape::Text(Slot::Document)),
]);
static CITATION: Table = Table::plain(&[
    ("type", Shape::Word),
    ("cited_text", Shape::Text(Slot::Document)),
    ("document_title", Shape::Text(Slot::Document)),
    ("title", Shape::Text(Slot::Document)),
    ("url", Shape::Text(Slot::Document)),
    ("source", Shape::Text(Slot::Document)),
    ("document_index", Shape::Word),
    ("start_char_index", Shape::Word),
    ("end_char_index", Shape::Word),
    ("start_page_number", Shape::Word),
    ("end_page_number", Shape::Word),
    ("start_block_index", Shape::Word),
    ("end_block_index", Shape::Word),
    ("search_result_index", Shape::Word),
    ("file_id", Shape::Word),
    ("encrypted_index", Shape::Opaque),
]);
static CACHE: Table = Table::plain(&[("type", Shape::Word), ("ttl", Shape::Word)]);
static ENABLED: Table = Table::plain(&[("enabled", Shape::Word)]);
static BLOCK: Table = Table {
    members: &[
        ("type", Shape::Word),
        ("text", Shape::Turn),
        (
            "source",
            Shape::Either(&Shape::Turn, &Shape::Members(&SOURCE)),
        ),
        ("title", Shape::Text(Slot::Document)),
        ("context", Shape::Text(Slot::Document)),
        (
            "content",
            Shape::Either(&Shape::Turn, &Shape::Parts(&Shape::Members(&BLOCK))),
        ),
        ("thinking", Shape::Text(Slot::Reasoning)),
        ("signature", Shape::Opaque),
        ("data", Shape::Opaque),
        ("encrypted_content", Shape::Opaque),
        ("id", Shape::Id),
        ("name", Shape::Name(Slot::ToolCall)),
        ("input", Shape::Free(Slot::ToolCall)),
        ("tool_use_id", Shape::Id),
        ("is_error", Shape::Word),
        (
            "citations",
            Shape::Both(
                &Shape::List(&Shape::Members(&CITATION)),
                &Shape::Members(&ENABLED),
            ),
        ),
        ("cache_control", Shape::Members(&CACHE)),
        ("url", Shape::Text(Slot::Document)),
        ("page_age", Shape::Text(Slot::Document)),
        ("stdout", Shape::Turn),
        ("stderr", Shape::Turn),
        ("return_code", Shape::Word),
        ("error_code", Shape::Word),
        ("file_id", Shape::Word),
    ],
    slot: Some(("type", by_type)),
    tool: Some("name"),
    other: None,
};
static MESSAGE: Table = Table {
    members: &[
        ("role", Shape::Word),
        (
            "content",
            Shape::Either(&Shape::Turn, &Shape::Parts(&Shape::Members(&BLOCK))),
        ),
    ],
    slot: Some(("role", by_role)),
    tool: None,
    other: None,
};
static SYSTEM_BLOCK: Table = Table {
    members: BLOCK.members,
    slot: Some(("type", |_| Some(Slot::System))),
    tool: None,
    other: None,
};
static TOOL: Table = Table::plain(&[
    ("type", Shape::Word),
    ("name", Shape::Name(Slot::ToolDefinition)),
    ("description", Shape::Text(Slot::ToolDefinition)),
    ("input_schema", Shape::Free(Slot::ToolDefinition)),
    ("cache_control", Shape::Members(&CACHE)),
    ("max_uses", Shape::Word),
    (
        "allowed_domains",
        Shape::List(&Shape::Text(Slot::Parameter)),
    ),
    (
        "blocked_domains",
        Shape::List(&Shape::Text(Slot::Parameter)),
    ),
    ("user_location", Shape::Free(Slot::Parameter)),
    ("strict", Shape::Word),
]);
static METADATA: Table = Table::plain(&[("user_id", Shape::Text(Slot::Parameter))]);
static THINKING: Table = Table::plain(&[
    ("type", Shape::Word),
    ("budget_tokens", Shape::Word),
    ("display", Shape::Word),
]);
static CHOICE: Table = Table::plain(&[
    ("type", Shape::Word),
    ("name", Shape::Name(Slot::ToolDefinition)),
    ("disable_parallel_tool_use", Shape::Word),
]);
static REQUEST_TABLE: Table = Table {
    members: &[
        ("model", Shape::Word),
        ("max_tokens", Shape::Word),
        ("messages", Shape::List(&Shape::Members(&MESSAGE))),
        (
            "system",
            Shape::Either(
                &Shape::Text(Slot::System),
                &Shape::Parts(&Shape::Members(&SYSTEM_BLOCK)),
            ),
        ),
        ("tools", Shape::List(&Shape::Members(&TOOL))),
        ("tool_choice", Shape::Members(&CHOICE)),
        ("metadata", Shape::Members(&METADATA)),
        ("stop_sequences", Shape::List(&Shape::Text(Slot::Parameter))),
        ("thinking", Shape::Members(&THINKING)),
        ("output_config", Shape::Free(Slot::ToolDefinition)),
        ("output_format", Shape::Free(Slot::ToolDefinition)),
        ("mcp_servers", Shape::Free(Slot::Parameter)),
        (
            "container",
            Shape::Either(&Shape::Word, &Shape::Free(Slot::Parameter)),
        ),
        ("context_management", Shape::Free(Slot::Parameter)),
        ("cache_control", Shape::Members(&CACHE)),
        ("stream", Shape::Word),
        ("temperature", Shape::Word),
        ("top_p", Shape::Word),
        ("top_k", Shape::Word),
        ("service_tier", Shape::Word),
        ("inference_geo", Shape::Word),
    ],
    slot: None,
    tool: None,
    other: None,
};
/// A request.
pub(super) const REQUEST: Shape = Shape::Members(&REQUEST_TABLE);

static ERROR: Table = Table::plain(&[("type", Shape::Word), ("message", Shape::Turn)]);
static REPLY_TABLE: Table = Table {
    members: &[
        ("id", Shape::Id),
        ("type", Shape::Word),
        ("role", Shape::Word),
        ("model", Shape::Word),
        (
            "content",
            Shape::Either(&Shape::Turn, &Shape::Parts(&Shape::Members(&BLOCK))),
        ),
        ("stop_reason", Shape::Word),
        ("stop_sequence", Shape::Turn),
        ("usage", Shape::Free(Slot::Parameter)),
        ("input_tokens", Shape::Word),
        ("container", Shape::Free(Slot::Parameter)),
        ("error", Shape::Members(&ERROR)),
        ("request_id", Shape::Id),
    ],
    slot: None,
    tool: None,
    other: None,
};
static DELTA: Table = Table::plain(&[
    ("type", Shape::Word),
    ("text", Shape::Turn),
    ("thinking", Shape::Text(Slot::Reasoning)),
    ("signature", Shape::Opaque),
    ("partial_json", Shape::Json(Slot::ToolCall)),
    ("citation", Shape::Members(&CITATION)),
    ("stop_reason", Shape::Word),
    ("stop_sequence", Shape::Turn),
    ("container", Shape::Free(Slot::Parameter)),
]);

/// The shape of a content block, as `content_block_start` carries it.
pub(crate) const BLOCK_SHAPE: Shape = Shape::Members(&BLOCK);
/// The shape of a delta.
pub(crate) const DELTA_SHAPE: Shape = Shape::Members(&DELTA);
/// The shape of a message.
const REPLY_SHAPE: Shape = Shape::Members(&REPLY_TABLE);
static EVENT: Table = Table::plain(&[
    ("type", Shape::Word),
    ("index", Shape::Word),
    ("message", REPLY_SHAPE),
    ("delta", DELTA_SHAPE),
    ("content_block", BLOCK_SHAPE),
    ("usage", Shape::Free(Slot::Parameter)),
    ("error", Shape::Members(&ERROR)),
    ("request_id", Shape::Id),
    ("context_management", Shape::Free(Slot::Parameter)),
]);
/// The shape of an event.
pub(crate) const EVENT_SHAPE: Shape = Shape::Members(&EVENT);

/// Every text of a whole reply.
pub(super) fn walk_reply(document: &Document) -> ReplyWalk {
    let mut out = Walker::new(document, true).visit(
        document,
        document.root(),
        REPLY_SHAPE,
        "",
        Slot::Turn,
        None,
    );
    let content = document
        .member(document.root(), "content")
        .filter(|content| document.kind(*content) == Kind::Array);
    for (index, block) in content
        .into_iter()
        .flat_map(|content| document.children(content))
        .enumerate()
    {
        if let (Some(_), Some(signature)) = (
            document.member_text(block, "thinking"),
            document.member(block, "signature"),
        ) {
            out.signatures.push((
                ChannelId::new(&format!("content[{index}].thinking")),
                signature,
            ));
        }
    }
    out
}
