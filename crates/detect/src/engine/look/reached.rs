//! How far patterns and rules got in one view.

use crate::engine::Engine;

/// How far each pattern and rule got in one view. Most views are short, and
/// there are many patterns: what one view changed is undone before the next.
#[derive(Debug)]
pub(in crate::engine) struct Reached {
    /// For each pattern, from where on it may be tried.
    spots: Vec<usize>,
    /// For each rule, where one of its context words reaches no more.
    names: Vec<usize>,
    changed_spots: Vec<usize>,
    changed_names: Vec<usize>,
}

impl Reached {
    pub(in crate::engine) fn new(engine: &Engine) -> Self {
        Self {
            spots: vec![0; engine.0.plan.spots.len()],
            names: vec![0; engine.0.rules.len()],
            changed_spots: Vec::new(),
            changed_names: Vec::new(),
        }
    }

    pub(super) fn spot(&self, number: usize) -> usize {
        self.spots.get(number).copied().unwrap_or(0)
    }

    pub(super) fn set_spot(&mut self, number: usize, upto: usize) {
        if let Some(known) = self.spots.get_mut(number) {
            *known = upto;
            self.changed_spots.push(number);
        }
    }

    pub(super) fn name(&self, rule: usize) -> usize {
        self.names.get(rule).copied().unwrap_or(0)
    }

    pub(super) fn set_name(&mut self, rule: usize, upto: usize) {
        if let Some(known) = self.names.get_mut(rule).filter(|known| **known < upto) {
            *known = upto;
            self.changed_names.push(rule);
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
