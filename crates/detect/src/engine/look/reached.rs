//! How far patterns and rules got in one view.

use std::cell::Cell;

use crate::engine::Engine;

thread_local! {
    /// The last one of this thread: all its places are 0, and most texts are
    /// shorter than the list.
    static LAST: Cell<Reached> = const { Cell::new(Reached::EMPTY) };
}

/// LIMIT: places of changes that are kept from text to text.
const CHANGED_KEPT_MAX: usize = 4_096;

/// How far each pattern and rule got in one view. Most views are short, and
/// there are many patterns: what one view changed is undone before the next.
#[derive(Debug, Default)]
pub(in crate::engine) struct Reached {
    /// For each pattern, from where on it may be tried.
    spots: Vec<usize>,
    /// For each rule, where one of its context words reaches no more.
    names: Vec<usize>,
    changed_spots: Vec<usize>,
    changed_names: Vec<usize>,
}

impl Reached {
    const EMPTY: Self = Self {
        spots: Vec::new(),
        names: Vec::new(),
        changed_spots: Vec::new(),
        changed_names: Vec::new(),
    };

    /// For an engine: the one that this thread used last, if it is free.
    pub(in crate::engine) fn new(engine: &Engine) -> Self {
        let mut reached = LAST
            .try_with(|last| last.replace(Self::EMPTY))
            .unwrap_or(Self::EMPTY);
        let (spots, names) = (engine.0.plan.spots.len(), engine.0.rules.len());
        reached.spots.resize(spots.max(reached.spots.len()), 0);
        reached.names.resize(names.max(reached.names.len()), 0);
        reached
    }

    /// Leaves it for the next text, unless a long one made it large.
    pub(in crate::engine) fn leave(mut self) {
        self.reset();
        self.changed_spots.shrink_to(CHANGED_KEPT_MAX);
        self.changed_names.shrink_to(CHANGED_KEPT_MAX);
        let _ = LAST.try_with(|last| last.set(self));
    }

    pub(super) fn spot(&self, number: usize) -> usize {
        self.spots.get(number).copied().unwrap_or(0)
    }

    pub(super) fn set_spot(&mut self, number: usize, upto: usize) {
        if let Some(known) = self.spots.get_mut(number) {
            // Once: a word that stands everywhere changes it again and again.
            self.changed_spots.extend((*known == 0).then_some(number));
            *known = upto;
        }
    }

    pub(super) fn name(&self, rule: usize) -> usize {
        self.names.get(rule).copied().unwrap_or(0)
    }

    pub(super) fn set_name(&mut self, rule: usize, upto: usize) {
        if let Some(known) = self.names.get_mut(rule).filter(|known| **known < upto) {
            self.changed_names.extend((*known == 0).then_some(rule));
            *known = upto;
        }
    }

    pub(super) fn reset(&mut self) {
        for number in self.changed_spots.drain(..) {
            self.spots
                .get_mut(number)
                .into_iter()
                .for_each(|upto| *upto = 0);
        }
        for rule in self.changed_names.drain(..) {
            self.names
                .get_mut(rule)
                .into_iter()
                .for_each(|upto| *upto = 0);
        }
    }
}
