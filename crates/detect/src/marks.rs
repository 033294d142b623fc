//! Which bytes of a text are of a class, a bit for each: 64 bytes are asked at
//! once, and most of a text needs no second look.

use std::ops::Range;

use terms::{TURN_BYTES, worked};

/// So many times faster is a class asked than a text looked at.
pub(crate) const FAST: usize = 4;

/// Bytes whose bits are one word.
const WORD_BYTES: usize = u64::BITS as usize;

/// A bit for each of the first bytes that is of the class, the first byte's
/// lowest; none for bytes that are not there.
fn word(bytes: &[u8], class: impl Fn(u8) -> bool) -> u64 {
    const TOGETHER: usize = size_of::<u64>();
    // Eight bytes of nothing or one become eight bits, the first one lowest.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (block, known) = match bytes.first_chunk::<WORD_BYTES>() {
        Some(block) => (*block, WORD_BYTES),
        None => {
            let mut block = [0; WORD_BYTES];
            for (to, byte) in block.iter_mut().zip(bytes) {
                *to = *byte;
            }
            (block, bytes.len())
        }
    };
    let flags = block.map(|byte| u8::from(class(byte)));
    let (parts, _) = flags.as_chunks::<TOGETHER>();
    let bits = parts.iter().rev().fold(0, |bits, part| {
        bits << TOGETHER | u64::from_le_bytes(*part).wrapping_mul(GATHER) >> (u64::BITS - 8)
    });
    match u64::MAX.checked_shl(u32::try_from(known).unwrap_or(u64::BITS)) {
        Some(beyond) => bits & !beyond,
        None => bits,
    }
}

/// The bits at which so many of them begin in a row.
fn long(bits: u128, bytes_min: usize) -> u64 {
    let (mut bits, mut known) = (bits, 1);
    while known < bytes_min {
        let more = known.min(bytes_min - known);
        bits &= bits >> more;
        known += more;
    }
    // Each of the first half has all behind it that is asked for.
    u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0)
}

/// The longest runs of bytes of a class that have at least so many, which are
/// no more than a word has bits.
pub(crate) fn runs(
    bytes: &[u8],
    bytes_min: usize,
    class: impl Fn(u8) -> bool + Copy,
    mut run: impl FnMut(Range<usize>),
) {
    let word_at = |at: usize| word(bytes.get(at..).unwrap_or_default(), class);
    let mut here = word_at(0);
    let mut upto = 0;
    for at in (0..bytes.len()).step_by(WORD_BYTES) {
        let next = word_at(at + WORD_BYTES);
        if (at + WORD_BYTES).is_multiple_of(TURN_BYTES) {
            worked(TURN_BYTES / FAST);
        }
        let mut both = behind(u128::from(next) << WORD_BYTES | u128::from(here), upto, at);
        while let starts @ 1.. = long(both, bytes_min) {
            let first = starts.trailing_zeros();
            let start = at + first as usize;
            let known = start + (both >> first).trailing_ones() as usize;
            // It may go on behind what is known.
            let rest = bytes.get(known..).unwrap_or_default();
            upto = known + first_bytes(rest, class);
            run(start..upto);
            both = behind(both, upto, at);
        }
        here = next;
    }
    worked(bytes.len() % TURN_BYTES / FAST);
}

/// How many of the first bytes are of the class, however many.
fn first_bytes(bytes: &[u8], class: impl Fn(u8) -> bool) -> usize {
    let mut all = 0;
    for part in bytes.chunks(TURN_BYTES / FAST) {
        let here = part.iter().take_while(|byte| class(**byte)).count();
        all += here;
        if here < part.len() {
            break;
        }
        worked(part.len());
    }
    all
}

/// Without the bits of bytes before `from`; the first one's byte is at `at`.
fn behind(bits: u128, from: usize, at: usize) -> u128 {
    let before = u32::try_from(from.saturating_sub(at)).unwrap_or(u32::MAX);
    bits & u128::MAX.checked_shl(before).unwrap_or(0)
}

/// Where runs of bytes of a class begin.
pub(crate) fn starts(
    bytes: &[u8],
    class: impl Fn(u8) -> bool + Copy,
    mut start: impl FnMut(usize),
) {
    let mut before = 0;
    for (number, part) in bytes.chunks(WORD_BYTES).enumerate() {
        if (number + 1).is_multiple_of(TURN_BYTES / WORD_BYTES) {
            worked(TURN_BYTES / FAST);
        }
        let bits = word(part, class);
        let mut starts = bits & !(bits << 1 | before);
        before = bits >> (u64::BITS - 1);
        while starts > 0 {
            start(number * WORD_BYTES + starts.trailing_zeros() as usize);
            starts &= starts - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_letter(byte: u8) -> bool {
        byte.is_ascii_lowercase()
    }

    /// Byte by byte.
    fn slow(bytes: &[u8]) -> Vec<Range<usize>> {
        let mut out: Vec<Range<usize>> = Vec::new();
        for (at, _) in bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| is_letter(**byte))
        {
            match out.last_mut() {
                Some(last) if last.end == at => last.end += 1,
                _ => out.push(at..at + 1),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn runs_and_starts_are_those_of_the_bytes(
            parts in prop::collection::vec(("[a-z]{0,90}", "[ A\u{0}]{0,70}"), 0..8),
            least in 1..=WORD_BYTES,
        ) {
            let text: String = parts.into_iter().flat_map(|(word, gap)| [word, gap]).collect();
            let all = slow(text.as_bytes());
            let mut found = Vec::new();
            starts(text.as_bytes(), is_letter, |at| found.push(at));
            prop_assert_eq!(found, all.iter().map(|run| run.start).collect::<Vec<_>>());
            let mut found = Vec::new();
            runs(text.as_bytes(), least, is_letter, |run| found.push(run));
            let long: Vec<_> = all.into_iter().filter(|run| run.len() >= least).collect();
            prop_assert_eq!(found, long);
        }
    }
}
