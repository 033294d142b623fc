//! The log and what is kept beside it, held against each other: what is
//! missing, changed, gone without a word or back is told apart.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{collections::BTreeMap, path::Path, sync::Arc};

use ledger::{
    Ledger, Settings,
    captures::{Audited, Captures, Table, Which, Wish, audit},
    files::{Files, MemoryFiles},
    seal::{LocalKey, RecordKey, Wrap, content},
};
use terms::{
    Act, CaptureMode, CapturePart, Captured, Closed, Digest, Event, ExchangeId, FixedClock,
    Inspected, KeyId, Leaf, Outcome, RECORD_VERSION, RestoreCounts, Secret, SeededEntropy, Timings,
    VendorSeen,
};

const FOLDER: &str = "/state/captures";
const LEDGER: &str = "/state/ledger";

struct Bench {
    files: MemoryFiles,
    captures: Captures,
    ledger: Ledger,
    entropy: SeededEntropy,
}

fn id(number: u8) -> ExchangeId {
    let mut bytes = [number; 16];
    bytes[..6].fill(0);
    ExchangeId::from_bytes(bytes)
}

fn closed(exchange: ExchangeId, sealed: Digest) -> Leaf {
    Leaf::Closed(Box::new(Closed {
        v: RECORD_VERSION,
        exchange,
        at_ms: 7,
        outcome: Outcome::Complete,
        code: None,
        place: None,
        vendor: VendorSeen::default(),
        usage: None,
        reply_bytes: 0,
        body: None,
        edited: false,
        logprobs_removed: false,
        signature_removed: false,
        controls: Vec::new(),
        inspected: Inspected::default(),
        findings: Vec::new(),
        findings_more: 0,
        restored: RestoreCounts::default(),
        captured: Some(Captured {
            mode: CaptureMode::All,
            sealed,
            parts: Vec::new(),
        }),
        timings: Timings::default(),
        rooms: Vec::new(),
    }))
}

impl Bench {
    fn new() -> Self {
        let files = MemoryFiles::default();
        let clock = Arc::new(FixedClock::new(5));
        let settings = Settings {
            folder: LEDGER.into(),
            free_bytes_min: 0,
            ..Settings::default()
        };
        let shared: Arc<dyn Files> = Arc::new(files.clone());
        let opened = Ledger::open(Arc::clone(&shared), settings, Arc::clone(&clock) as _);
        let captures = Captures::open(shared, FOLDER.into(), 1_000, clock);
        Self {
            files,
            captures: captures.unwrap(),
            ledger: opened.unwrap().ledger,
            entropy: SeededEntropy::new(3),
        }
    }

    fn table(&self) -> Table {
        Table::new(Arc::new(self.files.clone()), FOLDER.into())
    }

    /// Keeps content of an exchange; answers what an entry would say.
    async fn keep(&self, number: u8) -> Leaf {
        let (exchange, record) = (id(number), RecordKey::new(&self.entropy));
        let tenant = LocalKey::new(Secret::new([9; 32]));
        let parts: [(CapturePart, &[u8]); 1] = [(CapturePart::Request, &[number; 40])];
        let sealed = content::seal(&record, exchange, &parts, &self.entropy).unwrap();
        let digest = content::digest(&sealed);
        let wish = Wish {
            exchange,
            at_ms: 6,
            key: KeyId::new(&SeededEntropy::new(1)),
            person: [1; 32],
            wrapped: tenant.wrap(exchange, &record, &self.entropy).unwrap(),
            sealed,
        };
        let room = self.captures.room(wish.sealed.len()).await.unwrap();
        self.captures.keep(wish, room).await.unwrap();
        closed(exchange, digest)
    }

    fn erase(&self, number: u8) {
        let mut erasure = self.table().erasure(Which::Exchange(id(number))).unwrap();
        let step = erasure.step(Path::new(LEDGER)).unwrap().unwrap();
        step.told().unwrap();
    }

