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
    "토큰",
    "비밀",
    "암호",
    "秘钥",
    "金鑰",
    "權杖",
    "口令",
    "シークレット",
    "鍵",
    "llave",
    "chiave",
    "clef",
    "klucz",
    "anahtar",
    "kunci",
    "khóa",
    "sleutel",
    "nyckel",
    "klíč",
    "κλειδί",
    "מפתח",
    "مفتاح",
    "कुंजी",
    "คีย์",
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

/// Names of one word that are no vendor's.
const PLAIN: &[&str] = &[
    "id", "name", "version", "url", "host", "image", "tag", "trace", "span", "request", "build",
    "user", "account", "project", "org", "team", "model", "file", "path", "type", "session",
    "event", "message", "data", "value", "text", "result", "output", "input",
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
    let line = naming(&near);
    // The keys of a value stand apart from it; its context words were there.
    let alone = near.trim().is_empty() && from == 0;
    let mut words = line.split(|char: char| !char.is_ascii_alphanumeric());
    let whole = words.clone().any(|word| WORDS.contains(&word));
    let named = whole || PARTS.iter().any(|part| line.contains(part)) || assigned(line);
    let other = words.any(|word| OTHERS.contains(&word));
    (named || alone) && !other && joined(line) && mixed(found) && !wordlike(found) && !counts(found)
}

/// What stands before a value that may name it: the line, unless that is only
/// an indentation or says no more than that a value follows, as in a list of
/// variables, a row of a table or what somebody answers.
fn naming(near: &str) -> &str {
    let near = near.trim_end();
    let Some((above, line)) = near.rsplit_once('\n') else {
        return near;
    };
    let bare = line.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    let open = line.trim_end_matches(['"', '\'', '`', ' ']);
    let cell = open.ends_with([',', ';', '\t']) && !open.contains([':', '=', '{', '(', '[']);
    if bare == "value" || cell || answers(above, line) {
        near
    } else {
        line
    }
}

/// `amy: ` behind a line of another speaker that asks or says something.
fn answers(above: &str, line: &str) -> bool {
    /// Bytes of a speaker's name.
    const NAME_BYTES_MAX: usize = 12;
    let speaks = |line: &str| {
        line.split_once(':').is_some_and(|(name, _)| {
            (2..=NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphabetic())
                && !OTHERS.contains(&name)
                && !PLAIN.contains(&name)
        })
    };
    let before = above.rsplit('\n').next().unwrap_or_default();
    let said = before.split_whitespace().count() > 3;
    line.trim().ends_with(':') && speaks(line) && speaks(before) && said
}

/// `acme = "`: the vendor's name, one word, is all that the value is set to.
fn assigned(line: &str) -> bool {
    let blank = [' ', '\t', '"', '\'', '`'];
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
            ("const acme = `", true),
            ("- name: ACME_API_KEY\n  value: ", true),
            ("- name: ACME_ID\n  value: ", false),
            ("{\"name\": \"ACME_TOKEN\",\n \"value\": \"", true),
            ("service,token,owner\nacme,", true),
            ("service,sha256\nacme,", false),
            ("bob: what's the acme token?\namy: ", true),
            ("note: the token of acme is here\nid: ", false),
            ("acme 토큰은 ", true),
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
