//! What one pass over a text looks for, and what each hit means.

mod rows;

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use terms::Direction;

use super::Rule;
use crate::{
    anchor::{Anchor, of_text},
    boundary::Boundary,
    byteset::ByteSet,
    catalogue::CONTEXT_BYTES,
    index::{Index, Role, is},
    pattern::Pattern,
    sides::{Places, Sides},
};

pub(super) use rows::{Digits, Row, Rows};

/// A pattern among all of them.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// Its rule, by number; `None` for the placeholders of this product, which
    /// are no findings but must not be cut in two.
    pub(super) rule: Option<usize>,
    pub(super) pattern: Arc<Pattern>,
    /// Whether a match may begin inside a row of digits.
    pub(super) inside_digits: bool,
    /// Bytes before and behind its start that tell whether it matches.
    pub(super) reach: (usize, usize),
    /// Whether a context word must stand before it.
    pub(super) named: bool,
    /// What may not stand before it.
    pub(super) left: Boundary,
    /// What it begins with; beside the pattern, since it is asked so often.
    pub(super) first: ByteSet,
    pub(super) run_min: usize,
    /// As many digits stand in the first bytes of each match that is valid.
    valid_digits_min: usize,
    requests: bool,
    replies: bool,
}

impl Spot {
    fn of(rule: Option<(usize, &Rule)>, pattern: &Arc<Pattern>) -> Self {
        let looks =
            |direction| rule.is_some_and(|(_, rule)| rule.detector.directions.contains(&direction));
        // A closer may be anywhere behind.
        let closed = rule.is_some_and(|(_, rule)| rule.closer.is_some());
        let span = if closed {
            usize::MAX
        } else {
            pattern.span_bytes_max()
        };
        Self {
            rule: rule.map(|(number, _)| number),
            pattern: Arc::clone(pattern),
            first: pattern.first(),
            run_min: pattern.run_min(),
            valid_digits_min: rule.map_or(0, |(_, rule)| rule.detector.validator.digits_min()),
            named: rule.is_some_and(|(_, rule)| rule.detector.needs_context()),
            left: rule.map_or(Boundary::None, |(_, rule)| rule.detector.left),
            requests: looks(Direction::Request),
            replies: looks(Direction::Reply),
            inside_digits: rule.is_none_or(|(_, rule)| rule.detector.left == Boundary::None),
            reach: (
                CONTEXT_BYTES + BESIDE_BYTES,
                span.saturating_add(BESIDE_BYTES),
            ),
        }
    }
}

impl Spot {
    /// Whether it looks in a direction; `None` for either.
    pub(super) const fn looks(&self, direction: Option<Direction>) -> bool {
        match direction {
            Some(Direction::Request) => self.requests,
            Some(Direction::Reply) => self.replies,
            None => self.requests || self.replies,
        }
    }
}

/// Bytes beside a match that a validator may look at.
const BESIDE_BYTES: usize = 128;

/// A pattern whose matches have a text of the index in them.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) spot: usize,
    least: usize,
    /// Bytes of a match before the text, at most.
    pub(super) most: usize,
    /// What they can be.
    within: ByteSet,
}

impl Begin {
    /// Where matches can begin that have the text here; `None` if nowhere.
    pub(super) fn starts(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let last = at.checked_sub(self.least)?;
        let before = text.get(at.saturating_sub(self.most)..at)?;
        let fits = before
            .iter()
            .rev()
            .take_while(|byte| self.within.has(**byte));
        let first = at - fits.count();
        (first <= last).then_some(first..last + 1)
    }
}

/// A pattern that may begin before anything of its own is seen: at the end of
/// a text that goes on.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) spot: usize,
    /// Bytes of a match before what it is found by, at most.
    most: usize,
    /// What they can be.
    within: ByteSet,
    /// What it is found by, none of them whole yet; empty for a digit.
    texts: Vec<Vec<u8>>,
}

impl Ahead {
    /// Where a match can have begun that ends behind this text.
    pub(super) fn starts(&self, text: &[u8]) -> Range<usize> {
        let begun = self.texts.iter().flat_map(|wanted| begun(text, wanted));
        let first = begun.chain([0]).map(|begun| {
            let upto = text.len() - begun;
            let before = text.get(upto.saturating_sub(self.most)..upto);
            let fits = before.unwrap_or_default().iter().rev();
            upto - fits.take_while(|byte| self.within.has(**byte)).count()
        });
        first.min().unwrap_or(text.len())..text.len()
    }
}

