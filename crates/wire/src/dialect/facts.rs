//! What the gate has to know of a request and a reply, apart from its texts.

use terms::{Code, Place, Refusal, Usage};

use super::{Api, Dialect};
use crate::{Document, Kind, NodeId};

/// LIMIT: bytes of a vendor's identifier that is kept.
const WORD_BYTES_MAX: usize = 128;
/// LIMIT: different finish reasons that are kept.
const FINISH_MAX: usize = 8;

/// What a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The model.
    pub model: String,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The most tokens that the model may write.
    pub output_tokens_max: Option<u64>,
    /// The vendor's `store` flag.
    pub store: Option<bool>,
    /// Tools that are offered.
    pub tools: u32,
    /// Replies that are asked for at once.
    pub choices: u32,
    /// Features by which the vendor fetches or runs what the gate never sees.
    pub remote_features: Vec<Place>,
    /// The end user, by the name that the caller has for them.
    pub person: Option<String>,
}

/// What a reply tells of the vendor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyFacts {
    /// The model that answered.
    pub model: Option<String>,
    /// The vendor's fingerprint of its backend.
    pub fingerprint: Option<String>,
    /// Finish or stop reasons, each once.
    pub finish: Vec<String>,
    /// The type of the error, if it is one.
    pub error: Option<String>,
    /// Tokens as the vendor counted them.
    pub usage: Option<Usage>,
}

fn malformed(place: &str) -> Refusal {
    Refusal::new(Code::FieldMalformed).at(Place::new(place.to_owned()))
}

