//! Where in a text we are: inside a link, an image, a tag or a URL a value
//! must not be put back, since there it would be carried out.
//!
//! Readers differ on where those begin and end. So what may have begun counts
//! as begun, and it ends where it has ended for every reader.

mod tags;
mod tail;
mod targets;
mod unescape;
mod words;

pub(super) use tail::{Says, Tail};
use {tags::Tags, targets::Targets, unescape::Unescape, words::Words};

/// LIMIT: characters since the last `[` after which brackets that do not close
/// are prose.
const BRACKET_CHARS_MAX: usize = 4_096;
/// What stands for a token in a word.
const TOKEN: char = '\0';

/// A reference definition: `[name]:` and a target, on its line or the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Definition {
    #[default]
    None,
    /// The target is still to come.
    Named,
    /// The target has begun.
    Target,
}

/// The state of one text, character by character.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The words as they are written.
    written: Words,
    /// The words as they are meant, entities and backslashes taken away.
    meant: Words,
    unescape: Unescape,
    tags: Tags,
    targets: Targets,
    /// Brackets open, and the characters since the last `[`.
    brackets: u32,
    bracket_chars: usize,
    /// A bracket has just closed.
    closed: bool,
    /// A backslash makes the next character plain.
    escaped: bool,
    /// In a reference definition.
    definition: Definition,
    /// The line so far is blank.
    blank_line: bool,
}

impl Place {
    /// The start of a text.
    pub(super) fn new() -> Self {
        Self {
            blank_line: true,
            ..Self::default()
        }
    }

    /// Takes the next character.
    pub(super) fn feed(&mut self, char: char) {
        self.markup(char);
        self.written.feed(char);
        if self.unescape.passes(char) {
            self.meant.feed(char);
        } else {
            let mut meant = Vec::new();
            self.unescape.feed(char, &mut meant);
            meant.into_iter().for_each(|char| self.meant.feed(char));
        }
    }

    /// A token stands here. It is letters and digits: it extends a word, no
    /// more.
    pub(super) fn token(&mut self) {
        self.markup('a');
        let mut meant = Vec::new();
        self.unescape.end(&mut meant);
        meant.into_iter().for_each(|char| self.meant.feed(char));
        self.written.token();
        self.meant.token();
    }

    fn markup(&mut self, char: char) {
        let line = char == '\n';
        self.tags.feed(char, line && self.blank_line);
        self.targets.feed(char, self.escaped, self.closed);
        if self.definition == Definition::Named && !char.is_whitespace() {
            self.definition = Definition::Target;
        }
        self.bracket_chars += 1;
        match char {
            // Wherever it stands: a quote, a list or a line before it may hold
            // the rest of a definition.
            ':' if self.closed => self.definition = Definition::Named,
            '[' => {
                self.brackets = self.brackets.saturating_add(1);
                self.bracket_chars = 0;
            }
            ']' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        if self.bracket_chars > BRACKET_CHARS_MAX {
            self.brackets = 0;
        }
        self.closed = char == ']';
        self.escaped = char == '\\' && !self.escaped;
        if line {
            self.line();
        } else {
            self.blank_line &= char.is_whitespace();
        }
    }

    fn line(&mut self) {
        if self.blank_line {
            // A blank line ends what was left open, in Markdown.
            self.targets.end();
            self.brackets = 0;
        }
        if self.blank_line || self.definition == Definition::Target {
            self.definition = Definition::None;
        }
        self.blank_line = true;
    }

    /// Whether a value put back here would be carried along by markup or a URL.
    pub(super) fn carries(&self) -> bool {
        self.tags.carry()
            || self.targets.carry()
            || self.definition != Definition::None
            || self.written.url()
            || self.meant.url()
    }

    /// Whether a bracket is open that may turn out to be a link's text, or a
    /// link may just begin.
    pub(super) const fn in_brackets(&self) -> bool {
        self.brackets > 0
    }

    /// Whether a bracket has just closed.
    pub(super) const fn just_closed(&self) -> bool {
        self.closed
    }

    /// Whether what stands before, glued to here, could be a host or an account.
    pub(super) fn glued(&self) -> bool {
        self.written.glued() || self.meant.glued()
    }
}
