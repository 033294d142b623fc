//! What may stand behind the row of digits of a match: most rows of digits in
//! a text are told from those of a pattern by their length and the byte behind.

use regex_automata::{
    nfa::thompson::{NFA, State},
    util::primitives::StateID,
};

use crate::{
    byteset::ByteSet,
    steps::{closure, step},
};

/// LIMIT: digits of a row that are counted.
pub(crate) const DIGITS_MAX: usize = 40;

/// For rows of one digit and more, what lets a match go on or end there.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// For each number of digits, one first: bytes that may follow.
    after: Vec<ByteSet>,
    /// A match may end inside a row of as many digits or more.
    ends_min: usize,
    /// A row of as many digits can still be a match's. More than all that are
    /// counted means any number.
    most: usize,
}

impl Shape {
    /// Of a pattern whose matches have a row of digits so many bytes after
    /// their start.
    pub(crate) fn new(program: &NFA, before: std::ops::RangeInclusive<usize>) -> Self {
        let mut states = closure(program, [program.start_anchored()]);
        let mut begun = Vec::new();
        for bytes in 0..=*before.end() {
            if before.contains(&bytes) {
                begun.extend(states.iter().copied());
            }
            states = step(program, &states, |_, _| true);
        }
        let mut shape = Self {
            after: Vec::new(),
            ends_min: usize::MAX,
            most: 0,
        };
        let mut states = closure(program, begun);
        for digits in 1..=DIGITS_MAX {
            states = step(program, &states, |from, to| from <= b'9' && to >= b'0');
            if states.is_empty() {
                return shape;
            }
            shape.most = digits;
            let ends = |state: &StateID| matches!(program.state(*state), State::Match { .. });
            if states.iter().any(ends) {
                shape.ends_min = shape.ends_min.min(digits);
            }
            let mut after = ByteSet::default();
            step(program, &states, |from, to| {
                after.add(from..=to);
                false
            });
            shape.after.push(after);
        }
        shape.most = usize::MAX;
        shape
    }

    /// Whether a row of exactly so many digits can be a match's with this byte
    /// behind it; nothing is the end of the text.
    pub(crate) fn fits(&self, digits: usize, after: Option<u8>) -> bool {
        if digits >= self.ends_min || digits > DIGITS_MAX {
            return digits >= self.ends_min || self.most >= digits;
        }
        let known = digits.checked_sub(1).and_then(|at| self.after.get(at));
        after.is_some_and(|byte| known.is_some_and(|set| set.has(byte)))
    }

    /// Whether it can be a match's once more follows.
    pub(crate) fn may_go_on(&self, digits: usize) -> bool {
        digits <= self.most || digits >= self.ends_min
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(pattern: &str, before: std::ops::RangeInclusive<usize>) -> Shape {
        Shape::new(&NFA::new(pattern).unwrap(), before)
    }

    #[test]
    fn the_length_of_a_row_and_what_follows_tell_it() {
        let date = shape("[0-9]{1,2}[./][0-9]{4}", 0..=0);
        assert!(date.fits(2, Some(b'.')) && date.fits(1, Some(b'/')));
        assert!(!date.fits(3, Some(b'.')) && !date.fits(2, Some(b'-')) && !date.fits(2, None));
        assert!(date.may_go_on(2) && !date.may_go_on(3));
        let number = shape("[0-9]{9,12}", 0..=0);
        assert!(number.fits(9, None) && number.fits(30, Some(b'x')) && !number.fits(8, Some(b' ')));
        assert!(number.may_go_on(4) && number.fits(200, None));
        let code = shape("\\(?[A-Z]{2}[0-9]{3}-", 2..=3);
        assert!(code.fits(3, Some(b'-')) && !code.fits(4, Some(b'-')) && !code.fits(3, Some(b' ')));
    }

    proptest! {
        // No match is ruled out.
        #[test]
        fn what_matches_fits(which in 0_usize..5, digits in "[0-9]{1,45}", rest in "[ ./A-C-]{0,3}[0-9]{0,12}[A-C.]{0,2}") {
            let pattern = [
                "[0-9]{1,2}[./-][0-9]{1,4}",
                "[0-9]{4,12}(?:-[0-9]{1,3})?",
                "[0-9]{1,3}(?:[ .][0-9]{3}){1,3}[A-C]?",
                "(?:[0-9]{44}|[0-9]{2}[A-C])",
                "[0-9]{3}",
            ][which];
            let text = format!("{digits}{rest}");
            let row = text.bytes().take_while(u8::is_ascii_digit).count();
            let here = regex::Regex::new(&format!("^(?:{pattern})")).unwrap().is_match(&text);
            let shape = shape(pattern, 0..=0);
            if here {
                prop_assert!(shape.fits(row, text.as_bytes().get(row).copied()));
            }
            let on = regex::Regex::new(&format!("^(?:{pattern})")).unwrap();
            if (0..=9).any(|digit| on.is_match(&format!("{digits}{digit}"))) {
                prop_assert!(shape.may_go_on(digits.len()));
            }
        }
    }
}