pub(super) fn request(dialect: Dialect, document: &Document) -> Result<Facts, Refusal> {
    let root = document.root();
    if document.kind(root) != Kind::Object {
        return Err(malformed(""));
    }
    let model = document
        .member_text(root, "model")
        .ok_or_else(|| Refusal::new(Code::ModelMissing))?;
    let messages = document
        .member(root, "messages")
        .filter(|messages| document.kind(*messages) == Kind::Array);
    let messages = messages.ok_or_else(|| malformed("messages"))?;
    for (index, message) in document.children(messages).enumerate() {
        let role = document.member(message, "role");
        if role.is_none_or(|role| document.kind(role) != Kind::String) {
            return Err(malformed(&format!("messages[{index}].role")));
        }
    }
    let tools = document
        .member(root, "tools")
        .map_or(0, |tools| document.children(tools).count());
    let whole = |name: &str| {
        document
            .member(root, name)
            .and_then(|node| document.whole(node))
    };
    let limits = ["max_completion_tokens", "max_tokens"];
    let mut facts = Facts {
        model: model.to_owned(),
        stream: flag(document, root, "stream")?.unwrap_or(false),
        output_tokens_max: limits.iter().filter_map(|name| whole(name)).max(),
        store: flag(document, root, "store")?,
        tools: u32::try_from(tools).unwrap_or(u32::MAX),
        choices: whole("n").map_or(1, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        remote_features: Vec::new(),
        person: person(dialect.api(), document),
    };
    remote(
        dialect.api(),
        document,
        messages,
        &mut facts.remote_features,
    );
    Ok(facts)
}

/// The end user whom the caller names. What is no text names nobody.
fn person(api: Api, document: &Document) -> Option<String> {
    let root = document.root();
    let named = match api {
        // The newer name of the two goes first.
        Api::OpenAi => ["safety_identifier", "user"].iter().find_map(|name| {
            document
                .member_text(root, name)
                .filter(|text| !text.is_empty())
        }),
        Api::Anthropic => document
            .member(root, "metadata")
            .and_then(|metadata| document.member_text(metadata, "user_id")),
    };
    named.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn flag(document: &Document, root: NodeId, name: &str) -> Result<Option<bool>, Refusal> {
    match document.member(root, name) {
        None => Ok(None),
        Some(node) if document.kind(node) == Kind::Null => Ok(None),
        Some(node) => document
            .truth(node)
            .map(Some)
            .ok_or_else(|| malformed(name)),
    }
}

fn remote(api: Api, document: &Document, messages: NodeId, found: &mut Vec<Place>) {
    let root = document.root();
    let names: &[&str] = match api {
        Api::OpenAi => &["web_search_options"],
        Api::Anthropic => &["mcp_servers", "container"],
    };
    found.extend(
        names
            .iter()
            .filter(|name| document.member(root, name).is_some())
            .map(|name| Place::new((*name).to_owned())),
    );
    let tools = document
        .member(root, "tools")
        .into_iter()
        .flat_map(|tools| document.children(tools));
    for (index, tool) in tools.enumerate() {
        // A tool that the vendor runs has a type of its own and no schema.
        let own = document
            .member_text(tool, "type")
            .is_some_and(|kind| !matches!(kind, "custom" | "function"));
        if own {
            found.push(Place::new(format!("tools[{index}]")));
        }
    }
    for (index, message) in document.children(messages).enumerate() {
        let parts = document
            .member(message, "content")
            .into_iter()
            .flat_map(|content| document.children(content));
        for (part, block) in parts.enumerate() {
            // The result of a tool has parts of its own.
            let inner = document
                .member(block, "content")
                .into_iter()
                .flat_map(|content| document.children(content));
            if std::iter::once(block)
                .chain(inner)
                .any(|block| fetched(document, block))
            {
                found.push(Place::new(format!("messages[{index}].content[{part}]")));
            }
        }
    }
}

/// Whether the vendor will fetch this part from elsewhere.
fn fetched(document: &Document, block: NodeId) -> bool {
    let by_url = |node: NodeId| {
        let url = document
            .text(node)
            .or_else(|| document.member_text(node, "url"));
        url.is_some_and(|url| {
            !url.get(..5)
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
        })
    };
    let source = document.member(block, "source");
    let told = source.and_then(|source| document.member_text(source, "type"));
    document.member(block, "image_url").is_some_and(by_url)
        || document
            .member(block, "file")
            .is_some_and(|file| document.member(file, "file_id").is_some())
        || matches!(told, Some("url" | "file"))
}

pub(super) fn reply(api: Api, document: &Document, facts: &mut ReplyFacts) {
    let root = document.root();
    let error = document
        .member(root, "error")
        .and_then(|error| document.member(error, "type"));
    if let Some(kind) = error.and_then(|node| word(document, node)) {
        facts.error = Some(kind);
    }
    match api {
        Api::OpenAi => openai(document, root, facts),
        Api::Anthropic => anthropic(document, root, facts),
    }
}

fn openai(document: &Document, root: NodeId, facts: &mut ReplyFacts) {
    keep(&mut facts.model, document, root, "model");
    keep(&mut facts.fingerprint, document, root, "system_fingerprint");
    let choices = document
        .member(root, "choices")
        .into_iter()
        .flat_map(|choices| document.children(choices));
    for choice in choices {
        finish(facts, document, choice, "finish_reason");
    }
    usage(document, root, &OPENAI_USAGE, facts);
}

fn anthropic(document: &Document, root: NodeId, facts: &mut ReplyFacts) {
    // A whole message, the message that a stream starts with, or a delta.
    let message = document.member(root, "message").unwrap_or(root);
    keep(&mut facts.model, document, message, "model");
    finish(facts, document, message, "stop_reason");
    if let Some(delta) = document.member(root, "delta") {
        finish(facts, document, delta, "stop_reason");
    }
    usage(document, message, &ANTHROPIC_USAGE, facts);
    if document.member(root, "usage").is_some() {
        usage(document, root, &ANTHROPIC_USAGE, facts);
    }
    // The answer of count_tokens.
    if let Some(input_tokens) = document
        .member(root, "input_tokens")
        .and_then(|node| document.whole(node))
    {
        facts.usage = Some(Usage {
            input_tokens,
            ..Usage::default()
        });
    }
}

fn keep(slot: &mut Option<String>, document: &Document, node: NodeId, name: &str) {
    if let Some(text) = document
        .member(node, name)
        .and_then(|node| word(document, node))
    {
        *slot = Some(text);
    }
}

fn finish(facts: &mut ReplyFacts, document: &Document, node: NodeId, name: &str) {
    let Some(reason) = document
        .member(node, name)
        .and_then(|node| word(document, node))
    else {
        return;
    };
    if facts.finish.len() < FINISH_MAX && !facts.finish.contains(&reason) {
        facts.finish.push(reason);
    }
}

/// Where a vendor's count of tokens stands in `usage`.
struct UsageNames {
    input: &'static str,
    output: &'static str,
    /// From its cache: a member, or a member of a member.
    cached: &'static [&'static str],
    /// Into its cache.
    cache_written: &'static [&'static str],
}

const OPENAI_USAGE: UsageNames = UsageNames {
    input: "prompt_tokens",
    output: "completion_tokens",
    cached: &["prompt_tokens_details", "cached_tokens"],
    cache_written: &["prompt_tokens_details", "cache_write_tokens"],
};
const ANTHROPIC_USAGE: UsageNames = UsageNames {
    input: "input_tokens",
    output: "output_tokens",
    cached: &["cache_read_input_tokens"],
    cache_written: &["cache_creation_input_tokens"],
};

