//! Settings: a name, a mark of assignment, and a value that may be a secret.

use std::ops::Range;

use super::{
    line_before,
    value::{
        anonymous, code, digits, identifier, is_name, kinds, letters, names, random, slug,
        stands_in, uuid, wordlike,
    },
};

/// LIMIT: bytes before a name that are looked at for the rest of it.
const NAME_BYTES: usize = 40;
/// A password has at least as many characters.
const PASSWORD_CHARS_MIN: usize = 4;
/// One of letters alone, without quotes, has more.
const WORD_CHARS_MIN: usize = 6;
/// A key has at least as many characters.
const KEY_CHARS_MIN: usize = 10;
/// One that stands behind its name without a mark of assignment has more.
const LOOSE_CHARS_MIN: usize = 16;
/// What a name begins with that does not hold the secret itself.
const OTHERS: &[&str] = &[
    "forgot",
    "forgotten",
    "reset",
    "invalid",
    "wrong",
    "missing",
    "incorrect",
    "no",
    "is",
    "has",
    "show",
    "hide",
    "requires",
    "needs",
    "enable",
    "min",
    "max",
    "hashed",
    "public",
    "pub",
    "pubkey",
    "vkey",
    "nkey",
    "csrf",
    "xsrf",
    "next",
    "page",
    "continuation",
    "cache",
    "primary",
    "foreign",
    "partition",
    "sort",
    "idempotency",
    "get",
    "verify",
    "check",
    "validate",
    "lost",
    "bad",
    "expired",
    "cancellation",
    "cancel",
    "sync",
    "design",
    "syntax",
    "lexer",
    "parser",
    "eos",
    "bos",
    "pad",
    "sep",
    "mask",
    "unk",
    "recv",
    "if",
];

/// A setting in parts.
struct Setting<'a> {
    /// The whole name, in lower case, words apart.
    words: Vec<String>,
    /// In capitals alone, as the environment has them.
    capitals: bool,
    value: &'a str,
    span: Range<usize>,
    quoted: bool,
    /// A mark of assignment stands between; otherwise blanks or `is`.
    marked: bool,
    /// Blanks stand around the mark.
    spaced: bool,
    after: Option<char>,
    /// The name begins its line and the value ends it.
    line: bool,
    /// The name is the end of a path.
    path: bool,
    /// The value is the next of a list, or of the arguments of a call.
    next: bool,
    /// Two things are compared, not set.
    compared: bool,
    /// The name is that of a parameter: `?key=`, `&key=`.
    parameter: bool,
    /// Dots stand for the rest of the value.
    cut: bool,
}

/// The password in a match of name and value.
pub(super) fn password(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let setting = parse(text, span)?;
    holds_password(&setting).then_some(setting.span)
}

/// The key, token or secret in a match of name and value.
pub(super) fn key(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let setting = parse(text, span)?;
    holds_key(&setting).then_some(setting.span)
}

fn holds_password(setting: &Setting<'_>) -> bool {
    let value = setting.value;
    if value.len() < PASSWORD_CHARS_MIN
        || stands_in(value)
        || anonymous(value)
        || other(setting)
        || hash(value)
        || !named_password(setting)
        || rules(value)
        || release(value)
    {
        return false;
    }
    let alone = letters(value);
    if alone && setting.next || colons(value) {
        return false;
    }
    if setting.quoted {
        return !quoted_code(value)
            && !(alone && (value.len() < PASSWORD_CHARS_MIN + 1 || names(value)))
            && !(is_name(value) && value.contains(['.', '/']) && digits(value) <= 2);
    }
    let variable = identifier(value) && (setting.spaced || !setting.capitals);
    let verdict = setting.spaced && setting.words.last().is_some_and(|word| word == "pass");
    if verdict && !setting.line
        || setting.compared
        || called(setting)
        || code(value)
        || variable
        || value.contains('$') && setting.spaced
    {
        return false;
    }
    let numbers = digits(value);
    if !setting.marked {
        return numbers > 0 && !alone && value.len() >= WORD_CHARS_MIN && numbers < value.len();
    }
    if alone {
        // In a file of settings a word may be a password; elsewhere it is a
        // variable, a type or prose.
        let file = (setting.capitals || setting.line) && !setting.spaced;
        return file && value.len() >= WORD_CHARS_MIN && !names(value);
    }
    if numbers == value.len() {
        return value.len() >= WORD_CHARS_MIN;
    }
    // `password2`, `user_password1` are variables.
    let variable = is_name(value) && names(value) && numbers <= 1 && !setting.capitals;
    !variable && value.len() > PASSWORD_CHARS_MIN
}

