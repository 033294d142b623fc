//! Strings in strings: which layers of JSON a character lies in.

use super::{LAYERS_MAX, Root};
use crate::redact::place::Place;

/// What a layer has turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Only blanks so far.
    Undecided,
    /// Text.
    Text,
    /// A JSON document, so far.
    Json,
}

/// The inside of one string, or of the channel.
#[derive(Debug)]
struct Layer {
    serial: u64,
    form: Form,
    /// A document by what the channel is: it stays one.
    fixed: bool,
    /// All of its text as one who takes it for no document would read it.
    place: Place,
    in_string: bool,
    escape: Escape,
    /// Objects (true) and arrays that are open.
    open: Vec<bool>,
    /// The next string is a key.
    key_next: bool,
    /// This text is itself a key.
    is_key: bool,
}

/// LIMIT: objects and arrays open in one layer; deeper, every string is taken
/// for a key, in which nothing is put back.
const OPEN_MAX: usize = 256;

/// How far an escape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    Hex { left: u8, value: u32 },
}

/// All layers that the current character lies in, outermost first.
#[derive(Debug)]
pub(super) struct Layers {
    stack: Vec<Layer>,
    serials: u64,
}

impl Layers {
    pub(super) fn new(root: Root) -> Self {
        let mut layers = Self {
            stack: Vec::new(),
            serials: 0,
        };
        layers.push();
        if let (Some(first), Root::Json) = (layers.stack.first_mut(), root) {
            (first.form, first.fixed) = (Form::Json, true);
        }
        layers
    }

    fn push(&mut self) {
        self.serials += 1;
        self.stack.push(Layer {
            serial: self.serials,
            form: Form::Undecided,
            fixed: false,
            place: Place::new(),
            in_string: false,
            escape: Escape::None,
            open: Vec::new(),
            key_next: false,
            is_key: false,
        });
    }

    /// Takes a character of the channel; answers the character that it means
    /// in the innermost text, if it means one.
    pub(super) fn feed(&mut self, char: char) -> Option<char> {
        let mut char = char;
        let mut depth = 0;
        loop {
            let layer = self.stack.get_mut(depth)?;
            if layer.form == Form::Json && layer.in_string {
                if !layer.fixed {
                    layer.place.feed(char);
                }
                match inside(layer, char) {
                    Inside::Means(decoded) => {
                        char = decoded;
                        depth += 1;
                    }
                    Inside::Partly => return None,
                    Inside::Ends => {
                        self.stack.truncate(depth + 1);
                        return None;
                    }
                }
                continue;
            }
            return self.outside(depth, char);
        }
    }

    /// A character that is not inside a string of this layer.
    fn outside(&mut self, depth: usize, char: char) -> Option<char> {
        let nested = self.stack.len() <= LAYERS_MAX;
        let layer = self.stack.get_mut(depth)?;
        layer.place.feed(char);
        if layer.form == Form::Undecided && !char.is_whitespace() {
            layer.form = if matches!(char, '{' | '[') && nested {
                Form::Json
            } else {
                Form::Text
            };
        }
        if layer.form == Form::Json {
            structure(layer, char);
            if char == '"' {
                layer.in_string = true;
                let is_key = layer.key_next || layer.open.len() >= OPEN_MAX;
                self.push();
                if let Some(inner) = self.stack.last_mut() {
                    inner.is_key = is_key;
                }
            } else if !layer.fixed && !fits(char) {
                layer.form = Form::Text;
            }
        }
        Some(char)
    }

    /// A word stands here, as a token does: a document that is none shows
    /// itself. Answers whether the word stands bare in a document.
    pub(super) fn word(&mut self) -> bool {
        let Some(layer) = self.stack.last_mut() else {
            return true;
        };
        if matches!(layer.form, Form::Json | Form::Undecided) && !layer.fixed {
            layer.form = Form::Text;
        }
        layer.form == Form::Json
    }

    /// Whether a value put back here would be carried along, in this text or
    /// in one around it that somebody may read as no document.
    pub(super) fn carry(&self) -> bool {
        self.stack
            .iter()
            .any(|layer| !layer.fixed && layer.place.carries())
    }

