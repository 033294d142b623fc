//! What a secret value looks like, told from what only stands in its place.

mod words;

use words::{FILES, PARTS, PLACEHOLDERS, WORDS};

/// A value of fewer different characters hides nothing.
const KINDS_MIN: usize = 4;
/// In fewer characters every run counts.
const SHORT_CHARS: usize = 16;

/// Whether the value stands in place of a secret: a placeholder, a reference
/// to a variable, an expression, a path or an address.
pub(super) fn stands_in(value: &str) -> bool {
    placeholder(value) || reference(value) || address(&value.to_ascii_lowercase()) || escapes(value)
}

/// Whether the value is a word that people write where a secret is to be
/// filled in, or too dull to hide anything.
pub(super) fn placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let bare = lower.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    kinds(&lower) < KINDS_MIN
        || WORDS.contains(&bare)
        || PLACEHOLDERS.iter().any(|word| lower.contains(word))
}

/// `anonymous@`, `guest@`: what programs give as the password of an anonymous
/// login, a mailbox without its host (RFC 1635).
pub(super) fn anonymous(value: &str) -> bool {
    value
        .strip_suffix('@')
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// `%60%7B%7D`: hardly more than escapes, as in tests of addresses.
fn escapes(value: &str) -> bool {
    let escaped = value
        .as_bytes()
        .windows(3)
        .filter(
            |three| matches!(three, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()),
        )
        .count();
    escaped >= 2 && escaped * 4 >= value.len()
}

/// Different characters of a value.
pub(super) fn kinds(value: &str) -> usize {
    let mut bytes: Vec<u8> = value.bytes().collect();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

/// `$NAME`, `${name}`, `{{ name }}`, `%NAME%`, `%s`, `<name>`, `@name@`,
/// `#{name}`, `!Ref`: what a shell, a template or a formatter fills in.
pub(super) fn reference(value: &str) -> bool {
    let fills = [
        "${", "{{", "$(", "#{", "%(", "<%", "%{", "${{", "@{", "{0}", "{1}", "{}", "\\(",
    ];
    if fills.iter().any(|mark| value.contains(mark)) {
        return true;
    }
    let name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':')
            })
    };
    let within = |open: char, close: char| {
        value
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(name)
    };
    let shell = value.strip_prefix('$').is_some_and(|rest| {
        rest.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'>' | b'[' | b']' | b':')
        }) && !rest.starts_with(|char: char| char.is_ascii_digit())
    });
    shell
        || within('%', '%')
        || within('@', '@')
        || within('{', '}')
        || within('[', ']')
        || within('<', '>')
        || value.starts_with(['<', '&', '*'])
        || (value.starts_with('%') && value.len() <= 4)
        || (value.starts_with(':') && name(value.trim_start_matches(':')))
        || value.starts_with("!Ref")
        || value.starts_with("!Sub")
        || value.starts_with("!vault")
        || value.starts_with("ENC[")
}

/// A path, an address, an ARN or a file name, in lower case.
fn address(lower: &str) -> bool {
    let begins = lower.starts_with(['/', '~', '\\']);
    let deeper = lower
        .get(1..)
        .is_some_and(|rest| rest.contains(['/', '\\']));
    // Base64 may begin with a slash and hold others.
    let encoded = lower.contains(['+', '=']) || digits(lower) * 8 > lower.len();
    let path = begins && deeper && !encoded;
    path || lower.starts_with("./")
        || lower.starts_with("../")
        || lower.contains("://")
        || lower.starts_with("arn:")
        || lower.starts_with("urn:")
        || lower.starts_with("data:")
        || FILES.iter().any(|end| lower.ends_with(end))
}

/// Letters, digits and what joins names: no character of its own.
pub(super) fn is_name(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'))
}

/// Letters and what joins them alone.
pub(super) fn letters(value: &str) -> bool {
    value.bytes().all(|byte| {
        byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'!' | b'?')
    })
}

