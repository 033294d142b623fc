//! One pass over a text for all that patterns can be found by.

mod filter;

use std::collections::BTreeMap;

use terms::{Direction, worked};

use crate::{
    anchor::of_text,
    byteset::ByteSet,
    sides::{SIDE_BYTES_MAX, Sides, is_boundary},
};
use filter::Filter;

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

/// Bytes of a text that it is found by, at most.
const WINDOW_BYTES: usize = 4;
/// Bits of a hash that tell the first slot that is looked at.
const SLOT_BITS: u32 = 16;
/// Bytes of a text that are read at once.
const BLOCK_BYTES: usize = 256;

/// A part of a text in lower case, and the rest of its last window.
type Block = [u8; BLOCK_BYTES + WINDOW_BYTES - 1];

/// What becomes of a text, in a request and in a reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    /// Whether it is looked for.
    pub(crate) looks: [bool; 2],
    /// Whether a match begins with it; others stand in or before one.
    pub(crate) begins: [bool; 2],
    /// What must stand beside it, if that says anything.
    pub(crate) sides: Option<Sides>,
}

impl Role {
    fn is_of_word(&self) -> bool {
        self.sides.as_ref().is_some_and(Sides::is_of_word)
    }
}

/// The first bytes of a window, as a number.
const fn first_bytes(window: u32, bytes: usize) -> u32 {
    match bytes {
        1 => window & 0xff,
        2 => window & 0xffff,
        3 => window & 0xff_ffff,
        _ => window,
    }
}

/// Spread over all numbers of so many bits.
const fn hash(window: u32, bits: u32) -> usize {
    (window.wrapping_mul(0x9e37_79b1) >> (u32::BITS - bits)) as usize
}

/// Texts that have the same window.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    window: u32,
    /// 0 is an empty slot.
    window_bytes: u8,
    first: u32,
    upto: u32,
}

/// A text, and what must stand beside it.
#[derive(Debug)]
struct Wanted {
    text: Box<[u8]>,
    sides: Option<Sides>,
}

/// A text, and how many of its bytes stand before the window.
#[derive(Debug, Clone, Copy)]
struct Windowed {
    text: u32,
    before: u32,
}

/// A window begins a word so much more seldom than it stands anywhere.
const BEGINS_WORD: f64 = 0.15;

/// Many texts, looked for at once; their capitals stand for themselves, their
/// small letters for either case. Each is known by its rarest few bytes; most
/// places of a text have none of those.
#[derive(Debug)]
pub(crate) struct Index {
    texts: Vec<Wanted>,
    /// For requests, replies, and either.
    filters: [Filter; 3],
    /// For places over which a word goes on, whatever the direction.
    within_words: Filter,
    /// A table with open addressing, at most half full.
    slots: Box<[Slot]>,
    windowed: Vec<Windowed>,
    /// Texts that begin a match, in a request and in a reply.
    begins: [Beginnings; 2],
    /// The longest has so many.
    text_bytes_max: usize,
}

impl Index {
    /// Of these texts, which are not empty, each with its role. `None` if they
    /// are too many.
    pub(crate) fn new(texts: &[(Vec<u8>, Role)]) -> Option<Self> {
        let by_window = windows(texts)?;
        let mut index = Self {
            texts: texts
                .iter()
                .map(|(text, role)| Wanted {
                    text: text.as_slice().into(),
                    sides: role.sides.clone(),
                })
                .collect(),
            filters: std::array::from_fn(|_| Filter::new()),
            within_words: Filter::new(),
            slots: vec![Slot::default(); (by_window.len() * 2).next_power_of_two()].into(),
            windowed: Vec::with_capacity(texts.len()),
            begins: [0, 1].map(|direction| Beginnings::new(texts, direction)),
            text_bytes_max: texts.iter().map(|(text, _)| text.len()).max().unwrap_or(1),
        };
        for ((bytes, window), mut windowed) in by_window {
            // Longer ones first, as they begin earlier.
            windowed.sort_by_key(|windowed| std::cmp::Reverse(windowed.before));
            index.filter(bytes, window, &windowed, texts);
            index.add(bytes, window, &windowed)?;
        }
        Some(index)
    }

