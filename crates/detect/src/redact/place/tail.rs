//! What follows a token, glued to it: does it make the token part of a URL, a
//! host, an account or a path?

/// LIMIT: characters after which an undecided tail is taken for a URL.
const TAIL_CHARS_MAX: usize = 128;

/// How far the tail is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// Right behind the token.
    #[default]
    Token,
    /// After `/`, right behind the token.
    Slash,
    /// After `.`, `:` or `?`; a `.` may be the end of a sentence.
    Mark { stop: bool },
    /// In the first word of the next sentence: `token.Then`.
    Sentence,
    /// In more of the word.
    Word,
}

/// The state of a tail, character by character.
#[derive(Debug, Clone, Default)]
pub(in crate::redact) struct Tail {
    at: At,
    chars: usize,
}

/// What a tail says so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redact) enum Says {
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
    pub(in crate::redact) fn feed(&mut self, char: char) -> Says {
        self.chars += 1;
        let says = self.says(char);
        if says == Says::Wait && self.chars > TAIL_CHARS_MAX {
            Says::Carried
        } else {
            says
        }
    }

    fn says(&mut self, char: char) -> Says {
        if self.at == At::Slash {
            // Only another token makes it a choice between two.
            return Says::Carried;
        }
        if ends(char) {
            return Says::Plain;
        }
        if char == '/' && self.at == At::Token {
            self.at = At::Slash;
            return Says::Wait;
        }
        if matches!(char, '/' | '@' | '%' | '&' | '=' | '#') {
            return Says::Carried;
        }
        let wordy = char.is_alphanumeric() || matches!(char, '-' | '_');
        match self.at {
            // A letter more makes it another word, not this token.
            At::Token if char.is_ascii_alphanumeric() => return Says::Altered,
            At::Mark { stop: true } if char.is_uppercase() => self.at = At::Sentence,
            At::Mark { .. } if wordy => return Says::Carried,
            // A host's name, if anything.
            At::Sentence if wordy && !char.is_alphabetic() => return Says::Carried,
            At::Sentence if wordy => {}
            // Other scripts write their words without blanks.
            _ if !char.is_ascii() => return Says::Plain,
            At::Token | At::Sentence | At::Word | At::Slash | At::Mark { .. } => {
                let stop = char == '.' && self.at == At::Token;
                self.at = match char {
                    '.' | ':' | '?' => At::Mark { stop },
                    _ => At::Word,
                };
            }
        }
        Says::Wait
    }

    /// Another token stands there.
    pub(in crate::redact) fn token(&mut self) -> Says {
        self.chars += 1;
        match self.at {
            At::Token => return Says::Altered,
            At::Mark { .. } => return Says::Carried,
            // Two of them: what follows the second decides for both.
            At::Slash => self.at = At::Token,
            At::Sentence | At::Word => self.at = At::Word,
        }
        if self.chars > TAIL_CHARS_MAX {
            Says::Carried
        } else {
            Says::Wait
        }
    }

    /// The text ended.
    pub(in crate::redact) fn end(&self) -> Says {
        if self.at == At::Slash {
            Says::Carried
        } else {
            Says::Plain
        }
    }
}

/// Whether a word ends here.
fn ends(char: char) -> bool {
    char.is_whitespace()
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
}
