//! One pattern of a detector: where it may begin, how long it may be, and an
//! automaton that is made when it is first needed.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    hybrid::{self, LazyStateID},
    nfa::thompson,
    util::{primitives::StateID, start},
};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use crate::{
    anchor::{Anchor, anchors, run_min},
    byteset::ByteSet,
    shape::Shape,
};

/// LIMIT: bytes that one match may span, so that a stream need not wait for ever.
pub(crate) const SPAN_BYTES_MAX: usize = 8_192;
/// LIMIT: bytes of a pattern's compiled program.
const PROGRAM_BYTES_MAX: usize = 16 << 20;
/// LIMIT: bytes of a whole automaton; a larger one is made bit by bit.
const AUTOMATON_BYTES_MAX: usize = 96 << 10;
/// Of the catalogue's programs with more states none has a whole automaton
/// that fits. An imported one is made bit by bit then, and finds the same.
const WHOLE_STATES_MAX: usize = 1_400;
/// LIMIT: bytes of the bits that are made of a larger one; when full they are
/// thrown away.
const CACHE_BYTES_MAX: usize = 1 << 20;
/// LIMIT: such bits kept for later.
const CACHES_MAX: usize = 4;

/// What became of a pattern that was tried at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Where the match ends.
    pub(crate) end: Option<usize>,
    /// Whether more text could still make it match, or match more.
    pub(crate) alive: bool,
    /// Bytes that were looked at.
    pub(crate) bytes: usize,
}

/// A pattern that cannot be compiled within its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// A pattern, checked.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    first: ByteSet,
    run_min: usize,
    digits_min: usize,
    anchors: Vec<Anchor>,
    /// The longest that a match can be.
    span_bytes_max: usize,
    automaton: OnceLock<Result<Automaton, TooLarge>>,
}

#[derive(Debug)]
enum Automaton {
    Whole(dense::DFA<Vec<u32>>),
    #[expect(clippy::vec_box, reason = "a cache is large and is moved for each try")]
    Lazy(hybrid::dfa::DFA, Mutex<Vec<Box<hybrid::dfa::Cache>>>),
}

impl Pattern {
    /// Checks a pattern; `words` says whether its detector has context words
    /// that must stand before a match.
    ///
    /// # Errors
    /// With words for the author of the detector.
    pub(crate) fn new(text: &str, words: bool) -> Result<Arc<Self>, String> {
        let hir = regex_syntax::parse(text)
            .map_err(|_| "a pattern is not a regular expression".to_owned())?;
        let span_bytes_max = span(&hir)?;
        let anchors = anchors(&hir, words).ok_or(
            "a pattern has nothing to find it by; begin it with letters of its own or digits, or give `context` words",
        )?;
        Ok(Arc::new(Self {
            text: text.to_owned(),
            first: ByteSet::first(&hir),
            run_min: run_min(&hir),
            digits_min: digits_min(&hir),
            anchors,
            span_bytes_max,
            automaton: OnceLock::new(),
        }))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    pub(crate) const fn span_bytes_max(&self) -> usize {
        self.span_bytes_max
    }

    /// How many letters and digits every match begins with, at least.
    pub(crate) const fn run_min(&self) -> usize {
        self.run_min
    }

    /// How many digits every match has, at least.
    pub(crate) const fn digits_min(&self) -> usize {
        self.digits_min
    }

    /// What tells the rows of digits of its matches; `None` if it is too large.
    pub(crate) fn shape(&self, before: RangeInclusive<usize>) -> Option<Shape> {
        Some(Shape::new(&self.program()?, before))
    }

    /// Its program; `None` if it is too large.
    pub(crate) fn program(&self) -> Option<thompson::NFA> {
        thompson::Compiler::new()
            .configure(program().which_captures(thompson::WhichCaptures::None))
            .build(&self.text)
            .ok()
    }

    /// The bytes that a match may begin with.
    pub(crate) const fn first(&self) -> ByteSet {
        self.first
    }

    /// Tries the pattern at one place of a text.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub(crate) fn try_at(&self, text: &[u8], at: usize) -> Result<Tried, TooLarge> {
        match self.automaton.get_or_init(|| Automaton::new(&self.text)) {
            Ok(Automaton::Whole(dfa)) => walk(dfa, text, at),
            Ok(Automaton::Lazy(dfa, caches)) => {
                let taken = caches.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut cache = taken.unwrap_or_else(|| Box::new(dfa.create_cache()));
                let tried = walk_lazily(dfa, &mut cache, text, at);
                let mut caches = caches.lock().unwrap_or_else(PoisonError::into_inner);
                if caches.len() < CACHES_MAX {
                    caches.push(cache);
                }
                tried
            }
            Err(too_large) => Err(*too_large),
        }
    }
}

/// How many digits every match has, at least.
fn digits_min(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal
            .0
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .count(),
        HirKind::Class(_) => usize::from(ByteSet::first(hir).is_digits()),
        HirKind::Repetition(Repetition { min, sub, .. }) => {
            digits_min(sub).saturating_mul(*min as usize)
        }
        HirKind::Capture(capture) => digits_min(&capture.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .fold(0, |digits, part| digits.saturating_add(digits_min(part))),
        HirKind::Alternation(branches) => branches.iter().map(digits_min).min().unwrap_or(0),
    }
}

/// The longest match, which must be bounded.
fn span(hir: &Hir) -> Result<usize, String> {
    let properties = hir.properties();
    let longest = properties
        .maximum_len()
        .ok_or("a pattern has no longest match; bound its repetitions")?;
    if longest > SPAN_BYTES_MAX || properties.minimum_len().unwrap_or(0) == 0 {
        return Err(format!(
            "a match is 1 to {SPAN_BYTES_MAX} bytes, this pattern allows {longest}"
        ));
    }
    if !properties.look_set().is_empty() {
        return Err("a pattern has no anchors; use `left`, `right` and `context`".to_owned());
    }
    Ok(longest)
}

