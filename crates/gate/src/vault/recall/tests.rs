use detect::redact::TokenKey;
use ledger::seal::LocalKey;
use store::Store;
use terms::{FixedClock, Kind, SeededEntropy};

use super::*;
use crate::vault::{Kept, VaultRules};

const SCOPE: &str = "mk-000000000001";

fn tokens() -> Tokens {
    Tokens::new(&TokenKey::new(Secret::new([9; 32])), SCOPE)
}

fn token(number: usize) -> String {
    let value = number.to_string();
    tokens().issue(&Kind::new("email"), &value).unwrap()
}

async fn vault() -> Arc<Vault> {
    let rules = VaultRules {
        kinds: [Kind::new("email")].into(),
        comes_back: VaultReach::Key,
        age_ms: 1_000_000,
        entries_per_key_max: 10_000,
        entries_max: 10_000,
    };
    Arc::new(Vault::new(
        Arc::new(Store::in_memory().await.unwrap()),
        Arc::new(LocalKey::new(Secret::new([7; 32]))),
        rules,
        Arc::new(FixedClock::new(1_000)),
        Arc::new(SeededEntropy::new(1)),
    ))
}

fn recall(vault: &Arc<Vault>) -> Recall {
    Recall::new(
        Arc::clone(vault),
        Arc::default(),
        SCOPE.parse().unwrap(),
        None,
    )
}

#[tokio::test]
async fn a_reply_looks_up_so_many_tokens_and_no_more() {
    let vault = vault().await;
    let kept = (0..TOKENS_MAX + 5).map(|number| Kept {
        token: token(number),
        value: Secret::new(number.to_string()),
    });
    let scope = SCOPE.parse().unwrap();
    let keeping = vault.keep(&scope, VaultPerson::Key(&scope), kept.collect());
    assert_eq!(keeping.await.unwrap(), TOKENS_MAX as u64 + 5);
    let (mut recall, mut later) = (recall(&vault), tokens());
    let text: String = (0..TOKENS_MAX + 5)
        .map(|number| token(number) + " ")
        .collect();
    recall.spot(&later, &text);
    assert!(recall.lacks());
    recall.fetch(&mut later).await;
    assert!(!recall.lacks());
    assert_eq!(later.resolve(&token(0)).unwrap().value(), "0");
    assert!(later.resolve(&token(TOKENS_MAX - 1)).is_some());
    assert!(later.resolve(&token(TOKENS_MAX)).is_none());
    recall.spot(&later, &token(TOKENS_MAX));
    assert!(!recall.lacks(), "no more of them");
}

#[tokio::test]
async fn a_token_is_looked_up_once_and_a_reply_takes_so_many_looks() {
    let (mut recall, mut later) = (recall(&vault().await), tokens());
    for number in 0..LOOKS_MAX {
        recall.spot(&later, &token(number as usize));
        recall.spot(&later, &token(0));
        assert!(recall.lacks());
        recall.fetch(&mut later).await;
        recall.spot(&later, &token(number as usize));
        assert!(!recall.lacks(), "it was looked for");
    }
    recall.spot(&later, &token(LOOKS_MAX as usize));
    assert!(!recall.lacks());
}

#[tokio::test]
async fn a_token_of_a_kind_that_is_not_kept_is_not_looked_for() {
    let (mut recall, later) = (recall(&vault().await), tokens());
    let other = tokens().issue(&Kind::new("card"), "1").unwrap();
    recall.spot(&later, &other);
    assert!(!recall.lacks());
    recall.spot(&later, &token(1));
    assert!(recall.lacks(), "the negative control");
}

#[tokio::test]
async fn after_a_look_that_fails_there_is_none() {
    let vault = vault().await;
    vault
        .store
        .run("DROP TABLE vault_entry", &[])
        .await
        .unwrap();
    let (mut recall, mut later) = (recall(&vault), tokens());
    recall.spot(&later, &token(1));
    recall.fetch(&mut later).await;
    assert!(later.resolve(&token(1)).is_none());
    recall.spot(&later, &token(2));
    assert!(!recall.lacks());
}
