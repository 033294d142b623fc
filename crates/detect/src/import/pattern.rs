//! Patterns of foreign rules: Go's regular expressions (RE2 syntax) as the
//! `regex` crate writes them, compiled when a text first needs them.
//!
//! The two engines mean the same by a pattern but for a few spellings: in Go
//! `\d`, `\w`, `\s` and `\b` are ASCII, a brace that counts nothing is itself,
//! a bracket within a class too, and there are `\Q..\E` and octal escapes
//! (<https://github.com/google/re2/wiki/Syntax>, package `regexp/syntax`).

use std::{iter::Peekable, str::Chars, sync::OnceLock};

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::Hir;

/// LIMIT: bytes of one pattern's source.
const SOURCE_BYTES_MAX: usize = 64 << 10;
/// LIMIT: bytes of one compiled pattern.
const COMPILED_BYTES_MAX: usize = 4 << 20;
/// LIMIT: bytes of one pattern's cache of states.
const STATES_BYTES_MAX: usize = 1 << 20;

/// A checked pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    groups: usize,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Translates and checks a pattern.
    pub(super) fn new(go: &str) -> Result<Self, String> {
        let (source, hir) = translated(go)?;
        Ok(Self {
            groups: hir.properties().explicit_captures_len(),
            source,
            compiled: OnceLock::new(),
        })
    }

    /// One pattern that matches where any of these does.
    pub(super) fn any(all: &[&str]) -> Result<Self, String> {
        let mut parts = Vec::new();
        for go in all {
            parts.push(format!("(?:{})", translated(go)?.0));
        }
        Ok(Self {
            source: parts.join("|"),
            groups: 0,
            compiled: OnceLock::new(),
        })
    }

    /// How many groups it has.
    pub(super) const fn groups(&self) -> usize {
        self.groups
    }

    /// The compiled pattern; `None` if it is too large.
    pub(super) fn regex(&self) -> Option<&Regex> {
        let compile = || {
            RegexBuilder::new(&self.source)
                .size_limit(COMPILED_BYTES_MAX)
                .dfa_size_limit(STATES_BYTES_MAX)
                .build()
                .ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// Whether it matches somewhere in a text; `None` if it is too large.
    pub(super) fn matches(&self, text: &str) -> Option<bool> {
        Some(self.regex()?.is_match(text))
    }
}

/// A pattern that may match no character finds everything and nothing.
pub(super) fn check_not_empty(go: &str) -> Result<(), String> {
    let (_, hir) = translated(go)?;
    if hir
        .properties()
        .minimum_len()
        .is_none_or(|bytes| bytes == 0)
    {
        return Err("a pattern that matches the empty text".to_owned());
    }
    Ok(())
}

fn translated(go: &str) -> Result<(String, Hir), String> {
    if go.len() > SOURCE_BYTES_MAX {
        return Err(format!("a pattern of more than {SOURCE_BYTES_MAX} bytes"));
    }
    let source = to_rust(go)?;
    let hir = regex_syntax::parse(&source)
        .map_err(|_| "a pattern that is no regular expression here".to_owned())?;
    Ok((source, hir))
}

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
/// Without the vertical tab, which `\s` of RE2 leaves out.
const SPACE: &str = r"\t\n\x0C\r\x20";

/// Go's spelling as the `regex` crate's.
pub(super) fn to_rust(go: &str) -> Result<String, String> {
    let mut from = Source {
        rest: go.chars().peekable(),
    };
    let mut out = String::with_capacity(go.len() + 16);
    while let Some(char) = from.rest.next() {
        match char {
            '\\' => from.escape(&mut out)?,
            '[' => from.class(&mut out)?,
            '{' if counts(&from.rest) => from.count(&mut out),
            '{' | '}' | ']' => one(char, &mut out),
            other => out.push(other),
        }
    }
    Ok(out)
}

/// Whether a repetition follows: digits, perhaps a comma and digits, a brace.
fn counts(rest: &Peekable<Chars<'_>>) -> bool {
    let mut rest = rest.clone();
    let digits = |rest: &mut Peekable<Chars<'_>>| {
        let mut count = 0;
        while rest.next_if(char::is_ascii_digit).is_some() {
            count += 1;
        }
        count
    };
    if !(1..=9).contains(&digits(&mut rest)) {
        return false;
    }
    if rest.next_if_eq(&',').is_some() && digits(&mut rest) > 9 {
        return false;
    }
    rest.next() == Some('}')
}