impl Automaton {
    fn new(pattern: &str) -> Result<Self, TooLarge> {
        let built = thompson::Compiler::new()
            .configure(program())
            .build(pattern);
        let program = built.map_err(|_| TooLarge)?;
        // To find that one does not fit takes about a millisecond.
        let fits = program.states().len() <= WHOLE_STATES_MAX;
        if let Some(dfa) = fits.then(|| Self::whole(&program)).flatten() {
            return Ok(Self::Whole(dfa));
        }
        let lazy = hybrid::dfa::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .cache_capacity(CACHE_BYTES_MAX)
            .skip_cache_capacity_check(true);
        hybrid::dfa::Builder::new()
            .configure(lazy)
            .build_from_nfa(program)
            .map(|dfa| Self::Lazy(dfa, Mutex::new(Vec::new())))
            .map_err(|_| TooLarge)
    }

    fn whole(program: &thompson::NFA) -> Option<dense::DFA<Vec<u32>>> {
        let whole = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::LeftmostFirst)
            .accelerate(false)
            .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
            .determinize_size_limit(Some(4 * AUTOMATON_BYTES_MAX));
        let builder = dense::Builder::new().configure(whole).clone();
        builder.build_from_nfa(program).ok()
    }
}

/// How programs are made.
fn program() -> thompson::Config {
    thompson::Config::new()
        .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
        .shrink(false)
}

fn walk(dfa: &dense::DFA<Vec<u32>>, text: &[u8], at: usize) -> Result<Tried, TooLarge> {
    let begin = start::Config::new().anchored(Anchored::Yes);
    let mut state: StateID = dfa.start_state(&begin).map_err(|_| TooLarge)?;
    let mut end = None;
    let mut bytes = 0;
    // A match shows itself one byte late.
    for byte in text.get(at..).unwrap_or_default() {
        state = dfa.next_state(state, *byte);
        if dfa.is_special_state(state) {
            if dfa.is_match_state(state) {
                end = Some(at + bytes);
            } else if dfa.is_dead_state(state) {
                return Ok(Tried {
                    end,
                    alive: false,
                    bytes: bytes + 1,
                });
            }
        }
        bytes += 1;
    }
    if dfa.is_match_state(dfa.next_eoi_state(state)) {
        end = Some(at + bytes);
    }
    // One that shows a match may have nothing behind it.
    let alive = !dfa.is_match_state(state)
        || (0..=u8::MAX).any(|byte| !dfa.is_dead_state(dfa.next_state(state, byte)));
    Ok(Tried { end, alive, bytes })
}

fn walk_lazily(
    dfa: &hybrid::dfa::DFA,
    cache: &mut hybrid::dfa::Cache,
    text: &[u8],
    at: usize,
) -> Result<Tried, TooLarge> {
    let begin = start::Config::new().anchored(Anchored::Yes);
    let mut state: LazyStateID = dfa.start_state(cache, &begin).map_err(|_| TooLarge)?;
    let mut end = None;
    let mut bytes = 0;
    for byte in text.get(at..).unwrap_or_default() {
        state = dfa.next_state(cache, state, *byte).map_err(|_| TooLarge)?;
        if state.is_tagged() {
            if state.is_match() {
                end = Some(at + bytes);
            } else if state.is_dead() {
                return Ok(Tried {
                    end,
                    alive: false,
                    bytes: bytes + 1,
                });
            }
        }
        bytes += 1;
    }
    let last = dfa.next_eoi_state(cache, state).map_err(|_| TooLarge)?;
    if last.is_match() {
        end = Some(at + bytes);
    }
    let alive = !state.is_match()
        || (0..=u8::MAX).any(|byte| {
            let next = dfa.next_state(cache, state, byte);
            next.map_or(true, |next| !next.is_dead())
        });
    Ok(Tried { end, alive, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(pattern: &str, text: &str) -> (Option<usize>, bool) {
        let tried = Pattern::new(pattern, true)
            .unwrap()
            .try_at(text.as_bytes(), 0);
        let tried = tried.unwrap();
        (tried.end, tried.alive)
    }

    #[test]
    fn a_match_is_the_one_that_a_regular_expression_finds_there() {
        assert_eq!(tried("ab(?:cde)?", "abcd"), (Some(2), true));
        assert_eq!(tried("ab(?:cde)?", "abcx"), (Some(2), false));
        assert_eq!(tried("ab(?:cde)?", "abcde."), (Some(5), false));
        assert_eq!(tried("[a-z]{2,4}?x", "abxx"), (Some(3), false));
        assert_eq!(tried("abc", "ab"), (None, true));
        assert_eq!(tried("abc", "xabc"), (None, false));
    }

    #[test]
    fn large_automata_are_made_bit_by_bit_and_find_the_same() {
        let large = r#"(?i:a[^<>]{0,400}(?:b[^<>]{0,300}?|"[^"]{0,200}"){1,3}=z)"#;
        let pattern = Pattern::new(large, true).unwrap();
        let text = format!("a{}\"é\"=z!", "x".repeat(90));
        let tried = pattern.try_at(text.as_bytes(), 0).unwrap();
        assert_eq!(tried.end, Some(text.len() - 1));
        assert!(matches!(
            pattern.automaton.get(),
            Some(Ok(Automaton::Lazy(..)))
        ));
    }

    #[test]
    fn patterns_that_cannot_be_bounded_or_found_are_refused() {
        for bad in ["a+", "(", "^abc", "", "[a-z]{9}", "[a-z]{9000}"] {
            assert!(Pattern::new(bad, false).is_err(), "{bad}");
        }
    }
}
