use super::*;

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let store = Store::open(&path).await.unwrap();
    store
        .run("INSERT INTO schema_step (step) VALUES (99)", &[])
        .await
        .unwrap();
    drop(store);
    assert!(matches!(
        Store::open(&path).await,
        Err(StoreError::TooNew { found: 99, .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_does_not_keep_others_waiting_behind_a_scrub() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let store = Store::open(&path).await.unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    let count = "SELECT COUNT(*) FROM schema_step";
    reader.execute_batch("BEGIN").unwrap();
    reader.query_row(count, [], |_| Ok(())).unwrap();
    let step = "INSERT INTO schema_step (step) VALUES (98)";
    store.run(step, &[]).await.unwrap();
    // Less than a statement may wait for others, by far more than it takes.
    let patience = std::time::Duration::from_secs(4);
    let scrubbed = tokio::time::timeout(patience, store.scrub(&[])).await;
    assert!(matches!(scrubbed, Ok(Err(StoreError::Engine(_)))));
    // Statements wait as long as before.
    let waits = store.run("PRAGMA busy_timeout", &[]).await.unwrap();
    assert_eq!(waits, [[Value::Int(5_000)]]);
    reader.execute_batch("COMMIT").unwrap();
    store.scrub(&[]).await.unwrap();
}

#[tokio::test]
async fn an_error_does_not_quote_values() {
    let store = Store::in_memory().await.unwrap();
    let error = store
        .run(
            "INSERT INTO nowhere VALUES ($1)",
            &[Value::Text("quoted".into())],
        )
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("quoted") && !error.to_string().contains("nowhere"));
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_behind() {
    let store = Store::in_memory().await.unwrap();
    let broken = "CREATE TABLE half (a BIGINT); INSERT INTO nowhere VALUES (1)";
    assert!(store.all(broken.into()).await.is_err());
    assert!(store.run("SELECT a FROM half", &[]).await.is_err());
    store
        .all("CREATE TABLE half (a BIGINT)".into())
        .await
        .unwrap();
}