/// A value of letters that is a name of something, or a phrase for people.
pub(super) fn names(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    value.contains(['_', '-', '.', '/', ' ']) || PARTS.iter().any(|part| lower.contains(part))
}

/// Marks of code: calls, fields, generics, operators.
pub(super) fn code(value: &str) -> bool {
    let marks = [
        "(", ")", "[", "]", "{", "}", "->", "::", "&&", "||", "=>", "==", "\\n", "</", "/>", "?.",
    ];
    let value = value.trim_end_matches('=');
    if marks.iter().any(|mark| value.contains(mark)) {
        return true;
    }
    // `settings.api_key`, `this.state.token2`, `a/b/c`; base64 has slashes too.
    let digits = digits(value);
    let dots = value.contains('.')
        && (digits <= 2
            || value
                .split('.')
                .all(|part| letters(part) || identifier(part)));
    is_name(value) && (dots || value.contains('/') && (digits == 0 || wordlike(value)))
}

/// Digits of a value.
pub(super) fn digits(value: &str) -> usize {
    value.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether the letters form words, as in a name in code: few digits, and most
/// letters in words that can be spoken, `CamelCase` or not.
pub(super) fn wordlike(value: &str) -> bool {
    if digits(value) * 8 > value.len() {
        return false;
    }
    let (mut spoken, mut run, mut capital) = (0, String::new(), false);
    for char in value.chars().chain([' ']) {
        if char.is_ascii_lowercase() {
            run.push(char);
            continue;
        }
        let long = run.len() >= if capital { 2 } else { 3 };
        if long && speakable(&run) {
            spoken += run.len() + usize::from(capital);
        }
        run.clear();
        capital = char.is_ascii_uppercase();
    }
    spoken * 10 > value.len() * 7
}

/// A name of code: parts with underscores between them, each letters with at
/// most a short number behind or before them (`DOT11_AUTH`, `__u32`), or one
/// word with numbers inside (`Aes128Gcm`).
pub(super) fn identifier(value: &str) -> bool {
    let plain = |part: &str| {
        let body = part.trim_end_matches(|char: char| char.is_ascii_digit());
        let front = body.trim_start_matches(|char: char| char.is_ascii_digit());
        part.len() - body.len() <= 5
            && body.len() - front.len() <= 4
            && front.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    let named = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let word = |part: &str| {
        part.starts_with(|char: char| char.is_ascii_uppercase())
            && part.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
    };
    // Single capitals between digits are no words: chance made them.
    let camel = value.len() <= 24
        && (1..=value.len() / 3).contains(&digits(value))
        && value
            .split(|char: char| char.is_ascii_digit())
            .filter(|part| !part.is_empty())
            .all(word);
    // `D3DKMT_TOKEN_0`
    let capitals = value.starts_with(|char: char| char.is_ascii_uppercase())
        && !value.bytes().any(|byte| byte.is_ascii_lowercase())
        && digits(value) * 4 <= value.len();
    let joined = value.contains('_');
    named && (joined && (capitals || value.split('_').all(plain)) || camel)
}

/// Words and numbers with hyphens between them: `eu2-prod-1208358310`.
pub(super) fn slug(value: &str) -> bool {
    let part = |part: &str| {
        let word = part.trim_end_matches(|char: char| char.is_ascii_digit());
        let number = part.len() - word.len();
        word.is_empty()
            || number <= 2 && word.len() <= 12 && word.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    value.contains('-') && value.split('-').all(part)
}

/// Small letters with a vowel, and no four consonants in a row.
fn speakable(run: &str) -> bool {
    let vowel = |char: char| "aeiouy".contains(char);
    run.contains(vowel) && run.split(vowel).all(|consonants| consonants.len() < 4)
}

/// `8-4-4-4-12` hexadecimal digits.
pub(super) fn uuid(value: &str) -> bool {
    value.len() == 36
        && value.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && value
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether the value was made by chance: letters and digits, many of them
/// different, and no words.
pub(super) fn random(value: &str) -> bool {
    let alphabetic = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let upper = value.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = value.bytes().any(|byte| byte.is_ascii_lowercase());
    let numbers = digits(value);
    let mixed = (numbers >= 2 && alphabetic >= 2) || (numbers == 1 && upper && lower);
    let long = numbers == 0 && upper && lower && value.len() >= 20;
    (mixed || long) && !wordlike(value) && !counts(value) && kinds(value) * 3 >= value.len().min(24)
}

/// A run as `abcdefghij`, `aaaa1111`: nearly every character follows on the
/// one before, or is the same, and there are few, or of one kind only.
pub(super) fn counts(value: &str) -> bool {
    let steps = value
        .as_bytes()
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if b.wrapping_sub(*a) <= 1))
        .count();
    if value.len() < SHORT_CHARS {
        return steps * 10 > value.len() * 7;
    }
    if alternates(value) {
        return true;
    }
    let numbers = digits(value);
    let broken = value.len().saturating_sub(steps + 1) >= 3;
    let mixed = broken && numbers >= 2 && numbers + 2 <= value.len() && kinds(value) >= 10;
    steps * 10 > value.len() * 9 && !mixed
}

/// `AbCdEfGhIj`: the alphabet in capitals and small letters by turns.
fn alternates(value: &str) -> bool {
    let turns = value
        .as_bytes()
        .windows(2)
        .filter(|pair| {
            matches!(pair, [a, b] if a.is_ascii_uppercase() != b.is_ascii_uppercase()
                && b.to_ascii_lowercase().wrapping_sub(a.to_ascii_lowercase()) == 1)
        })
        .count();
    turns * 2 > value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_without_its_host_is_the_password_of_nobody() {
        assert!(anonymous("anonymous@") && anonymous("lftp@"));
        assert!(!anonymous("s3cr3t@") && !anonymous("Secret@") && !anonymous("guest"));
    }

    #[test]
    fn what_is_filled_in_later_is_no_secret() {
        for value in [
            "$DB_PASSWORD",
            "${DB_PASSWORD}",
            "{{ password }}",
            "%PASSWORD%",
            "<password>",
            "@db.password@",
            "#{pw}x",
            "your_api_key_here",
            "changeme1234",
            "xxxxxxxxxxxx",
            "/run/secrets/key",
            "https://a.example/x",
            "server.pem",
            "password",
            "'None'",
            ":password",
            "&anchor",
            "%60%7B%7D",
        ] {
            assert!(stands_in(value), "{value}");
        }
        for value in ["hunter2hunter2", "Tr0ub4dor&3x", "s3cr3t!pw", "pa$$w0rd!9"] {
            assert!(!stands_in(value), "{value}");
        }
    }

    #[test]
    fn chance_makes_no_words() {
        for value in [
            "DOT11_AUTH_ALGORITHM",
            "_bindgen_ty_24",
            "XXH64_hash_t",
            "Aes128Gcm",
        ] {
            assert!(identifier(value), "{value}");
        }
        assert!(!identifier("sk_live_k8Jd02mQx7RzT4vB") && !identifier("A2B6C9D1E3F4G6H7I8J0K"));
        assert!(code("self._lib.EVP_PKEY_X25519") && !code("k8Jd02m.Qx7RzT4vB"));
        assert!(slug("eu2-prod-1208358310") && !slug("k8Jd02-mQx7Rz-T4vB"));
        assert!(counts("AbCdEfGhIjKlMnOpQrStUvWxYz123456"));
        assert!(counts("abcdef1234") && !counts("k8Jd02mQx7"));
        for value in ["k8Jd02mQx7RzT4vB", "9f86d081884c7d65", "aZ3xQ9wE7rT5"] {
            assert!(random(value), "{value}");
        }
        for value in [
            "userPasswordField",
            "ConnectionString2",
            "abcdefghijklmnopqrstuvwxyz",
            "1234567890",
        ] {
            assert!(!random(value), "{value}");
        }
    }
}
