//! What may stand beside a match.

use serde::Deserialize;

/// A class of neighbours that a match must not have. The ends of a text are
/// always a boundary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// Anything may stand there.
    #[default]
    None,
    /// No ASCII digit.
    Digit,
    /// No ASCII letter or digit.
    Alnum,
    /// No ASCII letter, digit, hyphen or underscore.
    Word,
}

impl Boundary {
    /// Whether a match may have this neighbour.
    pub(crate) fn allows(self, neighbour: Option<char>) -> bool {
        let Some(char) = neighbour else { return true };
        match self {
            Self::None => true,
            Self::Digit => !char.is_ascii_digit(),
            Self::Alnum => !char.is_ascii_alphanumeric(),
            Self::Word => !char.is_ascii_alphanumeric() && char != '-' && char != '_',
        }
    }
}
