use ledger::seal::LocalKey;
use store::Value;
use terms::{FixedClock, SeededEntropy};

use super::*;

mod keeping;

const DAY_MS: u64 = 86_400_000;

struct House {
    store: Arc<Store>,
    clock: Arc<FixedClock>,
    vault: Vault,
}

fn rules(kinds: &[&str]) -> VaultRules {
    VaultRules {
        kinds: kinds.iter().map(|kind| Kind::new(kind)).collect(),
        comes_back: VaultReach::Key,
        age_ms: 10 * DAY_MS,
        entries_per_key_max: 5,
        entries_max: 8,
    }
}

fn holder(byte: u8) -> Arc<dyn Wrap> {
    Arc::new(LocalKey::new(Secret::new([byte; 32])))
}

impl House {
    async fn new() -> Self {
        let store = Arc::new(Store::in_memory().await.unwrap());
        let clock = Arc::new(FixedClock::new(1_000_000));
        let vault = Self::another(&store, &clock, 7, 1);
        Self {
            store,
            clock,
            vault,
        }
    }

    /// A vault of another node on the same store.
    fn another(store: &Arc<Store>, clock: &Arc<FixedClock>, key: u8, seed: u64) -> Vault {
        Vault::new(
            Arc::clone(store),
            holder(key),
            rules(&["email"]),
            Arc::clone(clock),
            Arc::new(SeededEntropy::new(seed)),
        )
    }

    async fn keep(&self, scope: u8, person: &str, tokens: &[&str]) -> Result<u64, VaultFault> {
        let kept = tokens.iter().map(|name| Kept {
            token: token(name),
            value: Secret::new(format!("value of {name}")),
        });
        let person = VaultPerson::Named(person);
        self.vault.keep(&key(scope), person, kept.collect()).await
    }

    /// The value of a token, as an operator is shown it.
    async fn shown(&self, token: &str) -> Option<Result<(KeyId, String), VaultFault>> {
        let found = self.vault.find(&self::token(token)).await.unwrap()?;
        let shown = self.vault.value(found).await.transpose()?;
        Some(shown.map(|shown| (shown.scope, shown.value.reveal().clone())))
    }

    async fn recall(&self, scope: u8, tokens: &[&str]) -> Vec<String> {
        self.recall_for(scope, "ada", tokens).await
    }

    async fn recall_for(&self, scope: u8, person: &str, tokens: &[&str]) -> Vec<String> {
        let names: BTreeMap<String, &str> =
            tokens.iter().map(|name| (token(name), *name)).collect();
        let tokens = names.keys().cloned().collect();
        let person = VaultPerson::Named(person);
        let scope = key(scope);
        let found = self.vault.recall(&scope, person, tokens).await.unwrap();
        let mut tokens = Vec::new();
        for (token, value) in found {
            let name = names[&token];
            assert_eq!(value.reveal(), &format!("value of {name}"));
            tokens.push(name.to_owned());
        }
        tokens.sort();
        tokens
    }
}

/// A token of the form of one; `KIND-name` is of that kind.
fn token(name: &str) -> String {
    match name.split_once('-') {
        Some((kind, code)) => format!("MS{kind}{code:a<26}"),
        None => format!("MSEMAIL{name:a<26}"),
    }
}

fn key(number: u8) -> KeyId {
    format!("mk-{number:012}").parse().unwrap()
}

#[tokio::test]
async fn a_value_comes_back_for_its_key_until_it_expires() {
    let house = House::new().await;
    assert_eq!(house.keep(1, "ada", &["a", "b"]).await.unwrap(), 2);
    assert_eq!(house.recall(1, &["a", "b", "c"]).await, ["a", "b"]);
    assert!(house.recall(2, &["a", "b"]).await.is_empty());
    let shown = house.shown("a").await.unwrap().unwrap();
    assert_eq!(shown, (key(1), "value of a".to_owned()));
    // What is there already is not kept again; used late, it expires later.
    assert_eq!(house.keep(1, "ada", &["a"]).await.unwrap(), 0);
    house.clock.advance(9 * DAY_MS);
    assert_eq!(house.keep(1, "ada", &["a"]).await.unwrap(), 0);
    house.clock.advance(DAY_MS);
    assert_eq!(house.recall(1, &["a", "b"]).await, ["a"]);
    assert!(house.shown("b").await.is_none());
    // It is there still, and is kept anew all the same.
    assert_eq!(house.keep(1, "ada", &["b"]).await.unwrap(), 1);
    house.clock.advance(9 * DAY_MS);
    assert_eq!(house.recall(1, &["a", "b"]).await, ["b"]);
    assert_eq!(house.vault.sweep().await.unwrap(), 1);
    house.clock.advance(DAY_MS);
    assert_eq!(house.vault.sweep().await.unwrap(), 1);
    assert_eq!(house.vault.status().await.unwrap().count.entries, 0);
}

