//! Whether a text is inside a tag here, read as browsers read HTML.

/// LIMIT: characters since the last `<` after which a tag that does not end is
/// taken for prose, outside the values of its attributes.
const FRESH_CHARS_MAX: usize = 1_024;

// Where in a tag a reader may be, one bit each.
const NAME: u16 = 1;
/// Between attributes.
const BETWEEN: u16 = 1 << 1;
const ATTRIBUTE: u16 = 1 << 2;
/// After an attribute's name and a blank.
const NAMED: u16 = 1 << 3;
/// After `=`.
const EQUALS: u16 = 1 << 4;
const DOUBLE: u16 = 1 << 5;
const SINGLE: u16 = 1 << 6;
/// A value without quotes.
const BARE: u16 = 1 << 7;
/// A comment or declaration.
const OTHER: u16 = 1 << 8;
const LAST: u32 = 8;
/// In the value of an attribute, which may be fetched.
const VALUES: u16 = EQUALS | DOUBLE | SINGLE | BARE;

/// All readings of the text at once: each `<` begins one of its own, since it
/// depends on the reader which of them is text.
///
/// A tag that runs over a blank line, or is very long, is prose for most
/// readers; HTML may go on with it all the same. So it is not forgotten: from
/// then on nothing is withheld among the names of its attributes, which carry
/// nothing anywhere, and everything still is in their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Tags {
    /// The last character was `<`.
    less: bool,
    /// Where the readings are that may well be tags.
    fresh: u16,
    /// Where those are that have gone on for long.
    stale: u16,
    /// Characters since the last `<`.
    chars: usize,
}

impl Tags {
    /// Takes the next character; `blank_line` says that it ends one.
    pub(super) fn feed(&mut self, char: char, blank_line: bool) {
        self.fresh = steps(self.fresh, char);
        self.stale = steps(self.stale, char);
        if self.less {
            self.fresh |= match char {
                '/' => NAME,
                '!' | '?' => OTHER,
                letter if letter.is_ascii_alphabetic() => NAME,
                _ => 0,
            };
        }
        self.less = char == '<';
        self.chars = if self.less { 0 } else { self.chars + 1 };
        if blank_line || self.chars > FRESH_CHARS_MAX {
            self.stale |= self.fresh;
            self.fresh = 0;
        }
    }

    /// Whether a value put back here would be part of a tag.
    pub(super) const fn carry(&self) -> bool {
        self.less || self.fresh != 0 || self.stale & VALUES != 0
    }
}

/// Where the readings are after a character.
fn steps(states: u16, char: char) -> u16 {
    if states == 0 {
        return 0;
    }
    (0..=LAST)
        .map(|bit| states & (1_u16 << bit))
        .filter(|state| *state != 0)
        .fold(0, |after, state| after | step(state, char))
}

/// The tokenizer of HTML, from the tag's name on. A quote opens a value right
/// after `=` only, and is a letter like any other elsewhere.
const fn step(state: u16, char: char) -> u16 {
    let blank = matches!(char, ' ' | '\t' | '\n' | '\r' | '\u{c}');
    match (state, char) {
        (DOUBLE, '"') | (SINGLE, '\'') => BETWEEN,
        (DOUBLE | SINGLE, _) => state,
        (_, '>') => 0,
        (EQUALS, '"') => DOUBLE,
        (EQUALS, '\'') => SINGLE,
        (EQUALS, _) if blank => EQUALS,
        (EQUALS, _) => BARE,
        (ATTRIBUTE | NAMED, '=') => EQUALS,
        (NAME | BETWEEN | ATTRIBUTE | NAMED, '/') => BETWEEN,
        (ATTRIBUTE | NAMED, _) if blank => NAMED,
        (NAME | BETWEEN | BARE, _) if blank => BETWEEN,
        (BETWEEN | NAMED, _) => ATTRIBUTE,
        (_, _) => state,
    }
}
