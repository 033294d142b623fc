//! What a dialect's tables know of the values in a document.

use terms::Slot;

/// What a table knows of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A text in the slot of the message or block around it.
    Turn,
    /// A text in this slot.
    Text(Slot),
    /// A word of the protocol: looked at, never rewritten.
    Word,
    /// The name of a tool: likewise, in its own slot.
    Name(Slot),
    /// What one side calls a message or call, and the other repeats: rewritten
    /// alike wherever it stands, it still does its work.
    Id,
    /// Any document: its keys are data, its strings may hold JSON again.
    Free(Slot),
    /// A string that holds a document.
    Json(Slot),
    /// Base64 of a medium or a text; the member beside it that tells its type.
    /// Without one it is sound.
    Data(Option<&'static str>),
    /// A URL of a document, or a data URL.
    Url,
    /// A value that only the vendor can read.
    Opaque,
    /// A list of log probabilities: what is plain in it is no leaf; see
    /// `respelled` and `Logprobs`.
    Logprobs,
    /// Elements of this shape.
    List(&'static Shape),
    /// Parts of one message: neighbouring texts belong together.
    Parts(&'static Shape),
    /// An object with these members; `slot` tells the slot of the texts in it.
    Members(&'static Table),
    /// A string of the first shape, or anything else of the second.
    Either(&'static Shape, &'static Shape),
    /// An array of the first shape, or anything else of the second.
    Both(&'static Shape, &'static Shape),
    /// Nobody knows.
    Unknown,
}

/// The slot that a member's text tells.
type SlotOf = fn(&str) -> Option<Slot>;

/// An object that a dialect knows.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its members.
    pub(crate) members: &'static [(&'static str, Shape)],
    /// The slot of the texts in it, from a member's text; the outer one where
    /// nothing fits.
    pub(crate) slot: Option<(&'static str, SlotOf)>,
    /// The member that names the tool, for what lies in this object.
    pub(crate) tool: Option<&'static str>,
    /// Where a member has a certain text, another table holds.
    pub(crate) other: Option<(&'static str, &'static str, &'static Table)>,
}

impl Table {
    /// An object whose texts keep the slot of what is around it.
    pub(crate) const fn plain(members: &'static [(&'static str, Shape)]) -> Self {
        Self {
            members,
            slot: None,
            tool: None,
            other: None,
        }
    }
}
