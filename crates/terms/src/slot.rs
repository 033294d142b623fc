//! Where in an exchange a text stands.

words! {
    /// Which way a text travels.
    pub enum Direction {
        /// From the caller to the vendor.
        Request = "request",
        /// From the vendor to the caller.
        Reply = "reply",
    }
}

words! {
    /// The part that a text plays in an exchange. A dialect names what it
    /// knows; everything else is `Unknown` and judged by the strictest rules.
    pub enum Slot {
        /// Instructions of the operator or application.
        System = "system",
        /// What a person or the model says, refusals included.
        Turn = "turn",
        /// What the model thinks aloud before it answers.
        Reasoning = "reasoning",
        /// Arguments of a tool call.
        ToolCall = "tool-call",
        /// What a tool answered.
        ToolResult = "tool-result",
        /// Names, descriptions and schemas of tools.
        ToolDefinition = "tool-definition",
        /// A document, a search result or a citation.
        Document = "document",
        /// Bytes of an image, a sound or a file that are not text.
        Media = "media",
        /// A value that only the vendor can read: signatures, encrypted content.
        Opaque = "opaque",
        /// Parameters of the call: identifiers, enumerations, sampling numbers.
        Parameter = "parameter",
        /// A place that the dialect does not know.
        Unknown = "unknown",
    }
}