    /// Lets the window of these texts through.
    fn filter(
        &mut self,
        bytes: usize,
        window: u32,
        windowed: &[Windowed],
        texts: &[(Vec<u8>, Role)],
    ) {
        let roles = || {
            let roles = windowed.iter().map(|it| (it, texts.get(it.text as usize)));
            roles.filter_map(|(it, text)| Some((it, &text?.1)))
        };
        // A window of one byte stands for nothing but its text.
        let mut next = ByteSet::default();
        for (_, role) in roles() {
            let known = role.sides.as_ref().and_then(Sides::next);
            next.join(&known.unwrap_or(ByteSet::ALL));
        }
        let looks =
            |direction: usize| roles().any(|(_, role)| role.looks.get(direction) == Some(&true));
        let directions = [looks(0), looks(1), true];
        for (filter, looks) in self.filters.iter_mut().zip(directions) {
            if looks {
                filter.add(bytes, window, &next);
            }
        }
        if roles().any(|(it, role)| it.before > 0 || !role.is_of_word()) {
            self.within_words.add(bytes, window, &next);
        }
    }

    fn add(&mut self, bytes: usize, window: u32, windowed: &[Windowed]) -> Option<()> {
        let mask = self.slots.len() - 1;
        let mut at = hash(window, SLOT_BITS) & mask;
        while self.slots.get(at)?.window_bytes > 0 {
            at = (at + 1) & mask;
        }
        let first = u32::try_from(self.windowed.len()).ok()?;
        self.windowed.extend(windowed);
        *self.slots.get_mut(at)? = Slot {
            window,
            window_bytes: u8::try_from(bytes).ok()?,
            first,
            upto: u32::try_from(self.windowed.len()).ok()?,
        };
        Some(())
    }

    /// Every occurrence, those with the same window in the order of their
    /// beginnings.
    pub(crate) fn look(&self, text: &[u8], direction: Option<Direction>, mut hit: impl FnMut(Hit)) {
        // Behind the end nothing is found.
        let [requests, replies, all] = &self.filters;
        let filter = match direction {
            Some(Direction::Request) => requests,
            Some(Direction::Reply) => replies,
            None => all,
        };
        let mut block: Block = [0; _];
        let mut places = [0; BLOCK_BYTES];
        for (number, part) in text.chunks(BLOCK_BYTES).enumerate() {
            let from = number * BLOCK_BYTES;
            let rest = text.get(from..).unwrap_or_default();
            let read = rest.len().min(block.len());
            for (to, byte) in block.iter_mut().zip(rest) {
                *to = byte.to_ascii_lowercase();
            }
            block
                .get_mut(read..)
                .into_iter()
                .for_each(|rest| rest.fill(0));
            let places = filter.places(&block, part.len(), &mut places);
            for at in places.iter().map(|at| usize::from(*at)) {
                self.texts_at(filter, text, from + at, (&block, at), &mut hit);
            }
            worked(part.len());
        }
    }

    /// The texts whose window stands here.
    fn texts_at(
        &self,
        filter: &Filter,
        text: &[u8],
        at: usize,
        (block, in_block): (&Block, usize),
        hit: &mut impl FnMut(Hit),
    ) {
        let window = block.get(in_block..).and_then(<[u8]>::first_chunk);
        let window = window.map_or(0, |window| u32::from_le_bytes(*window));
        let filter = if is_boundary(text, at) {
            filter
        } else {
            &self.within_words
        };
        // Most places have a window of one length, and the table is far away.
        let lengths = (1..=WINDOW_BYTES).rev();
        for bytes in lengths.filter(|bytes| filter.has_of(*bytes, window)) {
            for windowed in self.with(bytes, first_bytes(window, bytes)) {
                let (number, before) = (windowed.text as usize, windowed.before as usize);
                let Some((wanted, start)) = self.texts.get(number).zip(at.checked_sub(before))
                else {
                    continue;
                };
                let span = start..start + wanted.text.len();
                let here = text.get(span.clone());
                if here.is_some_and(|found| is(found, &wanted.text))
                    && wanted
                        .sides
                        .as_ref()
                        .is_none_or(|sides| sides.fit(text, &span))
                {
                    hit(Hit::new(number, span.start, span.end));
                }
            }
        }
    }

    fn with(&self, bytes: usize, window: u32) -> &[Windowed] {
        let mask = self.slots.len() - 1;
        let mut at = hash(window, SLOT_BITS) & mask;
        while let Some(slot) = self.slots.get(at)
            && slot.window_bytes > 0
        {
            if slot.window == window && usize::from(slot.window_bytes) == bytes {
                let found = self.windowed.get(slot.first as usize..slot.upto as usize);
                return found.unwrap_or_default();
            }
            at = (at + 1) & mask;
        }
        &[]
    }

    /// How many bytes at the end of a text may be the beginning of a match, in
    /// a direction or either.
    pub(crate) fn begun(&self, text: &[u8], direction: Option<Direction>) -> usize {
        let bytes = text.len().min(self.text_bytes_max);
        let end = text.get(text.len() - bytes..).unwrap_or_default();
        let end = end.to_ascii_lowercase();
        let [requests, replies] = &self.begins;
        let begun = |begins: &Beginnings| {
            let suffixes = (0..end.len()).filter_map(|from| end.get(from..));
            let mut begun = suffixes.filter(|suffix| begins.has_one_with(suffix));
            begun.next().map_or(0, <[u8]>::len)
        };
        match direction {
            Some(Direction::Request) => begun(requests),
            Some(Direction::Reply) => begun(replies),
            None => begun(requests).max(begun(replies)),
        }
    }

