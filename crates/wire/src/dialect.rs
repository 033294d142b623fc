//! Dialects: what the vendors' APIs look like.

mod anthropic;
mod error;
mod facts;
mod openai;

use terms::Refusal;

use crate::{Document, ReplyWalk, Walk, walk::Walker};

pub(crate) use error::{body as error_json, quoted};
pub use facts::{Facts, ReplyFacts};
pub(crate) use openai::walk_reply as openai_walk;

/// The shapes of which Anthropic's events are made.
pub(crate) mod anthropic_shapes {
    pub(crate) use super::anthropic::{
        BLOCK_SHAPE as BLOCK, DELTA_SHAPE as DELTA, EVENT_SHAPE as EVENT,
    };
}

/// A family of endpoints that share headers and credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI and those who speak alike.
    OpenAi,
    /// Anthropic.
    Anthropic,
}

impl Api {
    /// Its name, as the configuration writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

/// One operation that this build understands whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /v1/chat/completions`
    OpenAiChat,
    /// `POST /v1/messages`
    AnthropicMessages,
    /// `POST /v1/messages/count_tokens`
    AnthropicCountTokens,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Self] = &[
        Self::OpenAiChat,
        Self::AnthropicMessages,
        Self::AnthropicCountTokens,
    ];

    /// The dialect of a method and path; exact, so that no other spelling of a
    /// path means the same.
    #[must_use]
    pub fn recognise(method: &str, path: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|dialect| method == "POST" && path == dialect.path())
    }

    /// Its path at the vendor.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::OpenAiChat => "/v1/chat/completions",
            Self::AnthropicMessages => "/v1/messages",
            Self::AnthropicCountTokens => "/v1/messages/count_tokens",
        }
    }

    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::AnthropicMessages => "anthropic-messages",
            Self::AnthropicCountTokens => "anthropic-count-tokens",
        }
    }

    /// The family that it belongs to.
    #[must_use]
    pub const fn api(self) -> Api {
        match self {
            Self::OpenAiChat => Api::OpenAi,
            Self::AnthropicMessages | Self::AnthropicCountTokens => Api::Anthropic,
        }
    }

    /// Whether a query parameter passes.
    #[must_use]
    pub fn query_allowed(self, name: &str) -> bool {
        match self.api() {
            Api::OpenAi => false,
            Api::Anthropic => name == "beta",
        }
    }

    /// What the gate has to know of a request.
    ///
    /// # Errors
    /// When a field that it must understand has the wrong type.
    pub fn facts(self, document: &Document) -> Result<Facts, Refusal> {
        facts::request(self, document)
    }

    /// Every text of a request.
    #[must_use]
    pub fn walk_request(self, document: &Document) -> Walk {
        let shape = match self.api() {
            Api::OpenAi => openai::REQUEST,
            Api::Anthropic => anthropic::REQUEST,
        };
        Walker::new(document, false)
            .visit(
                document,
                document.root(),
                shape,
                "",
                terms::Slot::Unknown,
                None,
            )
            .walk
    }

    /// Every text of a whole reply, errors included.
    #[must_use]
    pub fn walk_reply(self, document: &Document) -> ReplyWalk {
        match self.api() {
            Api::OpenAi => openai::walk_reply(document),
            Api::Anthropic => anthropic::walk_reply(document),
        }
    }

    /// Adds what a reply, or one event of it, tells of the vendor.
    pub fn reply_facts(self, document: &Document, facts: &mut ReplyFacts) {
        facts::reply(self.api(), document, facts);
    }

    /// A refusal as this vendor's SDK expects errors.
    #[must_use]
    pub fn error_body(self, refusal: &Refusal, exchange: &str) -> Vec<u8> {
        error::body(self.api(), refusal, exchange)
    }
}
