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

    /// Whether a match may begin here. An underscore that begins emphasis
    /// (CommonMark 0.31, section 6.2) is no part of a word: `_key_`.
    pub(crate) fn allows_at(self, text: &str, start: usize) -> bool {
        let before = text.get(..start).unwrap_or_default();
        let outside = |before: &str| before.chars().next_back();
        self.allows(outside(before))
            || self == Self::Word
                && before.strip_suffix('_').is_some_and(|before| {
                    outside(before)
                        .is_none_or(|char| char.is_whitespace() || "(*\"'".contains(char))
                })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emphasis_is_a_boundary_and_a_name_is_none() {
        for (text, begins) in [
            ("_key", true),
            ("is _key", true),
            ("(_key", true),
            ("a_key", false),
            ("__key", false),
            (" key", true),
            ("-key", false),
        ] {
            let start = text.len() - 3;
            assert_eq!(Boundary::Word.allows_at(text, start), begins, "{text}");
        }
        assert!(Boundary::Alnum.allows_at("_key", 1) && !Boundary::Alnum.allows_at("akey", 1));
    }
}