#[tokio::test]
async fn what_is_of_a_kind_that_is_no_longer_kept_stays_where_it_is() {
    let mut house = House::new().await;
    house.vault.rules.kinds.insert(Kind::new("card"));
    house.keep(1, "ada", &["a", "CARD-b"]).await.unwrap();
    assert_eq!(house.recall(1, &["a", "CARD-b"]).await, ["CARD-b", "a"]);
    assert!(house.shown("CARD-b").await.is_some());
    house.vault.rules.kinds.remove(&Kind::new("card"));
    assert_eq!(house.recall(1, &["a", "CARD-b"]).await, ["a"]);
    assert!(house.shown("CARD-b").await.is_none());
}

#[tokio::test]
async fn an_erased_person_is_gone_and_others_stay() {
    let house = House::new().await;
    house.keep(1, "ada", &["a"]).await.unwrap();
    house.keep(1, "bob", &["a", "b"]).await.unwrap();
    house.keep(2, "ada", &["c"]).await.unwrap();
    let erase = |whose| house.vault.erase(whose);
    let erased = erase(VaultPerson::Named("ada")).await.unwrap();
    assert_eq!(
        erased,
        VaultErased {
            entries: 2,
            scrubbed: true
        }
    );
    assert!(house.recall(2, &["c"]).await.is_empty());
    // What another person told too is theirs.
    assert_eq!(house.recall(1, &["a", "b"]).await, ["a", "b"]);
    assert_eq!(erase(VaultPerson::Named("ada")).await.unwrap().entries, 0);
    // Nobody is the key whose name they bear.
    let id = key(1);
    assert_eq!(
        erase(VaultPerson::Named(id.as_str()))
            .await
            .unwrap()
            .entries,
        0
    );
    assert_eq!(erase(VaultPerson::Key(&id)).await.unwrap().entries, 2);
    assert!(house.recall(1, &["a", "b"]).await.is_empty());
    // And comes again like anybody.
    assert_eq!(house.keep(2, "ada", &["c"]).await.unwrap(), 1);
    assert_eq!(house.recall(2, &["c"]).await, ["c"]);
}

#[tokio::test]
async fn a_value_may_come_back_for_its_person_only() {
    let mut house = House::new().await;
    house.keep(1, "ada", &["a", "b"]).await.unwrap();
    house.keep(1, "bob", &["b"]).await.unwrap();
    assert_eq!(house.recall_for(1, "bob", &["a", "b"]).await, ["a", "b"]);
    house.vault.rules.comes_back = VaultReach::Person;
    assert_eq!(house.recall_for(1, "bob", &["a", "b"]).await, ["b"]);
    assert_eq!(house.recall_for(1, "ada", &["a", "b"]).await, ["a", "b"]);
    assert!(house.recall_for(2, "ada", &["a", "b"]).await.is_empty());
}

#[test]
fn a_person_is_whom_an_operator_can_name() {
    let long = "é".repeat(VAULT_PERSON_BYTES_MAX / 2);
    for name in ["a", "a b", "-x", "{\"id\":7}", &long] {
        assert!(is_vault_person(name), "{name}");
    }
    let longer = format!("{long}a");
    for name in ["", &longer, "a\0", "a\nb", "\u{1b}[0m", "a\u{85}"] {
        assert!(!is_vault_person(name), "{name}");
    }
}