fn holds_key(setting: &Setting<'_>) -> bool {
    let value = setting.value;
    let fits = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/=_.~!@#$%^&*:|-".contains(&byte));
    let shown = setting.cut || stands_in(value);
    if !fits || value.len() < KEY_CHARS_MIN || shown || other(setting) {
        return false;
    }
    let body = value.trim_end_matches('=');
    if !setting.quoted && (called(setting) || code(value)) {
        return false;
    }
    let id = uuid(value);
    if !random(body)
        || (version(body) && !id)
        || (is_name(body) && body.contains('/') && wordlike(body))
    {
        return false;
    }
    let lower = body.to_ascii_lowercase();
    let ends = ["key", "token", "secret", "password", "name", "type"];
    if !setting.quoted && ends.iter().any(|end| lower.ends_with(end)) {
        return false;
    }
    let bare = setting.words.iter().all(|word| word == "key") && !setting.parameter;
    let known = is_public(body);
    if identifier(body) || slug(body) || known || (bare && !setting.quoted && setting.spaced) {
        return false;
    }
    if !setting.marked {
        let numbers = digits(body);
        let apart = (numbers >= 2 && kinds(body) >= 8) || kinds(body) >= 14;
        return body.len() >= LOOSE_CHARS_MIN
            && apart
            && !id
            && !body.contains('=')
            && !setting.path;
    }
    // Short values without quotes are names and numbers of all kinds.
    setting.quoted || setting.capitals || body.len() >= 12 || !setting.spaced
}

/// The name is that of something beside the secret.
fn other(setting: &Setting<'_>) -> bool {
    let mut words = setting.words.iter();
    words.any(|word| OTHERS.contains(&word.as_str()))
}

/// How public keys in base64 and numbers in code begin.
pub(super) fn is_public(value: &str) -> bool {
    ["MFkw", "MIIB", "MIGf", "MCow", "ssh-", "0x", "-0x"]
        .iter()
        .any(|start| value.starts_with(start))
}

/// Likewise, of a name that is not yet in words.
pub(super) fn is_other(name: &str) -> bool {
    split(name)
        .iter()
        .any(|word| OTHERS.contains(&word.as_str()))
}

fn called(setting: &Setting<'_>) -> bool {
    matches!(setting.after, Some('(' | '[' | '{'))
}

/// What stands in quotes is a value, but for selectors, formats and sentences.
fn quoted_code(value: &str) -> bool {
    value.starts_with(".$")
        || value.starts_with(['#', '.', ':', '[']) && letters(value.get(1..).unwrap_or_default())
        || value.contains("()")
        || value.contains("[:")
        || value.ends_with(':')
        || value.contains("\\n")
}

/// `required|min:8|confirmed`: what a form asks of a value.
fn rules(value: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:,".contains(&byte);
    let rule = |part: &str| {
        part.starts_with(|char: char| char.is_ascii_lowercase()) && part.bytes().all(fits)
    };
    value.contains('|') && value.split('|').all(rule)
}

/// `name:password:group`, `g:netrw_name`: fields and names of scopes.
fn colons(value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b':' | b'_' | b'.');
    value.contains(':') && value.bytes().all(fits)
}

