//! Witnesses: what is sent to them, what of their answers is kept, and what
//! their refusals mean. The witness here keeps the rules of the protocol; the
//! black-box tests ask a real one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::{
    io,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use common::{checkpoint, close, event, key, open_with, publishing, tlog, write};
use ledger::{
    Opened, Publication,
    files::{Files, MemoryFiles},
    merkle::proves_growth,
    note::{Checkpoint, LogKey, Note},
    publish::{CHECKPOINT, WITNESSED},
    witness::{Call, Witness, WitnessFault, feed},
};
use terms::{Digest, Secret};

/// A witness for one log.
#[derive(Clone)]
struct Double {
    key: LogKey,
    seen: Arc<Mutex<Option<Checkpoint>>>,
    /// What it answers in place of the right thing.
    instead: Option<(u16, Vec<u8>)>,
}

impl Double {
    fn new(seed: u8) -> Self {
        Self {
            key: LogKey::new("witness.example/w", Secret::new([seed; 32])).unwrap(),
            seen: Arc::default(),
            instead: None,
        }
    }

    fn witness(&self) -> Witness {
        Witness::new(self.key.as_witness(), Box::new(self.clone()))
    }
}

impl Call for Double {
    fn add_checkpoint(&self, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        if let Some(instead) = &self.instead {
            return Ok(instead.clone());
        }
        let text = std::str::from_utf8(body).unwrap();
        let (head, note) = text.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old: u64 = lines
            .next()
            .unwrap()
            .strip_prefix("old ")
            .unwrap()
            .parse()
            .unwrap();
        let proof: Vec<Digest> = lines
            .map(|line| Digest(STANDARD.decode(line).unwrap().try_into().unwrap()))
            .collect();
        let (new, note) = Checkpoint::verified(note.as_bytes(), key().verifier()).unwrap();
        let mut seen = self.seen.lock().unwrap();
        let at = seen.as_ref().map_or(0, |seen| seen.size);
        if old != at {
            return Ok((409, format!("{at}\n").into_bytes()));
        }
        let grew = match &*seen {
            Some(was) => proves_growth(&proof, (was.size, was.root), (new.size, new.root)),
            None => proof.is_empty(),
        };
        if !grew {
            return Ok((422, Vec::new()));
        }
        *seen = Some(new);
        drop(seen);
        Ok((
            200,
            self.key
                .cosign(&note.text, 1_700_000_000)
                .line()
                .into_bytes(),
        ))
    }
}

/// A node whose checkpoint covers so many entries.
fn node(files: &MemoryFiles, numbers: std::ops::Range<u64>) -> (Opened, Publication) {
    let opened = open_with(files, publishing(20_000)).unwrap();
    for number in numbers {
        opened.ledger.append_blocking(event(number)).unwrap();
    }
    close(opened);
    let opened = open_with(files, publishing(20_000)).unwrap();
    let published = opened.ledger.publication().unwrap().clone();
    (opened, published)
}

fn stored(files: &MemoryFiles, name: &str) -> Note {
    Note::read(&files.read(&tlog().join(name)).unwrap()).unwrap()
}

#[test]
fn a_checkpoint_is_cosigned_and_the_lines_are_kept() {
    let files = MemoryFiles::default();
    let (one, other) = (Double::new(3), Double::new(4));
    let (opened, published) = node(&files, 0..300);
    assert!(published.now().unwitnessed_since_ms.is_some());
    let mut witnesses = [one.witness(), other.witness()];
    assert_eq!(feed(&mut witnesses, &published), (2, Vec::new()));
    let now = published.now();
    assert_eq!((now.witnessed, now.unwitnessed_since_ms), (300, None));
    for name in [CHECKPOINT, WITNESSED] {
        let note = stored(&files, name);
        note.verify(&one.key.as_witness()).unwrap();
        note.verify(&other.key.as_witness()).unwrap();
        note.verify(key().verifier()).unwrap();
    }
    // Asked again, the lines are renewed and not doubled.
    assert_eq!(feed(&mut witnesses, &published), (2, Vec::new()));
    assert_eq!(stored(&files, CHECKPOINT).signatures.len(), 3);
    close(opened);
    // It grows; a node that does not know how far the witness is asks it.
    let (_opened, published) = node(&files, 300..700);
    let now = published.now();
    assert_eq!((now.size, now.witnessed), (700, 300));
    assert!(now.unwitnessed_since_ms.is_some());
    assert_eq!(stored(&files, CHECKPOINT).signatures.len(), 1);
    assert_eq!(feed(&mut [one.witness()], &published), (1, Vec::new()));
    assert_eq!(published.now().witnessed, 700);
    assert_eq!(stored(&files, WITNESSED).signatures.len(), 2);
    assert_eq!(one.seen.lock().unwrap().as_ref(), Some(&checkpoint(&files)));
}

