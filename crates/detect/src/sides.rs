//! What can stand on either side of a text that a pattern is found by. Short
//! texts stand everywhere; most of them are told from those of a match by the
//! few bytes beside them.

use std::ops::{Range, RangeInclusive};

use regex_automata::{
    nfa::thompson::{NFA, State},
    util::primitives::StateID,
};

use crate::{
    byteset::ByteSet,
    steps::{closure, step},
};

/// LIMIT: bytes on one side that are looked at.
pub(crate) const SIDE_BYTES_MAX: usize = 8;

/// What counts as an occurrence of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sides {
    /// Whether a whole word counts, whatever stands beside it.
    word: bool,
    /// Where it stands in a match.
    inside: Option<Box<Inside>>,
}

/// The bytes that can stand beside a text, the nearest first. Behind the last
/// there may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Inside {
    before: Vec<ByteSet>,
    behind: Vec<ByteSet>,
}

impl Sides {
    /// Of a word that stands for itself.
    pub(crate) const fn of_word() -> Self {
        Self {
            word: true,
            inside: None,
        }
    }

    /// Of a text that may stand anywhere.
    pub(crate) fn anywhere() -> Self {
        Self {
            word: false,
            inside: Some(Box::default()),
        }
    }

    /// Whether nothing counts but a whole word.
    pub(crate) const fn is_of_word(&self) -> bool {
        self.word && self.inside.is_none()
    }

    /// What can stand right behind; `None` if anything can.
    pub(crate) fn next(&self) -> Option<ByteSet> {
        let inside = self.inside.as_ref().filter(|_| !self.word)?;
        inside.behind.first().copied()
    }

    /// What fits one of two.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        let inside = match (self.inside, other.inside) {
            (Some(mine), Some(theirs)) => Some(Box::new(Inside {
                before: either(&mine.before, &theirs.before),
                behind: either(&mine.behind, &theirs.behind),
            })),
            (mine, theirs) => mine.or(theirs),
        };
        Self {
            word: self.word || other.word,
            inside,
        }
    }

    /// Whether it may be an occurrence where the text stands. What lies beyond
    /// an end of these bytes fits.
    pub(crate) fn fit(&self, bytes: &[u8], span: &Range<usize>) -> bool {
        if self.word && is_whole(bytes, span) {
            return true;
        }
        let Some(inside) = &self.inside else {
            return false;
        };
        let before = bytes.get(..span.start).unwrap_or_default();
        let behind = bytes.get(span.end..).unwrap_or_default();
        let mut behind = behind.iter().zip(&inside.behind);
        let mut before = before.iter().rev().zip(&inside.before);
        behind.all(|(byte, set)| set.has(*byte)) && before.all(|(byte, set)| set.has(*byte))
    }
}

/// Where texts stand that are so many bytes after the start of each match of a
/// pattern.
pub(crate) struct Places<'p> {
    program: &'p NFA,
    before: RangeInclusive<usize>,
    states: Vec<StateID>,
}

impl<'p> Places<'p> {
    pub(crate) fn new(program: &'p NFA, before: RangeInclusive<usize>) -> Self {
        let mut here = closure(program, [program.start_anchored()]);
        let mut begun = Vec::new();
        for _ in 0..*before.start() {
            here = step(program, &here, |_, _| true);
        }
        for _ in before.clone().skip(1) {
            begun.extend(here.iter().copied());
            here = step(program, &here, |_, _| true);
        }
        begun.extend(here);
        Self {
            program,
            before,
            states: closure(program, begun),
        }
    }

    /// What stands beside a text, whose small letters stand for either case,
    /// and before which these bytes can stand.
    pub(crate) fn sides(&self, text: &[u8], within: ByteSet) -> Sides {
        let mut states = self.states.clone();
        for byte in text {
            states = step(self.program, &states, |from, to| {
                let has = |byte: u8| (from..=to).contains(&byte);
                has(*byte) || has(byte.to_ascii_uppercase())
            });
        }
        let mut behind = Vec::new();
        let ends = |state: &_| matches!(self.program.state(*state), State::Match { .. });
        while behind.len() < SIDE_BYTES_MAX && !states.is_empty() && !states.iter().any(ends) {
            let mut set = ByteSet::default();
            states = step(self.program, &states, |from, to| {
                set.add(from..=to);
                true
            });
            behind.push(set);
        }
        Sides {
            word: false,
            inside: Some(Box::new(Inside {
                before: vec![within; (*self.before.start()).min(SIDE_BYTES_MAX)],
                behind,
            })),
        }
    }
}

/// Place by place what is in one of two, as far as both say something.
fn either(mine: &[ByteSet], theirs: &[ByteSet]) -> Vec<ByteSet> {
    let both = mine.iter().zip(theirs);
    both.map(|(mine, theirs)| {
        let mut set = *mine;
        set.join(theirs);
        set
    })
    .collect()
}

