//! The fold: bounded memory, and what must survive it.

use terms::{Control, ExchangeId, FixedClock, Leaf, SeededEntropy};

use super::{Facts, OPEN_EXCHANGES_MAX};
use crate::{
    Matrix, State, Window,
    sample::{NOW_MS, Sample, admitted, closed, version},
};

/// 100 000 entries: exchanges that all get closed, under ever new labels,
/// policies and keys.
#[test]
fn memory_does_not_grow_with_the_ledger() {
    let mut facts = Facts::new(NOW_MS, Window::default());
    let entropy = SeededEntropy::new(1);
    let mut sequence = 0;
    let mut add = |leaf: Leaf| {
        facts.add(sequence, &leaf);
        sequence += 1;
    };
    for turn in 0..50_000_u64 {
        let at_ms = NOW_MS - 50_000 + turn;
        let id = ExchangeId::new(&FixedClock::new(at_ms), &entropy);
        let mut first = admitted(id, at_ms, version((turn % 200) as u8));
        first.request.dialect = format!("dialect-{turn}");
        first.request.model = "m".repeat(1_000);
        let mut second = closed(id, at_ms);
        second.vendor.tls = Some(format!("\u{1b}[31mTLS {turn}"));
        second.vendor.auth = Some(format!("{}{turn}", "a".repeat(1_000)));
        add(Leaf::Admitted(Box::new(first)));
        add(Leaf::Closed(Box::new(second)));
    }
    assert_eq!(facts.open_exchanges(), 0);
    assert_eq!(facts.vendor.answered.count, 50_000);
    let shown = format!("{facts:?}");
    assert!(shown.len() < 20_000, "{} bytes of facts", shown.len());
    assert!(!shown.contains("u{1b}"), "nothing that a terminal obeys");
}

#[test]
fn exchanges_that_never_close_are_forgotten_oldest_first() {
    let mut facts = Facts::new(NOW_MS, Window::default());
    let entropy = SeededEntropy::new(1);
    let mut ids = Vec::new();
    for turn in 0..OPEN_EXCHANGES_MAX as u64 + 10 {
        let at_ms = NOW_MS - 100_000 + turn;
        let id = ExchangeId::new(&FixedClock::new(at_ms), &entropy);
        facts.add(
            turn,
            &Leaf::Admitted(Box::new(admitted(id, at_ms, version(1)))),
        );
        ids.push(id);
    }
    assert_eq!(facts.open_exchanges(), OPEN_EXCHANGES_MAX);
    facts.add(100_000, &Leaf::Closed(Box::new(closed(ids[0], NOW_MS))));
    assert_eq!(facts.unmatched, 1, "the oldest was forgotten");
    facts.add(100_001, &Leaf::Closed(Box::new(closed(ids[10], NOW_MS))));
    assert_eq!(facts.unmatched, 1);
}

/// More refused reloads than canaries are remembered: the canaries of the
/// configuration in force must not be the ones that are forgotten.
#[test]
fn canaries_of_the_configuration_in_force_are_kept() {
    let mut sample = Sample::running();
    for number in 10..60 {
        sample.version = version(number);
        for control in Control::ALL {
            sample.canary(*control, false);
        }
    }
    sample.version = version(1);
    sample.exchange();
    sample.expect(&[9, 22, 23, 25, 41, 57, 58], State::Enforced);
}

#[test]
fn an_unclean_stop_and_unread_entries_are_noted() {
    let mut sample = Sample::running();
    sample.leaves.push(Leaf::UncleanStart(terms::UncleanStart {
        v: 1,
        at_ms: NOW_MS,
        from_ms: NOW_MS - 5,
        open: 0,
    }));
    let mut facts = sample.facts();
    facts.add(1_000, &sample.leaves[1]);
    let states = Matrix::embedded().unwrap().compute(&facts);
    let notes = states[21].coverage().notes.join("; ");
    assert!(
        notes.contains("stopped uncleanly 1 time")
            && notes.contains("entries of the ledger were not read"),
        "{notes}"
    );
}
