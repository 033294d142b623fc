use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use terms::{Digest, Leaf, SeededEntropy};

use super::{Limits, Runner, RunnerFault, Step, Stop, replay};
use crate::{
    Begin, Cursor, CursorFault, Event, Fate, Fault, FeedFault, Item, Log, LogName, Progress, Sink,
    event::samples::{admitted, closed, finding, unclean},
};

/// A log in memory.
#[derive(Debug, Clone)]
struct Fake {
    name: Arc<LogName>,
    leaves: Vec<Leaf>,
    first: u64,
}

impl Fake {
    fn of(leaves: Vec<Leaf>) -> Self {
        Self {
            name: Arc::new(LogName::new("test.example/log")),
            leaves,
            first: 0,
        }
    }
}

impl Log for Fake {
    fn name(&self) -> &Arc<LogName> {
        &self.name
    }
    fn size(&mut self) -> Result<u64, FeedFault> {
        Ok(self.leaves.len() as u64)
    }
    fn first(&self) -> u64 {
        self.first
    }
    fn leaf_hash(&mut self, sequence: u64) -> Result<Digest, FeedFault> {
        let leaf = &self.leaves[usize::try_from(sequence).unwrap()];
        Ok(Digest(
            ledger::merkle::leaf_hash(&serde_json::to_vec(leaf).unwrap()).0,
        ))
    }
    fn read(
        &mut self,
        from: u64,
        until: u64,
        count: usize,
        _: usize,
    ) -> Result<Vec<Item>, FeedFault> {
        assert!(from >= self.first, "what was pruned is not read");
        let items = (from..until).take(count).map(|sequence| Item {
            sequence,
            leaf: Arc::new(self.leaves[usize::try_from(sequence).unwrap()].clone()),
            bytes: 10,
        });
        Ok(items.collect())
    }
}

/// What a sink does with one delivery.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Takes,
    Down,
    /// Asks to be left alone for a while.
    Busy,
    /// Takes it, and the answer is lost.
    TakesSilently,
    /// Wants every n-th again.
    Partly(usize),
    /// Takes at most so many.
    AtMost(usize),
    /// Refuses every n-th for good.
    Refuses(usize),
}

type Got = Arc<Mutex<Vec<(String, u64)>>>;

#[derive(Debug)]
struct Moody {
    moods: Vec<Mood>,
    got: Got,
}

impl Sink for Moody {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let mood = if self.moods.is_empty() {
            Mood::Takes
        } else {
            self.moods.remove(0)
        };
        let take = |event: &Event| {
            self.got
                .lock()
                .unwrap()
                .push((event.id.clone(), event.sequence))
        };
        let each = |n: usize, other: Fate| {
            let numbered = events.iter().enumerate();
            numbered
                .map(|(at, event)| {
                    if at % n == n - 1 {
                        return other.clone();
                    }
                    take(event);
                    Fate::Confirmed
                })
                .collect::<Vec<_>>()
        };
        match mood {
            Mood::Takes => Ok(each(usize::MAX, Fate::Confirmed)),
            Mood::Down => Err(Fault::Down("down".to_owned())),
            Mood::Busy => Err(Fault::Busy(
                "busy".to_owned(),
                std::time::Duration::from_secs(9),
            )),
            Mood::TakesSilently => {
                events.iter().for_each(take);
                Err(Fault::Down("silent".to_owned()))
            }
            Mood::Partly(n) => Ok(each(n, Fate::Again)),
            Mood::AtMost(most) if events.len() > most => Err(Fault::Unfit("large".to_owned())),
            Mood::AtMost(_) => Ok(each(usize::MAX, Fate::Confirmed)),
            Mood::Refuses(n) => Ok(each(n, Fate::Refused("no".to_owned()))),
        }
    }
}

fn runner(folder: &Path, log: &Fake, moods: Vec<Mood>, got: &Got, limits: Limits) -> Runner {
    let sink = Moody {
        moods,
        got: Arc::clone(got),
    };
    let progress = Arc::new(Progress::new("x"));
    Runner::new(
        "x",
        folder,
        Box::new(log.clone()),
        Box::new(sink),
        limits,
        progress,
    )
}

