use std::{future::Future, pin::pin, task::Poll};

use ledger::{
    Ledger, Settings,
    captures::{Captures, Wish},
    commit::CommitmentKey,
    seal::{LocalKey, RecordKey, WrapFault, Wrapped, content},
};
use store::Store;
use terms::{
    CaptureMode, CapturedPart, Closed, Entropy, Inspected, KeyId, Outcome, RECORD_VERSION,
    RestoreCounts, SeededEntropy, Timings, VendorSeen,
};

use super::*;
use crate::source::SystemClock;

struct Bench {
    _folder: tempfile::TempDir,
    places: Places,
    captures: Captures,
    admin: Admin,
    entropy: SeededEntropy,
}

fn id(number: u8) -> ExchangeId {
    ExchangeId::from_bytes([number; 16])
}

fn key() -> KeyId {
    KeyId::new(&SeededEntropy::new(1))
}

fn tenant() -> LocalKey {
    LocalKey::new(Secret::new([9; 32]))
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            ledger: folder.path().join("ledger"),
            captures: folder.path().join("captures"),
        };
        std::fs::create_dir(&places.ledger).unwrap();
        let clock = Arc::new(SystemClock::start());
        let settings = Settings {
            folder: places.ledger.clone(),
            free_bytes_min: 0,
            ..Settings::default()
        };
        let opened = Ledger::open(Arc::new(DiskFiles), settings, Arc::clone(&clock) as _);
        let captures = Captures::open(
            Arc::new(DiskFiles),
            places.captures.clone(),
            0,
            Arc::clone(&clock) as _,
        );
        Self {
            _folder: folder,
            captures: captures.unwrap(),
            admin: Admin {
                store: Arc::new(Store::in_memory().await.unwrap()),
                ledger: opened.unwrap().ledger,
                commitments: CommitmentKey::new(Secret::new([3; 32])),
                clock,
                retention: tokio::sync::Mutex::default(),
            },
            places,
            entropy: SeededEntropy::new(3),
        }
    }

    /// Keeps content of an exchange, and tells the log.
    async fn keep(&self, number: u8) -> Captured {
        let (exchange, record) = (id(number), RecordKey::new(&self.entropy));
        let text: &[u8] = &[b'a' + number; 40];
        let sealed = content::seal(
            &record,
            exchange,
            &[(CapturePart::Request, text)],
            &self.entropy,
        );
        let sealed = sealed.unwrap();
        let context = seal::Context::part(exchange, CapturePart::Request);
        let captured = Captured {
            mode: CaptureMode::All,
            sealed: content::digest(&sealed),
            parts: vec![CapturedPart {
                part: CapturePart::Request,
                bytes: 40,
                commitment: Some(record.commit(&context, text)),
                masked: 0,
                left_out: None,
            }],
        };
        let wish = Wish {
            exchange,
            at_ms: 6,
            key: key(),
            person: [1; 32],
            wrapped: tenant().wrap(exchange, &record, &self.entropy).unwrap(),
            sealed,
        };
        let room = self.captures.room(wish.sealed.len()).await.unwrap();
        self.captures.keep(wish, room).await.unwrap();
        let leaf = closed(exchange, captured.clone());
        self.admin.ledger.append(leaf).await.unwrap();
        captured
    }

    async fn erase(&self, number: u8) -> anyhow::Result<Answer> {
        let what = EraseWhat::Exchange(id(number));
        self.admin.erase(&self.places, what, "why", "node").await
    }

    /// Exchanges that the log says were erased.
    fn told(&self) -> Vec<String> {
        let mut reader = Reader::new(Arc::new(DiskFiles), &self.places.ledger);
        let mut told = Vec::new();
        while let Some(entry) = reader.read_next().unwrap() {
            if let Leaf::Event(event) = entry.leaf
                && event.act == Act::Erased
            {
                told.push(event.subject);
            }
        }
        told
    }
}

fn closed(exchange: ExchangeId, captured: Captured) -> Leaf {
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
        captured: Some(captured),
        timings: Timings::default(),
        rooms: Vec::new(),
    }))
}

/// A tenant's key that is far away: the content is erased while it is asked.
#[derive(Debug)]
struct Slow {
    table: Table,
    ledger: PathBuf,
}

impl Wrap for Slow {
    fn wrap(
        &self,
        exchange: ExchangeId,
        key: &RecordKey,
        entropy: &dyn Entropy,
    ) -> Result<Wrapped, WrapFault> {
        tenant().wrap(exchange, key, entropy)
    }

    fn unwrap(&self, exchange: ExchangeId, wrapped: &Wrapped) -> Result<RecordKey, WrapFault> {
        let erasure = self.table.erasure(Which::Exchange(exchange));
        let step = erasure.unwrap().step(&self.ledger).unwrap();
        step.unwrap().told().unwrap();
        tenant().unwrap(exchange, wrapped)
    }
}

