//! Sets of bytes.

use std::ops::RangeInclusive;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// A set of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes that a match of this pattern may begin with. It matches
    /// nothing empty.
    pub(crate) fn first(hir: &Hir) -> Self {
        let mut set = Self::default();
        first(hir, &mut set);
        set
    }

    /// All bytes that may stand in a match of this pattern.
    pub(crate) fn all(hir: &Hir) -> Self {
        let mut set = Self::default();
        all(hir, &mut set);
        set
    }

    /// Whether it is in the set.
    pub(crate) fn has(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        word >> (byte & 63) & 1 == 1
    }

    /// Puts bytes into the set.
    pub(crate) fn add(&mut self, bytes: RangeInclusive<u8>) {
        for byte in bytes {
            if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
    }

    /// Puts all of another set into it.
    pub(crate) fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// The bytes, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|byte| self.has(*byte))
    }

    /// Whether it has a digit.
    pub(crate) fn has_digit(&self) -> bool {
        (b'0'..=b'9').any(|byte| self.has(byte))
    }

    /// Whether it has nothing but digits.
    pub(crate) fn is_digits(&self) -> bool {
        self.iter().all(|byte| byte.is_ascii_digit())
    }
}

/// Adds the first bytes; answers whether it may match nothing.
fn first(hir: &Hir, set: &mut ByteSet) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            let byte = literal.0.first();
            byte.into_iter().for_each(|byte| set.add(*byte..=*byte));
            byte.is_none()
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.iter() {
                set.add(lead(range.start())..=lead(range.end()));
            }
            false
        }
        HirKind::Class(Class::Bytes(class)) => {
            class
                .iter()
                .for_each(|range| set.add(range.start()..=range.end()));
            false
        }
        HirKind::Repetition(Repetition { min, sub, .. }) => first(sub, set) || *min == 0,
        HirKind::Capture(capture) => first(&capture.sub, set),
        HirKind::Concat(parts) => parts.iter().all(|part| first(part, set)),
        HirKind::Alternation(branches) => {
            let empty: Vec<bool> = branches.iter().map(|branch| first(branch, set)).collect();
            empty.contains(&true)
        }
    }
}

fn all(hir: &Hir, set: &mut ByteSet) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| set.add(*byte..=*byte)),
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.iter() {
                set.add(lead(range.start())..=lead(range.end()));
                if !range.end().is_ascii() {
                    // The other bytes of the characters.
                    set.add(0x80..=u8::MAX);
                }
            }
        }
        HirKind::Class(Class::Bytes(class)) => {
            class
                .iter()
                .for_each(|range| set.add(range.start()..=range.end()));
        }
        HirKind::Repetition(Repetition { sub, .. }) => all(sub, set),
        HirKind::Capture(capture) => all(&capture.sub, set),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| all(part, set));
        }
    }
}

/// The first byte of a character.
fn lead(char: char) -> u8 {
    let mut buffer = [0; 4];
    let bytes = char.encode_utf8(&mut buffer).as_bytes();
    bytes.first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pattern: &str) -> Hir {
        regex_syntax::parse(pattern).unwrap()
    }

    #[test]
    fn the_first_bytes_are_all_that_a_match_can_begin_with() {
        let set = ByteSet::first(&parsed("(?:a|[0-9])?é"));
        for (byte, has) in [
            (b'a', true),
            (b'5', true),
            (0xc3, true),
            (b'b', false),
            (0xa9, false),
        ] {
            assert_eq!(set.has(byte), has, "{byte}");
        }
    }

    #[test]
    fn all_bytes_are_those_of_every_part() {
        let set = ByteSet::all(&parsed("(?:a|[0-9])?é[x-z]{2}"));
        for byte in 0..=u8::MAX {
            let has = matches!(byte, b'a' | b'0'..=b'9' | b'x'..=b'z' | 0xc3 | 0xa9);
            assert_eq!(set.has(byte), has, "{byte}");
        }
        assert!(ByteSet::all(&parsed("[é-ü]")).has(0x80));
        assert!(ByteSet::all(&parsed("[0-9]")).is_digits());
        assert!(ByteSet::all(&parsed("[a-z0-9]")).has_digit());
    }
}
