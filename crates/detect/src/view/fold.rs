//! Compatibility forms, look-alikes and invisible characters.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};
use unicode_normalization::UnicodeNormalization;

use super::Builder;
use terms::{TURN_BYTES, worked};

/// In the time that one form of a character takes so many bytes are read.
const FORM_BYTES: usize = 16;

/// Letters that look like ASCII ones.
const ALIKE: &[(&str, &str)] = &[
    ("АВЕКМНОРСТУХІЈЅԚԜ", "ABEKMHOPCTYXIJSQW"),
    ("авекмнорстухіјѕԛԝһӏԁ", "abekmhopctyxijsqwhld"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
    ("ανορτυχικ", "avoptuxik"),
    ("‐‑‒–—―−﹣－", "---------"),
    ("․。．", "..."),
    ("∕⁄", "//"),
    ("‚‛`´", "''''"),
];

/// Marks and format characters, which show nothing of their own: joiners,
/// directions, variations, accents, what stands around a key cap.
static MARKS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| ranges(r"[\p{Mn}\p{Me}\p{Cf}]"));
/// Decimal digits of all scripts, ten in a row.
static DIGITS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| ranges(r"\p{Nd}"));

/// First and last digit of rows that are numbers in a circle, in brackets or
/// with a full stop, and what the first one is.
const NUMBERED: &[(u32, u32, u32)] = &[
    (0x2474, 0x247c, 1),
    (0x2488, 0x2490, 1),
    (0x24f5, 0x24fd, 1),
    (0x24ff, 0x24ff, 0),
    (0x2776, 0x277e, 1),
    (0x2780, 0x2788, 1),
    (0x278a, 0x2792, 1),
    (0x1_f100, 0x1_f100, 0),
    (0x1_f101, 0x1_f10a, 0),
    (0x1_f10b, 0x1_f10b, 0),
    (0x1_f10c, 0x1_f10c, 0),
];
/// The first of 26 capital letters in black circles and squares.
const LETTERED: &[u32] = &[0x1_f150, 0x1_f170];

