//! Reading a filter expression: letters to tokens, tokens to a tree.
//!
//! Two spellings are understood: that of Betterleaks 2 (the language Expr) and
//! that of its first versions (CEL): `entropy(…)` or `filter.entropy(…)`,
//! `get(attributes, "path", "")` or `attributes[?"path"].orValue("")`.

mod token;

use std::{collections::BTreeMap, sync::Arc};

use aho_corasick::AhoCorasick;

use self::token::{Token, tokens};
use super::{Number, Order, Truth, Where, Words};
use crate::import::pattern::Pattern;

/// LIMIT: how deep an expression may nest.
const DEPTH_MAX: usize = 48;
/// LIMIT: parts that an expression may have once its names are put in.
const PARTS_MAX: usize = 4_096;
/// LIMIT: reasons that are told for one expression.
const REASONS_MAX: usize = 8;

/// What an expression can be worth.
#[derive(Debug, Clone)]
enum Value {
    Truth(Truth),
    Number(Number),
    Words(Words),
    List(Vec<String>),
    /// `finding`, `attributes` or a namespace.
    Name(String),
    Unknown,
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    names: BTreeMap<String, Value>,
    unknown: Vec<String>,
    depth: usize,
    parts: usize,
}

/// The tree of an expression, and what of it is not understood.
pub(super) fn parse(text: &str) -> Result<(Truth, Vec<String>), String> {
    let mut parser = Parser {
        tokens: tokens(text)?.into_iter().peekable(),
        names: BTreeMap::new(),
        unknown: Vec::new(),
        depth: 0,
        parts: 0,
    };
    let value = parser.whole()?;
    if parser.tokens.next().is_some() {
        return Err("an expression that goes on where it should end".to_owned());
    }
    let root = parser.truth(value);
    Ok((root, parser.unknown))
}

impl Parser {
    fn next_is(&mut self, sign: &'static str) -> bool {
        self.tokens.next_if(|token| token.is(sign)).is_some()
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        if self.next_is(sign) {
            return Ok(());
        }
        Err(format!("an expression without `{sign}` where one is due"))
    }

    fn note(&mut self, what: String) -> Value {
        if self.unknown.len() < REASONS_MAX && !self.unknown.contains(&what) {
            self.unknown.push(what);
        }
        Value::Unknown
    }

    fn truth(&mut self, value: Value) -> Truth {
        match value {
            Value::Truth(truth) => truth,
            Value::Unknown => Truth::Unknown,
            Value::Number(_) | Value::Words(_) | Value::List(_) | Value::Name(_) => {
                self.note("a value where true or false is due".to_owned());
                Truth::Unknown
            }
        }
    }

    fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("an expression deeper than {DEPTH_MAX}"));
        }
        Ok(())
    }

    /// `let` lines and what they lead to.
    fn whole(&mut self) -> Result<Value, String> {
        self.enter()?;
        while self.tokens.next_if(|token| token.is_word("let")).is_some() {
            let Some(Token::Word(name)) = self.tokens.next() else {
                return Err("a `let` without a name".to_owned());
            };
            self.expect("=")?;
            let value = self.choice()?;
            self.expect(";")?;
            self.names.insert(name, value);
        }
        let value = self.choice();
        self.depth -= 1;
        value
    }

    /// `a ? b : c`, which is not understood.
    fn choice(&mut self) -> Result<Value, String> {
        let value = self.any()?;
        if !self.next_is("?") {
            return Ok(value);
        }
        self.whole()?;
        self.expect(":")?;
        self.whole()?;
        Ok(self.note("a choice by `?`".to_owned()))
    }

    fn any(&mut self) -> Result<Value, String> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.next_is("||") || self.tokens.next_if(|token| token.is_word("or")).is_some() {
            parts.push(self.all()?);
        }
        self.joined(parts, Truth::Any)
    }

    fn all(&mut self) -> Result<Value, String> {
        let first = self.comparison()?;
        let mut parts = vec![first];
        while self.next_is("&&") || self.tokens.next_if(|token| token.is_word("and")).is_some() {
            parts.push(self.comparison()?);
        }
        self.joined(parts, Truth::All)
    }

    fn joined(
        &mut self,
        mut parts: Vec<Value>,
        join: fn(Vec<Truth>) -> Truth,
    ) -> Result<Value, String> {
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return Ok(only);
        }
        let parts: Vec<Truth> = parts.into_iter().map(|part| self.truth(part)).collect();
        let whole = join(parts);
        self.parts += whole.parts();
        if self.parts > PARTS_MAX {
            return Err(format!("an expression of more than {PARTS_MAX} parts"));
        }
        Ok(Value::Truth(whole))
    }

    fn comparison(&mut self) -> Result<Value, String> {
        let left = self.sum()?;
        let Some(token) = self.tokens.next_if(Token::compares) else {
            return Ok(left);
        };
        let right = self.sum()?;
        Ok(self.compare(left, &token, right))
    }

    fn compare(&mut self, left: Value, token: &Token, right: Value) -> Value {
        let sign = token.sign();
        match (left, right) {
            (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
            (Value::Number(left), Value::Number(right)) => self.compare_numbers(left, sign, right),
            (Value::Words(left), Value::Words(right)) => self.compare_words(left, sign, right),
            (Value::Words(left), Value::List(right)) if sign == "in" => {
                let same = |text| Truth::Same(left.clone(), Words::Just(text));
                Value::Truth(Truth::Any(right.into_iter().map(same).collect()))
            }
            (
                Value::Truth(_)
                | Value::Number(_)
                | Value::Words(_)
                | Value::List(_)
                | Value::Name(_),
                Value::Truth(_)
                | Value::Number(_)
                | Value::Words(_)
                | Value::List(_)
                | Value::Name(_),
            ) => self.note(format!("`{sign}` between such values")),
        }
    }

    fn compare_numbers(&mut self, left: Number, sign: &str, right: Number) -> Value {
        let order = match sign {
            "<" => Order::Less,
            "<=" => Order::AtMost,
            ">" => Order::More,
            ">=" => Order::AtLeast,
            "==" | "!=" => Order::Equal,
            _ => return self.note(format!("`{sign}` between numbers")),
        };
        negated(Truth::Compared(left, order, right), sign == "!=")
    }

    fn compare_words(&mut self, left: Words, sign: &str, right: Words) -> Value {
        if matches!(sign, "==" | "!=") {
            return negated(Truth::Same(left, right), sign == "!=");
        }
        let Words::Just(part) = right else {
            return self.note(format!("`{sign}` with a text that is not written out"));
        };
        self.hold(left, sign, part)
    }

    /// `begins with` and its like, as operators and as methods.
    fn hold(&mut self, words: Words, how: &str, part: String) -> Value {
        let place = match how {
            "startsWith" => Where::Begin,
            "endsWith" => Where::End,
            "contains" => Where::Anywhere,
            "matches" => return self.matches(words, &[part]),
            _ => return self.note(format!("`{how}` between texts")),
        };
        Value::Truth(Truth::Holds(words, place, part))
    }

    /// Sums are not understood, but read.
    fn sum(&mut self) -> Result<Value, String> {
        let first = self.unary()?;
        let mut value = first;
        while let Some(token) = self.tokens.next_if(Token::calculates) {
            self.unary()?;
            value = self.note(format!("`{}` in a calculation", token.sign()));
        }
        Ok(value)
    }

    fn unary(&mut self) -> Result<Value, String> {
        self.enter()?;
        let negates =
            self.next_is("!") || self.tokens.next_if(|token| token.is_word("not")).is_some();
        let value = if negates {
            let value = self.unary()?;
            negated(self.truth(value), true)
        } else if self.next_is("-") {
            match self.unary()? {
                Value::Number(Number::Just(number)) => Value::Number(Number::Just(-number)),
                _ => self.note("`-` before a value".to_owned()),
            }
        } else {
            let value = self.primary()?;
            self.postfix(value)?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Result<Value, String> {
        let token = self
            .tokens
            .next()
            .ok_or("an expression that ends too soon")?;
        match token {
            Token::Number(number) => Ok(Value::Number(Number::Just(number))),
            Token::Text(text) => Ok(Value::Words(Words::Just(text))),
            Token::Word(word) => Ok(match word.as_str() {
                "true" => Value::Truth(Truth::Known(true)),
                "false" => Value::Truth(Truth::Known(false)),
                _ => match self.names.get(&word) {
                    Some(value) => {
                        let value = value.clone();
                        self.count(&value)?;
                        value
                    }
                    None => Value::Name(word),
                },
            }),
            Token::Sign("(") => {
                let value = self.whole()?;
                self.expect(")")?;
                Ok(value)
            }
            Token::Sign("[") => self.list(),
            Token::Sign("{") => Err("a map".to_owned()),
            Token::Sign(_) => Err("a sign where a value is due".to_owned()),
        }
    }

    /// A value that a name stands for is put in each time.
    fn count(&mut self, value: &Value) -> Result<(), String> {
        if let Value::Truth(truth) = value {
            self.parts += truth.parts();
        }
        if self.parts > PARTS_MAX {
            return Err(format!("an expression of more than {PARTS_MAX} parts"));
        }
        Ok(())
    }

    fn list(&mut self) -> Result<Value, String> {
        let mut all = Vec::new();
        let mut known = true;
        while !self.next_is("]") {
            match self.choice()? {
                Value::Words(Words::Just(text)) => all.push(text),
                _ => known = false,
            }
            if !self.next_is(",") {
                self.expect("]")?;
                break;
            }
        }
        if known {
            return Ok(Value::List(all));
        }
        Ok(self.note("a list of other things than texts".to_owned()))
    }

    /// Members, calls, indices.
    fn postfix(&mut self, mut value: Value) -> Result<Value, String> {
        loop {
            if self.next_is(".") || self.next_is("?.") {
                let Some(Token::Word(name)) = self.tokens.next() else {
                    return Err("a dot without a name".to_owned());
                };
                value = if self.tokens.peek().is_some_and(|token| token.is("(")) {
                    self.method(value, &name)?
                } else {
                    self.member(&value, &name)
                };
            } else if self.next_is("(") {
                let given = self.given()?;
                value = match value {
                    Value::Name(name) => self.call(&name, given),
                    _ => self.note("a call of a value".to_owned()),
                };
            } else if self.next_is("[") {
                value = self.index(&value)?;
            } else {
                return Ok(value);
            }
        }
    }

    /// What stands within brackets behind a value.
    fn index(&mut self, value: &Value) -> Result<Value, String> {
        self.next_is("?");
        if !self.tokens.peek().is_some_and(|token| token.is(":")) {
            let name = self.choice()?;
            if self.next_is("]") {
                return Ok(match name {
                    Value::Words(Words::Just(name)) => self.member(value, &name),
                    _ => self.note("an index that is not written out".to_owned()),
                });
            }
        }
        self.expect(":")?;
        if !self.next_is("]") {
            self.choice()?;
            self.expect("]")?;
        }
        Ok(self.note("a part of a text by its place".to_owned()))
    }

    fn given(&mut self) -> Result<Vec<Value>, String> {
        let mut given = Vec::new();
        while !self.next_is(")") {
            given.push(self.whole()?);
            if !self.next_is(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(given)
    }

    fn method(&mut self, value: Value, name: &str) -> Result<Value, String> {
        self.expect("(")?;
        let given = self.given()?;
        Ok(match (value, given.as_slice()) {
            (Value::Name(space), _) if space == "filter" => self.call(name, given),
            // The facts of a text are always there, if empty.
            (Value::Words(words), [Value::Words(Words::Just(other))]) if name == "orValue" => {
                match words {
                    Words::Just(_) => Value::Words(Words::Just(other.clone())),
                    Words::Path if !other.is_empty() => {
                        self.note("a name for a file that has none".to_owned())
                    }
                    known => Value::Words(known),
                }
            }
            (Value::Words(words), [Value::Words(Words::Just(part))]) => {
                self.hold(words, name, part.clone())
            }
            (Value::Unknown, _) => Value::Unknown,
            _ => self.note(format!("the method `{name}`")),
        })
    }

    fn member(&mut self, value: &Value, name: &str) -> Value {
        let Value::Name(of) = value else {
            return match value {
                Value::Unknown => Value::Unknown,
                _ => self.note("a part of a value".to_owned()),
            };
        };
        let words = match (of.as_str(), name) {
            ("finding", "secret" | "value") => Words::Secret,
            ("finding", "match") => Words::Match,
            ("finding", "line") => Words::Line,
            ("finding", "rule_id") => Words::Rule,
            ("attributes", "path") => Words::Path,
            // A text comes from no commit.
            ("attributes", name) if name.starts_with("git.") => Words::Just(String::new()),
            _ => return self.note("a fact that a text does not have".to_owned()),
        };
        Value::Words(words)
    }

    fn call(&mut self, name: &str, given: Vec<Value>) -> Value {
        if given.iter().any(|value| matches!(value, Value::Unknown)) {
            return Value::Unknown;
        }
        match (name, given.as_slice()) {
            ("entropy", [Value::Words(words)]) => Value::Number(Number::Entropy(words.clone())),
            ("len" | "size", [Value::Words(words)]) => Value::Number(Number::Length(words.clone())),
            ("matchesAny", [Value::Words(words), Value::List(all)]) => {
                self.matches(words.clone(), all)
            }
            ("containsAny", [Value::Words(words), Value::List(all)]) => {
                let lower: Vec<String> = all.iter().map(|term| term.to_lowercase()).collect();
                match AhoCorasick::new(&lower) {
                    Ok(terms) if !lower.is_empty() => {
                        Value::Truth(Truth::Contains(words.clone(), Arc::new(terms)))
                    }
                    Ok(_) => Value::Truth(Truth::Known(false)),
                    Err(_) => self.note("words that are too many".to_owned()),
                }
            }
            ("startsWithAny", [Value::Words(words), Value::List(all)]) => {
                let begins =
                    |part: &String| Truth::Holds(words.clone(), Where::Begin, part.clone());
                Value::Truth(Truth::Any(all.iter().map(begins).collect()))
            }
            (
                "get",
                [
                    of @ Value::Name(_),
                    Value::Words(Words::Just(key)),
                    Value::Words(Words::Just(other)),
                ],
            ) if other.is_empty() => self.member(of, key),
            _ => {
                let name: String = name.chars().take(40).collect();
                self.note(format!("the call `{name}`"))
            }
        }
    }

    fn matches(&mut self, words: Words, all: &[String]) -> Value {
        if all.is_empty() {
            return Value::Truth(Truth::Known(false));
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        match Pattern::any(&all) {
            Ok(pattern) => Value::Truth(Truth::Matches(words, Arc::new(pattern))),
            Err(what) => self.note(what),
        }
    }
}

fn negated(truth: Truth, negate: bool) -> Value {
    Value::Truth(if negate {
        Truth::Not(Box::new(truth))
    } else {
        truth
    })
}