/// How many bytes of a text of the index can stand at an end.
fn begun<'a>(text: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let most = text.len().min(wanted.len().saturating_sub(1));
    (1..=most).filter(|bytes| {
        let end = text.get(text.len() - bytes..).unwrap_or_default();
        is(end, wanted.get(..*bytes).unwrap_or_default())
    })
}

/// What a hit of one text of the index means.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Patterns whose matches begin with it or so many bytes before.
    pub(super) begins: Vec<Begin>,
    /// Whether it is a context word.
    pub(super) is_word: bool,
    /// Patterns that are tried behind it.
    pub(super) follows: Vec<usize>,
    /// Rules that find nothing without such a word.
    pub(super) names: Vec<usize>,
    /// What begins by it depends on so many bytes before and behind it.
    pub(super) reach: (usize, usize),
}

/// Everything that is looked for.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spots: Vec<Spot>,
    pub(super) index: Index,
    /// For each text of the index.
    pub(super) uses: Vec<Uses>,
    /// Patterns that are found by a row of digits wherever it stands.
    pub(super) rows: Rows,
    /// Likewise, behind a context word.
    pub(super) rows_named: Rows,
    pub(super) ahead: Vec<Ahead>,
    /// For each rule its context words, as texts of the index.
    pub(super) words: Vec<Vec<usize>>,
}

/// A plan in the making.
#[derive(Default)]
struct Draft {
    numbers: BTreeMap<Vec<u8>, usize>,
    texts: Vec<Vec<u8>>,
    uses: Vec<Uses>,
    rows: Vec<(usize, RangeInclusive<usize>)>,
    ahead: Vec<Ahead>,
}

impl Draft {
    fn number(&mut self, text: &[u8]) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len();
        self.numbers.insert(text.to_vec(), number);
        self.texts.push(text.to_vec());
        self.uses.push(Uses::default());
        number
    }

    fn uses(&mut self, text: &[u8], change: impl FnOnce(&mut Uses)) -> usize {
        let number = self.number(text);
        if let Some(uses) = self.uses.get_mut(number) {
            change(uses);
        }
        number
    }

    fn anchor(&mut self, spot: usize, anchor: &Anchor) {
        match anchor {
            Anchor::Literals {
                texts,
                before,
                within,
            } => {
                let (least, most) = (*before.start(), *before.end());
                for text in texts {
                    let begin = Begin {
                        spot,
                        least,
                        most,
                        within: *within,
                    };
                    self.uses(text, |uses| uses.begins.push(begin));
                }
                if most > 0 {
                    self.ahead.push(Ahead {
                        spot,
                        most,
                        within: *within,
                        texts: texts.clone(),
                    });
                }
            }
            Anchor::Digits { before } => {
                self.rows.push((spot, before.clone()));
                if *before.end() > 0 {
                    self.ahead.push(Ahead {
                        spot,
                        most: *before.end(),
                        within: ByteSet::ALL,
                        texts: Vec::new(),
                    });
                }
            }
            // Its words are added with the rule.
            Anchor::Words => {}
        }
    }
}

