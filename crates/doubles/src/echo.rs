//! What the echo understands of a request, whichever the API.

use serde_json::Value;

/// LIMIT: choices in one reply.
const CHOICES_MAX: u64 = 8;

/// A request as the echo understands it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The model asked for, and the one that answers.
    pub(crate) model: String,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
    /// Whether the stream is to end with its usage (OpenAI).
    pub(crate) usage: bool,
    /// How many choices (OpenAI).
    pub(crate) choices: u64,
    /// The answer's text.
    pub(crate) answer: String,
    /// The tool that must be called, and with what text.
    pub(crate) tool: Option<ToolCall>,
    /// Words in the request's messages, which stand for tokens.
    pub(crate) words: u64,
    /// A name for the request that depends on its body alone, so that the
    /// same request gets the same reply with and without a gate.
    pub(crate) id: String,
}

/// A call of a tool that the request forces.
#[derive(Debug)]
pub(crate) struct ToolCall {
    /// The tool.
    pub(crate) name: String,
    /// Its arguments, as JSON text.
    pub(crate) arguments: String,
}

impl Asked {
    /// Reads a request, or says what is wrong with it.
    pub(crate) fn read(body: &[u8], request: &Value) -> Result<Self, &'static str> {
        let model = request
            .get("model")
            .and_then(Value::as_str)
            .ok_or("you must provide a model parameter")?;
        let messages = request
            .get("messages")
            .and_then(Value::as_array)
            .ok_or("messages: an array is required")?;
        let said = said(messages);
        let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
        let usage = request
            .get("stream_options")
            .and_then(|options| options.get("include_usage"));
        Ok(Self {
            model: model.to_owned(),
            stream: flag(request.get("stream")),
            usage: flag(usage),
            choices: request
                .get("n")
                .and_then(Value::as_u64)
                .unwrap_or(1)
                .clamp(1, CHOICES_MAX),
            words: words(&messages_text(messages)),
            tool: forced_tool(request).map(|name| ToolCall {
                name,
                arguments: serde_json::json!({ "text": said }).to_string(),
            }),
            answer: answer(&said, messages),
            id: format!("fake{}", letters(hash(body))),
        })
    }

    /// Words of the answer, which stand for tokens.
    pub(crate) fn words_out(&self) -> u64 {
        let text = self.tool.as_ref().map_or(&self.answer, |t| &t.arguments);
        words(text)
    }
}

/// The text of all user turns, one line each.
fn said(messages: &[Value]) -> String {
    let user = messages
        .iter()
        .filter(|message| role(message) == Some("user"))
        .map(|message| message.get("content").map(text_of).unwrap_or_default())
        .filter(|text| !text.is_empty());
    user.collect::<Vec<_>>().join("\n")
}

fn answer(said: &str, messages: &[Value]) -> String {
    let tools: Vec<_> = messages.iter().flat_map(tool_results).collect();
    if tools.is_empty() {
        return format!("You said: {said}");
    }
    format!("You said: {said}\nThe tool said: {}", tools.join("\n"))
}

/// The text of a content value: a string, or its text parts joined as they
/// stand.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter(|part| part.get("type").and_then(Value::as_str) == Some("text"))
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    }
}

/// Tool results: a message of their own (OpenAI) or parts of a user turn
/// (Anthropic).
fn tool_results(message: &Value) -> Vec<String> {
    let content = message.get("content");
    if role(message) == Some("tool") {
        return content.map(text_of).into_iter().collect();
    }
    let parts = content.and_then(Value::as_array).into_iter().flatten();
    parts
        .filter(|part| part.get("type").and_then(Value::as_str) == Some("tool_result"))
        .filter_map(|part| part.get("content").map(text_of))
        .collect()
}