/// A password that is a hash is found as one; `{SSHA}`, `$6$` and so on.
fn hash(value: &str) -> bool {
    value.starts_with("$2")
        || value.starts_with("$6$")
        || value.starts_with("$5$")
        || value.starts_with("$1$")
        || value.starts_with("$argon")
}

/// A name that ends in `pass` holds a password if that is a word of its own,
/// or stands behind that of a service: not `bypass`, `minipass`.
fn named_password(setting: &Setting<'_>) -> bool {
    const BEFORE: &[&str] = &[
        "db", "user", "root", "admin", "my", "mysql", "smtp", "mail", "ftp", "sql", "login",
        "auth", "redis", "mongo", "pg", "postgres", "ssh", "email", "http", "proxy", "key",
        "store", "rpc",
    ];
    let last = setting
        .words
        .iter()
        .rev()
        .find(|word| word.contains("pass") || word.contains("pwd"));
    last.and_then(|word| word.strip_suffix("pass"))
        .is_none_or(|before| before.is_empty() || BEFORE.contains(&before))
}

/// `^7.0.3`, `~1.2`, `>=3`: what a package needs.
fn release(value: &str) -> bool {
    let bare = value.trim_start_matches(['^', '~', '>', '=', '<', 'v']);
    bare.starts_with(|char: char| char.is_ascii_digit())
        && bare.contains('.')
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'x' | b'*'))
}

/// `rc0.15.0_2023`, `1.2.3-beta`, `2024-01-02T03:04`.
fn version(value: &str) -> bool {
    let numbers = value
        .split(['.', '-', '_', ':', 'T'])
        .filter(|part| {
            !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit())
        })
        .count();
    numbers >= 2
        && value.len() <= 40
        && !value.contains('+')
        && numbers * 5 >= value.split(['.', '-', '_', ':']).count() * 2
}

/// Takes a match apart.
fn parse<'a>(text: &'a str, span: &Range<usize>) -> Option<Setting<'a>> {
    let found = text.get(span.clone())?;
    let named = name_end(found);
    let rest = found.get(named..)?;
    let (mark, opened) = mark_end(rest);
    let start = span.start + named + mark;
    let separator = text.get(span.start + named..start)?;
    let raw = text.get(start..span.end)?;
    let after = text.get(span.end..).and_then(|rest| rest.chars().next());
    // The value of a document's key comes without its closing quote.
    let closed = matches!(after, None | Some('"' | '\'' | '`'));
    if opened && !closed || element(separator) && !raw.contains("</") {
        return None;
    }
    let value = if opened {
        raw.trim_end_matches('\\')
    } else {
        plain(raw)
    };
    let end = start + value.len();
    let before = prefix(text, span.start);
    let outside = text.get(..span.start - before.len()).unwrap_or_default();
    let apart = separator.trim_matches(|char: char| char == ' ' || char == '\t');
    // `$(PWD)` is filled in; `Secrets::New` is a path; an argument has quotes.
    let reference = outside.ends_with("$(") || outside.ends_with("${");
    let argument = apart.ends_with(['(', ',']) && !opened;
    let unquoted = apart.starts_with(',');
    if reference || separator.contains("::") || argument || unquoted {
        return None;
    }
    let name = text.get(span.start - before.len()..span.start + named)?;
    Some(Setting {
        capitals: !name.bytes().any(|byte| byte.is_ascii_lowercase()),
        words: split(name),
        value,
        quoted: opened,
        marked: separator.contains(['=', ':', '>', '(', ',']),
        spaced: separator.contains([' ', '\t']),
        compared: separator.contains("==") || separator.contains("!="),
        path: outside.ends_with('/'),
        next: apart.contains(','),
        parameter: outside.ends_with(['?', '&']),
        cut: ["...", "…"]
            .iter()
            .any(|dots| text.get(end..).is_some_and(|rest| rest.starts_with(dots))),
        after: text.get(end..).and_then(|rest| rest.chars().next()),
        line: begins_line(text, span.start - before.len())
            && text
                .get(end..)
                .is_none_or(|rest| rest.is_empty() || rest.starts_with(['\n', '\r'])),
        span: start..end,
    })
}

