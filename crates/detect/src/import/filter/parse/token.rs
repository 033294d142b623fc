//! The tokens of a filter expression.

use std::{iter::Peekable, str::Chars};

/// LIMIT: tokens of one expression.
const TOKENS_MAX: usize = 50_000;

/// Signs, longest first.
const SIGNS: &[&str] = &[
    "||", "&&", "<=", ">=", "==", "!=", "?.", "(", ")", "[", "]", "{", "}", ",", ";", ":", ".",
    "?", "<", ">", "=", "!", "+", "-", "*", "/", "%",
];
/// Words that compare two values.
const COMPARING: &[&str] = &["in", "contains", "startsWith", "endsWith", "matches"];

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Number(f64),
    Text(String),
    Sign(&'static str),
}

impl Token {
    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(own) if *own == sign)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }

    /// Whether it stands between two values that are compared.
    pub(super) fn compares(&self) -> bool {
        match self {
            Self::Sign(sign) => ["<", "<=", ">", ">=", "==", "!="].contains(sign),
            Self::Word(word) => COMPARING.contains(&word.as_str()),
            Self::Number(_) | Self::Text(_) => false,
        }
    }

    /// Whether it stands between two values that are calculated with.
    pub(super) fn calculates(&self) -> bool {
        matches!(self, Self::Sign("+" | "-" | "*" | "/" | "%"))
    }

    /// How it is written, if it is a sign or a word.
    pub(super) fn sign(&self) -> &str {
        match self {
            Self::Sign(sign) => sign,
            Self::Word(word) => word,
            Self::Number(_) | Self::Text(_) => "",
        }
    }
}

/// Cuts an expression into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut rest = text.chars().peekable();
    let mut tokens = Vec::new();
    loop {
        blanks(&mut rest);
        let Some(&char) = rest.peek() else {
            return Ok(tokens);
        };
        if tokens.len() == TOKENS_MAX {
            return Err(format!("an expression of more than {TOKENS_MAX} tokens"));
        }
        let token = match char {
            '"' | '\'' => {
                rest.next();
                Token::Text(quoted(&mut rest, char)?)
            }
            '`' => {
                rest.next();
                Token::Text(raw(&mut rest, "`")?)
            }
            '0'..='9' => number(&mut rest)?,
            '_' | 'a'..='z' | 'A'..='Z' => word(&mut rest)?,
            _ => Token::Sign(sign(&mut rest)?),
        };
        tokens.push(token);
    }
}

/// Blanks and comments.
fn blanks(rest: &mut Peekable<Chars<'_>>) {
    loop {
        while rest.next_if(|char| char.is_whitespace()).is_some() {}
        let mut ahead = rest.clone();
        let comment = match (ahead.next(), ahead.next()) {
            (Some('#'), _) => true,
            (Some('/'), second) => second == Some('/'),
            _ => false,
        };
        if !comment {
            return;
        }
        while rest.next_if(|char| *char != '\n').is_some() {}
    }
}

fn sign(rest: &mut Peekable<Chars<'_>>) -> Result<&'static str, String> {
    let ahead: String = rest.clone().take(2).collect();
    let found = SIGNS.iter().find(|sign| ahead.starts_with(**sign));
    let sign = found.ok_or("a character that no expression has")?;
    for _ in 0..sign.len() {
        rest.next();
    }
    Ok(sign)
}

fn number(rest: &mut Peekable<Chars<'_>>) -> Result<Token, String> {
    let mut digits = String::new();
    while let Some(char) = rest.next_if(|char| char.is_ascii_digit() || matches!(char, '.' | '_')) {
        if char != '_' {
            digits.push(char);
        }
    }
    let number = digits.parse().map_err(|_| "a number that is none")?;
    Ok(Token::Number(number))
}

/// A name, or a raw text of CEL: `r"…"` or `r"""…"""`.
fn word(rest: &mut Peekable<Chars<'_>>) -> Result<Token, String> {
    let mut name = String::new();
    while let Some(char) = rest.next_if(|char| char.is_ascii_alphanumeric() || *char == '_') {
        name.push(char);
    }
    if name != "r" && name != "R" {
        return Ok(Token::Word(name));
    }
    let end = match rest.peek() {
        Some('"') => opening(rest, "\"\"\"", "\""),
        Some('\'') => opening(rest, "'''", "'"),
        _ => return Ok(Token::Word(name)),
    };
    Ok(Token::Text(raw(rest, end)?))
}

fn opening(
    rest: &mut Peekable<Chars<'_>>,
    long: &'static str,
    short: &'static str,
) -> &'static str {
    let ahead: String = rest.clone().take(long.len()).collect();
    let sign = if ahead == long { long } else { short };
    for _ in 0..sign.len() {
        rest.next();
    }
    sign
}

fn raw(rest: &mut Peekable<Chars<'_>>, end: &str) -> Result<String, String> {
    let mut text = String::new();
    for char in rest.by_ref() {
        text.push(char);
        if text.ends_with(end) {
            text.truncate(text.len() - end.len());
            return Ok(text);
        }
    }
    Err("a text without an end".to_owned())
}

fn quoted(rest: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, String> {
    let mut text = String::new();
    while let Some(char) = rest.next() {
        match char {
            '\\' => text.push(escaped(rest)?),
            _ if char == quote => return Ok(text),
            _ => text.push(char),
        }
    }
    Err("a text without an end".to_owned())
}

fn escaped(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let none = "an escape that no text has";
    let digits = match rest.next().ok_or(none)? {
        'n' => return Ok('\n'),
        'r' => return Ok('\r'),
        't' => return Ok('\t'),
        'a' => return Ok('\x07'),
        'b' => return Ok('\x08'),
        'f' => return Ok('\x0c'),
        'v' => return Ok('\x0b'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        char if char.is_ascii_punctuation() => return Ok(char),
        _ => return Err(none.to_owned()),
    };
    let mut value = 0_u32;
    for _ in 0..digits {
        let digit = rest.next().and_then(|char| char.to_digit(16)).ok_or(none)?;
        value = value.checked_mul(16).ok_or(none)? + digit;
    }
    char::from_u32(value).ok_or_else(|| none.to_owned())
}