    /// Bytes on either side of a place that tell of the occurrences over it and
    /// of those beside which it stands.
    pub(crate) const fn reach_bytes(&self) -> usize {
        self.text_bytes_max + 2 * SIDE_BYTES_MAX
    }
}

/// For each window the texts that are found by it.
type Windows = BTreeMap<(usize, u32), Vec<Windowed>>;

/// The rarest window of each text; `None` if they are too many.
fn windows(texts: &[(Vec<u8>, Role)]) -> Option<Windows> {
    let mut by_window = Windows::new();
    for (number, (text, role)) in texts.iter().enumerate() {
        let bytes = text.len().min(WINDOW_BYTES);
        let mut best: Option<(f64, usize, (usize, u32))> = None;
        for (before, window) in text.windows(bytes).enumerate() {
            let key = (bytes, packed(window));
            // Texts that share a window are compared one by one.
            let shared = by_window.get(&key).map_or(0, Vec::len);
            let shared = f64::from(u32::try_from(shared).ok()?);
            let mut cost = of_text(&window.to_ascii_lowercase()) * (1.0 + shared);
            if before == 0 && role.is_of_word() {
                cost *= BEGINS_WORD;
            }
            if best.as_ref().is_none_or(|(known, ..)| cost < *known) {
                best = Some((cost, before, key));
            }
        }
        let (_, before, key) = best?;
        by_window.entry(key).or_default().push(Windowed {
            text: u32::try_from(number).ok()?,
            before: u32::try_from(before).ok()?,
        });
    }
    Some(by_window)
}

/// Texts that are asked for by their first bytes.
#[derive(Debug)]
struct Beginnings {
    /// In order, in lower case.
    texts: Vec<Box<[u8]>>,
    /// Which windows they begin with, by a hash.
    windows: Box<[u64; WINDOW_WORDS]>,
}

/// Windows of texts are spread over so many words of bits.
const WINDOW_WORDS: usize = 256;
const WINDOW_BITS: u32 = (WINDOW_WORDS * u64::BITS as usize).ilog2();

impl Beginnings {
    /// Those that begin a match in a direction.
    fn new(texts: &[(Vec<u8>, Role)], direction: usize) -> Self {
        let begins = |role: &Role| role.begins.get(direction) == Some(&true);
        let texts = texts.iter().filter(|(_, role)| begins(role));
        let mut texts: Vec<Box<[u8]>> = texts
            .map(|(text, _)| text.to_ascii_lowercase().into())
            .collect();
        texts.sort_unstable();
        let mut windows = Box::new([0_u64; WINDOW_WORDS]);
        for window in texts.iter().filter_map(|text| text.first_chunk()) {
            let (word, bit) = place(*window);
            windows
                .get_mut(word)
                .into_iter()
                .for_each(|word| *word |= bit);
        }
        Self { texts, windows }
    }

    /// Whether one of them begins with all of this, which is in lower case.
    fn has_one_with(&self, bytes: &[u8]) -> bool {
        let may = bytes.first_chunk().is_none_or(|window| {
            let (word, bit) = place(*window);
            self.windows.get(word).is_some_and(|word| word & bit > 0)
        });
        may && {
            let at = self.texts.partition_point(|text| **text < *bytes);
            let text = self.texts.get(at);
            text.is_some_and(|text| text.starts_with(bytes))
        }
    }
}

/// Where a window stands in a table of bits.
const fn place(window: [u8; WINDOW_BYTES]) -> (usize, u64) {
    let number = hash(u32::from_le_bytes(window), WINDOW_BITS);
    (
        number / u64::BITS as usize,
        1 << (number % u64::BITS as usize),
    )
}

/// A window as a number in lower case, its first byte the lowest.
fn packed(window: &[u8]) -> u32 {
    let bytes = window.iter().rev();
    bytes.fold(0, |packed, byte| {
        packed << 8 | u32::from(byte.to_ascii_lowercase())
    })
}

/// Whether a text stands there: its capitals as they are, other letters in
/// either case.
pub(crate) fn is(found: &[u8], wanted: &[u8]) -> bool {
    found.len() == wanted.len()
        && found
            .iter()
            .zip(wanted)
            .all(|(found, wanted)| found == wanted || (found.to_ascii_lowercase() == *wanted))
}

#[cfg(test)]
mod tests;