    /// How many characters of `text` would still belong to a begun escape.
    pub(super) fn escape_rest(&self, text: &str) -> usize {
        let begun = self.stack.iter().find_map(|layer| match layer.escape {
            Escape::None => None,
            Escape::Begun => Some(if text.starts_with('u') { 5 } else { 1 }),
            Escape::Hex { left, .. } => Some(usize::from(left)),
        });
        begun.unwrap_or(0)
    }

    /// Whether an escape has begun.
    pub(super) fn in_escape(&self) -> bool {
        self.stack.iter().any(|layer| layer.escape != Escape::None)
    }

    /// Whether the innermost text, or one around it, is the key of a member.
    pub(super) fn in_key(&self) -> bool {
        self.stack.iter().any(|layer| layer.is_key)
    }

    /// Whether text here would stand outside a string of a document.
    pub(super) fn bare(&self) -> bool {
        self.stack
            .last()
            .is_some_and(|layer| layer.form == Form::Json)
    }

    /// A token is written here.
    pub(super) fn token(&mut self) {
        for layer in &mut self.stack {
            layer.place.token();
        }
    }

    /// The innermost text: its place, its serial number, and in how many
    /// strings it lies.
    pub(super) fn here(&self) -> (Place, u64, usize) {
        let depth = self.stack.len().saturating_sub(1);
        self.stack.last().map_or_else(
            || (Place::new(), 0, depth),
            |layer| (layer.place.clone(), layer.serial, depth),
        )
    }

    /// The serial number of the innermost text.
    pub(super) fn serial(&self) -> u64 {
        self.stack.last().map_or(0, |layer| layer.serial)
    }

    pub(super) fn in_brackets(&self) -> bool {
        self.stack
            .last()
            .is_some_and(|layer| layer.place.in_brackets())
    }

    pub(super) fn just_closed(&self) -> bool {
        self.stack
            .last()
            .is_some_and(|layer| layer.place.just_closed())
    }

    /// The serial numbers of all texts that go on.
    pub(super) fn alive(&self) -> Vec<u64> {
        self.stack.iter().map(|layer| layer.serial).collect()
    }
}

/// Follows a document's structure, as far as keys and values need it.
fn structure(layer: &mut Layer, char: char) {
    match char {
        '{' | '[' => {
            if layer.open.len() < OPEN_MAX {
                layer.open.push(char == '{');
            }
            layer.key_next = char == '{';
        }
        '}' | ']' => {
            layer.open.pop();
            layer.key_next = false;
        }
        ',' => layer.key_next = layer.open.last().copied().unwrap_or(false),
        ':' => layer.key_next = false,
        _ => {}
    }
}

enum Inside {
    /// The character that is meant.
    Means(char),
    /// The middle of an escape.
    Partly,
    /// The string ended.
    Ends,
}

/// A character inside a string.
fn inside(layer: &mut Layer, char: char) -> Inside {
    match (layer.escape, char) {
        (Escape::None, '"') => {
            layer.in_string = false;
            Inside::Ends
        }
        (Escape::None, '\\') => {
            layer.escape = Escape::Begun;
            Inside::Partly
        }
        (Escape::None, other) => Inside::Means(other),
        (Escape::Begun, 'u') => {
            layer.escape = Escape::Hex { left: 4, value: 0 };
            Inside::Partly
        }
        (Escape::Begun, letter) => {
            layer.escape = Escape::None;
            Inside::Means(match letter {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            })
        }
        (Escape::Hex { left, value }, digit) => {
            let value = (value << 4) | digit.to_digit(16).unwrap_or(0);
            if left > 1 {
                layer.escape = Escape::Hex {
                    left: left - 1,
                    value,
                };
                return Inside::Partly;
            }
            layer.escape = Escape::None;
            // Half of a pair of surrogates is some character, whichever.
            Inside::Means(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
    }
}

/// Whether a character can stand outside the strings of a document.
const fn fits(char: char) -> bool {
    matches!(
        char,
        ' ' | '\t' | '\r' | '\n' | '{' | '}' | '[' | ']' | ':' | ',' | '"' | '0'
            ..='9' | '-' | '+' | '.' | 'e' | 'E'
    ) || matches!(char, 't' | 'r' | 'u' | 'f' | 'a' | 'l' | 's' | 'n')
}
