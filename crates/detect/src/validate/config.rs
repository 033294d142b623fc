//! Settings that hold a secret, told from code and prose that only name one.

use std::ops::Range;

use super::value::placeholder;

/// Whether the match is a setting with a value: no expression that fetches
/// one, no reference to one, and no placeholder for one.
pub(super) fn holds_secret(text: &str, span: &Range<usize>) -> bool {
    let parts = text
        .get(span.clone())
        .and_then(|found| found.split_once(['=', ':']));
    let Some((name, rest)) = parts else {
        return false;
    };
    // The password of a URL stands in a place of its own.
    if rest.starts_with("//") {
        return true;
    }
    let open = rest.trim_start_matches(' ');
    let value = open.trim_start_matches(['"', '\'']);
    if placeholder(value) {
        return false;
    }
    // What stands in quotes is a value, whatever it looks like.
    if value.len() < open.len() {
        return true;
    }
    let after = text.get(span.end..).and_then(|rest| rest.chars().next());
    let called = matches!(after, Some('(' | '[' | '{'));
    // As a file for the environment writes it: `DB_PASSWORD=value`. Elsewhere
    // letters alone are a variable, a type or prose.
    let setting = !name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.ends_with(' ')
        && !rest.starts_with(' ');
    !called && !reference(value) && !path(value, setting) && (setting || !letters(value))
}

/// `$NAME`, which the shell fills in.
fn reference(value: &str) -> bool {
    value.strip_prefix('$').is_some_and(|name| {
        name.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

/// `settings.api_key`, `/run/secrets/key`: names with dots or slashes between
/// them. Code has few digits in its names, a settings file none.
fn path(value: &str, setting: bool) -> bool {
    let value = value.trim_end_matches('.');
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let names = value.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+')
    });
    names && value.contains(['.', '/']) && digits <= if setting { 0 } else { 2 }
}

fn letters(value: &str) -> bool {
    value
        .trim_end_matches(['.', '!'])
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(found: &str, after: &str) -> bool {
        let text = format!("{found}{after}");
        holds_secret(&text, &(0..found.len()))
    }

    #[test]
    fn code_that_names_a_secret_holds_none() {
        for (found, after) in [
            ("API_KEY = os.environ", "[\"API_KEY\"]"),
            ("api_key=settings.api_key", ")"),
            ("password = request.form.get", "(\"password\")"),
            ("password = get_password", "()"),
            ("password=user_password", ","),
            ("password: userPassword", ","),
            ("SECRET_KEY = config.SECRET_KEY", "\n"),
            ("access_token: process.env.ACCESS_TOKEN", ","),
            ("api_key: Optional", "[str]"),
            ("DB_PASSWORD=$DB_PASSWORD", "\n"),
            ("API_KEY=your_api_key_here", "\n"),
            ("API_KEY=\"changeme1234", "\""),
            ("PASSWORD=********", "\n"),
            ("Password: required", " field"),
            ("Password: 'password", "'"),
            ("SECRET_KEY=/run/secrets/key", "\n"),
        ] {
            assert!(!holds(found, after), "{found}{after}");
        }
    }

    #[test]
    fn a_value_is_one() {
        for (found, after) in [
            ("DB_PASSWORD=hunter2hunter2", "\n"),
            ("DB_PASSWORD=CorrectHorseBattery", "\n"),
            ("password: Tr0ub4dor&3x", "\n"),
            ("password = \"swordfishes", "\""),
            ("api_key=a1b2c3d4e5f6", ","),
            ("postgres://app:settings.x@db/x", ""),
        ] {
            assert!(holds(found, after), "{found}{after}");
        }
    }
}
