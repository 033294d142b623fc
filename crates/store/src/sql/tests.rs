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
