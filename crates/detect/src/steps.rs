//! Where the program of a pattern can be after so many bytes.

use regex_automata::{
    nfa::thompson::{NFA, State},
    util::primitives::StateID,
};

/// Where one byte leads, of those that `takes` lets through.
pub(crate) fn step(
    program: &NFA,
    states: &[StateID],
    mut takes: impl FnMut(u8, u8) -> bool,
) -> Vec<StateID> {
    let mut next = Vec::new();
    for state in states {
        let mut take = |from: u8, to: u8, target: StateID| {
            if takes(from, to) {
                next.push(target);
            }
        };
        match program.state(*state) {
            State::ByteRange { trans } => take(trans.start, trans.end, trans.next),
            State::Sparse(sparse) => {
                for trans in &*sparse.transitions {
                    take(trans.start, trans.end, trans.next);
                }
            }
            State::Dense(dense) => {
                for (byte, next) in (0..=u8::MAX).zip(&*dense.transitions) {
                    if *next != StateID::ZERO {
                        take(byte, byte, *next);
                    }
                }
            }
            _ => {}
        }
    }
    closure(program, next)
}

/// All states that are reached without a byte.
pub(crate) fn closure(program: &NFA, from: impl IntoIterator<Item = StateID>) -> Vec<StateID> {
    let mut reached = Vec::new();
    let mut known = vec![false; program.states().len()];
    let mut waiting: Vec<StateID> = from.into_iter().collect();
    while let Some(state) = waiting.pop() {
        match known.get_mut(state.as_usize()) {
            Some(known) if !*known => *known = true,
            _ => continue,
        }
        match program.state(state) {
            State::Union { alternates } => waiting.extend(alternates.iter().copied()),
            State::BinaryUnion { alt1, alt2 } => waiting.extend([*alt1, *alt2]),
            State::Capture { next, .. } | State::Look { next, .. } => waiting.push(*next),
            State::ByteRange { .. }
            | State::Sparse(_)
            | State::Dense(_)
            | State::Fail
            | State::Match { .. } => reached.push(state),
        }
    }
    reached.retain(|state| !matches!(program.state(*state), State::Fail));
    reached
}
