//! What every database must do for the store: one suite, run on each. The one
//! on PostgreSQL needs a server (`MERESTONE_TEST_POSTGRES`, a URL of an empty
//! database); `./test` starts one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use policy::{Grant, Rates};
use store::{
    BATCH_MAX, Keys, PostgresAt, Store, StoreError, Value, VaultCount, VaultKey, VaultRows,
    VaultValue, VaultWhose, VendorKeys, VirtualKey, Wanted,
};
use terms::{Digest, FixedClock, KeyId, Secret, SeededEntropy, Verb};

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
    the_vault_keeps_finds_and_expires(&store).await;
    the_vault_erases_whom_it_is_told(&store).await;
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

fn vault_key(name: &str) -> VaultKey {
    VaultKey {
        name: name.into(),
        wrapped: format!("wrapped {name}"),
    }
}

fn vault_value(number: usize) -> VaultValue {
    VaultValue {
        token: format!("token-{number}"),
        sealed: format!("sealed {number}"),
    }
}

async fn the_vault_keeps_finds_and_expires(store: &Store) {
    let rows = VaultRows::new(store);
    assert_eq!(rows.root().await.unwrap(), None);
    assert_eq!(rows.begin(&vault_key("r")).await.unwrap(), vault_key("r"));
    // Another node that begins at once gets the same.
    assert_eq!(rows.begin(&vault_key("s")).await.unwrap(), vault_key("r"));
    let scope: KeyId = "mk-000000000001".parse().unwrap();
    assert_eq!(rows.data_key(&scope, "p").await.unwrap(), None);
    let key = rows.add_data_key(&scope, "p", &vault_key("a"), 10).await;
    assert_eq!(key.unwrap(), vault_key("a"));
    let key = rows.add_data_key(&scope, "p", &vault_key("b"), 10).await;
    let key = key.unwrap();
    assert_eq!(key, vault_key("a"));
    // More than one statement takes, and again in part.
    let many: Vec<VaultValue> = (0..BATCH_MAX + 5).map(vault_value).collect();
    rows.put(&key, &scope, 1_000, &many).await.unwrap();
    let again = VaultValue {
        sealed: "sealed anew".into(),
        ..vault_value(3)
    };
    rows.put(&key, &scope, 3_000, &[again]).await.unwrap();
    assert_eq!(rows.entries(Some(&scope)).await.unwrap(), many.len() as u64);
    let names: Vec<&str> = many.iter().map(|value| value.token.as_str()).collect();
    let held = rows.held(&key, &names).await.unwrap();
    assert_eq!(held.len(), many.len());
    assert!(held.contains(&("token-3".into(), 3_000)) && held.contains(&("token-4".into(), 1_000)));
    assert!(rows.held(&vault_key("b"), &names).await.unwrap().is_empty());
    rows.refresh(&key, &["token-4", "token-3"], 2_000)
        .await
        .unwrap();
    let held = rows
        .held(&key, &["token-4", "token-3", "none"])
        .await
        .unwrap();
    assert!(held.contains(&("token-3".into(), 3_000)) && held.contains(&("token-4".into(), 2_000)));
    let found = rows.find(&names, None, None, 1_000).await.unwrap();
    let order: Vec<&str> = found.iter().map(|found| found.token.as_str()).collect();
    assert_eq!(
        order,
        ["token-3", "token-4"],
        "what has expired is not found"
    );
    assert_eq!(
        (found[0].sealed.as_str(), &found[0].key),
        ("sealed anew", &key)
    );
    assert_eq!((&found[0].scope, found[0].expires_ms), (&scope, 3_000));
    assert_eq!(found[0].person, "p");
    assert_eq!(rows.sweep(2_000, 10).await.unwrap(), (many.len() - 1, 0));
    let left = VaultCount {
        entries: 1,
        persons: 1,
        next_expiry_ms: Some(3_000),
    };
    assert_eq!(rows.count().await.unwrap(), left);
    // A data key of nothing goes once it was not used for a while.
    assert!(rows.touch(&key, 500).await.unwrap());
    assert_eq!(rows.sweep(3_000, 500).await.unwrap(), (1, 0));
    assert_eq!(rows.data_key(&scope, "p").await.unwrap(), Some(key.clone()));
    assert_eq!(rows.sweep(3_000, 501).await.unwrap(), (0, 1));
    assert_eq!(rows.count().await.unwrap(), VaultCount::default());
    assert!(!rows.touch(&key, 500).await.unwrap());
}

