//! Captures on a simulated disk: what was acknowledged is there after a power
//! failure, and what was erased is nowhere.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ledger::{
    captures::{CaptureFault, Captures, Erasing, SLOT_BYTES, Table, Which, Wish, pending},
    files::{Fault, Files, MemoryFiles},
    prune,
    seal::{Content, LocalKey, RecordKey, Wrap, content},
};
use terms::{CapturePart, ExchangeId, FixedClock, KeyId, Secret, SeededEntropy};

const FOLDER: &str = "/state/captures";
const LEDGER: &str = "/state/ledger";

struct Bench {
    files: MemoryFiles,
    captures: Captures,
    entropy: SeededEntropy,
    tenant: LocalKey,
}

impl Bench {
    fn new() -> Self {
        Self::on(MemoryFiles::default())
    }

    fn on(files: MemoryFiles) -> Self {
        let captures = Captures::open(
            Arc::new(files.clone()),
            FOLDER.into(),
            1_000,
            Arc::new(FixedClock::new(5)),
        );
        Self {
            files,
            captures: captures.unwrap(),
            entropy: SeededEntropy::new(3),
            tenant: LocalKey::new(Secret::new([9; 32])),
        }
    }

    fn wish(&self, number: u8, key: &KeyId, person: u8) -> Wish {
        let exchange = id(number);
        let record = RecordKey::new(&self.entropy);
        let parts: [(CapturePart, &[u8]); 1] = [(CapturePart::Request, &[number; 40])];
        Wish {
            exchange,
            at_ms: 6,
            key: key.clone(),
            person: [person; 32],
            wrapped: self.tenant.wrap(exchange, &record, &self.entropy).unwrap(),
            sealed: content::seal(&record, exchange, &parts, &self.entropy).unwrap(),
        }
    }

    async fn keep(&self, wish: Wish) -> Result<Vec<u8>, CaptureFault> {
        let wrapped = wish.wrapped.as_bytes().to_vec();
        let room = self.captures.room(wish.sealed.len()).await?;
        self.captures.keep(wish, room).await.map(|()| wrapped)
    }

    /// Whether these bytes stand in any file.
    fn stands(&self, bytes: &[u8]) -> bool {
        let folder = Path::new(FOLDER);
        let names = self.files.list(folder).unwrap();
        let has = |name: &String| {
            let content = self.files.read(&folder.join(name)).unwrap();
            content.windows(bytes.len()).any(|window| window == bytes)
        };
        names.iter().any(has)
    }

    fn table(&self) -> Table {
        Table::new(Arc::new(self.files.clone()), FOLDER.into())
    }

    /// What opens of an exchange.
    fn opens(&self, number: u8) -> Option<Vec<u8>> {
        let table = self.table();
        let found = table.find(id(number)).unwrap()?;
        let sealed = table.sealed(&found).unwrap();
        let wrapped = found.slot.held?.wrapped;
        let key = self.tenant.unwrap(id(number), &wrapped).unwrap();
        let content = Content::read(&sealed).unwrap();
        let text = content
            .open(&key, id(number), CapturePart::Request)
            .unwrap()?;
        Some(text.reveal().clone())
    }
}

/// The first step of an erasure.
fn step(table: &Table, which: Which) -> Result<Option<Erasing>, CaptureFault> {
    table.erasure(which)?.step(Path::new(LEDGER))
}

/// What a power failure leaves of a disk.
fn crashed(files: &MemoryFiles, seed: u64) -> MemoryFiles {
    let left = files.copy();
    left.fail(None);
    left.crash_pages(&SeededEntropy::new(seed));
    left
}

fn id(number: u8) -> ExchangeId {
    let mut bytes = [number; 16];
    bytes[..6].fill(0);
    ExchangeId::from_bytes(bytes)
}

