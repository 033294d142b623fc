//! Where in a text we are: inside a link, an image, a tag or a URL a value
//! must not be put back, since there it would be carried out.

/// LIMIT: characters of the current word that are remembered.
const WORD_CHARS_MAX: usize = 64;

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
    /// The run of characters since the last blank or quote, its end kept.
    word: String,
    /// The word has been seen to be a URL, whatever its length.
    url: bool,
    /// Between `<` and `>`.
    tag: bool,
    /// The quote that is open in a tag.
    quote: Option<char>,
    /// `<` was the last character.
    less: bool,
    /// In the target of a link: parentheses open in it.
    target: Option<u32>,
    /// Brackets open.
    brackets: u32,
    /// A bracket has just closed.
    closed: bool,
    /// In a reference definition.
    definition: Definition,
    /// The line so far is blank.
    blank_line: bool,
    /// The line began with a bracket.
    bracket_line: bool,
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
        if char == '\n' {
            self.line();
            return;
        }
        if self.definition == Definition::Named && !char.is_whitespace() {
            self.definition = Definition::Target;
        }
        self.markup(char);
        if self.blank_line && !char.is_whitespace() {
            self.bracket_line = char == '[';
            self.blank_line = false;
        }
        if char.is_whitespace() || matches!(char, '"' | '\'' | '<' | '>' | '`') {
            self.word.clear();
            // A quote does not end a URL for everyone who looks for one.
            self.url &= !char.is_whitespace() && !matches!(char, '<' | '>');
        } else {
            if self.word.chars().count() >= WORD_CHARS_MAX {
                self.word.remove(0);
            }
            self.word.push(char.to_ascii_lowercase());
            self.url |= is_url(&self.word);
        }
    }

    fn line(&mut self) {
        if self.blank_line {
            // A blank line ends what was left open.
            (self.target, self.brackets) = (None, 0);
        }
        if self.blank_line || self.definition == Definition::Target {
            self.definition = Definition::None;
        }
        (self.blank_line, self.bracket_line, self.closed) = (true, false, false);
        self.word.clear();
        self.url = false;
        self.less = false;
    }

    fn markup(&mut self, char: char) {
        if self.less && (char.is_ascii_alphabetic() || matches!(char, '/' | '!' | '?')) {
            self.tag = true;
        }
        self.less = char == '<';
        self.quote = match (self.quote, char) {
            _ if !self.tag => None,
            (None, '"' | '\'') => Some(char),
            (Some(open), _) if open == char => None,
            (quote, _) => quote,
        };
        match (char, self.closed) {
            ('>', _) if self.quote.is_none() => self.tag = false,
            ('(', true) => self.target = Some(0),
            ('(', false) => self.target = self.target.map(|depth| depth + 1),
            (')', _) => self.target = self.target.and_then(|depth| depth.checked_sub(1)),
            (':', true) if self.bracket_line => self.definition = Definition::Named,
            ('[', _) => self.brackets = self.brackets.saturating_add(1),
            (']', _) => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.closed = char == ']';
    }

    /// Whether a value put back here would be carried along by markup or a URL.
    pub(super) const fn carries(&self) -> bool {
        self.tag
            || self.less
            || self.target.is_some()
            || !matches!(self.definition, Definition::None)
            || self.url
    }

    /// Whether this is inside a tag or a link's target.
    pub(super) const fn in_markup(&self) -> bool {
        self.tag || self.less || self.target.is_some()
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

    /// What stands before, glued to here, could be a host or an account.
    pub(super) fn glued(&self) -> bool {
        self.word.ends_with(['/', '@', '%', '?', '&', '\\'])
            || (self.word.ends_with('.') && self.word.len() > 1)
            || (self.word.contains('/') && self.word.contains(['?', '&']))
    }
}

fn is_url(word: &str) -> bool {
    const SIGNS: &[&str] = &[
        "://",
        "www.",
        "mailto:",
        "data:",
        "javascript:",
        "vbscript:",
        "tel:",
        "file:",
        "sms:",
        "blob:",
    ];
    SIGNS.iter().any(|sign| word.ends_with(sign))
        || word == "//"
        || word.ends_with("(//")
        || word.ends_with("=//")
}

/// What follows a token, glued to it: does it make the token part of a URL, a
/// host, an account or a path?
#[derive(Debug, Clone, Default)]
pub(super) struct Tail {
    last: Option<char>,
    chars: usize,
}

/// What a tail says so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It may still go either way.
    Wait,
    /// The token stands in plain text.
    Plain,
    /// The token is part of something that is followed or sent.
    Carried,
    /// What stands there is another word than the token.
    Altered,
}

impl Tail {
    /// Takes the next character.
    pub(super) fn feed(&mut self, char: char) -> Says {
        /// LIMIT: characters after which an undecided tail is taken for a URL.
        const TAIL_CHARS_MAX: usize = 128;
        self.chars += 1;
        let last = self.last.replace(char);
        if char.is_whitespace()
            || matches!(
                char,
                '"' | '\''
                    | '<'
                    | '>'
                    | '`'
                    | ','
                    | ';'
                    | '|'
                    | '*'
                    | ')'
                    | '}'
                    | ']'
                    | '['
                    | '('
                    | '{'
                    | '!'
                    | '\\'
            )
        {
            return Says::Plain;
        }
        if matches!(char, '/' | '@' | '%' | '&' | '=' | '#') {
            return Says::Carried;
        }
        match (last, char.is_alphanumeric() || char == '-' || char == '_') {
            (Some('.' | ':' | '?'), true) => Says::Carried,
            // A letter more makes it another word, not this token.
            (None, true) => Says::Altered,
            (None, false) | (Some('.' | ':' | '?'), false) => Says::Wait,
            _ if self.chars > TAIL_CHARS_MAX => Says::Carried,
            _ if !char.is_ascii() && !char.is_alphanumeric() => Says::Plain,
            _ => Says::Wait,
        }
    }
}
