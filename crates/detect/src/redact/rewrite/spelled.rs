//! How a caller spelled a value: in a string of a document it may be written
//! with escapes, and mean another text to who reads the document.

use zeroize::Zeroize;

use super::{Root, layers::Layers};

/// A value as it stands in a text, and as it is read in the strings in strings
/// that it lies in there.
pub struct Spelled {
    /// From the text itself inwards; never empty.
    readings: Vec<String>,
    /// Whether the last reading also holds for what lies deeper.
    settled: bool,
}

impl Spelled {
    /// A value that is what it is.
    #[must_use]
    pub fn plain(value: &str) -> Self {
        Self {
            readings: vec![value.to_owned()],
            settled: true,
        }
    }

    /// A value that stood in another exchange: where it may be written with an
    /// escape, nobody can tell what it means in a string of a document.
    pub(in crate::redact) fn from_elsewhere(value: &str) -> Self {
        Self {
            readings: vec![value.to_owned()],
            settled: !value.contains('\\'),
        }
    }

    /// The value as it stands in the text.
    #[must_use]
    pub fn written(&self) -> &str {
        self.readings.first().map_or("", String::as_str)
    }

    /// The value as it is read in this many strings in strings, if that is
    /// known.
    #[must_use]
    pub fn at(&self, depth: usize) -> Option<&str> {
        let deepest = self.readings.last().filter(|_| self.settled);
        self.readings.get(depth).or(deepest).map(String::as_str)
    }

    /// The bytes that this takes.
    pub(in crate::redact) fn bytes(&self) -> usize {
        self.readings.iter().map(String::len).sum()
    }

    /// The same value stands elsewhere too: what both say is known.
    pub(in crate::redact) fn meet(&mut self, other: &Self) {
        let same = self
            .readings
            .iter()
            .zip(&other.readings)
            .take_while(|(one, two)| one == two)
            .count();
        let alike = same == self.readings.len() && same == other.readings.len();
        self.settled &= other.settled && alike;
        let kept = same.max(1);
        for reading in self.readings.iter_mut().skip(kept) {
            reading.zeroize();
        }
        self.readings.truncate(kept);
    }
}

impl std::fmt::Debug for Spelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Spelled({} readings)", self.readings.len())
    }
}

impl Drop for Spelled {
    fn drop(&mut self) {
        self.readings.zeroize();
    }
}

/// Reads one text of a request from its start on.
#[derive(Debug)]
pub struct Reading {
    layers: Layers,
    /// There was a quote: what is no document may hold strings of one.
    quoted: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    /// The start of a text.
    #[must_use]
    pub fn new() -> Self {
        Self {
            layers: Layers::new(Root::Text),
            quoted: false,
        }
    }

    /// Takes text that no value is taken from.
    pub fn pass(&mut self, text: &str) {
        for char in text.chars() {
            self.quoted |= char == '"';
            self.layers.feed(char);
        }
    }

    /// Takes a value.
    #[must_use]
    pub fn value(&mut self, value: &str) -> Spelled {
        let mut spelled = Spelled::plain(value);
        let (_, layer, depth) = self.layers.here();
        let whole = !self.layers.bare() && !self.layers.in_escape();
        let quoted = self.quoted;
        self.pass(value);
        let whole = whole && self.layers.serial() == layer && !self.layers.in_escape();
        if !value.contains('\\') {
            return spelled;
        }
        spelled.settled = whole && (depth > 0 || !quoted);
        if whole {
            for _ in 0..depth {
                let inner = spelled.readings.last().and_then(|text| unescaped(text));
                match inner {
                    Some(inner) => spelled.readings.push(inner),
                    None => {
                        spelled.settled = false;
                        break;
                    }
                }
            }
        }
        spelled
    }
}

/// The inside of a string of a document, read; nothing if it is none.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let meant = match char {
            '"' => return None,
            '\\' => match chars.next()? {
                same @ ('"' | '\\' | '/') => same,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => unit(&mut chars)?,
                _ => return None,
            },
            other => other,
        };
        out.push(meant);
    }
    Some(out)
}

/// The character of `\u`, with the other half of its pair.
fn unit(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let high = hex(chars)?;
    if let Some(char) = char::from_u32(u32::from(high)) {
        return Some(char);
    }
    if (chars.next()?, chars.next()?) != ('\\', 'u') {
        return None;
    }
    let low = hex(chars)?;
    char::decode_utf16([high, low]).next()?.ok()
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = u16::try_from(chars.next()?.to_digit(16)?).ok()?;
        unit = (unit << 4) | digit;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The readings of the value between `<` and `>`, three strings deep.
    fn read(text: &str) -> Vec<Option<String>> {
        let (before, rest) = text.split_once('<').unwrap();
        let (value, _) = rest.split_once('>').unwrap();
        let mut reading = Reading::new();
        reading.pass(before);
        let spelled = reading.value(value);
        assert_eq!(spelled.written(), value);
        (0..3)
            .map(|depth| spelled.at(depth).map(str::to_owned))
            .collect()
    }

    fn all(readings: [&str; 3]) -> Vec<Option<String>> {
        readings
            .iter()
            .map(|text| (!text.is_empty()).then(|| (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_value_is_read_in_each_string_that_it_lies_in() {
        for (text, expected) in [
            ("so <a.b>", ["a.b", "a.b", "a.b"]),
            ("so <a\\u002eb>", ["a\\u002eb", "a\\u002eb", "a\\u002eb"]),
            ("{\"m\":\"<a.b>", ["a.b", "a.b", "a.b"]),
            ("{\"m\":\"<a\\u002eb>", ["a\\u002eb", "a.b", "a.b"]),
            (
                "{\"m\":\"{\\\"n\\\":\\\"<a\\\\u002eb>",
                ["a\\\\u002eb", "a\\u002eb", "a.b"],
            ),
            (
                "{\"m\":\"<\\ud83d\\ude00>",
                ["\\ud83d\\ude00", "\u{1f600}", "\u{1f600}"],
            ),
            // Nobody can tell what these mean deeper inside.
            ("so: {\"m\":\"<a\\u002eb>", ["a\\u002eb", "", ""]),
            ("{\"m\":\"<a\\x2eb>", ["a\\x2eb", "", ""]),
            ("{\"m\":\"\\<na\\u002eb>", ["na\\u002eb", "", ""]),
            ("{\"m\":\"<a\\u002eb\", \"c>", ["a\\u002eb\", \"c", "", ""]),
        ] {
            assert_eq!(read(text), all(expected), "{text}");
        }
    }

    #[test]
    fn what_two_places_say_alike_is_known() {
        let inside = |text: &str| {
            let mut reading = Reading::new();
            reading.pass(text);
            reading.value("a\\u002eb")
        };
        let mut both = inside("{\"m\":\"");
        both.meet(&inside("{\"n\":\""));
        assert_eq!(both.at(1), Some("a.b"));
        both.meet(&inside("so "));
        assert_eq!((both.at(0), both.at(1)), (Some("a\\u002eb"), None));
    }
}
