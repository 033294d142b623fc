//! A channel: a text of a reply that comes piece by piece.

use std::sync::Arc;

use terms::Slot;

use crate::NodeId;

/// Name of a channel within one reply. It holds keys as the vendor wrote them
/// and is for comparing, not for showing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub(crate) Arc<str>);

impl ChannelId {
    pub(crate) fn new(path: &str) -> Self {
        Self(Arc::from(path))
    }

    /// The index of the text block that this channel is, if it is one: such
    /// blocks are neighbouring parts of one message.
    #[must_use]
    pub fn text_block(&self) -> Option<u64> {
        self.0
            .strip_prefix("content[")?
            .strip_suffix("].text")?
            .parse()
            .ok()
    }

    /// The name of the text that a client may take this channel for a piece
    /// of: a whole message beside the deltas, a part of a content beside the
    /// content.
    #[must_use]
    pub fn family(&self) -> String {
        let Some((choice, path)) = self
            .0
            .strip_prefix("choices[")
            .and_then(|rest| rest.split_once("]."))
        else {
            return self.0.to_string();
        };
        let path = path
            .strip_prefix("delta.")
            .or_else(|| path.strip_prefix("message."))
            .unwrap_or(path);
        let is_part = path
            .strip_prefix("content[")
            .and_then(|rest| rest.strip_suffix("].text"))
            .is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()));
        let path = if is_part { "content" } else { path };
        format!("choices[{choice}].{path}")
    }
}

/// One text of a reply, whole or in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub id: ChannelId,
    /// The part that it plays.
    pub slot: Slot,
    /// The tool whose arguments it is.
    pub tool: Option<String>,
    /// Whether the text is itself a JSON document.
    pub json: bool,
}

/// A list that spells a channel's text again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logprobs {
    /// The channel whose text it spells.
    pub channel: ChannelId,
    /// The array.
    pub value: NodeId,
    /// Its entries.
    pub entries: Vec<LogprobEntry>,
}

/// One token of such a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogprobEntry {
    /// The entry's object.
    pub node: NodeId,
    /// The token.
    pub token: String,
    /// Its bytes, if given.
    pub bytes: Option<Vec<u8>>,
    /// The alternatives, likewise.
    pub top: Vec<(String, Option<Vec<u8>>)>,
}
