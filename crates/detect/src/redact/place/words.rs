//! What stands glued to here, and whether it is a URL.

use super::TOKEN;

/// LIMIT: characters of the current word that are remembered.
const WORD_CHARS_MAX: usize = 64;

/// The run of characters before here, in one reading.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    /// The run since the last blank or quote, its end kept.
    word: String,
    chars: usize,
    /// A URL has begun, whatever its length.
    url: bool,
}

impl Words {
    /// Takes the next character.
    pub(super) fn feed(&mut self, char: char) {
        // A blank alone ends a URL for everyone who looks for one, and only
        // the plain ones do: no quote, no `>` and no ideographic space.
        if matches!(char, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}') {
            self.url = false;
            self.clear();
        } else if char.is_whitespace() || matches!(char, '"' | '\'' | '<' | '>' | '`') {
            self.clear();
        } else {
            self.push(char.to_ascii_lowercase());
            self.url |= match char {
                '/' => is_url(&self.word) || is_host(&self.word),
                ':' | '.' | '\\' => is_url(&self.word),
                _ => false,
            };
        }
    }

    /// A token stands here: a word whose letters mean nothing.
    pub(super) fn token(&mut self) {
        self.push(TOKEN);
    }

    fn push(&mut self, char: char) {
        if self.chars < WORD_CHARS_MAX {
            self.chars += 1;
        } else {
            self.word.remove(0);
        }
        self.word.push(char);
    }

    fn clear(&mut self) {
        self.word.clear();
        self.chars = 0;
    }

    /// Whether this is inside a URL.
    pub(super) const fn url(&self) -> bool {
        self.url
    }

    /// Whether what stands before, glued to here, could be a host or an account.
    pub(super) fn glued(&self) -> bool {
        if self.after_token() {
            return false;
        }
        self.word.ends_with(['/', '@', '%', '?', '&', '\\'])
            || (self.word.ends_with('.') && self.word.len() > 1)
            || (self.word.contains('/') && self.word.contains(['?', '&']))
    }

    /// Whether only tokens stand before, and a `/` after each: this or that.
    fn after_token(&self) -> bool {
        let tokens = self
            .word
            .trim_start_matches(|char: char| {
                !char.is_ascii() || matches!(char, '(' | '[' | '{' | '*' | '_' | '|')
            })
            .trim_end_matches('/');
        let slashes = self.word.matches('/').count();
        !tokens.is_empty()
            && self.word.ends_with('/')
            && tokens.split('/').count() == slashes
            && tokens.split('/').all(|part| part.chars().eq([TOKEN]))
    }
}

/// Whether a word ends with what begins a URL.
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
        "xmpp:",
        // Browsers need no slashes after these.
        "http:",
        "https:",
        "ftp:",
    ];
    SIGNS.iter().any(|sign| word.ends_with(sign))
        || word == "//"
        || word.ends_with("(//")
        || word.ends_with("=//")
        || backslashed(word)
}

/// Whether a word ends with a scheme and slashes, some of them backslashes:
/// browsers take one for the other.
fn backslashed(word: &str) -> bool {
    [":\\\\", ":/\\", ":\\/"].iter().any(|sign| {
        word.strip_suffix(*sign)
            .is_some_and(|scheme| scheme.ends_with(|char: char| char.is_ascii_alphanumeric()))
    })
}

/// Whether a word ends with a host and a `/`: `evil.example/`.
fn is_host(word: &str) -> bool {
    let Some(before) = word.strip_suffix('/') else {
        return false;
    };
    let host = before
        .rsplit(|char: char| !char.is_alphanumeric() && !matches!(char, '.' | '-' | ':'))
        .next()
        .unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    let Some((front, last)) = name.rsplit_once('.') else {
        return false;
    };
    let named = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
    let numbered = name.split('.').count() == 4
        && name
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    !front.is_empty() && (named || numbered)
}