#[tokio::test]
async fn what_is_erased_while_it_is_being_shown_is_not_shown() {
    let bench = Bench::new().await;
    let captured = bench.keep(1).await;
    let table = bench.places.table();
    let (found, _) = look(&table, &bench.places.ledger, id(1)).unwrap();
    let opened = |tenant: &dyn Wrap| {
        let all = BTreeSet::new();
        open(&table, tenant, &found, captured.clone(), id(1), &all)
    };
    assert_eq!(opened(&tenant()).unwrap().parts.len(), 1);
    let slow = Slow {
        table: table.clone(),
        ledger: bench.places.ledger.clone(),
    };
    let refused = opened(&slow).unwrap_err().to_string();
    assert!(refused.contains("destroyed just now"), "{refused}");
    // The copy of the wrapped key that was read before opens nothing either.
    let refused = opened(&tenant()).unwrap_err().to_string();
    assert!(refused.contains("destroyed just now"), "{refused}");
}

#[tokio::test]
async fn a_key_that_was_put_back_after_its_erasure_opens_nothing() {
    let bench = Bench::new().await;
    bench.keep(1).await;
    let names = std::fs::read_dir(&bench.places.captures).unwrap();
    let mut paths = names.map(|entry| entry.unwrap().path());
    let keys = paths.find(|path| path.extension().is_some_and(|end| end == "keys"));
    let keys = keys.unwrap();
    let copy = std::fs::read(&keys).unwrap();
    bench.erase(1).await.unwrap();
    std::fs::write(&keys, copy).unwrap();
    let table = bench.places.table();
    let refused = look(&table, &bench.places.ledger, id(1)).unwrap_err();
    assert!(refused.to_string().contains("put a copy back"), "{refused}");
    bench.erase(1).await.unwrap();
    assert!(table.find(id(1)).unwrap().unwrap().slot.held.is_none());
}

/// A write failed and the process lived on: the next erasure tells of both.
#[tokio::test]
async fn what_an_erasure_that_broke_off_destroyed_is_told_by_the_next() {
    let bench = Bench::new().await;
    for number in 1..4 {
        bench.keep(number).await;
    }
    let erasure = bench.places.table().erasure(Which::Exchange(id(1)));
    // Destroyed, and not told.
    drop(erasure.unwrap().step(&bench.places.ledger).unwrap());
    assert!(bench.told().is_empty());
    bench.erase(2).await.unwrap();
    assert_eq!(bench.told(), [id(1).to_string(), id(2).to_string()]);
    assert!(pending(&bench.places.table()).unwrap().is_none());
}

/// Nothing is pruned while a hold is being set.
#[tokio::test]
async fn pruning_waits_for_its_turn() {
    let bench = Bench::new().await;
    let turn = bench.admin.retention.lock().await;
    let mut prune = pin!(
        bench
            .admin
            .prune(&bench.places.ledger, 1, &[], false, "node")
    );
    let asked = std::future::poll_fn(|context| {
        let polled = prune.as_mut().poll(context);
        Poll::Ready(polled.is_ready())
    });
    assert!(!asked.await);
    drop(turn);
    // Nothing publishes this log: it is refused now, and not before.
    assert!(prune.await.is_err());
}

/// A tenant's key that notes whether it was asked.
#[derive(Debug, Default)]
struct Noting(std::sync::atomic::AtomicBool);

impl Wrap for Noting {
    fn wrap(
        &self,
        exchange: ExchangeId,
        key: &RecordKey,
        entropy: &dyn Entropy,
    ) -> Result<Wrapped, WrapFault> {
        tenant().wrap(exchange, key, entropy)
    }

    fn unwrap(&self, exchange: ExchangeId, wrapped: &Wrapped) -> Result<RecordKey, WrapFault> {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        tenant().unwrap(exchange, wrapped)
    }
}

#[tokio::test]
async fn what_the_log_cannot_be_told_of_is_not_opened() {
    let bench = Bench::new().await;
    bench.keep(1).await;
    let noting = Arc::new(Noting::default());
    let reveal = || {
        let wish = RevealWish {
            exchange: id(1),
            parts: BTreeSet::new(),
            reason: "why".to_owned(),
            key: None,
        };
        let tenant = Arc::clone(&noting) as Arc<dyn Wrap>;
        bench.admin.reveal(&bench.places, tenant, wish, "node")
    };
    assert!(matches!(reveal().await.unwrap(), Answer::Revealed(_)));
    assert!(noting.0.swap(false, std::sync::atomic::Ordering::SeqCst));
    bench.admin.ledger.clone().close().await.unwrap();
    assert!(reveal().await.is_err());
    assert!(!noting.0.load(std::sync::atomic::Ordering::SeqCst));
}