    async fn tell(&self, leaf: Leaf) {
        self.ledger.append(leaf).await.unwrap();
    }

    async fn tell_erased(&self, number: u8) {
        let event = Event {
            v: RECORD_VERSION,
            at_ms: 8,
            act: Act::Erased,
            by: "node".to_owned(),
            subject: id(number).to_string(),
            facts: BTreeMap::new(),
        };
        self.tell(Leaf::Event(event)).await;
    }

    fn audit(&self) -> Audited {
        audit(
            Arc::new(self.files.clone()),
            Path::new(LEDGER),
            &self.table(),
        )
        .unwrap()
    }

    fn file(&self, end: &str) -> std::path::PathBuf {
        let names = self.files.list(Path::new(FOLDER)).unwrap();
        let name = names.iter().find(|name| name.ends_with(end)).unwrap();
        Path::new(FOLDER).join(name)
    }
}

#[tokio::test]
async fn what_is_as_the_log_says_is_sound() {
    let bench = Bench::new();
    assert_eq!(bench.audit(), Audited::default());
    for number in 1..4 {
        let leaf = bench.keep(number).await;
        bench.tell(leaf).await;
    }
    bench.erase(2);
    bench.tell_erased(2).await;
    let audited = bench.audit();
    assert_eq!((audited.sealed, audited.erased), (2, 1));
    assert!(audited.is_sound() && audited.unnamed == 0 && audited.damaged == 0);
}

#[tokio::test]
async fn a_crash_before_the_entry_leaves_a_key_without_a_name() {
    let bench = Bench::new();
    bench.keep(1).await;
    let audited = bench.audit();
    assert_eq!(audited.unnamed, 1);
    assert!(audited.is_sound(), "it is told, and is no fault");
}

#[tokio::test]
async fn what_is_missing_changed_untold_or_back_is_told_apart() {
    let bench = Bench::new();
    let before = {
        for number in 1..5 {
            let leaf = bench.keep(number).await;
            bench.tell(leaf).await;
        }
        bench.files.read(&bench.file(".keys")).unwrap()
    };
    // 1: nothing kept of it. 2: another text. 3: erased past the log. 4:
    // erased, and the old table put back.
    bench.tell(closed(id(9), Digest([1; 32]))).await;
    let sealed = bench.file(".sealed");
    let whole = bench.files.read(&sealed).unwrap();
    bench.files.flip(&sealed, whole.len() / 4 + 50, 1);
    bench.erase(3);
    bench.erase(4);
    bench.tell_erased(4).await;
    assert!(bench.audit().back.is_empty(), "the negative control");
    let mut table = bench.files.read(&bench.file(".keys")).unwrap();
    table[3 * 512..].copy_from_slice(&before[3 * 512..]);
    bench.files.put_file(&bench.file(".keys"), &table);
    let audited = bench.audit();
    assert_eq!(audited.missing, [id(9)]);
    assert_eq!(audited.changed, [id(2)]);
    assert_eq!(audited.untold, [id(3)]);
    assert_eq!(audited.back, [id(4)]);
    assert_eq!((audited.sealed, audited.erased), (1, 0));
    assert!(!audited.is_sound());
    // A table that was cut inside a slot.
    bench.files.cut_file(&bench.file(".keys"), 3 * 512 + 100);
    let audited = bench.audit();
    assert_eq!((audited.damaged, audited.erased), (1, 1));
}

/// The key is gone and the power went before the log was told: the list says
/// so, and the next start tells it.
#[tokio::test]
async fn what_is_being_erased_is_no_fault() {
    let bench = Bench::new();
    let leaf = bench.keep(1).await;
    bench.tell(leaf).await;
    let mut erasure = bench.table().erasure(Which::Exchange(id(1))).unwrap();
    drop(erasure.step(Path::new(LEDGER)).unwrap().unwrap());
    let audited = bench.audit();
    assert!(audited.is_sound());
    assert_eq!(audited.erased, 1);
}