/// A member of a class: one character, or a set in a spelling that may stand
/// within brackets.
enum Member {
    One(char),
    Set(String),
}

struct Source<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Source<'_> {
    /// What follows a backslash outside a class.
    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let char = self
            .rest
            .next()
            .ok_or("a pattern that ends in a backslash")?;
        match char {
            'Q' => self.quoted(out),
            'b' => out.push_str(r"(?-u:\b)"),
            'B' => out.push_str(r"(?-u:\B)"),
            'A' => out.push_str(r"\A"),
            'z' => out.push_str(r"\z"),
            'd' | 'w' | 's' => out.push_str(&format!("[{}]", perl(char))),
            'D' | 'W' | 'S' => {
                out.push_str(&format!("[^{}]", perl(char.to_ascii_lowercase())));
            }
            'p' | 'P' => out.push_str(&self.property(char)?),
            _ => one(self.character(char)?, out),
        }
        Ok(())
    }

    /// A repetition, of which the opening brace is read.
    fn count(&mut self, out: &mut String) {
        out.push('{');
        for char in self.rest.by_ref() {
            out.push(char);
            if char == '}' {
                return;
            }
        }
    }

    /// Everything until `\E` as it stands.
    fn quoted(&mut self, out: &mut String) {
        while let Some(char) = self.rest.next() {
            if char == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            one(char, out);
        }
    }

    /// A class of Unicode; its name is the parser's to know.
    fn property(&mut self, letter: char) -> Result<String, String> {
        let mut name = format!("\\{letter}");
        let first = self.rest.next().ok_or("a class without a name")?;
        name.push(first);
        if first != '{' {
            return Ok(name);
        }
        for char in self.rest.by_ref() {
            name.push(char);
            if char == '}' {
                return Ok(name);
            }
        }
        Err("a class without an end".to_owned())
    }

    /// The character that an escape stands for.
    fn character(&mut self, char: char) -> Result<char, String> {
        match char {
            '0' => self.octal(0),
            '1'..='7'
                if self
                    .rest
                    .peek()
                    .is_some_and(|next| ('0'..='7').contains(next)) =>
            {
                self.octal(char.to_digit(8).unwrap_or(0))
            }
            'x' => self.hexadecimal(),
            'a' => Ok('\x07'),
            'f' => Ok('\x0c'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\x0b'),
            _ if char.is_ascii() && !char.is_ascii_alphanumeric() => Ok(char),
            'C' => Err(r"\C, a single byte".to_owned()),
            _ => Err("an escape that Go does not have".to_owned()),
        }
    }

    fn octal(&mut self, first: u32) -> Result<char, String> {
        let mut value = first;
        for _ in 0..2 {
            let Some(digit) = self.rest.next_if(|next| ('0'..='7').contains(next)) else {
                break;
            };
            value = value * 8 + digit.to_digit(8).unwrap_or(0);
        }
        char::from_u32(value).ok_or_else(|| "an octal escape of no character".to_owned())
    }

    fn hexadecimal(&mut self) -> Result<char, String> {
        let none = "a hexadecimal escape of no character";
        let mut value = 0_u32;
        let braced = self.rest.next_if_eq(&'{').is_some();
        let most = if braced { 8 } else { 2 };
        let mut digits = 0;
        while let Some(digit) = self.rest.next_if(char::is_ascii_hexdigit) {
            value = value.checked_mul(16).ok_or(none)? + digit.to_digit(16).unwrap_or(0);
            digits += 1;
            if digits == most {
                break;
            }
        }
        let closed = !braced || self.rest.next() == Some('}');
        if !closed || digits == 0 || (!braced && digits != 2) {
            return Err(none.to_owned());
        }
        char::from_u32(value).ok_or_else(|| none.to_owned())
    }

    /// A class, of which the opening bracket is read.
    fn class(&mut self, out: &mut String) -> Result<(), String> {
        out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            out.push('^');
        }
        let mut first = true;
        loop {
            let char = self.rest.next().ok_or("a class without an end")?;
            if char == ']' && !first {
                out.push(']');
                return Ok(());
            }
            first = false;
            let low = match self.member(char)? {
                Member::Set(set) => {
                    out.push_str(&set);
                    continue;
                }
                Member::One(low) => low,
            };
            inside(low, out);
            if self.range_follows() {
                self.rest.next();
                let char = self.rest.next().ok_or("a class without an end")?;
                let Member::One(high) = self.member(char)? else {
                    return Err("a range that ends in a class".to_owned());
                };
                out.push('-');
                inside(high, out);
            }
        }
    }

    fn range_follows(&self) -> bool {
        let mut ahead = self.rest.clone();
        ahead.next() == Some('-') && ahead.next().is_some_and(|next| next != ']')
    }

    fn member(&mut self, char: char) -> Result<Member, String> {
        match char {
            '[' if self.rest.peek() == Some(&':') => Ok(self.posix()),
            '\\' => {
                let char = self.rest.next().ok_or("a class without an end")?;
                match char {
                    'd' | 'w' | 's' => Ok(Member::Set(perl(char).to_owned())),
                    'D' | 'W' | 'S' => Ok(Member::Set(format!(
                        "[^{}]",
                        perl(char.to_ascii_lowercase())
                    ))),
                    'p' | 'P' => Ok(Member::Set(self.property(char)?)),
                    _ => Ok(Member::One(self.character(char)?)),
                }
            }
            other => Ok(Member::One(other)),
        }
    }

    /// `[:alnum:]` and its like; without its end it is a bracket.
    fn posix(&mut self) -> Member {
        let mut ahead = self.rest.clone();
        let mut name = String::from("[");
        while let Some(char) =
            ahead.next_if(|char| matches!(char, ':' | '^') || char.is_ascii_lowercase())
        {
            name.push(char);
        }
        if name.len() > 2 && name.ends_with(':') && ahead.next() == Some(']') {
            name.push(']');
            self.rest = ahead;
            return Member::Set(name);
        }
        Member::One('[')
    }
}

