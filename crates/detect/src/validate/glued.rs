//! Values that hardly more than a hyphen joins to the word that names them:
//! `acmeSECRET-0f3a…`, `acme-api-key-0f3a…`, `ACME_ACCESS=0f3a…`.

use std::ops::Range;

use super::{
    setting::{is_other, is_public, prefix},
    value::{counts, digits, identifier, kinds, random, stands_in, wordlike},
};

/// Words that name a secret; the longest first where one begins another.
const CUES: &[&str] = &["private", "passkey", "access", "secret", "token", "key"];
/// What stands between two of them, or before the value.
const JOINTS: &[char] = &['-', '_', '.', ':', '=', ' ', '\t', '"', '\''];
/// A value has at least as many letters and digits.
const CHARS_MIN: usize = 18;
/// Digits that chance puts into one, nearly always.
const DIGITS_MIN: usize = 1;

/// The value in a match of names and value.
pub(super) fn value(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let found = text.get(span.clone())?;
    let (at, strong) = names_end(found);
    let value = found.get(at..)?;
    let before = prefix(text, span.start);
    let name = text.get(span.start - before.len()..span.start + at)?;
    // `key-0f3a….js` is a file, `/docs/token-0f3a…` the end of a path.
    let after = text.get(span.end..)?;
    let file = after
        .strip_prefix('.')
        .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_alphabetic()));
    let outside = text.get(..span.start - before.len())?;
    if file || outside.ends_with('/') || is_other(name) {
        return None;
    }
    let plain = value.bytes().filter(u8::is_ascii_alphanumeric).count();
    // `key` alone is set to rows, test vectors and much else.
    let spoken = !value.contains('-') && !found.get(..at)?.contains(['=', ':']);
    let named = strong || !before.is_empty() || spoken;
    let made = random(value)
        && digits(value) >= DIGITS_MIN
        && kinds(value) >= 8
        && !identifier(value)
        && !wordlike(value);
    let open = is_public(value);
    (named && made && plain >= CHARS_MIN && !open && !stands_in(value))
        .then(|| span.start + at..span.end)
}

/// Whether the last part of a key with a prefix was made by chance.
pub(super) fn prefixed(found: &str) -> bool {
    let value = found.rsplit('_').next().unwrap_or_default();
    random(value) && digits(value) >= DIGITS_MIN && kinds(value) >= 10 && !counts(value)
}

/// Where the names end and the value begins, and whether one of them is more
/// than `key`.
fn names_end(found: &str) -> (usize, bool) {
    let (mut at, mut strong) = (0, false);
    while let Some(rest) = found.get(at..) {
        let starts = |cue: &&&str| {
            rest.get(..cue.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(cue))
        };
        let Some(cue) = CUES.iter().find(starts) else {
            break;
        };
        strong |= *cue != "key";
        let rest = rest.get(cue.len()..).unwrap_or_default();
        let rest = rest
            .strip_prefix(['s', 'S'])
            .filter(|rest| rest.starts_with(JOINTS))
            .unwrap_or(rest);
        at = found.len() - rest.trim_start_matches(JOINTS).len();
    }
    (at, strong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(before: &str, found: &str, after: &str) -> Option<String> {
        let text = format!("{before}{found}{after}");
        let span = before.len()..before.len() + found.len();
        value(&text, &span).map(|range| text[range].to_owned())
    }

    #[test]
    fn names_are_no_part_of_the_value() {
        let hex = "0f3a9c81d2e47b56a1908c7d";
        let id = "0f3a9c81-d2e4-47b5-a190-8c7d3e5f2b64";
        for (before, names, value) in [
            ("acme", "SECRET-", hex),
            ("acme-api-", "key-", hex),
            ("acme_", "ACCESS=", hex),
            ("acme", "PRIVATEkey-", hex),
            ("acme ", "access token: ", hex),
            ("acme", "TOKEN-", id),
            ("acme ", "SECRET ", id),
            ("acme", "key-", id),
        ] {
            let found = format!("{names}{value}");
            assert_eq!(
                whole(before, &found, "\n").as_deref(),
                Some(value),
                "{before}{names}"
            );
        }
    }

    #[test]
    fn a_prefix_makes_no_key_of_a_name() {
        assert!(prefixed("acme_live_0f3a9c81d2e47b56a1908c7d"));
        assert!(!prefixed("acme_live_abcdefghijklmnopqrstuvwxyz"));
        assert!(!prefixed("the_secret_ConnectionStringBuilder2"));
    }

    #[test]
    fn identifiers_files_paths_and_words_are_no_values() {
        let hex = "0f3a9c81d2e47b56a1908c7d";
        for (before, found, after) in [
            ("cache-", format!("key-{hex}"), ""),
            ("public-", format!("key-{hex}"), ""),
            (
                "row ",
                "key 0f3a9c81-d2e4-47b5-a190-8c7d3e5f2b64".to_owned(),
                "",
            ),
            ("/", format!("token-{hex}"), ""),
            ("x ", format!("token-{hex}"), ".js"),
            ("x ", format!("key = {hex}"), ""),
            ("a_", format!("key: MFkw{hex}"), ""),
            ("x ", "secret-ConnectionStringBuilder".to_owned(), ""),
        ] {
            assert_eq!(whole(before, &found, after), None, "{before}{found}{after}");
        }
    }
}