fn exchanges(count: u64) -> Vec<Leaf> {
    (0..count)
        .flat_map(|number| {
            [
                admitted(number, "gpt", &[finding("redact")]),
                closed(number, "complete", 200, &[]),
            ]
        })
        .collect()
}

fn set_aside(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("x.set-aside.jsonl")).unwrap_or_default();
    let ids = text.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    ids.collect()
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        Just(Mood::Takes),
        Just(Mood::Down),
        Just(Mood::TakesSilently),
        (1_usize..5).prop_map(Mood::Partly),
        (0_usize..4).prop_map(Mood::AtMost),
        (2_usize..5).prop_map(Mood::Refuses),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Whatever sinks do, and however often it is started again: no event is
    /// missing, and what comes twice has the same name.
    #[test]
    fn nothing_is_lost(
        count in 1_u64..12,
        lives in prop::collection::vec((prop::collection::vec(mood(), 0..8), 1_usize..12), 1..6),
        batch in 1_usize..9,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (log, got) = (Fake::of(exchanges(count)), Got::default());
        let limits = Limits { batch_entries_max: batch, ..Limits::default() };
        let mut cursor_before = 0;
        for (moods, steps) in lives {
            let mut life = runner(folder.path(), &log, moods, &got, limits);
            for _ in 0..steps {
                let _ = life.step();
                let cursor = Cursor::read(folder.path(), "x").unwrap().unwrap();
                prop_assert!(cursor.next >= cursor_before);
                cursor_before = cursor.next;
                // INVARIANT: everything before the cursor is there or set aside.
                let there: BTreeSet<u64> = got.lock().unwrap().iter().map(|(_, at)| *at).collect();
                let aside = set_aside(folder.path());
                for sequence in 0..cursor.next {
                    let mark = format!("-{sequence:020}-");
                    prop_assert!(there.contains(&sequence) || aside.iter().any(|id| id.contains(&mark)));
                }
            }
        }
        let mut life = runner(folder.path(), &log, Vec::new(), &got, limits);
        while life.step().unwrap() != Step::Idle {}
        let names: BTreeSet<String> = got.lock().unwrap().iter().map(|(id, _)| id.clone()).chain(set_aside(folder.path())).collect();
        let wanted: BTreeSet<String> = crate::event::samples::made(&log.leaves).into_iter().map(|event| event.id).collect();
        prop_assert_eq!(names, wanted);
    }
}

#[test]
fn one_event_that_is_refused_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(3)), Got::default());
    let mut life = runner(
        folder.path(),
        &log,
        vec![Mood::Refuses(4)],
        &got,
        Limits::default(),
    );
    while life.step().unwrap() != Step::Idle {}
    let cursor = Cursor::read(folder.path(), "x").unwrap().unwrap();
    assert_eq!((cursor.next, cursor.delivered, cursor.set_aside), (6, 7, 2));
    assert_eq!(set_aside(folder.path()).len(), 2);
}

#[test]
fn a_full_file_stops_the_cursor_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(2)), Got::default());
    let limits = Limits {
        set_aside_bytes_max: 10,
        ..Limits::default()
    };
    let moods = vec![Mood::Refuses(1); 5];
    let mut life = runner(folder.path(), &log, moods, &got, limits);
    for _ in 0..5 {
        assert!(matches!(life.step(), Err(RunnerFault::SetAside(_))));
    }
    assert!(set_aside(folder.path()).is_empty());
    let cursor = Cursor::read(folder.path(), "x").unwrap().unwrap();
    assert_eq!((cursor.next, cursor.set_aside), (0, 0));
}

