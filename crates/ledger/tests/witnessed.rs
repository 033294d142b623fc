//! What verification makes of witnesses' lines, of the checkpoint that has
//! them, and of a checkpoint that is gone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::sync::Arc;

use common::{
    FOLDER, check, check_published, check_trusting, checkpoint, close, event, key, open_with,
    publishing, tlog, trust, write,
};
use ledger::{
    CheckpointFault, CosignFault, Cosigned, OpenError, Trust, Verified, VerifyFault,
    files::{Files, MemoryFiles},
    note::{Checkpoint, LogKey, Note, NoteFault},
    publish::{CHECKPOINT, WITNESSED},
    verify_published, verify_trusting,
};
use terms::{Act, Digest, Event, Leaf, Secret};

fn witness(seed: u8) -> LogKey {
    let name = format!("witness.example/{seed}");
    LogKey::new(&name, Secret::new([seed; 32])).unwrap()
}

fn log(entries: u64) -> MemoryFiles {
    let files = MemoryFiles::default();
    let opened = open_with(&files, publishing(1 << 20)).unwrap();
    write(&opened.ledger, entries);
    close(opened);
    files
}

/// A log that went on after its checkpoint of `size` was cosigned by these.
fn witnessed(size: u64, entries: u64, by: &[LogKey]) -> MemoryFiles {
    let files = log(size);
    let note = cosigned(&checkpoint(&files), by);
    put(&files, WITNESSED, &note);
    let opened = open_with(&files, publishing(1 << 20)).unwrap();
    write(&opened.ledger, entries - size);
    close(opened);
    files
}

fn cosigned(checkpoint: &Checkpoint, by: &[LogKey]) -> Note {
    let mut note = checkpoint.sign(&key());
    let text = note.text.clone();
    note.add(by.iter().map(|key| key.cosign(&text, 77)).collect());
    note
}

fn put(files: &MemoryFiles, name: &str, note: &Note) {
    files.put_file(&tlog().join(name), &note.encode());
}

/// With these witnesses, and whether all of them are demanded: what is told of
/// the node's own log, which must be what is told of a copy.
fn judge(files: &MemoryFiles, by: &[LogKey], all: bool) -> Result<Verified, VerifyFault> {
    let trust = Trust {
        witnesses: by.iter().map(LogKey::as_witness).collect(),
        all_witnesses: all,
        ..trust(None)
    };
    let shared: Arc<dyn Files> = Arc::new(files.clone());
    let copy = verify_published(&shared, &tlog(), &trust, &mut |_| ());
    let own = verify_trusting(shared, FOLDER.as_ref(), &trust, &mut |_| ());
    assert_eq!(own, copy);
    own
}

#[test]
fn who_cosigned_how_much_is_told() {
    let files = witnessed(300, 400, &[witness(3), witness(4)]);
    let verified = judge(&files, &[witness(3), witness(5), witness(4)], false).unwrap();
    assert_eq!((verified.entries, verified.witnessed), (400, Some(300)));
    let line = |seed, entries| Cosigned {
        witness: witness(seed).verifier().name().to_owned(),
        entries,
        at_s: 77,
    };
    assert_eq!(verified.cosigned, [line(3, 300), line(4, 300)]);
    // The newest line of each counts, in whichever file it stands.
    put(
        &files,
        CHECKPOINT,
        &cosigned(&checkpoint(&files), &[witness(4)]),
    );
    let verified = judge(&files, &[witness(3), witness(4)], true).unwrap();
    let mut told = verified.cosigned;
    told.sort_by(|a, b| a.witness.cmp(&b.witness));
    assert_eq!(told, [line(3, 300), line(4, 400)]);
    // Nobody is known: nobody is told.
    let verified = judge(&files, &[], true).unwrap();
    assert_eq!((verified.cosigned, verified.witnessed), (vec![], Some(300)));
    let missing = VerifyFault::Cosigned(CosignFault::Never("witness.example/5".to_owned()));
    assert_eq!(judge(&files, &[witness(3), witness(5)], true), Err(missing));
}

#[test]
fn a_wrong_line_of_a_known_witness_is_a_fault() {
    for name in [CHECKPOINT, WITNESSED] {
        let files = witnessed(300, 300, &[witness(3)]);
        let sound = cosigned(&checkpoint(&files), &[witness(3)]);
        type Damage = fn(&mut Vec<u8>);
        let damages: [Damage; 4] = [
            |bytes| bytes[71] ^= 1,
            |bytes| bytes[7] ^= 1,
            |bytes| bytes.truncate(71),
            |bytes| bytes.truncate(5),
        ];
        for damage in damages {
            let mut note = sound.clone();
            damage(&mut note.signatures[1].bytes);
            put(&files, name, &note);
            let fault = VerifyFault::Cosigned(CosignFault::Line {
                witness: "witness.example/3".to_owned(),
                file: name,
            });
            assert_eq!(judge(&files, &[witness(3)], false), Err(fault));
            // Who does not know the witness passes its line over.
            judge(&files, &[witness(4)], false).unwrap();
        }
        let mut twice = sound.clone();
        twice.signatures.push(twice.signatures[1].clone());
        put(&files, name, &twice);
        assert_eq!(
            judge(&files, &[witness(3)], true).unwrap().cosigned.len(),
            1
        );
    }
}

