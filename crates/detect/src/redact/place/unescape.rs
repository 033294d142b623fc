//! Takes the escapes of Markdown and HTML away, as their readers do.

/// LIMIT: characters of an entity's name.
const NAME_CHARS_MAX: usize = 16;

/// What has begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Begun {
    #[default]
    Nothing,
    Backslash,
    /// `&` and these letters.
    Entity(String),
    /// `&#` or `&#x`.
    Number {
        radix: u32,
        /// The number, once a digit has come.
        value: Option<u32>,
    },
}

/// The state of one text.
#[derive(Debug, Clone, Default)]
pub(super) struct Unescape(Begun);

impl Unescape {
    /// Whether this character means itself, and nothing waits for it.
    pub(super) fn passes(&self, char: char) -> bool {
        self.0 == Begun::Nothing && !matches!(char, '\\' | '&')
    }

    /// Takes the next character; adds to `out` what is meant.
    pub(super) fn feed(&mut self, char: char, out: &mut Vec<char>) {
        match std::mem::take(&mut self.0) {
            Begun::Nothing => self.plain(char, out),
            Begun::Backslash if char.is_ascii_punctuation() => out.push(char),
            Begun::Backslash => {
                out.push('\\');
                self.plain(char, out);
            }
            Begun::Entity(name) => self.entity(name, char, out),
            Begun::Number { radix, value } => self.number(radix, value, char, out),
        }
    }

    /// A token comes: what has begun goes on no further.
    pub(super) fn end(&mut self, out: &mut Vec<char>) {
        match std::mem::take(&mut self.0) {
            Begun::Nothing => {}
            Begun::Backslash => out.push('\\'),
            Begun::Entity(name) => {
                out.push('&');
                out.extend(name.chars());
            }
            Begun::Number { value, .. } => meant(value, out),
        }
    }

    fn plain(&mut self, char: char, out: &mut Vec<char>) {
        match char {
            '\\' => self.0 = Begun::Backslash,
            '&' => self.0 = Begun::Entity(String::new()),
            other => out.push(other),
        }
    }

    fn entity(&mut self, mut name: String, char: char, out: &mut Vec<char>) {
        if char == '#' && name.is_empty() {
            self.0 = Begun::Number {
                radix: 10,
                value: None,
            };
        } else if char.is_ascii_alphanumeric() && name.len() < NAME_CHARS_MAX {
            name.push(char);
            self.0 = Begun::Entity(name);
        } else if let (';', Some(known)) = (char, named(&name)) {
            meant(Some(u32::from(known)), out);
        } else {
            out.push('&');
            out.extend(name.chars());
            self.plain(char, out);
        }
    }

    fn number(&mut self, radix: u32, value: Option<u32>, char: char, out: &mut Vec<char>) {
        if matches!(char, 'x' | 'X') && radix == 10 && value.is_none() {
            self.0 = Begun::Number {
                radix: 16,
                value: None,
            };
        } else if let Some(digit) = char.to_digit(radix) {
            let before = value.unwrap_or(0);
            self.0 = Begun::Number {
                radix,
                value: Some(before.saturating_mul(radix).saturating_add(digit)),
            };
        } else {
            meant(value, out);
            // HTML needs no `;` here.
            if char != ';' {
                self.plain(char, out);
            }
        }
    }
}

/// Adds a character that was written as an entity. A blank written so does not
/// end a URL.
fn meant(value: Option<u32>, out: &mut Vec<char>) {
    let char = value.and_then(char::from_u32);
    out.extend(char.filter(|char| !char.is_whitespace()));
}

/// The entities that a URL's beginning can be written with.
fn named(name: &str) -> Option<char> {
    Some(match name {
        "colon" => ':',
        "sol" => '/',
        "bsol" => '\\',
        "period" => '.',
        "commat" => '@',
        "quest" => '?',
        "amp" | "AMP" => '&',
        "equals" => '=',
        "num" => '#',
        "percnt" => '%',
        "lpar" => '(',
        "Tab" | "NewLine" | "nbsp" => ' ',
        _ => return None,
    })
}