#[test]
fn a_sink_that_refuses_everything_is_not_believed_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(1_000)), Got::default());
    let moods = vec![Mood::Refuses(1); 60];
    let mut life = runner(folder.path(), &log, moods, &got, Limits::default());
    let mut stood = 0;
    for _ in 0..50 {
        match life.step() {
            Ok(_) => assert_eq!(stood, 0),
            Err(fault) => {
                assert!(fault.to_string().contains("refuses every event") && !fault.is_final());
                stood += 1;
            }
        }
    }
    assert!(stood > 30);
    let aside = set_aside(folder.path()).len() as u64;
    assert!((super::REFUSED_IN_A_ROW_MAX..2_000).contains(&aside));
    // Put right, it goes on where it stood.
    while life.step() != Ok(Step::Idle) {}
    let count = crate::event::samples::made(&log.leaves).len() as u64;
    assert_eq!(got.lock().unwrap().len() as u64 + aside, count);
}

#[test]
fn a_cursor_on_another_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(3)), Got::default());
    let mut life = runner(folder.path(), &log, Vec::new(), &got, Limits::default());
    while life.step().unwrap() != Step::Idle {}
    let fault = |log: &Fake| {
        let mut life = runner(folder.path(), log, Vec::new(), &got, Limits::default());
        let fault = life.step().unwrap_err();
        assert!(fault.is_final());
        fault
    };
    let mut renamed = log.clone();
    renamed.name = Arc::new(LogName::new("other.example"));
    assert_eq!(fault(&renamed), RunnerFault::Cursor(CursorFault::OtherLog));
    let mut shorter = log.clone();
    shorter.leaves.pop();
    assert_eq!(
        fault(&shorter),
        RunnerFault::Cursor(CursorFault::OtherEntries(6))
    );
    let mut changed = log.clone();
    changed.leaves[5] = unclean();
    assert_eq!(
        fault(&changed),
        RunnerFault::Cursor(CursorFault::OtherEntries(6))
    );
    std::fs::write(folder.path().join("x.cursor"), "{").unwrap();
    assert_eq!(fault(&log), RunnerFault::Cursor(CursorFault::Form));
}

#[test]
fn the_lag_is_told_while_a_sink_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(3)), Got::default());
    let sink = Moody {
        moods: vec![Mood::Down, Mood::Partly(2)],
        got: Arc::clone(&got),
    };
    let progress = Arc::new(Progress::new("x"));
    let mut life = Runner::new(
        "x",
        folder.path(),
        Box::new(log.clone()),
        Box::new(sink),
        Limits::default(),
        Arc::clone(&progress),
    );
    assert!(life.step().is_err());
    let told = progress.read();
    let begun = log.leaves[0].at_ms();
    assert_eq!((told.lag_entries(), told.oldest_ms), (6, Some(begun)));
    assert_eq!(told.lag_ms(begun + 7_000), 7_000);
    assert_eq!(life.step(), Ok(Step::Partly));
    let told = progress.read();
    assert_eq!((told.next, told.set_aside), (0, 0));
    assert!(told.delivered > 0 && told.oldest_ms.is_some());
    while life.step() != Ok(Step::Idle) {}
    let told = progress.read();
    assert_eq!((told.lag_entries(), told.lag_ms(u64::MAX)), (0, 0));
}

#[test]
fn what_was_pruned_unsent_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, got) = (Fake::of(exchanges(4)), Got::default());
    log.first = 3;
    let mut life = runner(folder.path(), &log, Vec::new(), &got, Limits::default());
    while life.step().unwrap() != Step::Idle {}
    let cursor = Cursor::read(folder.path(), "x").unwrap().unwrap();
    assert_eq!((cursor.next, cursor.pruned), (8, 3));
    assert!(
        got.lock()
            .unwrap()
            .iter()
            .all(|(_, sequence)| *sequence >= 3)
    );
}

#[test]
fn a_new_sink_may_begin_now() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, got) = (Fake::of(exchanges(2)), Got::default());
    let limits = Limits {
        begin: Begin::Now,
        ..Limits::default()
    };
    assert_eq!(
        runner(folder.path(), &log, Vec::new(), &got, limits)
            .step()
            .unwrap(),
        Step::Idle
    );
    log.leaves.push(unclean());
    let mut life = runner(folder.path(), &log, Vec::new(), &got, limits);
    while life.step().unwrap() != Step::Idle {}
    let sequences: Vec<u64> = got.lock().unwrap().iter().map(|(_, at)| *at).collect();
    assert_eq!(sequences, [4]);
}

