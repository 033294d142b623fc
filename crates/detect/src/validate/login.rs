//! Names with passwords in one word: in addresses, on command lines, in headers.

use std::ops::Range;

use super::value::{code, kinds, letters, stands_in, wordlike};

/// The password of `scheme://name:password@host`.
pub(super) fn address(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let found = text.get(span.clone())?;
    let (scheme, rest) = found.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    let start = span.start + scheme.len() + 3 + login.len() - password.len();
    let shown = password.len() < 3
        || stands_in(password)
        || password.contains(['(', '{', '$', '[', '<', '|']);
    (!shown && !password.eq_ignore_ascii_case("pass")).then(|| start..start + password.len())
}

/// The word behind the last blank, mark or quote of a match: an argument.
pub(super) fn argument(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let found = text.get(span.clone())?;
    let at = found.rfind([' ', '\t', '"', '\'']).map_or(0, |at| at + 1);
    let word = found.get(at..)?;
    let (at, word) = if at == 0 {
        let (name, word) = word.split_once('=')?;
        (name.len() + 1, word)
    } else {
        // `-psecret`, `--password=secret`: the option is none of it.
        match word.split_once('=') {
            Some((name, value)) if name.starts_with('-') => (at + name.len() + 1, value),
            _ if word.starts_with("-p") => (at + 2, word.get(2..)?),
            _ => (at, word),
        }
    };
    let word = word.split('<').next().unwrap_or_default();
    let word = word.trim_end_matches(['.', ',', ')', ';', '\\', '*', '>', ']', '?']);
    let start = span.start + at;
    let quoted = text
        .get(..start)
        .is_some_and(|text| text.ends_with(['"', '\'']));
    // Behind these words stands nothing but a password.
    let sure = ["machine", "psexec", "sshpass"]
        .iter()
        .any(|name| found.to_ascii_lowercase().contains(name));
    let named = letters(word) && !cased(word) && !quoted && !sure;
    (secret(word) && !named).then(|| start..start + word.len())
}

/// The password of `name:password` as an argument.
pub(super) fn pair(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let found = text.get(span.clone())?;
    let marks = [' ', '\t', '\n', '"', '\''];
    let mut at = found.rfind(marks).map_or(0, |at| at + 1);
    // `name:'password'`: the quote is none of either.
    let quoted = found
        .get(..at)
        .is_some_and(|head| head.ends_with(":'") || head.ends_with(":\""));
    if quoted {
        let head = found.get(..at - 2)?;
        at = head.rfind(marks).map_or(0, |at| at + 1);
    }
    let word = found.get(at..)?;
    let (name, password) = word.split_once(':')?;
    let quotes = usize::from(quoted);
    let password = password.get(quotes..)?;
    let password = password.split('<').next().unwrap_or_default();
    let password = password.trim_end_matches(['\\', ',', ')', '?', '.', '*', ']', '}', ';']);
    let start = span.start + at + name.len() + 1 + quotes;
    (secret(password) && !name.contains(['$', '{', '<', '/']))
        .then(|| start..start + password.len())
}

/// The credentials behind the scheme of a header: the last word, if chance
/// made it.
pub(super) fn token(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let found = text.get(span.clone())?;
    let at = found.rfind([' ', '\t', '"', '\'']).map_or(0, |at| at + 1);
    let word = found
        .get(at..)?
        .trim_end_matches(['.', ',', ':', '|', '~', '-']);
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let made = digits >= 1 && digits < word.len() && !wordlike(word) && kinds(word) >= 8;
    let start = span.start + at;
    (made && word.len() >= 16 && !stands_in(word)).then(|| start..start + word.len())
}

/// The credentials of `Basic ...`: base64 of a name, a colon and a password
/// (RFC 7617).
pub(super) fn basic(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let found = text.get(span.clone())?;
    let at = found
        .rfind([' ', '\t', '"', '\'', ':', '='])
        .map_or(0, |at| at + 1);
    // The `=` at the end is padding.
    let body = found.trim_end_matches('=');
    let at = if at >= body.len() {
        body.rfind([' ', '\t', '"', '\'', ':'])
            .map_or(0, |at| at + 1)
    } else {
        at
    };
    let decoded = crate::view::from_base64(body.get(at..)?)?;
    let (name, password) = decoded.split_once(':')?;
    let readable = decoded.chars().all(|char| !char.is_control());
    let start = span.start + at;
    (readable && name.len() + password.len() >= 4).then_some(start..span.end)
}

/// Letters of both kinds, other than a capital at the beginning.
fn cased(word: &str) -> bool {
    let bytes = || word.bytes().skip(1);
    bytes().any(|byte| byte.is_ascii_uppercase()) && bytes().any(|byte| byte.is_ascii_lowercase())
}

/// A variable in a word: `$PW`, `a${PW}`; `$1` behind other text is typed.
fn fills(word: &str) -> bool {
    word.starts_with('$')
        || word
            .split('$')
            .skip(1)
            .any(|rest| rest.starts_with(|char: char| !char.is_ascii_digit()))
}

/// A value that somebody typed, and no variable.
fn secret(word: &str) -> bool {
    word.len() >= 4
        && !stands_in(word)
        && !code(word)
        && !fills(word)
        && !word.contains('`')
        && !word.starts_with('-')
        && !(word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str, valid: fn(&str, &Range<usize>) -> Option<Range<usize>>) -> Option<&str> {
        valid(text, &(0..text.len())).map(|range| &text[range])
    }

    #[test]
    fn the_password_of_an_address_is_found() {
        assert_eq!(
            whole("postgres://app:s3cr3t@x@db", address),
            Some("s3cr3t@x")
        );
        assert_eq!(whole("redis://:s3cr3t9@db", address), Some("s3cr3t9"));
        for none in [
            "https://user:password@host",
            "https://u:${PW}@h",
            "https://u:<pw>@h",
        ] {
            assert_eq!(whole(none, address), None, "{none}");
        }
    }

    #[test]
    fn arguments_end_at_their_words() {
        assert_eq!(whole("mysql -u root -ps3cr3t9", argument), Some("s3cr3t9"));
        assert_eq!(whole("--password=s3cr3t9", argument), Some("s3cr3t9"));
        assert_eq!(whole("--password 's3cr3t9", argument), Some("s3cr3t9"));
        assert_eq!(
            whole("psexec \\\\h -u a -p brakshaw", argument),
            Some("brakshaw")
        );
        assert_eq!(whole("--password $PASSWORD", argument), None);
        assert_eq!(whole("curl -u app:s3cr3t9", pair), Some("s3cr3t9"));
        assert_eq!(whole("curl -u app:'s3cr3t9", pair), Some("s3cr3t9"));
        assert_eq!(whole("curl -u app:P@ss$1x", pair), Some("P@ss$1x"));
        assert_eq!(whole("curl -u app:x$PASS", pair), None);
        assert_eq!(whole("curl -u $USER:$PASS", pair), None);
    }

    #[test]
    fn a_header_holds_a_name_and_a_password() {
        assert_eq!(
            whole("Basic YXBwOnMzY3IzdDk=", basic),
            Some("YXBwOnMzY3IzdDk=")
        );
        assert_eq!(whole("Basic information", basic), None);
    }
}