#[tokio::test]
async fn no_more_is_kept_than_allowed() {
    let house = House::new().await;
    house.keep(1, "ada", &["a", "b", "c", "d"]).await.unwrap();
    let full = house.keep(1, "bob", &["e", "f"]).await;
    assert!(matches!(full, Err(VaultFault::Full("of one key"))));
    house.keep(1, "bob", &["e"]).await.unwrap();
    assert_eq!(
        house.keep(1, "bob", &["e"]).await.unwrap(),
        0,
        "that is there"
    );
    house.keep(2, "ada", &["g", "h", "i"]).await.unwrap();
    let full = house.keep(3, "ada", &["j"]).await;
    assert!(matches!(full, Err(VaultFault::Full("of all keys"))));
    house.vault.erase(VaultPerson::Key(&key(2))).await.unwrap();
    assert_eq!(house.keep(3, "ada", &["j"]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_vault_makes_no_key_for_a_person_who_has_none() {
    let house = House::new().await;
    house
        .keep(1, "ada", &["a", "b", "c", "d", "e"])
        .await
        .unwrap();
    for number in 0..3 {
        let full = house.keep(1, &format!("bob {number}"), &["f"]).await;
        assert!(matches!(full, Err(VaultFault::Full("of one key"))));
    }
    assert_eq!(house.vault.status().await.unwrap().count.persons, 1);
}

#[tokio::test]
async fn a_sweep_takes_all_persons_of_nothing() {
    let house = House::new().await;
    // More than one step removes, under nothing that is kept.
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT INTO vault_person (name, scope, person, wrapped, used_ms) SELECT 'n' || i, 's', 'p' || i, 'w', 0 FROM n";
    house.store.run(many, &[]).await.unwrap();
    house.keep(1, "ada", &["a"]).await.unwrap();
    house.clock.advance(DAY_MS);
    assert_eq!(house.vault.sweep().await.unwrap(), 0);
    assert_eq!(house.vault.status().await.unwrap().count.persons, 1);
    assert_eq!(house.recall(1, &["a"]).await, ["a"]);
}

#[tokio::test]
async fn what_came_before_an_erasure_is_not_kept_after_it() {
    let house = House::new().await;
    house.keep(1, "ada", &["a"]).await.unwrap();
    // The key goes after it was found and before it is used.
    let erasing = "CREATE TRIGGER erasing BEFORE UPDATE OF used_ms ON vault_person BEGIN DELETE FROM vault_person; END";
    house.store.run(erasing, &[]).await.unwrap();
    let kept = house.keep(1, "ada", &["b"]).await;
    assert!(matches!(kept, Err(VaultFault::Gone)), "{kept:?}");
    assert_eq!(house.vault.status().await.unwrap().count.persons, 0);
}

#[tokio::test]
async fn nodes_share_a_vault_and_another_key_does_not_open_it() {
    let house = House::new().await;
    house.keep(1, "ada", &["a"]).await.unwrap();
    let same = House {
        vault: House::another(&house.store, &house.clock, 7, 2),
        store: Arc::clone(&house.store),
        clock: Arc::clone(&house.clock),
    };
    assert_eq!(same.recall(1, &["a"]).await, ["a"]);
    assert_eq!(same.keep(1, "ada", &["a"]).await.unwrap(), 0);
    let other = House::another(&house.store, &house.clock, 8, 3);
    assert!(matches!(other.open().await, Err(VaultFault::Key(_))));
    let id = key(1);
    let kept = other.keep(&id, VaultPerson::Named("ada"), Vec::new());
    assert!(matches!(kept.await, Err(VaultFault::Key(_))));
}

#[tokio::test]
async fn a_row_that_was_changed_or_moved_gives_nothing() {
    let house = House::new().await;
    house.keep(1, "ada", &["a", "b"]).await.unwrap();
    house.keep(2, "ada", &["c"]).await.unwrap();
    let run = |sql| house.store.run(sql, &[]);
    // The sealed values of two rows exchanged, and back.
    let both = run("SELECT sealed FROM vault_entry WHERE scope = 'mk-000000000001'").await;
    let both = both.unwrap().concat();
    for expected in [&[] as &[&str], &["a", "b"]] {
        let swap = "UPDATE vault_entry SET sealed = CASE sealed WHEN $1 THEN $2 ELSE $1 END WHERE scope = 'mk-000000000001'";
        house.store.run(swap, &both).await.unwrap();
        assert_eq!(house.recall(1, &["a", "b"]).await, expected);
    }
    // A wrapped key of another person.
    run("UPDATE vault_person SET wrapped = (SELECT o.wrapped FROM vault_person AS o WHERE o.scope = 'mk-000000000001') WHERE scope = 'mk-000000000002'").await.unwrap();
    assert!(house.recall(2, &["c"]).await.is_empty());
    assert!(matches!(
        house.shown("c").await,
        Some(Err(VaultFault::Key(_)))
    ));
    run("UPDATE vault_entry SET sealed = 'x' || sealed WHERE scope = 'mk-000000000001'")
        .await
        .unwrap();
    assert!(house.recall(1, &["a", "b"]).await.is_empty());
    let shown = house.shown("a").await;
    assert!(matches!(shown, Some(Err(VaultFault::Damaged))));
}

#[tokio::test]
async fn a_row_that_is_put_under_another_person_or_key_opens_for_nobody() {
    let mut house = House::new().await;
    house.vault.rules.comes_back = VaultReach::Person;
    house.keep(1, "ada", &["a"]).await.unwrap();
    let root = house.vault.root().await.unwrap();
    let mark = |name| Value::Text(root.person(VaultPerson::Named(name)).to_string());
    let (ada, bob) = (mark("ada"), mark("bob"));
    let person = "UPDATE vault_person SET person = $1";
    house.store.run(person, &[bob]).await.unwrap();
    assert!(house.recall_for(1, "bob", &["a"]).await.is_empty());
    let shown = house.shown("a").await;
    assert!(matches!(shown, Some(Err(VaultFault::Damaged))));
    house.store.run(person, &[ada]).await.unwrap();
    assert_eq!(house.recall_for(1, "ada", &["a"]).await, ["a"]);
    // Person and value, or the value alone, under another virtual key.
    for table in [
        "UPDATE vault_entry SET scope = 'mk-000000000002'",
        "UPDATE vault_person SET scope = 'mk-000000000002'",
    ] {
        house.store.run(table, &[]).await.unwrap();
        assert!(house.recall_for(2, "ada", &["a"]).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_scrubs_what_an_erasure_could_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Arc::new(Store::open(&path).await.unwrap());
    let clock = Arc::new(FixedClock::new(1_000_000));
    let vault = House::another(&store, &clock, 7, 1);
    let house = House {
        store,
        clock,
        vault,
    };
    house.keep(1, "ada", &["a"]).await.unwrap();
    // The first sweep of a node leaves nothing from before.
    house.vault.sweep().await.unwrap();
    let journal = || std::fs::metadata(folder.path().join("store.db-wal")).unwrap();
    assert_eq!(journal().len(), 0);
    let reader = Store::open(&path).await.unwrap();
    for sql in ["BEGIN", "SELECT COUNT(*) FROM vault_entry"] {
        reader.run(sql, &[]).await.unwrap();
    }
    let erased = house.vault.erase(VaultPerson::Named("ada")).await.unwrap();
    assert_eq!((erased.entries, erased.scrubbed), (1, false));
    assert_eq!(house.vault.sweep().await.unwrap(), 0);
    assert_ne!(journal().len(), 0, "somebody reads still");
    reader.run("COMMIT", &[]).await.unwrap();
    assert_eq!(house.vault.sweep().await.unwrap(), 0);
    assert_eq!(journal().len(), 0);
}

#[tokio::test]
async fn nothing_stands_there_in_the_clear() {
    let house = House::new().await;
    house.keep(1, "ada", &["xyz"]).await.unwrap();
    for table in [
        "SELECT name, wrapped FROM vault_root",
        "SELECT name, scope, person, wrapped FROM vault_person",
        "SELECT token, key_name, scope, sealed FROM vault_entry",
    ] {
        for value in house.store.run(table, &[]).await.unwrap().concat() {
            let Value::Text(text) = value else {
                panic!("a number")
            };
            assert!(
                !["ada", "MSEMAIL", "value of"]
                    .iter()
                    .any(|word| text.contains(word)),
                "{text}"
            );
        }
    }
}