impl Plan {
    /// For these rules; `None` if they are too many for one index.
    pub(super) fn new(rules: &[Rule], token: &Arc<Pattern>) -> Option<Self> {
        let mut spots = vec![Spot::of(None, token)];
        for (number, rule) in rules.iter().enumerate() {
            let patterns = rule.detector.patterns.iter();
            spots.extend(patterns.map(|pattern| Spot::of(Some((number, rule)), pattern)));
        }
        let mut draft = Draft::default();
        for (number, spot) in spots.iter().enumerate() {
            for anchor in spot.pattern.anchors() {
                draft.anchor(number, anchor);
            }
        }
        let words = rules.iter().enumerate().map(|(number, rule)| {
            let follows: Vec<usize> = spots
                .iter()
                .enumerate()
                .filter(|(_, spot)| {
                    spot.rule == Some(number) && spot.pattern.anchors().contains(&Anchor::Words)
                })
                .map(|(spot, _)| spot)
                .collect();
            let words = rule.detector.context.iter();
            words
                .map(|word| {
                    draft.uses(word.to_ascii_lowercase().as_bytes(), |uses| {
                        uses.is_word = true;
                        uses.follows.extend(&follows);
                        uses.names.push(number);
                    })
                })
                .collect()
        });
        let words = words.collect();
        let rows_of = |named: bool| {
            let rows = draft.rows.iter().filter_map(|(number, before)| {
                let spot = spots.get(*number)?;
                (spot.named == named).then(|| Row::new(*number, before, spot))
            });
            Rows::new(&rows.collect::<Vec<_>>(), &spots)
        };
        let (rows, rows_named) = (rows_of(false)?, rows_of(true)?);
        let Draft {
            texts,
            mut uses,
            ahead,
            ..
        } = draft;
        for uses in &mut uses {
            uses.reach = reach(uses, &spots);
        }
        let roles = uses.iter().zip(sides(&texts, &uses, &spots));
        let roles = roles.map(|(uses, sides)| role(uses, sides, &spots, rules));
        let texts: Vec<(Vec<u8>, Role)> = texts.into_iter().zip(roles).collect();
        Some(Self {
            spots,
            index: Index::new(&texts)?,
            uses,
            rows,
            rows_named,
            ahead,
            words,
        })
    }
}

/// How far from a text what begins by it can be, before and behind.
fn reach(uses: &Uses, spots: &[Spot]) -> (usize, usize) {
    let reaches = uses.begins.iter().filter_map(|begin| {
        let (before, behind) = spots.get(begin.spot)?.reach;
        Some((before + begin.most, behind))
    });
    reaches.fold((0, 0), |(before, behind), next| {
        (before.max(next.0), behind.max(next.1))
    })
}

/// What a text is good for in either direction.
fn role(uses: &Uses, sides: Option<Sides>, spots: &[Spot], rules: &[Rule]) -> Role {
    // A placeholder is looked for whichever way it goes.
    let looks = |begin: &Begin, direction| {
        let spot = spots.get(begin.spot);
        spot.is_some_and(|spot| spot.rule.is_none() || spot.looks(Some(direction)))
    };
    let directions = [Direction::Request, Direction::Reply];
    let names = |direction: Direction| {
        let mut rules = uses.names.iter().filter_map(|rule| rules.get(*rule));
        rules.any(|rule| rule.detector.directions.contains(&direction))
    };
    Role {
        looks: directions.map(|direction| {
            names(direction) || uses.begins.iter().any(|begin| looks(begin, direction))
        }),
        begins: directions.map(|direction| {
            let mut begins = uses.begins.iter().filter(|begin| begin.most == 0);
            begins.any(|begin| looks(begin, direction))
        }),
        sides,
    }
}

/// Texts that stand so often in a million bytes are told by what stands beside
/// them; to find out what can is some work for each pattern.
const OFTEN: f64 = 60.0;

/// A pattern, and how many bytes of a match stand before its texts: at least
/// and at most.
type Anchored = (usize, usize, usize);

/// What must stand beside each text, if that says anything.
fn sides(texts: &[Vec<u8>], uses: &[Uses], spots: &[Spot]) -> Vec<Option<Sides>> {
    let mut all: Vec<Option<Sides>> = Vec::with_capacity(texts.len());
    // One program at a time.
    let mut anchored: BTreeMap<Anchored, Vec<(usize, &Begin)>> = BTreeMap::new();
    for (number, (text, uses)) in texts.iter().zip(uses).enumerate() {
        let told = uses.begins.is_empty() || of_text(text) >= OFTEN;
        all.push((told && uses.is_word).then(Sides::of_word));
        for begin in uses.begins.iter().filter(|_| told) {
            let key = (begin.spot, begin.least, begin.most);
            anchored.entry(key).or_default().push((number, begin));
        }
    }
    for ((spot, least, most), begins) in anchored {
        let program = spots.get(spot).and_then(|spot| spot.pattern.program());
        let places = program
            .as_ref()
            .map(|program| Places::new(program, least..=most));
        for (number, begin) in begins {
            let Some((sides, text)) = all.get_mut(number).zip(texts.get(number)) else {
                continue;
            };
            // Of a pattern that is too large nothing is known.
            let more = places
                .as_ref()
                .map_or_else(Sides::anywhere, |places| places.sides(text, begin.within));
            *sides = Some(match sides.take() {
                Some(sides) => sides.or(more),
                None => more,
            });
        }
    }
    all
}