#[test]
fn what_is_sent_again_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, got) = (Fake::of(exchanges(5)), Got::default());
    let mut life = runner(folder.path(), &log, Vec::new(), &got, Limits::default());
    while life.step().unwrap() != Step::Idle {}
    let first: BTreeMap<String, u64> = got.lock().unwrap().drain(..).collect();
    let mut sink = Moody {
        moods: vec![Mood::Partly(2), Mood::AtMost(1)],
        got: Arc::clone(&got),
    };
    let mut confirmed = 0;
    replay(&mut log, &mut sink, Limits::default(), 0..10, &mut |fate| {
        confirmed += usize::from(*fate == Fate::Confirmed);
    })
    .unwrap();
    let again: BTreeMap<String, u64> = got.lock().unwrap().drain(..).collect();
    assert_eq!(first, again);
    assert_eq!(confirmed, first.len());
}

#[test]
fn a_torn_line_of_what_was_set_aside_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.set-aside.jsonl"), "{\"id\":\"half").unwrap();
    let (log, got) = (Fake::of(exchanges(1)), Got::default());
    let moods = vec![Mood::Refuses(1)];
    let mut life = runner(folder.path(), &log, moods, &got, Limits::default());
    while life.step().unwrap() != Step::Idle {}
    assert_eq!(set_aside(folder.path()).len(), 3);
}

#[test]
fn a_cursor_that_could_not_be_written_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(1)), Got::default());
    let mut life = runner(folder.path(), &log, Vec::new(), &got, Limits::default());
    life.open().unwrap();
    // Nothing can be written to a folder.
    let draft = folder.path().join("x.next");
    std::fs::create_dir(&draft).unwrap();
    for _ in 0..2 {
        assert!(matches!(
            life.step(),
            Err(RunnerFault::Cursor(CursorFault::Io(_)))
        ));
    }
    std::fs::remove_dir(&draft).unwrap();
    assert_eq!(life.step(), Ok(Step::Idle));
    let cursor = Cursor::read(folder.path(), "x").unwrap().unwrap();
    assert_eq!((cursor.next, cursor.delivered), (2, 3));
    assert_eq!(got.lock().unwrap().len(), 3, "nothing is sent twice for it");
}

#[test]
fn the_lag_does_not_flicker_between_two_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(5)), Got::default());
    let limits = Limits {
        batch_entries_max: 2,
        ..Limits::default()
    };
    let mut life = runner(folder.path(), &log, Vec::new(), &got, limits);
    let progress = Arc::clone(&life.progress);
    while life.step().unwrap() != Step::Idle {
        let told = progress.read();
        assert_eq!(told.lag_entries() > 0, told.lag_ms(u64::MAX) > 0);
    }
}

#[test]
fn a_sink_that_wants_everything_again_is_failing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, got) = (Fake::of(exchanges(1)), Got::default());
    let moods = vec![Mood::Partly(1), Mood::Busy];
    let mut life = runner(folder.path(), &log, moods, &got, Limits::default());
    assert!(matches!(life.step(), Err(RunnerFault::Sink(why)) if why.contains("none")));
    let busy = life.step().unwrap_err();
    assert_eq!(
        busy,
        RunnerFault::Busy("busy".to_owned(), std::time::Duration::from_secs(9))
    );
    assert!(!busy.is_final());
    while life.step().unwrap() != Step::Idle {}
}

#[test]
fn what_was_pruned_unsent_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, got) = (Fake::of(exchanges(4)), Got::default());
    let limits = Limits::default();
    runner(folder.path(), &log, vec![Mood::Down], &got, limits)
        .step()
        .unwrap_err();
    log.first = 3;
    let life = runner(folder.path(), &log, Vec::new(), &got, limits);
    let (stop, told) = (Stop::default(), Mutex::new(Vec::new()));
    life.run(&stop, &SeededEntropy::new(1), &|_, what| {
        told.lock().unwrap().push(format!("{what:?}"));
        stop.say();
    });
    assert_eq!(*told.lock().unwrap(), ["Pruned(3)"]);
}