#[test]
fn a_log_that_is_not_the_one_that_was_cosigned_is_told() {
    let witness = Double::new(3);
    let files = MemoryFiles::default();
    let (_opened, published) = node(&files, 0..50);
    assert_eq!(feed(&mut [witness.witness()], &published).0, 1);
    let fault = |numbers| {
        let files = MemoryFiles::default();
        let (_opened, published) = node(&files, numbers);
        let (cosigned, mut faults) = feed(&mut [witness.witness()], &published);
        assert_eq!(cosigned, 0);
        assert!(files.read(&tlog().join(WITNESSED)).is_err());
        assert!(published.now().unwitnessed_since_ms.is_some());
        faults.remove(0).1
    };
    // The other branch, longer, as long, and shorter.
    assert_eq!(fault(100..180), WitnessFault::Forked(50));
    assert_eq!(fault(100..150), WitnessFault::Forked(50));
    let ahead = WitnessFault::Ahead {
        theirs: 50,
        ours: 40,
    };
    assert!(ahead.is_grave());
    assert_eq!(fault(0..40), ahead);
}

#[test]
fn only_a_line_of_the_witness_over_this_checkpoint_counts() {
    let files = MemoryFiles::default();
    let (_opened, published) = node(&files, 0..5);
    let text = stored(&files, CHECKPOINT).text;
    let right = Double::new(3);
    let cases: [(u16, Vec<u8>, WitnessFault); 9] = [
        (200, Vec::new(), WitnessFault::Answer),
        (200, vec![0xff, 0xfe], WitnessFault::Answer),
        (200, b"ok\n".to_vec(), WitnessFault::Answer),
        (
            200,
            Double::new(4).key.cosign(&text, 1).line().into_bytes(),
            WitnessFault::Answer,
        ),
        (
            200,
            right.key.cosign("other\n", 1).line().into_bytes(),
            WitnessFault::Answer,
        ),
        (
            200,
            right.key.sign(&text).line().into_bytes(),
            WitnessFault::Answer,
        ),
        (404, Vec::new(), WitnessFault::Unknown(404)),
        (409, b"a\n".to_vec(), WitnessFault::Refused(409)),
        (503, Vec::new(), WitnessFault::Refused(503)),
    ];
    for (status, body, fault) in cases {
        let double = Double {
            instead: Some((status, body)),
            ..right.clone()
        };
        let (cosigned, faults) = feed(&mut [double.witness()], &published);
        assert_eq!((cosigned, &faults[0].1), (0, &fault));
    }
    // One that never agrees how far it is is not asked for ever.
    let stubborn = Double {
        instead: Some((409, b"3\n".to_vec())),
        ..right
    };
    let (_, faults) = feed(&mut [stubborn.witness()], &published);
    assert_eq!(faults[0].1, WitnessFault::Refused(409));
}

#[test]
fn an_empty_log_is_shown_to_nobody() {
    let files = MemoryFiles::default();
    let opened = open_with(&files, publishing(20_000)).unwrap();
    let published = opened.ledger.publication().unwrap().clone();
    assert_eq!(
        feed(&mut [Double::new(3).witness()], &published),
        (0, Vec::new())
    );
    assert_eq!(write(&opened.ledger, 1), 1);
}
