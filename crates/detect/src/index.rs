//! One pass over a text for all that patterns can be found by.

use std::collections::{BTreeMap, HashSet};

use aho_corasick::{
    Anchored, MatchKind, PatternID,
    automaton::{Automaton as _, StateID},
    nfa::contiguous::NFA,
};

/// A text that was found: which, and where. Small, since a hostile text has
/// many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    text: u32,
    start: u32,
    end: u32,
}

impl Hit {
    /// A text by its number, from its first byte to behind its last.
    pub(crate) fn new(text: usize, start: usize, end: usize) -> Self {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            text: narrow(text),
            start: narrow(start),
            end: narrow(end),
        }
    }

    /// Its number.
    pub(crate) const fn text(&self) -> usize {
        self.text as usize
    }

    /// Where it begins.
    pub(crate) const fn start(&self) -> usize {
        self.start as usize
    }

    /// Where it ends.
    pub(crate) const fn end(&self) -> usize {
        self.end as usize
    }
}

/// Many texts, looked for at once without regard to ASCII case.
#[derive(Debug)]
pub(crate) struct Index {
    dfa: NFA,
    start: StateID,
    /// For each state, how many of the last bytes may begin a match, in a
    /// request and in a reply.
    begun: BTreeMap<StateID, [usize; 2]>,
    reach_bytes: usize,
}

impl Index {
    /// Of these texts in lower case, which are not empty. `begins` says of
    /// each whether a match begins with it, in a request and in a reply; others
    /// stand in or before one. `None` if they are too many.
    pub(crate) fn new(texts: &[Vec<u8>], begins: &[[bool; 2]]) -> Option<Self> {
        let dfa = NFA::builder()
            .match_kind(MatchKind::Standard)
            .dense_depth(3)
            .prefilter(false)
            .build(texts)
            .ok()?;
        let start = dfa.start_state(Anchored::No).ok()?;
        let beginnings = [0, 1].map(|direction| {
            let begins = begins
                .iter()
                .map(|begins| begins.get(direction) == Some(&true));
            let texts = texts.iter().zip(begins).filter(|(_, begins)| *begins);
            texts
                .flat_map(|(text, _)| (1..=text.len()).filter_map(|upto| text.get(..upto)))
                .collect::<HashSet<&[u8]>>()
        });
        let mut begun = BTreeMap::new();
        for text in texts {
            let mut state = start;
            for (at, byte) in text.iter().enumerate() {
                state = dfa.next_state(Anchored::No, state, *byte);
                let seen = text.get(..=at).unwrap_or_default();
                let longest = beginnings.each_ref().map(|beginnings| {
                    let suffixes = (0..=at).filter_map(|from| seen.get(from..));
                    let mut begun = suffixes.filter(|suffix| beginnings.contains(suffix));
                    begun.next().map_or(0, <[u8]>::len)
                });
                begun.insert(state, longest);
            }
        }
        let longest = texts.iter().map(Vec::len).max().unwrap_or(1);
        Some(Self {
            dfa,
            start,
            begun,
            reach_bytes: longest - 1,
        })
    }

    /// Every occurrence, by its end; answers how many bytes at the end of the
    /// text may be the beginning of a match.
    pub(crate) fn look(&self, text: &[u8], mut hit: impl FnMut(Hit)) -> [usize; 2] {
        let mut state = self.start;
        for (at, byte) in text.iter().enumerate() {
            state = self
                .dfa
                .next_state(Anchored::No, state, byte.to_ascii_lowercase());
            if self.dfa.is_special(state) && self.dfa.is_match(state) {
                for index in 0..self.dfa.match_len(state) {
                    let pattern: PatternID = self.dfa.match_pattern(state, index);
                    let end = at + 1;
                    let start = end.saturating_sub(self.dfa.pattern_len(pattern));
                    hit(Hit::new(pattern.as_usize(), start, end));
                }
            }
        }
        self.begun.get(&state).copied().unwrap_or_default()
    }

    /// Bytes before a place that an occurrence over it can have.
    pub(crate) const fn reach_bytes(&self) -> usize {
        self.reach_bytes
    }

    /// Bytes that it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.dfa.memory_usage()
    }
}

/// Where rows of digits begin.
pub(crate) fn digit_rows(text: &[u8], mut row: impl FnMut(usize)) {
    const BLOCK: usize = 32;
    let mut before = false;
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut in_block = |start: usize, block: &[u8]| {
        for (at, byte) in block.iter().enumerate() {
            let digit = byte.is_ascii_digit();
            if digit && !before {
                row(start + at);
            }
            before = digit;
        }
    };
    for (number, block) in blocks.iter().enumerate() {
        let digits = |digits: u8, byte: &u8| digits | u8::from(byte.is_ascii_digit());
        if block.iter().fold(0, digits) == 0 {
            // As if it were one other byte.
            in_block(number * BLOCK, b" ");
        } else {
            in_block(number * BLOCK, block);
        }
    }
    in_block(blocks.len() * BLOCK, rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(index: &Index, text: &str) -> (Vec<(usize, usize)>, usize) {
        let mut hits = Vec::new();
        let begun = index.look(text.as_bytes(), |hit| hits.push((hit.text(), hit.start())));
        (hits, begun[1])
    }

    #[test]
    fn texts_are_found_also_in_each_other_and_begun_ones_at_the_end() {
        let texts: Vec<Vec<u8>> = ["ghp_", "hp", "sk-proj-"]
            .map(|text| text.as_bytes().to_vec())
            .into();
        let index = Index::new(&texts, &[[true; 2]; 3]).unwrap();
        assert_eq!(hits(&index, "xGHP_ sk-pr"), (vec![(1, 2), (0, 1)], 5));
        assert_eq!(hits(&index, "a gh"), (vec![], 2));
        assert_eq!(hits(&index, "a sk-x"), (vec![], 0));
        assert!(index.bytes() < 64 << 10);
        // What only stands before a match does not begin one.
        let texts: Vec<Vec<u8>> = ["sk-", "task", "disk"]
            .map(|text| text.as_bytes().to_vec())
            .into();
        let index = Index::new(&texts, &[[false, true], [true, false], [false; 2]]).unwrap();
        assert_eq!(hits(&index, "my tas").1, 1);
        assert_eq!(hits(&index, "my task"), (vec![(1, 3)], 2));
        assert_eq!(hits(&index, "my ta").1, 0);
    }

    #[test]
    fn rows_of_digits_are_found_over_the_ends_of_blocks() {
        let text = format!("{}12 3{}4567 8", " ".repeat(31), "x".repeat(60));
        let mut rows = Vec::new();
        digit_rows(text.as_bytes(), |at| rows.push(at));
        let slow: Vec<usize> = text
            .char_indices()
            .filter(|(at, char)| {
                char.is_ascii_digit() && !text[..*at].ends_with(|c: char| c.is_ascii_digit())
            })
            .map(|(at, _)| at)
            .collect();
        assert_eq!(rows, slow);
    }
}