const fn perl(letter: char) -> &'static str {
    match letter {
        'd' => DIGIT,
        'w' => WORD,
        _ => SPACE,
    }
}

/// A character that stands for itself.
fn one(char: char, out: &mut String) {
    let mut buffer = [0; 4];
    out.push_str(&regex_syntax::escape(char.encode_utf8(&mut buffer)));
}

/// Likewise within brackets, where more characters mean something.
fn inside(char: char, out: &mut String) {
    if char.is_ascii() && !char.is_ascii_alphanumeric() {
        out.push_str(&format!("\\x{:02X}", u32::from(char)));
    } else {
        out.push(char);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Pattern, check_not_empty, to_rust};

    fn hits(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(text).unwrap()
    }

    #[test]
    fn classes_are_those_of_ascii() {
        assert!(hits(r"^\d$", "7") && !hits(r"^\d$", "٣"));
        assert!(hits(r"^\w+$", "aZ_9") && !hits(r"^\w$", "é"));
        assert!(!hits(r"^\s$", "\u{b}") && !hits(r"^\s$", "\u{a0}") && hits(r"^\s$", "\u{c}"));
        assert!(
            hits(r"é\bx|éx\b", "éx"),
            "a letter beyond ASCII is no word's"
        );
        assert!(hits(r"\bx", "éx") && hits(r"é\B", "é!") && !hits(r"x\B", "xé"));
        assert!(hits(r"^[\D]$", "é") && hits(r"^[^\W]$", "a") && !hits(r"^[^\W]$", "é"));
        assert!(hits(r"^[[:alpha:]_]+$", "ab_") && !hits(r"^[[:^alpha:]]$", "a"));
    }

    #[test]
    fn braces_and_brackets_that_mean_nothing_are_themselves() {
        assert!(hits(r"^\${(?:[A-Z_]+)}$", "${NAME}"));
        assert!(hits(r"^a{,3}$", "a{,3}") && hits(r"^a{1,2}$", "aa") && hits(r"^x{$", "x{"));
        assert!(hits(r"^[[a]$", "[") && hits(r"^[]a]$", "]") && hits(r"^a]$", "a]"));
        assert!(hits(r"^[\w.-/]+$", "a./") && hits(r"^[a-z&&b]+$", "&b"));
        assert!(hits(r"^[\w-.]+$", "a-.") && hits(r"^[+--]+$", "+,-"));
        assert!(hits(r"^[0-9-_]+$", "1-_") && hits(r"^[&&~~-]+$", "&~-"));
    }

    #[test]
    fn escapes_are_read_as_go_reads_them() {
        assert!(hits(r"^\\{2}$", r"\\") && hits(r"^\{2}$", "{2}"));
        assert!(hits(r"^\Qa.b*\E+$", "a.b**") && hits(r"^\Qa+", "a+"));
        assert!(hits(r"^\<\_\-\/\x60\x{41}\101\0$", "<_-/`AA\0"));
        assert!(hits(r"(?i)^k$", "\u{212a}"), "folding is Unicode's in both");
        for none in [
            r"\8",
            r"\1",
            r"\C",
            r"\y",
            "a\\",
            r"[\b]",
            "[a",
            r"\x4",
            r"\x{110000}",
        ] {
            assert!(Pattern::new(none).is_err(), "{none}");
        }
        for none in ["(?=a)", "(?<!a)b", "(a", "*"] {
            assert!(Pattern::new(none).is_err(), "{none}");
        }
    }

    #[test]
    fn groups_are_counted_and_the_empty_text_is_seen() {
        assert_eq!(Pattern::new(r"(a)(?:b)(?P<c>c)").unwrap().groups(), 2);
        assert!(check_not_empty("a*").is_err() && check_not_empty("a*b").is_ok());
        let any = Pattern::any(&["^a", "b$"]).unwrap();
        assert_eq!(
            (any.matches("ax"), any.matches("xa")),
            (Some(true), Some(false))
        );
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert!(Pattern::new(&"a".repeat(70_000)).is_err());
        let huge = Pattern::new(r"(?:\pL{900}){900}").unwrap();
        assert!(huge.regex().is_none());
    }

    proptest! {
        #[test]
        fn any_text_can_be_quoted(text in "\\PC{0,40}") {
            prop_assume!(!text.contains(r"\E"));
            let quoted = Pattern::new(&format!(r"^\Q{text}\E$")).unwrap();
            prop_assert_eq!(quoted.matches(&text), Some(true));
        }

        #[test]
        fn any_characters_make_a_class(chars in proptest::collection::vec(proptest::char::range(' ', '~'), 1..12)) {
            let escaped: String = chars.iter().map(|char| {
                if char.is_ascii_alphanumeric() { char.to_string() } else { format!("\\{char}") }
            }).collect();
            let class = Pattern::new(&format!("^[{escaped}]+$")).unwrap();
            let text: String = chars.iter().collect();
            prop_assert_eq!(class.matches(&text), Some(true));
            let outside = class.matches("é");
            prop_assert_eq!(outside, Some(false));
        }

        #[test]
        fn no_text_breaks_the_translation(text in "[\\\\\\[\\]{}()?*+^$.|:a-f0-9QEdwsbPx-]{0,30}") {
            let _ = to_rust(&text);
            let _ = Pattern::new(&text);
        }
    }
}