/// The characters of a class of Unicode, in order: the tables of the pattern
/// library, so that both know the same version.
fn ranges(class: &str) -> Vec<(char, char)> {
    match regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect(),
        // INVARIANT: both classes above are known; a test holds it.
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// The range that holds a character.
fn within(ranges: &[(char, char)], char: char) -> Option<(char, char)> {
    let at = ranges.partition_point(|(_, end)| *end < char);
    ranges.get(at).copied().filter(|(start, _)| *start <= char)
}

/// For each character of the basic plane, whether folding leaves it as it is.
static KEPT: LazyLock<Box<[u64]>> = LazyLock::new(|| {
    let mut kept = vec![0_u64; 0x1_0000 / 64];
    for char in (0..0x1_0000_u32).filter_map(char::from_u32) {
        let mut forms = std::iter::once(char).nfkc();
        let same = forms.next() == Some(char) && forms.next().is_none() && alike(char) == char;
        if same && tag(char).is_none() && !invisible(char) && numbered(char).is_none() {
            let code = u32::from(char) as usize;
            kept.get_mut(code / 64)
                .into_iter()
                .for_each(|word| *word |= 1 << (code % 64));
        }
    }
    kept.into_boxed_slice()
});

fn kept(char: char) -> bool {
    let code = u32::from(char) as usize;
    char.is_ascii()
        || KEPT
            .get(code / 64)
            .is_some_and(|word| word >> (code % 64) & 1 == 1)
}

/// The folded text; `None` when folding changes nothing.
pub(super) fn fold(text: &str) -> Option<Builder> {
    let mut builder = Builder::default();
    let mut changed = false;
    // Up to where the text is in the builder.
    let mut at = 0;
    let mut told = 0;
    for (start, char) in text.char_indices() {
        if start - told >= TURN_BYTES {
            worked(start - told);
            told = start;
        }
        if kept(char) {
            continue;
        }
        if changed && builder.is_full() {
            return Some(builder);
        }
        let source = start..start + char.len_utf8();
        builder.copy(text, at..start);
        at = source.end;
        if let Some(shown) = tag(char).or_else(|| numbered(char)) {
            builder.push(shown, &source);
            changed = true;
            continue;
        }
        if invisible(char) {
            changed = true;
            continue;
        }
        for form in std::iter::once(char).nfkc() {
            worked(FORM_BYTES);
            let plain = alike(form);
            changed |= plain != char;
            builder.push(plain, &source);
        }
    }
    worked(text.len() - told);
    builder.copy(text, at..text.len());
    changed.then_some(builder)
}

fn alike(char: char) -> char {
    if char.is_ascii() {
        return char;
    }
    if let Some((zero, _)) = within(&DIGITS, char) {
        let value = (u32::from(char) - u32::from(zero)) % 10;
        return char::from_digit(value, 10).unwrap_or(char);
    }
    match char {
        // A blank that no compatibility form folds, and one that is a pattern
        // of no dots.
        '\u{1680}' | '\u{2800}' => return ' ',
        '\u{2028}' | '\u{2029}' => return '\n',
        _ => {}
    }
    let pair = ALIKE
        .iter()
        .find_map(|(from, to)| from.chars().zip(to.chars()).find(|(from, _)| *from == char));
    pair.map_or(char, |(_, to)| to)
}

/// A tag character spells an ASCII one invisibly.
fn tag(char: char) -> Option<char> {
    let code = u32::from(char).checked_sub(0xe_0000)?;
    (0x20..0x7f)
        .contains(&code)
        .then(|| char::from_u32(code))
        .flatten()
}

/// The digit or letter of a character that shows one in a frame.
fn numbered(char: char) -> Option<char> {
    let code = u32::from(char);
    let digit = NUMBERED
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&code))
        .and_then(|(first, _, value)| char::from_digit(code - first + value, 10));
    digit.or_else(|| {
        let first = LETTERED
            .iter()
            .find(|first| (**first..**first + 26).contains(&code))?;
        char::from_digit(code - first + 10, 36).map(|letter| letter.to_ascii_uppercase())
    })
}

/// Characters that show nothing: marks and formats, fillers of scripts, and
/// what is kept free for more of them.
fn invisible(char: char) -> bool {
    matches!(
        u32::from(char),
        0x115f | 0x1160 | 0x2065 | 0x3164 | 0xffa0 | 0xfff0..=0xfff8 | 0xe_0000..=0xe_0fff
    ) || within(&MARKS, char).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::char::is_combining_mark;

    #[test]
    fn the_classes_are_there_and_digits_stand_in_tens() {
        assert!(MARKS.len() > 200 && DIGITS.len() > 40);
        for (start, end) in DIGITS.iter() {
            assert_eq!((u32::from(*end) - u32::from(*start) + 1) % 10, 0, "{start}");
        }
        assert!(within(&MARKS, '\u{301}').is_some() && is_combining_mark('\u{301}'));
        assert!(within(&MARKS, 'a').is_none() && within(&DIGITS, '\u{10ffff}').is_none());
    }

    #[test]
    fn digits_in_every_dress_are_digits() {
        for (text, plain) in [
            ("4\u{fe0f}\u{20e3}1\u{fe0f}\u{20e3}", "41"),
            ("4\u{20dd}1\u{301}", "41"),
            ("❹①⓵➀➊⑴⒈⓿🄌", "411111100"),
            ("٤१൪᠔𝟜", "41444"),
            ("4\u{1680}1\u{2003}1\u{2800}1", "4 1 1 1"),
            ("🅢🅺", "SK"),
        ] {
            let folded = fold(text).map(|builder| builder.text);
            assert_eq!(folded.as_deref(), Some(plain), "{text}");
        }
        assert!(fold("Größe, naïve, 東京").is_none());
    }
}
