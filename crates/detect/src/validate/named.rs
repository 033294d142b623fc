//! Values of no form of their own, near a word that says what they are.

use std::ops::Range;

use super::value::{counts, digits, kinds, wordlike};

/// LIMIT: bytes before a value in which that word is looked for.
const NEAR_BYTES: usize = 64;
/// Words that say it, as parts of names.
const PARTS: &[&str] = &[
    "key",
    "token",
    "secret",
    "passw",
    "auth",
    "bearer",
    "credential",
    "access",
    "private",
    "login",
    "license",
    "licence",
    "_sid",
    "cookie",
    "signing",
    "reporter_id",
    "密钥",
    "令牌",
    "密码",
    "キー",
    "トークン",
    "키",
    "clave",
    "contrase",
    "schlüssel",
    "kennwort",
    "chave",
    "senha",
    "clé ",
    "jeton",
    "ключ",
    "токен",
    "пароль",
];
/// Words that say it, whole.
const WORDS: &[&str] = &["api", "pat", "pass", "pwd", "dsn", "sid"];
/// Words that say that it is something else.
const OTHERS: &[&str] = &[
    "sha1",
    "sha256",
    "sha512",
    "md5",
    "commit",
    "integrity",
    "checksum",
    "digest",
    "hash",
    "rev",
    "public",
    "blob",
    "tree",
    "revision",
    "etag",
    "fingerprint",
    "merge",
    "checks",
    "hashes",
    "uuid",
    "h1",
    "recv",
    "git",
    "ref",
];

/// Whether the value is random, and named as a secret.
pub(super) fn is_named(text: &str, span: &Range<usize>) -> bool {
    let found = text.get(span.clone()).unwrap_or_default();
    let mut from = span.start.saturating_sub(NEAR_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let near = text
        .get(from..span.start)
        .unwrap_or_default()
        .to_ascii_lowercase();
    // The last line is enough, unless it is only an indentation.
    let line = near.trim_end().rsplit('\n').next().unwrap_or_default();
    // The keys of a value stand apart from it; its context words were there.
    let alone = near.trim().is_empty() && from == 0;
    let mut words = line.split(|char: char| !char.is_ascii_alphanumeric());
    let whole = words.clone().any(|word| WORDS.contains(&word));
    let named = whole || PARTS.iter().any(|part| line.contains(part)) || assigned(line);
    let other = words.any(|word| OTHERS.contains(&word));
    (named || alone) && !other && joined(line) && mixed(found) && !wordlike(found) && !counts(found)
}

/// `acme = "`: the vendor's name, one word, is all that the value is set to.
fn assigned(line: &str) -> bool {
    /// Names of one word that are no vendor's.
    const PLAIN: &[&str] = &[
        "id", "name", "version", "url", "host", "image", "tag", "trace", "span", "request",
        "build", "user", "account", "project", "org", "team", "model", "file", "path", "type",
        "session", "event", "message", "data", "value", "text", "result", "output", "input",
    ];
    let blank = [' ', '\t', '"', '\''];
    let line = line.trim_end_matches(blank);
    let Some(name) = line.strip_suffix(['=', ':']) else {
        return false;
    };
    let name = name.trim_matches(['"', '\'', ' ', '\t', '{', ',', '-']);
    let name = ["export ", "const ", "let ", "var "]
        .iter()
        .find_map(|word| name.strip_prefix(word))
        .unwrap_or(name);
    let word = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    word && !PLAIN.contains(&name) && !OTHERS.contains(&name)
}

/// Digits and letters, or letters of both kinds, many of them different.
fn mixed(found: &str) -> bool {
    let numbers = digits(found);
    let both = found.bytes().any(|byte| byte.is_ascii_uppercase())
        && found.bytes().any(|byte| byte.is_ascii_lowercase());
    (numbers >= 1 || both) && numbers < found.len() && kinds(found) >= 8.min(found.len() / 2)
}

/// Whether what stands before a value can stand before one: no path, no name
/// that the value would only be the end of.
fn joined(line: &str) -> bool {
    if line.ends_with(['/', '@', '#', '-', '.', '+']) {
        return line.ends_with("--") || line.ends_with("://");
    }
    // `example.org/x/oauth2 0a1b...`: a version behind the path of a module.
    let last = line.split_whitespace().next_back().unwrap_or_default();
    let marked = last.contains(['=', ':', '"', '\'', '>', '(']);
    !last.contains('/') || marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_a_secret() {
        let value = "0f3a9c81d2e47b56a1908c7d3e5f2b64";
        for (before, named) in [
            ("acme_api_key = \"", true),
            ("my Acme token is ", true),
            ("acme sha256: ", false),
            ("acme key commit ", false),
            ("acme = '", true),
            ("\"acme\": \"", true),
            ("acme id: ", false),
            ("version = \"", false),
            ("acme ", false),
            ("", true),
        ] {
            let text = format!("{before}{value}");
            assert_eq!(
                is_named(&text, &(before.len()..text.len())),
                named,
                "{before}"
            );
        }
    }
}