/// The name of the tool that the request says must be called: the one named
/// by `tool_choice`, or the first when any will do.
fn forced_tool(request: &Value) -> Option<String> {
    let choice = request.get("tool_choice")?;
    let named = choice
        .pointer("/function/name")
        .or_else(|| choice.get("name"));
    if let Some(name) = named.and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    let any = choice.as_str() == Some("required")
        || choice.get("type").and_then(Value::as_str) == Some("any");
    let first = request.pointer("/tools/0").filter(|_| any)?;
    let name = first
        .pointer("/function/name")
        .or_else(|| first.get("name"));
    name.and_then(Value::as_str).map(str::to_owned)
}

fn role(message: &Value) -> Option<&str> {
    message.get("role").and_then(Value::as_str)
}

fn messages_text(messages: &[Value]) -> String {
    let texts = messages
        .iter()
        .map(|message| message.get("content").map(text_of).unwrap_or_default());
    texts.collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// After FNV-1a, a name and not a secret: eight bytes at a time, since what a
/// vendor does with a large body costs this machine nothing in real life.
fn hash(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, part: u64| (hash ^ part).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    let (eights, rest) = bytes.as_chunks::<8>();
    let hash = eights
        .iter()
        .map(|eight| u64::from_le_bytes(*eight))
        .fold(0xcbf2_9ce4_8422_2325, fold);
    rest.iter().map(|byte| u64::from(*byte)).fold(hash, fold)
}

/// A hash in letters: sixteen digits may be a card's number, and a vendor's
/// ids are no such thing.
fn letters(hash: u64) -> String {
    hash.to_be_bytes()
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(b'a' + half))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Asked;
    use serde_json::json;

    fn read(request: &serde_json::Value) -> Result<Asked, &'static str> {
        Asked::read(request.to_string().as_bytes(), request)
    }

    #[test]
    fn all_that_users_said_is_echoed() {
        let asked = read(&json!({"model": "m", "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": [
                {"type": "text", "text": "thr"}, {"type": "text", "text": "ee"},
            ]},
        ]}));
        let asked = asked.unwrap();
        assert_eq!(asked.answer, "You said: one\nthree");
        assert_eq!(asked.words, 5);
        assert!(!asked.stream);
    }

    #[test]
    fn tool_results_of_both_apis_are_echoed() {
        let asked = read(&json!({"model": "m", "messages": [
            {"role": "user", "content": [
                {"type": "tool_result", "content": [{"type": "text", "text": "rain"}]},
            ]},
            {"role": "tool", "content": "sun"},
        ]}));
        assert_eq!(
            asked.unwrap().answer,
            "You said: \nThe tool said: rain\nsun"
        );
    }

    #[test]
    fn a_forced_tool_is_called_with_what_was_said() {
        for choice in [
            json!("required"),
            json!({"type": "any"}),
            json!({"type": "tool", "name": "look"}),
            json!({"type": "function", "function": {"name": "look"}}),
        ] {
            let asked = read(&json!({"model": "m", "tool_choice": choice,
                "tools": [{"name": "look"}],
                "messages": [{"role": "user", "content": "a \"b\""}]}));
            let tool = asked.unwrap().tool.unwrap();
            assert_eq!(tool.name, "look");
            assert_eq!(tool.arguments, r#"{"text":"a \"b\""}"#);
        }
        let free = read(&json!({"model": "m", "tool_choice": "auto",
            "tools": [{"name": "look"}], "messages": []}));
        assert!(free.unwrap().tool.is_none());
    }

    #[test]
    fn what_a_vendor_would_refuse_is_refused() {
        assert!(read(&json!({"messages": []})).is_err());
        assert!(read(&json!({"model": "m"})).is_err());
    }

    #[test]
    fn the_same_body_gets_the_same_name() {
        let one = json!({"model": "m", "messages": []});
        let two = json!({"model": "n", "messages": []});
        assert_eq!(read(&one).unwrap().id, read(&one).unwrap().id);
        assert_ne!(read(&one).unwrap().id, read(&two).unwrap().id);
    }
}