/// Whether no word goes on before or behind.
pub(crate) fn is_whole(bytes: &[u8], span: &Range<usize>) -> bool {
    is_boundary(bytes, span.start) && is_boundary(bytes, span.end)
}

/// Whether no word goes on over a place: a letter or digit stands on one side
/// at most, or a capital begins a new word, as in `apiKey`.
pub(crate) fn is_boundary(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    match (before, bytes.get(at)) {
        (Some(before), Some(after)) => {
            !before.is_ascii_alphanumeric()
                || !after.is_ascii_alphanumeric()
                || (before.is_ascii_lowercase() && after.is_ascii_uppercase())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::anchor::{Anchor, anchors};

    fn sides(pattern: &str, text: &str, before: RangeInclusive<usize>) -> Sides {
        let within = ByteSet::all(&regex_syntax::parse(pattern).unwrap());
        let program = NFA::new(pattern).unwrap();
        Places::new(&program, before).sides(text.as_bytes(), within)
    }

    fn fit(sides: &Sides, text: &str, span: Range<usize>) -> bool {
        sides.fit(text.as_bytes(), &span)
    }

    #[test]
    fn a_short_text_is_told_by_the_bytes_beside_it() {
        let hash = sides("\\*[0-9A-F]{40}", "*", 0..=0);
        assert!(fit(&hash, "*0123456789ABCDEF", 0..1));
        assert!(!fit(&hash, "*0123456x", 0..1) && !fit(&hash, "* a", 0..1));
        // Who knows what follows.
        assert!(fit(&hash, "x*01", 1..2));
        let mail = sides("[a-z]{3,9}@[a-z]{1,9}\\.com", "@", 3..=9);
        assert!(fit(&mail, "abc@x.com", 3..4));
        assert!(!fit(&mail, "a*c@x.com", 3..4) && !fit(&mail, "abc@.com", 3..4));
        let key = sides("s[uv][0-9]{3}", "su", 0..=0);
        assert!(fit(&key, "SU123", 0..2) && !fit(&key, "SU12a", 0..2));
    }

    #[test]
    fn what_fits_one_of_two_fits() {
        let word = Sides::of_word();
        assert!(fit(&word, "a key", 2..5) && !fit(&word, "a keys", 2..5));
        assert!(fit(&word, "apiKey", 3..6));
        let both = word.or(sides("key[0-9]", "key", 0..=0));
        assert!(fit(&both, "mykey1", 2..5) && fit(&both, "my key", 3..6));
        assert!(!fit(&both, "mykeys", 2..5));
        let one = sides("a[0-9]{3}", "a", 0..=0).or(sides("a[x-z]", "a", 0..=0));
        assert!(fit(&one, "a1.", 0..1) && fit(&one, "ax", 0..1) && !fit(&one, "a.", 0..1));
        assert!(fit(&one.or(Sides::anywhere()), "a.", 0..1));
    }

    proptest! {
        // No text of a match is passed over.
        #[test]
        fn what_matches_fits(
            (pattern, text) in prop::sample::select(vec![
                "\\*[0-9A-F]{4}",
                "s[.:][a-c]{3}(?:x|yy)?",
                "[a-c]{1,3}:{1,2}[x-z]{2}",
                "(?i-u:key|token)s?=[a-c]{2,4}",
                "[0-9a-c]{2}-(?:[a-c]|-){2}",
                "(?i)sk:[k-m]{2}",
                "é[.:][è-ü]{1,2}",
            ])
            .prop_flat_map(|pattern| {
                let text = ("[ :a]{0,3}", prop::string::string_regex(pattern).unwrap(), "[ :a1]{0,3}");
                (Just(pattern), text)
            }),
        ) {
            let (before, found, behind) = text;
            let whole = format!("{before}{found}{behind}");
            let hir = regex_syntax::parse(pattern).unwrap();
            let program = NFA::new(pattern).unwrap();
            let mut fits = false;
            for anchor in anchors(&hir, false).unwrap() {
                let Anchor::Literals { texts, before: reach, within } = anchor else {
                    panic!("{pattern}");
                };
                let places = Places::new(&program, reach.clone());
                for text in texts {
                    let sides = places.sides(&text, within);
                    for at in reach.clone() {
                        let span = before.len() + at..before.len() + at + text.len();
                        let here = whole.as_bytes().get(span.clone());
                        fits |= here.is_some_and(|here| {
                            crate::index::is(here, &text) && sides.fit(whole.as_bytes(), &span)
                        });
                    }
                }
            }
            prop_assert!(fits, "{pattern} {whole}");
        }
    }
}