/// Where the name ends: letters and what joins them, a blank within `api key`.
fn name_end(found: &str) -> usize {
    let word = |text: &str| {
        text.bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
            .count()
    };
    let mut end = word(found);
    for _ in 0..2 {
        let rest = found.get(end..).unwrap_or_default();
        let Some(next) = rest.strip_prefix(' ') else {
            break;
        };
        let length = word(next);
        let lower = next.get(..length).unwrap_or_default().to_ascii_lowercase();
        if !["key", "token", "secret", "password", "phrase", "id"].contains(&lower.as_str()) {
            break;
        }
        end += 1 + length;
    }
    // A value may follow on the mark at once, with characters of names in it.
    end
}

/// Where the mark of assignment ends, and whether a quote is open behind it.
fn mark_end(rest: &str) -> (usize, bool) {
    let mut at = 0;
    let mut opened = false;
    let mut marked = false;
    while let Some(byte) = rest.as_bytes().get(at) {
        match byte {
            b' ' | b'\t' | b'\\' | b']' | b')' => {}
            b'-' if rest.get(at..).is_some_and(|rest| rest.starts_with("- ")) => {}
            b'=' | b':' | b'>' | b'(' | b',' | b'!' if !opened || !marked => {
                marked = true;
                opened = false;
            }
            b'"' | b'\'' | b'`' => opened = true,
            _ => {
                let word = ["is ", "was ", "value=", "to ", "are "]
                    .iter()
                    .find(|word| rest.get(at..).is_some_and(|rest| rest.starts_with(**word)));
                match word {
                    Some(word) if at > 0 && !opened | (**word == *"value=") => {
                        marked |= word.ends_with('=');
                        opened = false;
                        at += word.len() - 1;
                    }
                    _ => return (at, opened),
                }
            }
        }
        at += 1;
        if opened && marked && !matches!(rest.as_bytes().get(at), Some(b'\\')) {
            return opened_twice(rest, at);
        }
    }
    (at, opened)
}

/// Whether the mark ends the tag of an element.
fn element(separator: &str) -> bool {
    separator.ends_with('>') && !separator.contains(['=', '-'])
}

/// The place behind a second quote: `'"value"'`, as in files that write files.
fn opened_twice(rest: &str, at: usize) -> (usize, bool) {
    let twice = usize::from(rest.get(at..).is_some_and(|more| more.starts_with('"')));
    (at + twice, rest.len() > at + twice)
}

/// The end of a value without quotes: what prose, lists and addresses put
/// behind one is none of it.
fn plain(raw: &str) -> &str {
    let cut = raw
        .find([';', ',', '<', '&'])
        .map_or(raw, |at| raw.get(..at).unwrap_or_default());
    cut.trim_end_matches(['.', ',', ')', ':', '*', '\\', '?', '}', ']', '|'])
}

/// The part of the name before the word that was found.
pub(super) fn prefix(text: &str, start: usize) -> &str {
    let before = text.get(..start).unwrap_or_default();
    let length = before
        .bytes()
        .rev()
        .take(NAME_BYTES)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        .count();
    before.get(start - length..).unwrap_or_default()
}

fn begins_line(text: &str, start: usize) -> bool {
    let Some(line) = line_before(text, start) else {
        return false;
    };
    matches!(
        line.trim(),
        "" | "export" | "-" | "set" | "ENV" | "env" | "#" | "+"
    )
}

/// The words of a name, in lower case.
fn split(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for char in name.chars() {
        let joint = !char.is_ascii_alphanumeric();
        if (joint || (small && char.is_ascii_uppercase()))
            && words.last().is_some_and(|word| !word.is_empty())
        {
            words.push(String::new());
        }
        if let (false, Some(word)) = (joint, words.last_mut()) {
            word.push(char.to_ascii_lowercase());
        }
        small = char.is_ascii_lowercase();
    }
    words
}

#[cfg(test)]
mod tests;