#[test]
fn a_witnessed_checkpoint_that_does_not_fit_is_a_fault_without_any_key() {
    let files = witnessed(300, 400, &[witness(3)]);
    let fault = |files: &MemoryFiles| match judge(files, &[], false) {
        Err(VerifyFault::Checkpoint(fault)) => fault,
        other => panic!("{other:?}"),
    };
    let true_one = files.read(&tlog().join(WITNESSED)).unwrap();
    let refuses =
        |files: &MemoryFiles, fault: CheckpointFault| match open_with(files, publishing(1 << 20)) {
            Err(OpenError::Checkpoint(found)) => assert_eq!(found, fault),
            other => panic!("{other:?}"),
        };
    // The log was put back, the witnessed checkpoint was not.
    let short = log(200);
    short.put_file(&tlog().join(WITNESSED), &true_one);
    let put_back = CheckpointFault::PutBack {
        witnessed: 300,
        newest: 200,
    };
    assert_eq!(fault(&short), put_back);
    assert_eq!(
        check(&short),
        Err(VerifyFault::Checkpoint(put_back.clone()))
    );
    refuses(&short, put_back);
    // Another log with the same key.
    let fork = Checkpoint {
        root: Digest([7; 32]),
        ..Checkpoint::verified(&true_one, key().verifier()).unwrap().0
    };
    put(&files, WITNESSED, &cosigned(&fork, &[]));
    assert_eq!(fault(&files), CheckpointFault::Forked(300));
    refuses(&files, CheckpointFault::Forked(300));
    // Not the log's word at all.
    files.put_file(&tlog().join(WITNESSED), b"x\n");
    assert_eq!(
        fault(&files),
        CheckpointFault::WitnessedNote(NoteFault::Form)
    );
    let mut forged = cosigned(&checkpoint(&files), &[]);
    forged.text = forged.text.replace("\n400\n", "\n399\n");
    put(&files, WITNESSED, &forged);
    let wrong = CheckpointFault::WitnessedNote(NoteFault::Signature);
    assert_eq!(fault(&files), wrong);
    // A damaged one binds nothing, and the next takes its place.
    close(open_with(&files, publishing(1 << 20)).unwrap());
}

#[test]
fn a_checkpoint_that_is_gone_is_told() {
    let ready = || {
        let files = MemoryFiles::default();
        let opened = open_with(&files, publishing(1 << 20)).unwrap();
        let Leaf::Event(event) = event(1) else {
            panic!("no event")
        };
        let act = Act::GateReady;
        let ready = Leaf::Event(Event { act, ..event });
        opened.ledger.append_blocking(ready).unwrap();
        close(opened);
        files
    };
    let gone = VerifyFault::Checkpoint(CheckpointFault::Missing);
    let refused = |files: &MemoryFiles| {
        let opened = open_with(files, publishing(1 << 20));
        let Err(OpenError::Checkpoint(fault)) = opened else {
            panic!("{opened:?}")
        };
        assert_eq!(fault, CheckpointFault::Missing);
    };
    let files = ready();
    files.remove(&tlog().join(CHECKPOINT)).unwrap();
    assert_eq!(check_trusting(&files, None), Err(gone.clone()));
    assert_eq!(check(&files), Err(gone.clone()));
    assert!(check_published(&files, None).is_err());
    refused(&files);
    // A witnessed one shows the same.
    let files = witnessed(5, 5, &[]);
    files.remove(&tlog().join(CHECKPOINT)).unwrap();
    assert_eq!(check_trusting(&files, None), Err(gone));
    refused(&files);
    // Before a gate was ready there may be none: a command made the log, and
    // a crash came before its first checkpoint.
    let files = log(5);
    files.remove(&tlog().join(CHECKPOINT)).unwrap();
    assert_eq!(check_trusting(&files, None).unwrap().checkpoint, None);
    close(open_with(&files, publishing(1 << 20)).unwrap());
    assert_eq!(
        check_trusting(&files, None)
            .unwrap()
            .checkpoint
            .unwrap()
            .size,
        5
    );
}

#[tokio::test]
async fn the_first_checkpoint_can_be_waited_for() {
    let files = MemoryFiles::default();
    let opened = open_with(&files, publishing(1 << 20)).unwrap();
    opened.ledger.publication().unwrap().first().await;
    assert_eq!(checkpoint(&files).size, 0);
    opened.ledger.close().await.unwrap();
}
