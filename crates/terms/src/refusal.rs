//! How an exchange ends before its time.

use std::fmt;

use crate::Code;

/// Where in a document something stands, as `messages[3].content[0].text`.
/// INVARIANT: made by the walker only, which writes a key that the dialect
/// does not know as its position (`messages[0].{2}`), so that no caller's text
/// gets into an error, a log or a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(String);

impl Place {
    /// Takes a place that the walker wrote.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The place as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A request or reply that goes no further: a stable code and, where it helps,
/// the place. It can hold neither matched text nor a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a refusal must be told to the caller and recorded"]
pub struct Refusal {
    code: Code,
    place: Option<Place>,
    retry_after_seconds: Option<u32>,
}

impl Refusal {
    /// A refusal for this reason.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            place: None,
            retry_after_seconds: None,
        }
    }

    /// The same, saying when it is worth trying again.
    pub fn retry_after(self, seconds: Option<u32>) -> Self {
        Self {
            retry_after_seconds: seconds,
            ..self
        }
    }

    /// The same, naming the place.
    pub fn at(self, place: Place) -> Self {
        Self {
            place: Some(place),
            ..self
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Seconds after which it is worth trying again, if that is known.
    #[must_use]
    pub const fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after_seconds
    }

    /// The place, if one is known.
    #[must_use]
    pub const fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.code.says())?;
        self.place
            .as_ref()
            .map_or(Ok(()), |place| write!(f, " at {place}"))
    }
}