fn usage(document: &Document, node: NodeId, names: &UsageNames, facts: &mut ReplyFacts) {
    let Some(usage) = document.member(node, "usage") else {
        return;
    };
    let whole = |path: &[&str]| {
        let found = path
            .iter()
            .try_fold(usage, |node, name| document.member(node, name))?;
        document.whole(found)
    };
    let (input, output) = (whole(&[names.input]), whole(&[names.output]));
    if input.is_none() && output.is_none() {
        return;
    }
    // A stream tells more than once: what it does not repeat stays.
    let before = facts.usage.unwrap_or_default();
    facts.usage = Some(Usage {
        input_tokens: input.unwrap_or(before.input_tokens),
        output_tokens: output.unwrap_or(before.output_tokens),
        cached_tokens: whole(names.cached).or(before.cached_tokens),
        cache_written_tokens: whole(names.cache_written).or(before.cache_written_tokens),
    });
}

/// A vendor's identifier, if it looks like one.
fn word(document: &Document, node: NodeId) -> Option<String> {
    let text = document.text(node)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@ ".contains(&byte);
    (!text.is_empty() && text.len() <= WORD_BYTES_MAX && text.bytes().all(plain))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Limits, Surrogates};

    fn used(api: Api, replies: &[&str]) -> Option<Usage> {
        let mut facts = ReplyFacts::default();
        for text in replies {
            let raw = Bytes::copy_from_slice(text.as_bytes());
            let document = Document::parse(raw, &Limits::default(), Surrogates::Refuse).unwrap();
            reply(api, &document, &mut facts);
        }
        facts.usage
    }

    #[test]
    fn the_end_user_is_whom_the_caller_names() {
        let named = |api: Api, more: &str| {
            let text = format!(r#"{{"model":"m","messages":[]{more}}}"#);
            let raw = Bytes::copy_from_slice(text.as_bytes());
            let document = Document::parse(raw, &Limits::default(), Surrogates::Refuse).unwrap();
            person(api, &document)
        };
        let openai = |more| named(Api::OpenAi, more);
        assert_eq!(openai(r#","user":"ada""#).as_deref(), Some("ada"));
        let both = r#","user":"ada","safety_identifier":"bob""#;
        assert_eq!(openai(both).as_deref(), Some("bob"));
        let blank = r#","user":"ada","safety_identifier":"""#;
        assert_eq!(openai(blank).as_deref(), Some("ada"));
        let anthropic = |more| named(Api::Anthropic, more);
        let id = r#","metadata":{"user_id":"ada"}"#;
        assert_eq!(anthropic(id).as_deref(), Some("ada"));
        for (api, more) in [
            (Api::OpenAi, ""),
            (Api::OpenAi, r#","user":7"#),
            (Api::OpenAi, r#","user":null"#),
            (Api::OpenAi, r#","user":"""#),
            (Api::OpenAi, id),
            (Api::Anthropic, r#","user":"ada""#),
            (Api::Anthropic, r#","metadata":{"user_id":""}"#),
            (Api::Anthropic, r#","metadata":["user_id"]"#),
        ] {
            assert_eq!(named(api, more), None, "{more}");
        }
    }

    #[test]
    fn cached_tokens_are_told_apart_if_the_vendor_tells_them() {
        let openai = r#"{"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":5}}}"#;
        let usage = Usage {
            input_tokens: 9,
            output_tokens: 2,
            cached_tokens: Some(5),
            cache_written_tokens: None,
        };
        assert_eq!(used(Api::OpenAi, &[openai]), Some(usage));
        let plain =
            r#"{"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":null}}"#;
        let usage = Usage {
            cached_tokens: None,
            ..usage
        };
        assert_eq!(used(Api::OpenAi, &[plain]), Some(usage));
        // A stream's end does not repeat what its beginning told.
        let begin = r#"{"message":{"usage":{"input_tokens":9,"output_tokens":1,"cache_read_input_tokens":5,"cache_creation_input_tokens":3}}}"#;
        let end = r#"{"usage":{"output_tokens":2}}"#;
        let usage = Usage {
            cached_tokens: Some(5),
            cache_written_tokens: Some(3),
            ..usage
        };
        assert_eq!(used(Api::Anthropic, &[begin, end]), Some(usage));
    }
}
