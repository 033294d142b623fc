//! What every database must do for the store: one suite, run on each. The one
//! on PostgreSQL needs a server (`MERESTONE_TEST_POSTGRES`, a URL of an empty
//! database); `./test` starts one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use policy::{Grant, Rates};
use store::{Keys, PostgresAt, Store, StoreError, Value, VendorKeys, VirtualKey, Wanted};
use terms::{Digest, FixedClock, Secret, SeededEntropy, Verb};

fn wanted(owner: &str) -> Wanted {
    let grant = Grant::new(vec!["openai".into()], vec!["gpt-*".parse().unwrap()]).unwrap();
    Wanted {
        owner: owner.into(),
        allowed: grant
            .with_verbs([Verb::Infer, Verb::Admin].into())
            .with_rates(Rates {
                in_flight: 3.try_into().ok(),
                ..Rates::default()
            }),
        expires_ms: Some(5_000),
        made_by: None,
    }
}

async fn conforms(store: Arc<Store>) {
    keys_are_made_listed_and_revoked_once(&store).await;
    vendor_keys_are_seen_and_used(&store).await;
    values_come_back_as_they_went_in(&store).await;
    many_at_once_do_not_meet(&store).await;
    // Once more changes nothing.
    store.migrate().await.unwrap();
    assert_eq!(Keys::new(&store).list().await.unwrap().len(), 22);
    a_newer_schema_is_refused(&store).await;
}

async fn keys_are_made_listed_and_revoked_once(store: &Store) {
    let (clock, entropy) = (FixedClock::new(1_000), SeededEntropy::new(1));
    let keys = Keys::new(store);
    assert!(keys.list().await.unwrap().is_empty());
    let before = keys.number().await.unwrap();
    let new = keys
        .create(wanted("team-a"), &clock, &entropy)
        .await
        .unwrap();
    let child = Wanted {
        made_by: Some(new.record.id.clone()),
        ..wanted("team-a/one's \"app\"; -- \u{1f980}")
    };
    let child = keys.create(child, &clock, &entropy).await.unwrap();
    let listed = keys.list().await.unwrap();
    assert_eq!(listed.len(), 2);
    let of = |id| listed.iter().find(|record| record.id == id).unwrap();
    let first = of(new.record.id.clone());
    assert_eq!(first.allowed, wanted("").allowed);
    assert_eq!((first.expires_ms, first.revoked_ms), (Some(5_000), None));
    assert_eq!(
        first.hash_hex,
        VirtualKey::hash(new.key.reveal()).unwrap().to_hex()
    );
    let second = of(child.record.id.clone());
    assert_eq!(second.made_by, Some(new.record.id.clone()));
    assert_eq!(second.owner, child.record.owner);
    assert!(keys.revoke(&new.record.id, &clock).await.unwrap());
    assert!(!keys.revoke(&new.record.id, &clock).await.unwrap());
    assert_eq!(keys.number().await.unwrap(), before + 3);
    let listed = keys.list().await.unwrap();
    let first = listed
        .iter()
        .find(|record| record.id == new.record.id)
        .unwrap();
    assert_eq!(first.revoked_ms, Some(1_000));
}

async fn vendor_keys_are_seen_and_used(store: &Store) {
    let keys = VendorKeys::new(store);
    let print = Digest([7; 32]);
    let seen = keys
        .seen("openai", print, &FixedClock::new(10))
        .await
        .unwrap();
    assert!(seen.is_new && seen.seen_ms == 10 && seen.used_ms.is_none());
    keys.used("openai", print, 30).await.unwrap();
    keys.used("openai", print, 20).await.unwrap();
    let seen = keys
        .seen("openai", print, &FixedClock::new(40))
        .await
        .unwrap();
    assert!(!seen.is_new && seen.seen_ms == 10 && seen.used_ms == Some(30));
    let other = keys
        .seen("openai", Digest([8; 32]), &FixedClock::new(50))
        .await
        .unwrap();
    assert!(other.is_new && other.seen_ms == 50);
}

async fn values_come_back_as_they_went_in(store: &Store) {
    let text = "quote ' double \" back \\ line \n \u{1f980} $1";
    for value in [Value::Text(text.into()), Value::Text(String::new())] {
        let rows = store
            .run("SELECT CAST($1 AS TEXT)", std::slice::from_ref(&value))
            .await
            .unwrap();
        assert_eq!(rows, [[value]]);
    }
    for value in [Value::Int(i64::MIN), Value::Int(i64::MAX), Value::Null] {
        let rows = store
            .run("SELECT CAST($1 AS BIGINT)", std::slice::from_ref(&value))
            .await
            .unwrap();
        assert_eq!(rows, [[value]]);
    }
    let error = store
        .run(
            "SELECT nothing FROM nowhere WHERE a = $1",
            &[Value::Text("quoted".into())],
        )
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("quoted") && !error.to_string().contains("nowhere"));
}

async fn many_at_once_do_not_meet(store: &Arc<Store>) {
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let entropy = SeededEntropy::new(100 + number);
                Keys::new(&store)
                    .create(wanted("many"), &FixedClock::new(2_000), &entropy)
                    .await
                    .map(drop)
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

async fn a_newer_schema_is_refused(store: &Store) {
    store
        .run("INSERT INTO schema_step (step) VALUES (99)", &[])
        .await
        .unwrap();
    assert!(matches!(
        store.migrate().await,
        Err(StoreError::TooNew { found: 99, .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).await.unwrap();
    conforms(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: ./test starts one"]
async fn postgres_conforms() {
    let url = std::env::var("MERESTONE_TEST_POSTGRES").unwrap();
    let at = PostgresAt::new(Secret::new(url), Vec::new()).unwrap();
    // Nodes that start at once bring the schema up together.
    let nodes: Vec<_> = (0..8)
        .map(|_| tokio::spawn(Store::connect(at.clone())))
        .collect();
    let mut stores = Vec::new();
    for node in nodes {
        stores.push(node.await.unwrap().unwrap());
    }
    conforms(Arc::new(stores.remove(0))).await;
}
