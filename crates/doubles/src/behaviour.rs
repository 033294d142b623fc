//! How the echo cuts its streams into deltas and network chunks.

use serde::{Deserialize, Deserializer, de::Error as _};

/// How the text of a streamed reply is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deltas {
    /// A delta for each word, a network chunk for each event.
    #[default]
    Word,
    /// A delta for each character.
    Char,
    /// One delta.
    Whole,
    /// Deltas by word, but the network chunks are this many bytes long,
    /// wherever that cuts an event.
    Bytes(usize),
}

impl Deltas {
    /// The deltas of a text.
    #[must_use]
    pub fn cut(self, text: &str) -> Vec<&str> {
        match self {
            Self::Word | Self::Bytes(_) => text.split_inclusive(' ').collect(),
            Self::Char => text.split_inclusive(|_: char| true).collect(),
            Self::Whole => vec![text],
        }
    }
}

impl<'de> Deserialize<'de> for Deltas {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let word = String::deserialize(input)?;
        match word.as_str() {
            "word" => Ok(Self::Word),
            "char" => Ok(Self::Char),
            "whole" => Ok(Self::Whole),
            other => other
                .strip_prefix("bytes:")
                .and_then(|count| count.parse().ok())
                .filter(|count| *count > 0)
                .map(Self::Bytes)
                .ok_or_else(|| D::Error::custom("deltas is word, char, whole or bytes:N")),
        }
    }
}

/// What the echo does beyond echoing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Pause before each network chunk of a reply, milliseconds.
    pub delay_ms: u64,
    /// How streamed text is cut.
    pub deltas: Deltas,
}

#[cfg(test)]
mod tests {
    use super::{Behaviour, Deltas};

    #[test]
    fn every_cut_joins_back_to_the_text() {
        let text = "zwei Wörter und 🦀 ";
        for deltas in [Deltas::Word, Deltas::Char, Deltas::Whole, Deltas::Bytes(3)] {
            assert_eq!(deltas.cut(text).concat(), text);
        }
        assert_eq!(Deltas::Char.cut("a🦀").len(), 2);
    }

    #[test]
    fn behaviour_reads_from_json() {
        let read = |text| serde_json::from_str::<Behaviour>(text);
        let behaviour = read(r#"{"delay_ms":50,"deltas":"bytes:7"}"#).unwrap();
        assert_eq!(behaviour.delay_ms, 50);
        assert_eq!(behaviour.deltas, Deltas::Bytes(7));
        assert!(read(r#"{"deltas":"bytes:0"}"#).is_err());
        assert!(read(r#"{"delays":1}"#).is_err());
    }
}
