//! While the disk or whoever holds the tenant's key is slow: what waits is
//! bounded, in memory and in threads.

use std::{
    collections::BTreeMap,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use detect::{Catalogue, Engine};
use ledger::{
    files::MemoryFiles,
    seal::{KEY_BYTES, LocalKey},
};
use policy::{
    ActionTable, ControlPolicy, ControlRule, Policy,
    permission::{self, Permission},
};
use terms::{Control, Entropy, FixedClock, Secret, SeededEntropy};

use super::*;
use crate::VendorClient;

/// A ruling without a detector that finds anything here.
fn ruling() -> Arc<Ruling> {
    let catalogue = Catalogue::embedded().unwrap();
    let controls: BTreeMap<Control, ControlPolicy> = Control::ALL
        .iter()
        .map(|control| {
            let own = catalogue.detectors().iter();
            let own = own.filter(|detector| detector.control == *control);
            let actions = ActionTable::new(
                own.map(|detector| (detector.id.clone(), detector.default_action)),
            );
            let rule = ControlRule::Enforce;
            (*control, ControlPolicy { rule, actions })
        })
        .collect();
    Arc::new(Ruling::new(
        Policy::new(controls).unwrap(),
        Permission::new(permission::DEFAULT).unwrap(),
        Engine::new(catalogue).unwrap(),
        Vec::new(),
        VendorClient::new(Vec::new(), Duration::from_secs(1)).unwrap(),
        [0; 32],
    ))
}

fn sealing(tenant: Arc<dyn Wrap>) -> Arc<Sealing> {
    let captures = Captures::open(
        Arc::new(MemoryFiles::default()),
        "/state/captures".into(),
        0,
        Arc::new(FixedClock::new(5)),
    );
    Arc::new(Sealing::new(captures.unwrap(), tenant, PART_BYTES_MAX))
}

fn begin(sealing: &Arc<Sealing>, number: u8) -> Capture {
    let entropy = SeededEntropy::new(u64::from(number));
    begin_with(sealing, number, Arc::new(entropy))
}

/// Counts how often it is asked.
#[derive(Debug)]
struct Counted(SeededEntropy, Arc<AtomicUsize>);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.fill(buffer);
    }
}

/// Lets every task go as far as it can.
async fn settle() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

fn begin_with(sealing: &Arc<Sealing>, number: u8, entropy: Arc<dyn SharedEntropy>) -> Capture {
    let who = Who {
        key: KeyId::new(&SeededEntropy::new(1)),
        owner: "owner".to_owned(),
        person: [1; 32],
        source: IpAddr::from([127, 0, 0, 1]),
        user_agent: None,
    };
    Capture::begin(
        sealing,
        entropy,
        &CommitmentKey::new(Secret::new([3; KEY_BYTES])),
        ExchangeId::from_bytes([number; 16]),
        CaptureMode::Findings,
        who,
    )
}

/// While there is no room, no more than so many are sealed and wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_sealed_bytes_few_are_sealed() {
    let sealing = sealing(Arc::new(LocalKey::new(Secret::new([9; KEY_BYTES]))));
    // Every byte of the room is taken.
    let room = sealing.captures.room(64 << 20).await.unwrap();
    let (ruling, filled) = (ruling(), Arc::new(AtomicUsize::new(0)));
    let mut keeping = Vec::new();
    for number in 0..40 {
        let entropy = Counted(SeededEntropy::new(u64::from(number)), Arc::clone(&filled));
        let capture = Box::new(begin_with(&sealing, number, Arc::new(entropy)));
        keeping.push(tokio::spawn(capture.keep(
            Arc::clone(&ruling),
            Dialect::OpenAiChat,
            6,
        )));
    }
    // A key and a wrapped key each, and a nonce for both parts of those that
    // are sealed.
    let most = 40 * 2 + AT_ONCE_MAX * 2;
    while filled.load(Ordering::SeqCst) < most {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(filled.load(Ordering::SeqCst), most);
    assert!(keeping.iter().all(|kept| !kept.is_finished()));
    drop(room);
    for kept in keeping {
        kept.await.unwrap().unwrap();
    }
}

/// A key service that does not answer until it is told to.
#[derive(Debug, Default)]
struct Silent {
    asked: AtomicUsize,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Wrap for Silent {
    fn wrap(
        &self,
        _exchange: ExchangeId,
        _key: &RecordKey,
        _entropy: &dyn Entropy,
    ) -> Result<Wrapped, WrapFault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.opened.wait(open).unwrap();
        }
        Wrapped::new(vec![1; 40])
    }

    fn unwrap(&self, _exchange: ExchangeId, _wrapped: &Wrapped) -> Result<RecordKey, WrapFault> {
        Err(WrapFault::Odd)
    }
}

/// A service that does not answer keeps no more threads than these, so that
/// what else needs one goes on.
#[tokio::test(start_paused = true)]
async fn a_silent_key_service_keeps_few_threads_and_the_rest_is_refused() {
    let silent = Arc::new(Silent::default());
    let sealing = sealing(Arc::clone(&silent) as _);
    let mut captures: Vec<Capture> = (0..200).map(|number| begin(&sealing, number)).collect();
    let mut last = captures.split_off(WRAPS_MAX);
    while silent.asked.load(Ordering::SeqCst) < WRAPS_MAX {
        tokio::task::yield_now().await;
    }
    // Time stands still while a thread is kept; all wait for their turn by now.
    settle().await;
    tokio::time::advance(WRAP_TURN_TIME).await;
    settle().await;
    let asked = silent.asked.load(Ordering::SeqCst);
    *silent.open.lock().unwrap() = true;
    silent.opened.notify_all();
    assert_eq!(asked, WRAPS_MAX);
    for capture in &mut last {
        assert!(capture.wrapped().await.is_err(), "its turn did not come");
    }
    for capture in &mut captures {
        assert!(capture.wrapped().await.is_ok());
    }
}
