//! Markup that acts, told from code that looks like it.

use std::ops::Range;

use super::Valid;

/// Tags that do nothing without attributes; as a type's parameter they stand
/// right behind a name.
const INERT: &[&str] = &[
    "applet", "base", "embed", "form", "frame", "frameset", "link", "meta", "object",
];

fn before(text: &str, span: &Range<usize>) -> Option<char> {
    text.get(..span.start)
        .and_then(|text| text.chars().next_back())
}

/// Whether a tag is one, and no parameter of a type as in `f<form>(..)`.
pub(super) fn is_tag(text: &str, span: &Range<usize>) -> bool {
    let bare = text
        .get(span.clone())
        .and_then(|found| found.strip_prefix('<')?.strip_suffix('>'));
    let named = before(text, span).is_some_and(|char| char.is_ascii_alphanumeric() || char == '_');
    !(named && bare.is_some_and(|name| INERT.iter().any(|inert| name.eq_ignore_ascii_case(inert))))
}

/// An image. `![name]` alone may be one by a definition that stands anywhere
/// in the text; code writes the same behind a name and before a dot.
pub(super) fn image(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let alone = found.starts_with("![") && found.ends_with(']') && found.matches(']').count() == 1;
    if !alone {
        return Some(Valid {
            end: span.end,
            looked: span.end,
        });
    }
    let opens = |char: char| {
        char.is_whitespace() || !char.is_ascii() || matches!(char, '>' | '*' | '_' | '|')
    };
    let closes = |char: char| {
        char.is_whitespace()
            || !char.is_ascii()
            || matches!(char, '<' | '*' | '_' | '|' | ',' | '!' | '?')
    };
    let mut after = text.get(span.end..)?.chars();
    let (first, second) = (after.next(), after.next());
    let dot = first == Some('.') && second.is_none_or(char::is_whitespace);
    let fits = before(text, span).is_none_or(opens) && (dot || first.is_none_or(closes));
    fits.then(|| Valid {
        end: span.end,
        looked: span.end + usize::from(dot),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(before: &str, found: &str, after: &str) -> bool {
        let text = format!("{before}{found}{after}");
        image(&text, &(before.len()..before.len() + found.len())).is_some()
    }

    #[test]
    fn a_name_in_brackets_is_an_image_where_code_is_none() {
        for (before, after) in [
            ("", ""),
            ("see ", " here"),
            ("a\n", "\n"),
            ("", "."),
            ("*", "*"),
        ] {
            assert!(alone(before, "![x]", after), "{before}..{after}");
        }
        for (before, after) in [
            ("vec", ""),
            ("return ", ".includes(x)"),
            ("if (", ")"),
            ("return ", ";"),
            ("", "(local.png)"),
            ("", "[0]"),
        ] {
            assert!(!alone(before, "![x]", after), "{before}..{after}");
        }
        assert!(alone("vec", "![a](https://h.example/x]", ""));
    }

    #[test]
    fn a_parameter_of_a_type_is_no_tag() {
        let tag = |text: &str, from: usize| is_tag(text, &(from..text.len()));
        assert!(!tag("fn f<form>", 4) && !tag("List<Object>", 4));
        assert!(tag("<form>", 0) && tag("a <form>", 2) && tag("x<script>", 1));
        assert!(tag("x<form ", 1));
    }
}