fn key(seed: u64) -> KeyId {
    KeyId::new(&SeededEntropy::new(seed))
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_power_failure() {
    let bench = Bench::new();
    for number in 1..20 {
        bench.keep(bench.wish(number, &key(1), 1)).await.unwrap();
    }
    let after = Bench::on(crashed(&bench.files, u64::from(1_u8)));
    for number in 1..20 {
        assert_eq!(after.opens(number).unwrap(), vec![number; 40]);
    }
    assert_eq!(after.opens(20), None);
    // A second start has files of its own.
    after.keep(after.wish(20, &key(1), 1)).await.unwrap();
    assert!(after.opens(20).is_some() && after.opens(1).is_some());
}

#[tokio::test]
async fn what_is_erased_is_nowhere_and_the_rest_stays() {
    let bench = Bench::new();
    let mut wrapped = Vec::new();
    for (number, (owner, person)) in [(1, 1), (1, 2), (2, 1), (2, 2)].into_iter().enumerate() {
        let wish = bench.wish(u8::try_from(number).unwrap(), &key(owner), person);
        wrapped.push(bench.keep(wish).await.unwrap());
    }
    assert!(wrapped.iter().all(|wrapped| bench.stands(wrapped)));
    let erase = |which: Which| {
        let step = step(&bench.table(), which).unwrap();
        step.map_or_else(Vec::new, |step| {
            let gone = step.gone.clone();
            step.told().unwrap();
            gone
        })
    };
    assert_eq!(erase(Which::Exchange(id(0))), [id(0)]);
    assert_eq!(erase(Which::Exchange(id(0))), []);
    assert!(!bench.stands(&wrapped[0]) && bench.stands(&wrapped[1]));
    assert_eq!(bench.opens(0), None);
    assert!(
        bench.table().find(id(0)).unwrap().is_some(),
        "its place stays"
    );
    assert_eq!(erase(Which::Key(key(1))), [id(1)]);
    assert_eq!(erase(Which::Person([1; 32])), [id(2)]);
    assert_eq!(bench.opens(3).unwrap(), vec![3; 40]);
    assert!(!bench.stands(&wrapped[1]) && !bench.stands(&wrapped[2]));
    // Gone from what a power failure leaves, too.
    let after = Bench::on(crashed(&bench.files, u64::from(2_u8)));
    assert!(!after.stands(&wrapped[0]) && after.stands(&wrapped[3]));
}

#[tokio::test]
async fn a_hold_stops_erasure() {
    let bench = Bench::new();
    bench.keep(bench.wish(1, &key(1), 1)).await.unwrap();
    let ledger = Path::new(LEDGER);
    prune::hold(&bench.files, ledger, "case").unwrap();
    let which = Which::Exchange(id(1));
    assert_eq!(
        step(&bench.table(), which.clone()).unwrap_err(),
        CaptureFault::Held
    );
    assert!(bench.opens(1).is_some());
    prune::lift(&bench.files, ledger).unwrap();
    let step = step(&bench.table(), which).unwrap();
    step.unwrap().told().unwrap();
    assert_eq!(bench.opens(1), None);
}

/// The power goes at each change: afterwards each key is there, or it is gone
/// and the log is told of it when the next process goes on.
#[tokio::test]
async fn an_erasure_that_broke_off_is_finished_and_told() {
    let ledger = Path::new(LEDGER);
    let mut finished = 0;
    for cut in 1..20 {
        let bench = Bench::new();
        for number in 1..4 {
            bench.keep(bench.wish(number, &key(1), 1)).await.unwrap();
        }
        bench.files.fail(Some(Fault::Power(cut)));
        let which = Which::Key(key(1));
        let broke = match step(&bench.table(), which) {
            Ok(step) => step.unwrap().told().is_err(),
            Err(_) => true,
        };
        finished += u32::from(!broke);
        let after = Bench::on(crashed(&bench.files, cut));
        let gone = (1..4).filter(|number| after.opens(*number).is_none());
        let gone = gone.count();
        match pending(&after.table()).unwrap() {
            None => assert!(gone == 0 && broke || gone == 3, "{cut}: {gone}"),
            Some(left) => {
                let step = left.resume(ledger).unwrap();
                assert_eq!(step.gone, [id(1), id(2), id(3)]);
                step.told().unwrap();
                assert!((1..4).all(|number| after.opens(number).is_none()));
                assert!(pending(&after.table()).unwrap().is_none());
            }
        }
    }
    assert!(finished > 0 && finished < 19);
}

#[tokio::test]
async fn under_a_hold_only_what_is_gone_counts() {
    let bench = Bench::new();
    for number in 1..3 {
        bench.keep(bench.wish(number, &key(1), 1)).await.unwrap();
    }
    let ledger = Path::new(LEDGER);
    // The list, then one key: the second one is not reached.
    drop(step(&bench.table(), Which::Exchange(id(1))).unwrap());
    let path = Path::new(FOLDER).join("erasing");
    let first = String::from_utf8(bench.files.read(&path).unwrap()).unwrap();
    assert!(
        first.ends_with(" 0\n"),
        "its place stands there too: {first}"
    );
    let second = first.replace(&id(1).to_string(), &id(2).to_string());
    let list = format!("{first}{}", second.replace(" 0\n", " 512\n"));
    bench.files.put_file(&path, list.as_bytes());
    prune::hold(&bench.files, ledger, "case").unwrap();
    let step = pending(&bench.table())
        .unwrap()
        .unwrap()
        .resume(ledger)
        .unwrap();
    assert_eq!(step.gone, [id(1)]);
    assert!(bench.opens(2).is_some());
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_kept() {
    for fault in [
        Fault::Sync(1),
        Fault::Sync(2),
        Fault::ShortWrite(1),
        Fault::ShortWrite(2),
    ] {
        let bench = Bench::new();
        bench.keep(bench.wish(1, &key(1), 1)).await.unwrap();
        bench.files.fail(Some(fault));
        let failed = bench.keep(bench.wish(2, &key(1), 1)).await;
        assert!(matches!(failed, Err(CaptureFault::Io(_))), "{fault:?}");
        bench.files.fail(None);
        let later = bench.keep(bench.wish(3, &key(1), 1)).await;
        assert_eq!(later, Err(CaptureFault::Failed));
        assert_eq!(bench.captures.ready(), Err(CaptureFault::Failed));
        let after = Bench::on(crashed(&bench.files, u64::from(4_u8)));
        assert!(after.opens(1).is_some());
        assert_eq!(after.opens(3), None);
    }
}

#[tokio::test]
async fn too_little_space_is_no_failure() {
    let bench = Bench::new();
    bench.keep(bench.wish(1, &key(1), 1)).await.unwrap();
    bench.files.fail(Some(Fault::Space(900)));
    assert_eq!(bench.captures.ready(), Err(CaptureFault::Full));
    let full = bench.keep(bench.wish(2, &key(1), 1)).await;
    assert_eq!(full, Err(CaptureFault::Full));
    bench.files.fail(None);
    bench.keep(bench.wish(3, &key(1), 1)).await.unwrap();
    assert!(bench.opens(3).is_some() && bench.opens(2).is_none());
}

/// Name of the only table, and where its `number`th slot begins.
fn slot(bench: &Bench, number: usize) -> (PathBuf, usize) {
    let mut names = bench.files.list(Path::new(FOLDER)).unwrap().into_iter();
    let name = names.find(|name| name.ends_with(".keys")).unwrap();
    (Path::new(FOLDER).join(name), number * SLOT_BYTES)
}

/// A copy of the table that somebody put beside it is erased too, and so is
/// what a bad disk or a cut write left of a slot.
#[tokio::test]
async fn no_copy_and_no_damaged_slot_keeps_a_key() {
    let bench = Bench::new();
    let mut wrapped = Vec::new();
    for number in 0..6 {
        wrapped.push(bench.keep(bench.wish(number, &key(1), 1)).await.unwrap());
    }
    let (path, _) = slot(&bench, 0);
    let whole = bench.files.read(&path).unwrap();
    let copy = Path::new(FOLDER).join("0000000000000009-000.keys");
    // The copy ends inside the last slot, with most of its wrapped key.
    bench.files.put_file(&copy, &whole[..whole.len() - 300]);
    for number in 0..6 {
        // A byte of the wrapped key, of the time, of the zeroes at the end.
        let at = [100, 30, 500][number % 3];
        bench.files.flip(&path, slot(&bench, number).1 + at, 1);
        assert_eq!(
            bench
                .table()
                .find(id(u8::try_from(number).unwrap()))
                .unwrap()
                .is_some(),
            number < 5
        );
    }
    let beginning = |number: usize| wrapped[number][..40].to_vec();
    let erase = |which: Which| {
        let mut erasure = bench.table().erasure(which).unwrap();
        let mut gone = 0;
        while let Some(step) = erasure.step(Path::new(LEDGER)).unwrap() {
            gone += step.gone.len();
            step.told().unwrap();
        }
        gone
    };
    assert!((0..6).all(|number| bench.stands(&beginning(number))));
    assert_eq!(erase(Which::Exchange(id(1))), 2, "in both tables");
    assert!(!bench.stands(&beginning(1)) && bench.stands(&beginning(2)));
    assert_eq!(erase(Which::Person([2; 32])), 0);
    assert_eq!(erase(Which::Person([1; 32])), 10);
    assert!((0..6).all(|number| !bench.stands(&beginning(number))));
    assert_eq!(erase(Which::Key(key(1))), 0);
}

/// A slot that was half overwritten when the power went is finished.
#[tokio::test]
async fn a_slot_that_was_cut_off_in_the_middle_is_finished() {
    let bench = Bench::new();
    let wrapped = bench.keep(bench.wish(1, &key(1), 1)).await.unwrap();
    let (path, _) = slot(&bench, 0);
    let before = bench.files.read(&path).unwrap();
    drop(step(&bench.table(), Which::Exchange(id(1))).unwrap());
    let mut torn = bench.files.read(&path).unwrap();
    torn[100..].copy_from_slice(&before[100..]);
    bench.files.put_file(&path, &torn);
    assert!(bench.stands(&wrapped[8..]), "the key is there still");
    let step = pending(&bench.table()).unwrap().unwrap();
    let step = step.resume(Path::new(LEDGER)).unwrap();
    assert_eq!(step.gone, [id(1)]);
    step.told().unwrap();
    assert!(!bench.stands(&wrapped[8..]));
}

/// What is kept after an erasure began is not reached, so that one of a busy
/// key ends.
#[tokio::test]
async fn an_erasure_ends_while_the_key_goes_on_calling() {
    let bench = Bench::new();
    bench.keep(bench.wish(1, &key(1), 1)).await.unwrap();
    let mut erasure = bench.table().erasure(Which::Key(key(1))).unwrap();
    let mut gone = 0;
    for number in 2..20 {
        bench.keep(bench.wish(number, &key(1), 1)).await.unwrap();
        let Some(step) = erasure.step(Path::new(LEDGER)).unwrap() else {
            break;
        };
        gone += step.gone.len();
        step.told().unwrap();
    }
    assert_eq!(gone, 1);
    assert!(bench.opens(1).is_none() && bench.opens(2).is_some());
}

/// A hold that is set between two keys of one step keeps the second.
#[tokio::test]
async fn a_hold_is_obeyed_from_the_next_key_on() {
    let bench = Bench::new();
    for number in 1..4 {
        bench.keep(bench.wish(number, &key(1), 1)).await.unwrap();
    }
    let erasing = bench.table();
    // The list takes six changes; the seventh is the first key.
    bench.files.fail(Some(Fault::Power(8)));
    let which = Which::Key(key(1));
    assert!(step(&erasing, which.clone()).is_err());
    bench.files.fail(None);
    assert_eq!(
        (1..4)
            .filter(|number| bench.opens(*number).is_none())
            .count(),
        1
    );
    prune::hold(&bench.files, Path::new(LEDGER), "case").unwrap();
    let left = pending(&erasing).unwrap().unwrap();
    let done = left.resume(Path::new(LEDGER)).unwrap();
    assert_eq!(done.gone, [id(1)], "told, and nothing else destroyed");
    done.told().unwrap();
    assert_eq!(step(&erasing, which).unwrap_err(), CaptureFault::Held);
    assert!(bench.opens(2).is_some() && bench.opens(3).is_some());
}

#[tokio::test]
async fn what_was_found_is_known_to_be_held_only_while_it_is() {
    let bench = Bench::new();
    bench.keep(bench.wish(1, &key(1), 1)).await.unwrap();
    let table = bench.table();
    let found = table.find(id(1)).unwrap().unwrap();
    assert!(table.is_held(&found).unwrap());
    let gone = step(&table, Which::Exchange(id(1))).unwrap().unwrap();
    assert!(!table.is_held(&found).unwrap(), "before it is told");
    gone.told().unwrap();
    assert!(!table.is_held(&found).unwrap());
}