async fn the_vault_erases_whom_it_is_told(store: &Store) {
    let rows = VaultRows::new(store);
    let scopes: Vec<KeyId> = (1..=2)
        .map(|number| format!("mk-00000000000{number}").parse().unwrap())
        .collect();
    for scope in &scopes {
        for person in ["p", "q"] {
            let key = vault_key(&format!("{scope} {person}"));
            let key = rows.add_data_key(scope, person, &key, 10).await.unwrap();
            // The same token under two persons is two values.
            let values = [vault_value(1), vault_value(2)];
            rows.put(&key, scope, 9_000, &values).await.unwrap();
        }
    }
    the_vault_finds_one_of_each(rows, &scopes).await;
    let erased = rows.erase(&VaultWhose::Person("p".into())).await.unwrap();
    assert_eq!(erased, (4, 2));
    let erased = rows.erase(&VaultWhose::Key(scopes[0].clone())).await;
    assert_eq!(erased.unwrap(), (2, 1));
    let left = rows.find(&["token-1", "token-2"], None, None, 0);
    let left = left.await.unwrap();
    assert!(left.len() == 2 && left.iter().all(|found| found.scope == scopes[1]));
    let none = rows.erase(&VaultWhose::Person("nobody".into())).await;
    assert_eq!(none.unwrap(), (0, 0));
    // Under a key that is gone nothing is kept.
    let gone = vault_key(&format!("{} p", scopes[0]));
    let put = rows.put(&gone, &scopes[0], 9_000, &[vault_value(7)]).await;
    assert!(matches!(put, Err(StoreError::Engine(_))));
    rows.erase(&VaultWhose::Person("q".into())).await.unwrap();
    assert_eq!(rows.count().await.unwrap(), VaultCount::default());
    rows.scrub().await.unwrap();
}

/// Of four values of one token, two persons' under two keys.
async fn the_vault_finds_one_of_each(rows: VaultRows<'_>, scopes: &[KeyId]) {
    let find = async |scope: Option<&KeyId>, person: Option<&str>| {
        let found = rows.find(&["token-1", "token-2", "none"], scope, person, 0);
        let found = found.await.unwrap().into_iter();
        let mut found: Vec<_> = found
            .map(|found| (found.token, found.scope, found.person))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    };
    let both = |scope: &KeyId, person: &str| {
        ["token-1", "token-2"].map(|token| (token.to_owned(), scope.clone(), person.to_owned()))
    };
    for scope in scopes {
        for person in ["p", "q"] {
            let found = find(Some(scope), Some(person)).await;
            assert_eq!(found, both(scope, person));
        }
        let found = find(Some(scope), None).await;
        assert!(found.len() == 2 && found.iter().all(|found| found.1 == *scope));
    }
    assert_eq!(find(None, None).await.len(), 2);
    assert!(find(Some(&scopes[0]), Some("nobody")).await.is_empty());
    let nobodys = "mk-00000000000f".parse().unwrap();
    assert!(find(Some(&nobodys), None).await.is_empty());
    // What expires last is the one that is found.
    let key = rows.data_key(&scopes[1], "q").await.unwrap().unwrap();
    rows.refresh(&key, &["token-2"], 9_001).await.unwrap();
    let found = rows.find(&["token-2"], None, None, 0).await.unwrap();
    assert_eq!((found.len(), &found[0].key), (1, &key));
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
async fn no_file_of_sqlite_keeps_a_wrapped_key_that_was_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).await.unwrap();
    let rows = VaultRows::new(&store);
    let scope: KeyId = "mk-000000000001".parse().unwrap();
    let stands = |needle: &str| {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        })
    };
    for number in 0..200 {
        let key = vault_key(&format!("person {number}"));
        let key = rows
            .add_data_key(&scope, &key.name, &key, 10)
            .await
            .unwrap();
        rows.put(&key, &scope, 9_000, &[vault_value(number)])
            .await
            .unwrap();
    }
    assert!(stands("wrapped person 77") && stands("sealed 77"));
    let erased = rows.erase(&VaultWhose::Person("person 77".into())).await;
    assert_eq!(erased.unwrap(), (1, 1));
    rows.scrub().await.unwrap();
    assert!(!stands("wrapped person 77") && !stands("sealed 77"));
    assert!(stands("wrapped person 78") && stands("sealed 78"));
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
